"""Project, Service and Context: what a user declares, and what services may see of each other. No Docker, no disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Self, TypeVar, cast

from pydantic import Field, field_validator

from nself_sdk.compose import ComposeFile, Deploy, Limits, Resources
from nself_sdk.environment import Environment, is_dns_label, name_of
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.hooks import Hook, Moment, known
from nself_sdk.model import Model
from nself_sdk.offers import Connection, Metrics, Route, Secret, VariableName, Webhook


class Service(Model):
    """One service of a stack: a function from `Context` to a part of the Compose file, and what it offers.

    Subclass it for a service of your own; nothing has to be registered.
    """

    #: In a project made of env files: the variable that, set to true, adds this service. With an ``N`` in it, each
    #: number adds one.
    enabled_by: ClassVar[str] = ""
    #: The same: whether it is there until that variable is false.
    always: ClassVar[bool] = False
    #: Whether it is an edge: what answers the requests for the routes that the others offer.
    serves_routes: ClassVar[bool] = False
    #: In a project made of env files: fields that have other variables than ``<SERVICE>_<FIELD>``, as ``smtp.host``.
    variables: ClassVar[Mapping[str, str]] = {}
    #: The same: a pattern of the variables that its program reads itself. They go to its container, unless secret.
    handed_on: ClassVar[str] = ""

    #: The Compose key.
    name: str
    #: Variables to add to the container, over the service's own. Not for secrets.
    environment: dict[VariableName, str] = Field(default_factory=dict)
    #: The most memory that its container may use, as Compose writes sizes.
    memory: str = "256m"
    #: The most processor time that its container may use, in cores; no limit when None.
    cpus: float | None = Field(default=None, gt=0)

    @field_validator("name")
    @classmethod
    def _is_dns_label(cls, name: str) -> str:
        if is_dns_label(name):
            return name
        raise ValueError("a service's name is a DNS label: lower-case letters, digits and inner hyphens, at most 63")

    # Not a pattern of the field: a subclass with another default would lose it.
    @field_validator("memory")
    @classmethod
    def _is_size(cls, memory: str) -> str:
        if re.fullmatch(r"[1-9][0-9]*[kmg]", memory):
            return memory
        raise ValueError("a size is a whole number and one of k, m, g, such as '512m'")

    def requires(self) -> tuple[type[Service], ...]:
        """The kinds of service that must be there too; a missing one is added with its defaults."""
        return ()

    def uses(self) -> tuple[type[Service], ...]:
        """The kinds that it connects to, of those that it requires: each gives it a `connection`."""
        return ()

    def connection(self, context: Context, client: Service) -> Connection:
        """What that client needs to use this service: variables, secrets, SQL, and what it waits for."""
        raise NotImplementedError(f"{self.name} has nothing for {client.name} in {context.project}")

    def traces(self) -> str:
        """The URL where it takes traces, OTLP over HTTP without the path; empty where it takes none."""
        return ""

    def webhooks(self) -> tuple[Webhook, ...]:
        """The calls of Hasura's that it answers, complete."""
        return ()

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - for subclasses
        """The host names under which the edge serves it."""
        return ()

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - for subclasses
        """Where its metrics can be read."""
        return ()

    def secrets(self) -> tuple[Secret, ...]:
        """The secrets it uses. The same name in two services is the same secret."""
        return ()

    def sql(self) -> str:
        """What it needs in the project's database, as SQL that may run again and again. `Postgres` runs it.

        A secret is available as the psql variable of its name: ``:'HASURA_DB_PASSWORD'``.
        """
        return ""

    @property
    def limits(self) -> Deploy:
        """Its resource limits, for the ``deploy`` attribute."""
        return Deploy(resources=Resources(limits=Limits(memory=self.memory, cpus=self.cpus)))

    def part(self, context: Context) -> ComposeFile:
        """Its part of the Compose file."""
        raise NotImplementedError(f"{type(self).__name__} must say what it renders to")


S = TypeVar("S", bound=Service)


class Context:
    """What a service may see of the others while it renders: the environment, and what they offer."""

    def __init__(
        self, project: str, environment: Environment, services: Iterable[Service], routes: Iterable[Route] = ()
    ) -> None:
        self.project = project
        self.environment = environment
        self.services: tuple[Service, ...] = tuple(sorted(services, key=lambda service: service.name))
        self._extra_routes = tuple(routes)
        self._by_kind: dict[type[Service], tuple[Service, ...]] = {}

    def every(self, kind: type[S]) -> tuple[S, ...]:
        """All services of that kind, by name."""
        if kind not in self._by_kind:
            self._by_kind[kind] = tuple(service for service in self.services if isinstance(service, kind))
        return cast("tuple[S, ...]", self._by_kind[kind])

    def the(self, kind: type[S]) -> S:
        """The service of that kind; for kinds named in `Service.requires`.

        Raises:
            DeclarationError: there are several, and none has the kind's own name.
        """
        found = self.every(kind)
        usual = [service for service in found if service.name == _default_name(kind)]
        if len(found) > 1 and not usual:
            what = f"which one do the other services use: {', '.join(service.name for service in found)}?"
            raise DeclarationError(Problem(kind.__name__, what, f"name that one {_default_name(kind)!r}"))
        return next(iter(usual or found))

    def connections(self, client: Service) -> tuple[Connection, ...]:
        """What the services that it uses give to that one."""
        return tuple(self.the(kind).connection(self, client) for kind in client.uses())

    @cached_property
    def webhooks(self) -> tuple[Webhook, ...]:
        """Every call of Hasura's that a service answers."""
        return tuple(hook for service in self.services for hook in service.webhooks())

    @cached_property
    def traces(self) -> str:
        """Where traces go, as `Service.traces` says; empty where nobody takes them."""
        return next(filter(None, (service.traces() for service in self.services)), "")

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Every route of the project, sorted by host name, each with its service filled in."""
        own = [
            route if route.service else route.replace(service=service.name)
            for service in self.services
            for route in service.routes(self.environment)
        ]
        return tuple(sorted((*own, *self._extra_routes), key=lambda route: self.environment.host(route.name)))

    @cached_property
    def metrics(self) -> tuple[Metrics, ...]:
        """Every metrics offer of the project, by service and port, each with its service filled in."""
        offers = (
            offer if offer.service else offer.replace(service=service.name)
            for service in self.services
            for offer in service.metrics(self.environment)
        )
        return tuple(sorted(offers, key=lambda offer: (offer.service, offer.port)))

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret of the project, by name."""
        named = {secret.name: secret for service in self.services for secret in service.secrets()}
        lent = [connection for service in self.services for connection in self.connections(service)]
        named |= {secret.name: secret for connection in lent for secret in connection.secrets}
        return tuple(named[name] for name in sorted(named))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host name that the edge answers for."""
        return tuple(dict.fromkeys(self.environment.host(route.name) for route in self.routes))


class Project:
    """A set of services under one name: what the user declares.

    Args:
        name: the Compose project's name; the folder's name when left out.
        hooks: functions to call around a deploy: ``{"pre-deploy": check_stock}`` (docs/deploying.md).
    """

    def __init__(self, name: str | None = None, *, hooks: Mapping[Moment, Hook] | None = None) -> None:
        if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
            fix = "use lower-case letters, digits and hyphens, at most 40"
            raise DeclarationError(Problem("project", f"{name!r} is not a project name", fix))
        self.is_named = name is not None
        self.name = name or name_of(Path.cwd())
        self.services: dict[str, Service] = {}
        self._whole: dict[str, Service] = {}  # with what they require: each new one is looked at once
        self.files: list[ComposeFile] = []
        self.routes: list[Route] = []
        self.hooks = known(hooks or {})

    @classmethod
    def from_env(cls, folder: Path | str = ".", environment: Environment | str = "dev") -> Project:
        """What a folder's env files declare (docs/environments.md); one warning names what is not honoured."""
        # By name: the disk is not this room's business.
        made: Project = import_module("nself_sdk.store").ProjectFolder(folder).declared_by_variables(environment)
        return made

    def __repr__(self) -> str:
        return f"Project({self.name!r}: {', '.join(self.services) or 'empty'})"

    def add(self, part: Service | ComposeFile | Route) -> Self:
        """Add a service, a whole Compose file, or a route to one of its services; returns the project.

        Raises:
            DeclarationError: its name is taken, or another service needs that name for something else.
        """
        if isinstance(part, Service):
            self._refuse_clash(part)
            self.services[part.name] = part
        elif isinstance(part, Route):
            if not part.service:
                raise DeclarationError(Problem(f"route {part.name}", "nobody answers it", "say service='...'"))
            self.routes.append(part)
        elif isinstance(part, ComposeFile):  # pyright: ignore[reportUnnecessaryIsInstance] - a user may pass a class
            self.files.append(part)
        else:
            fix = "add a value, such as Hasura() or ComposeFile.load('docker-compose.yml')"
            raise DeclarationError(Problem("project", f"cannot add {part!r}", fix))
        return self

    def in_folder(self, folder: Path) -> Self:
        """The project, named after that folder unless it was given a name."""
        self.name = self.name if self.is_named else name_of(folder)
        return self

    def context(self, environment: Environment) -> Context:
        """The project in an environment, with every required service added."""
        return Context(self.name, environment, _with_required(self.services).values(), self.routes)

    def _refuse_clash(self, service: Service) -> None:
        if service.name in self.services:
            raise DeclarationError(Problem(service.name, "this name is already in the project", "rename one of them"))
        implied = [other for name, other in self._whole.items() if name not in self.services]
        again = any(service.name == other.name or isinstance(service, type(other)) for other in implied)
        before, askers = (self.services, ()) if again else (self._whole, (service,))
        self._whole = _with_required({**before, service.name: service}, *askers)


def _with_required(declared: Mapping[str, Service], *askers: Service) -> dict[str, Service]:
    """The declared services and, transitively, those that they require, or the askers alone, with their defaults."""
    found = dict(declared)
    present = {base for kind in {type(service) for service in found.values()} for base in kind.__mro__}
    waiting = list(askers or found.values())
    while waiting:
        asker = waiting.pop()
        for kind in asker.requires():
            if kind in present:
                continue
            if rival := found.get(_default_name(kind)):
                what = f"{asker.name} needs a {kind.__name__} of this name, but here it is a {type(rival).__name__}"
                raise DeclarationError(Problem(rival.name, what, "give it another name"))
            made = found[_default_name(kind)] = kind()  # type: ignore[call-arg]  # catalog kinds have a default name
            present.update(kind.__mro__)
            waiting.append(made)
    return found


def _default_name(kind: type[Service]) -> str:
    return str(kind.model_fields["name"].default)


#: What a user declares: a project, or a function that makes one for an environment.
Declaration = Project | Callable[[Environment], Project]


def declared(declaration: Declaration, environment: Environment) -> Project:
    """The project that a declaration is in that environment."""
    made = declaration(environment) if callable(declaration) else declaration
    if not isinstance(made, Project):  # pyright: ignore[reportUnnecessaryIsInstance] - a user's function may return None
        raise DeclarationError(
            Problem("project", f"{made!r} is none", "give a Project, or a function that returns one")
        )
    return made


__all__ = ["Connection", "Context", "Metrics", "Project", "Route", "Secret", "Service", "Webhook", "name_of"]
