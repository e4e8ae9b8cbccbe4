"""Services: the containers that an application is made of, and the jobs beside them."""

from typing import Literal

from nself_sdk.compose import views
from nself_sdk.compose.build import Build
from nself_sdk.compose.container import Container
from nself_sdk.compose.deploy import Deploy
from nself_sdk.compose.element import Element
from nself_sdk.compose.health import Healthcheck
from nself_sdk.compose.ports import Port
from nself_sdk.compose.values import (
    Command,
    Flag,
    Integer,
    Key,
    ListOrMap,
    Mapping,
    Maybe,
    PublishedPort,
    Scalar,
    Sequence,
    StringOrList,
    Strings,
    TextOrNumber,
    Variable,
)

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
RestartMode = Literal["no", "always", "on-failure", "unless-stopped"]
WatchAction = Literal["sync", "rebuild", "restart", "sync+restart", "sync+exec"]


class DependsOn(Element):
    """What a service waits for (Services, "depends_on", long syntax)."""

    condition: Condition | Variable
    """What must be true of the other service."""
    restart: Maybe[Flag] = None
    """Restart with it."""
    required: Maybe[bool] = None
    """Whether it is an error that the other service is not there."""


class Hook(Element):
    """A command that runs in a container at a point of its life (Services, "post_start", "pre_stop")."""

    command: Command
    """What runs."""
    user: Maybe[str] = None
    """As which user."""
    privileged: Maybe[Flag] = None
    """With the rights of the host."""
    working_dir: Maybe[str] = None
    """In which directory."""
    environment: Maybe[ListOrMap] = None
    """With which variables."""


class InitContainer(Container):
    """A container that runs to its end before the service starts (Services, "pre_start")."""

    per_replica: Maybe[Flag] = None
    """Run it for each replica instead of once."""


class Watch(Element):
    """What to do when files change (Compose Develop Specification, "watch")."""

    action: WatchAction | Variable
    """What to do."""
    exec: Maybe[Hook] = None
    """What to run with ``sync+exec``."""
    ignore: Maybe[StringOrList] = None
    """Patterns of files that do not matter."""
    include: Maybe[StringOrList] = None
    """Patterns of files that matter."""
    initial_sync: Maybe[bool] = None
    """Copy all files once before watching."""
    path: str
    """What is watched."""
    target: Maybe[str] = None
    """Where in the container the files go."""


class Develop(Element):
    """Support for development (Compose Develop Specification, "Attributes")."""

    watch: Maybe[Sequence[Watch]] = None
    """What is watched."""


class Extends(Element):
    """Another service whose attributes are taken over (Services, "extends")."""

    service: str
    """Its name."""
    file: Maybe[str] = None
    """The file it is in, if another one."""


class Provider(Element):
    """Something outside Compose that runs the service (Services, "provider")."""

    type: str
    """Which program or plugin."""
    options: Maybe[Mapping[str, Scalar | Sequence[Scalar]]] = None
    """Options for it."""


class Workload(Container):
    """The attributes that services and jobs share (Services, "Attributes")."""

    build: Maybe[str | Build] = None
    """How the image is built."""
    depends_on: Maybe[Strings | Mapping[Key, DependsOn]] = None
    """Which services start before it and stop after it."""
    expose: Maybe[Sequence[TextOrNumber]] = None
    """Ports for other services only."""
    extends: Maybe[str | Extends] = None
    """A service whose attributes are taken over."""
    healthcheck: Maybe[Healthcheck] = None
    """How Docker learns that it works."""
    ports: Maybe[Sequence[PublishedPort | Port]] = None
    """Ports that are published on the host."""
    profiles: Maybe[Strings] = None
    """Profiles in which it is active; always if absent."""
    stdin_open: Maybe[Flag] = None
    """Keep its standard input open."""
    tty: Maybe[Flag] = None
    """Give it a terminal."""

    @property
    def build_settings(self) -> Build | None:
        """How its image is built, in long syntax."""
        return Build(context=self.build) if isinstance(self.build, str) else self.build

    @property
    def port_mappings(self) -> list[Port]:
        """Its published ports, each in long syntax."""
        return views.port_mappings(self.ports)

    @property
    def depends_on_map(self) -> dict[str, DependsOn]:
        """Name of each service it waits for, and until when."""
        if isinstance(self.depends_on, dict):
            return dict(self.depends_on)
        return {name: DependsOn(condition="service_started") for name in self.depends_on or ()}


class Service(Workload):
    """A part of the application that runs as one or more containers (Services top-level element)."""

    attach: Maybe[Flag] = None
    """Whether ``up`` shows its output."""
    container_name: Maybe[str] = None
    """A fixed name of its only container."""
    deploy: Deploy | None = None
    """How it is deployed and scaled."""
    develop: Develop | None = None
    """How it is kept up to date while developing."""
    external_links: Maybe[Strings] = None
    """Containers outside this file that it can reach."""
    links: Maybe[Strings] = None
    """Services that it can reach under another name."""
    post_start: Maybe[Sequence[Hook]] = None
    """Commands that run after the container starts."""
    pre_start: Maybe[Sequence[InitContainer]] = None
    """Containers that run to their end before it starts."""
    pre_stop: Maybe[Sequence[Hook]] = None
    """Commands that run before the container stops."""
    provider: Maybe[Provider] = None
    """Something outside Compose that runs it."""
    restart: Maybe[RestartMode | str] = None
    """When the engine restarts it; also ``on-failure:3``."""
    scale: Maybe[Integer] = None
    """How many containers run."""


class Schedule(Element):
    """When a job runs (Jobs, "triggers", "schedule", long syntax)."""

    cron: str
    """A crontab expression."""
    timezone: Maybe[str] = None
    """The time zone in which it is read."""
    concurrency: Maybe[Literal["forbid", "queue"] | Variable] = None
    """What happens while the last run goes on."""
    missed_fires: Maybe[Literal["one", "skip"] | Variable] = None
    """What happens to runs that were missed."""


class Triggers(Element):
    """What starts a job (Jobs, "triggers")."""

    manual: Maybe[Flag] = None
    """Whether it may be started by hand."""
    schedule: Maybe[Sequence[str | Schedule]] = None
    """When it starts by itself."""


class Job(Workload):
    """A container that runs to its end (Jobs top-level element)."""

    triggers: Triggers
    """What starts it."""
