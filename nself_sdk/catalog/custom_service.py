"""CustomService: a user's own program, scaffolded from a template into ``services/<name>/`` and built as an image."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from nself_sdk import compose, resources
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.catalog.postgres import Postgres, role_sql
from nself_sdk.catalog.redis import PASSWORD as REDIS_PASSWORD
from nself_sdk.catalog.redis import Redis
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service

Needs = Literal["postgres", "redis"]


class CustomService(Service):
    """A service with code of its own, at ``https://<route>.<domain>``.

    ``CustomService("payments", "fastapi-py", 8003, needs=["postgres"])``: it gets the credentials of what it
    ``needs``, and no others: a Postgres role and schema of its own as ``DATABASE_URL``, Redis as ``REDIS_URL``.
    """

    template: str
    #: The port it listens on in its container; nothing is published but the edge.
    port: int = Field(ge=1, le=65535)
    #: Its host name; its own name when left out, none at all when None.
    route: str | None = ""
    needs: tuple[Needs, ...] = ()
    memory: str = "256m"

    def __init__(  # noqa: PLR0913 - positional for reading: name, template, port; the rest by keyword
        self,
        name: str,
        template: str,
        port: int,
        *,
        route: str | None = "",
        needs: tuple[Needs, ...] | list[Needs] = (),
        memory: str = "256m",
        environment: dict[str, str] | None = None,
    ) -> None:
        resources.template(template)
        fields: dict[str, Any] = {"template": template, "port": port, "route": route, "needs": tuple(needs)}
        super().__init__(name=name, memory=memory, environment=environment or {}, **fields)

    def requires(self) -> tuple[type[Service], ...]:
        kinds = {"postgres": Postgres, "redis": Redis}
        edge = () if self.route is None else (Nginx,)
        return (*(kinds[need] for need in self.needs), *edge)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (
            () if self.route is None else (Route(name=self.route or self.name, port=self.port, hidden=("/metrics",)),)
        )

    @property
    def _password(self) -> str:
        return f"{self.name.upper().replace('-', '_')}_DB_PASSWORD"

    def secrets(self) -> tuple[Secret, ...]:
        return (Secret(name=self._password),) if "postgres" in self.needs else ()

    def sql(self) -> str:
        if "postgres" not in self.needs:
            return ""
        role = self.name.replace("-", "_")
        return role_sql(role, self._password) + f'CREATE SCHEMA IF NOT EXISTS "{role}" AUTHORIZATION "{role}";\n'

    def part(self, context: Context) -> compose.ComposeFile:
        facts = resources.template(self.template)
        reload = facts.reload if context.environment.hot_reload else None
        folder = f"./services/{self.name}"
        service = compose.Service(
            image=f"{context.project}-{self.name}",
            build=compose.Build(context=folder),
            environment={
                "PORT": str(self.port),
                "LOG_LEVEL": context.environment.log_level,
                **self._connections(context),
                **self.environment,
            },
            healthcheck=compose.Healthcheck(
                test=["CMD", *(word.replace("{port}", str(self.port)) for word in facts.healthcheck)]
            ),
            stop_grace_period=f"{facts.stop_grace_seconds}s",
            deploy=self.limits,
        )
        if reload:
            service = service.replace(command=reload.command, volumes=[f"{folder}/{reload.source}:{reload.target}:ro"])
        if waits := self._waits(context):
            service = service.replace(depends_on=waits)
        used = [
            *([self._password] if "postgres" in self.needs else []),
            *([REDIS_PASSWORD] if "redis" in self.needs else []),
        ]
        return compose.ComposeFile(
            services={self.name: service},
            secrets={name: compose.Secret(environment=name) for name in used},
        )

    def _connections(self, context: Context) -> dict[str, str]:
        urls: dict[str, str] = {}
        if "postgres" in self.needs:
            urls["DATABASE_URL"] = context.the(Postgres).url(context, self.name.replace("-", "_"), self._password)
        if "redis" in self.needs:
            urls["REDIS_URL"] = context.the(Redis).url()
        return urls

    def _waits(self, context: Context) -> dict[str, compose.DependsOn]:
        waits: dict[str, compose.DependsOn] = {}
        if "postgres" in self.needs:
            waits |= context.the(Postgres).ready()
        if "redis" in self.needs:
            waits |= context.the(Redis).ready()
        return waits
