"""CustomService: a user's own program, scaffolded from a template into ``services/<name>/`` and built as an image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from nself_sdk import catalog, compose, resources
from nself_sdk.catalog.hasura import Hasura
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.catalog.postgres import Postgres
from nself_sdk.environment import Environment
from nself_sdk.model import did_you_mean
from nself_sdk.offers import ONCE, Action, EventTrigger, RateLimit, Webhook
from nself_sdk.project import Connection, Context, Metrics, Route, Secret, Service

# Roles of Postgres itself or of the catalog, and what would make a password's variable one that steers Docker or ssh.
_NO_ROLE = re.compile(r"[0-9]|pg-|(postgres|public|none|hasura|auth)$|(docker|compose|buildx|buildkit|ssh|ld|lc)(-|$)")

_JobName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$")]


class CustomService(Service):
    """A service with code of its own, at ``https://<route>.<domain>``.

    ``CustomService("payments", "fastapi-py", 8003, needs=["postgres"])``: it gets the credentials of what it
    ``needs``, and no others; passwords come as files. ``postgres``: a role and a schema of its own, ``DATABASE_URL``
    and ``DATABASE_PASSWORD_FILE``. ``redis``: ``REDIS_URL`` and ``REDIS_PASSWORD_FILE``. ``hasura``:
    ``HASURA_GRAPHQL_URL`` and ``HASURA_GRAPHQL_ADMIN_SECRET_FILE``. Whatever offers a `Service.connection` can be
    needed: a name in the catalog, or a class of the user's own.
    """

    enabled_by: ClassVar[str] = "CS_N"
    variables: ClassVar[Mapping[str, str]] = {
        "NEEDS": "needs",
        "HEALTHCHECK": "health",
        **{name: f"environment.{name}" for name in ("TABLE_PREFIX", "REDIS_PREFIX", "QUEUE_NAME")},
    }

    template: str
    #: Where its code is, in ``services/``; its own name when left out.
    folder: str = Field(default="", pattern=r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*)?$")
    #: The port it listens on in its container; nothing is published but the edge.
    port: int = Field(ge=1, le=65535)
    #: Its host name; its own name when left out, none at all when None.
    route: str | None = ""
    #: Whether the edge serves it. A service that is not public is reached by the others as ``http://<name>:<port>``.
    public: bool = True
    rate_limit: RateLimit = ""
    #: Whether its connections may be silent for an hour, as websockets are, instead of a minute.
    websocket: bool = False
    needs: tuple[str | type[Service], ...] = ()
    #: How many containers share the requests.
    replicas: int = Field(default=1, ge=1, le=100)
    memory: str = "256m"
    #: What to run instead of the image's own command.
    command: tuple[str, ...] = ()
    #: What runs to its end before a new version starts, each once and in this order, in a container of the new image:
    #: ``{"migrate": ["alembic", "upgrade", "head"]}``. The new version starts only if all end with 0.
    jobs: dict[_JobName, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    #: The path that the health check asks; the template's choice (``/ready``) when empty.
    health: str = Field(default="", pattern=r"^(/[A-Za-z0-9/_.-]*)?$")
    #: GraphQL mutations and queries that it answers for Hasura.
    actions: tuple[Action, ...] = ()
    #: Changes of tables that Hasura tells it.
    events: tuple[EventTrigger, ...] = ()

    def __init__(  # noqa: PLR0913 - positional for reading: name, template, port; the rest by keyword
        self,
        name: str,
        template: str,
        port: int,
        *,
        route: str | None = "",
        folder: str = "",
        public: bool = True,
        rate_limit: str | int = "",
        websocket: bool = False,
        needs: Iterable[str | type[Service]] = (),
        replicas: int = 1,
        memory: str = "256m",
        cpus: float | None = None,
        command: Iterable[str] | None = None,
        jobs: Mapping[str, Iterable[str]] | None = None,
        health: str = "",
        environment: Mapping[str, str] | None = None,
        actions: Iterable[Action] = (),
        events: Iterable[EventTrigger] = (),
    ) -> None:
        resources.template(template)
        fields: dict[str, Any] = {"template": template, "port": port, "route": route, "public": public}
        fields |= {"folder": folder, "rate_limit": rate_limit, "websocket": websocket}
        fields |= {"needs": needs, "replicas": replicas, "cpus": cpus, "command": command or ()}
        fields |= {"jobs": jobs or {}, "health": health, "environment": environment or {}}
        fields |= {"actions": actions, "events": events}
        super().__init__(name=name, memory=memory, **fields)

    @field_validator("needs")
    @classmethod
    def _known(cls, needs: tuple[str | type[Service], ...]) -> tuple[str | type[Service], ...]:
        for need in needs:
            if isinstance(need, str) and _kind(need) is None:
                raise ValueError(f"nothing called {need!r} can be needed; {did_you_mean(need, _known_needs())}")
        return tuple(dict.fromkeys(needs))

    @model_validator(mode="after")
    def _may_be_a_role(self) -> Self:
        if Postgres in self.uses() and _NO_ROLE.match(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of its database role; give it another name")
        return self

    @model_validator(mode="after")
    def _fits_its_template(self) -> Self:
        if self.port == self._template.probes_port:
            raise ValueError(f"port {self.port} is where the template {self.template} answers /health; take another")
        if self._template.grpc and self.webhooks():
            raise ValueError(f"Hasura calls over HTTP, and the template {self.template} answers gRPC; take another one")
        return self

    @property
    def _template(self) -> resources.Template:
        return resources.template(self.template)

    def uses(self) -> tuple[type[Service], ...]:
        needs = dict.fromkeys((*self._template.needs, *self.needs))
        kinds = (need if isinstance(need, type) else _kind(need) for need in needs)
        return tuple(kind for kind in kinds if kind is not None)

    def requires(self) -> tuple[type[Service], ...]:
        calls = (Hasura,) if self.webhooks() else ()
        return (*self.uses(), *calls, *((Nginx,) if self._is_served else ()))

    @property
    def code(self) -> str:
        """The path of its code, in the project's folder."""
        return f"./services/{self.folder or self.name}"

    @property
    def _webhook_secret(self) -> str:
        return f"{self.name.upper().replace('-', '_')}_WEBHOOK_SECRET"

    def secrets(self) -> tuple[Secret, ...]:
        return (Secret(name=self._webhook_secret),) if self.webhooks() else ()

    def webhooks(self) -> tuple[Webhook, ...]:
        return tuple(
            hook.replace(url=f"http://{self.name}:{self.port}{_path(hook)}", secret=self._webhook_secret)
            for hook in (*self.actions, *self.events)
        )

    @property
    def _is_served(self) -> bool:
        return self.public and self.route is not None

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        if not self._is_served:
            return ()
        hooks = (*self.actions, *self.events)
        called = ("/hasura/", *(hook.path for hook in hooks if hook.path)) if hooks else ()
        route = Route(
            name=self.route or self.name,
            port=self.port,
            grpc=self._template.grpc,
            # A stream has no end; the size of each message is bounded by gRPC itself (4 MB).
            max_body="0" if self._template.grpc else "10m",
            hidden=("/metrics", *self._template.hidden, *called),
            rate_limit=self.rate_limit,
            read_timeout=3600 if self.websocket else 60,
        )
        return (route,)

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=self._template.probes_port or self.port, replicas=self.replicas),)

    def part(self, context: Context) -> compose.ComposeFile:
        facts = self._template
        lent = context.connections(self)
        own = {secret.name for secret in self.secrets()}
        secrets = sorted(own | {secret.name for connection in lent for secret in connection.secrets})
        check = [word.replace("{port}", str(self.port)) for word in facts.healthcheck]
        service = compose.Service(
            image=f"{context.project}-{self.name}",
            build=compose.Build(context=self.code),
            command=list(self.command) or None,
            environment={**self._variables(context, lent), **self.environment},
            secrets=list(secrets) or None,
            depends_on=self._waits(context, lent) or None,
            healthcheck=compose.Healthcheck(test=["CMD", *check, *([self.health] if self.health else [])]),
            stop_grace_period=f"{facts.stop_grace_seconds}s",
            deploy=self._deploy,
        )
        # A remote engine has no folder of this machine to mount: there, the code is what the image holds.
        if facts.reload and context.environment.hot_reload and not context.environment.remote:
            service = self._reloading(service, facts.reload)
        return compose.ComposeFile(
            services=self._with_jobs(service),
            secrets={name: compose.Secret(environment=name) for name in secrets},
        )

    def _with_jobs(self, service: compose.Service) -> dict[str, compose.Service]:
        """The service and its jobs: each like the service but for its command, and after the one before."""
        services: dict[str, compose.Service] = {}
        waits = service.depends_on_map
        job = service.replace(healthcheck=None, restart="no", deploy=self.limits, **{ONCE: True})
        for name, words in self.jobs.items():
            services[f"{self.name}-{name}"] = job.replace(command=list(words), depends_on=waits or None)
            waits = waits | {f"{self.name}-{name}": compose.DependsOn(condition="service_completed_successfully")}
        return {**services, self.name: service.replace(depends_on=waits or None)}

    def _waits(self, context: Context, lent: Iterable[Connection]) -> dict[str, compose.DependsOn]:
        waits = {key: value for connection in lent for key, value in connection.depends_on.items()}
        return waits | (context.the(Hasura).entered() if self.webhooks() else {})

    @property
    def _deploy(self) -> compose.Deploy:
        return self.limits.replace(replicas=self.replicas) if self.replicas > 1 else self.limits

    def _reloading(self, service: compose.Service, reload: resources.Reload) -> compose.Service:
        """The service with its code mounted from the folder, and its command the one that watches it."""
        folder = self.code
        build = compose.Build(context=folder, target=reload.stage) if reload.stage else service.build
        return service.replace(
            build=build,
            command=list(self.command) or reload.command,
            volumes=[f"{folder}/{reload.source}:{reload.target}:ro"],
        )

    def _variables(self, context: Context, lent: Iterable[Connection]) -> dict[str, str]:
        own = {"PORT": str(self.port), "LOG_LEVEL": context.environment.log_level}
        if self.webhooks():
            own["WEBHOOK_SECRET_FILE"] = f"/run/secrets/{self._webhook_secret}"
        if context.traces:
            own["OTEL_EXPORTER_OTLP_ENDPOINT"] = context.traces
        return own | {key: value for connection in lent for key, value in connection.environment.items()}


def _path(hook: Webhook) -> str:
    """Where in the service the call is answered; the templates answer there."""
    return hook.path or f"/hasura/{'actions' if isinstance(hook, Action) else 'events'}/{hook.name}"


@cache
def _kind(need: str) -> type[Service] | None:
    """The kind of service of that name in the catalog, if it offers a connection."""
    word = need.replace("-", "_")
    return next(_offering(word, need), None) if word in _modules() else None


def _offering(module: str, name: str) -> Iterator[type[Service]]:
    for _, found in getmembers(import_module(f"{catalog.__name__}.{module}"), _is_service):
        kind: type[Service] = found
        if kind.connection is not Service.connection and kind.model_fields["name"].default == name:
            yield kind


def _is_service(found: object) -> bool:
    return isclass(found) and issubclass(found, Service)


def _modules() -> list[str]:
    return [module.name for module in iter_modules(catalog.__path__)]


def _known_needs() -> list[str]:
    return [name for word in _modules() if _kind(name := word.replace("_", "-"))]
