"""CustomService: a user's own program, scaffolded from a template into ``services/<name>/`` and built as an image."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from nself_sdk import compose, resources
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.catalog.postgres import Postgres, role_sql
from nself_sdk.catalog.redis import PASSWORD as REDIS_PASSWORD
from nself_sdk.catalog.redis import Redis
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service

Needs = Literal["postgres", "redis"]

# Roles of Postgres itself or of the catalog, and what would make a password's variable one that steers Docker or ssh.
_NO_ROLE = re.compile(r"[0-9]|pg-|(postgres|public|none|hasura|auth)$|(docker|compose|buildx|buildkit|ssh|ld|lc)(-|$)")


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

    @model_validator(mode="after")
    def _may_be_a_role(self) -> Self:
        if "postgres" in self.needs and _NO_ROLE.match(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of its database role; give it another name")
        return self

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
        folder = f"./services/{self.name}"
        service = compose.Service(
            image=f"{context.project}-{self.name}",
            build=compose.Build(context=folder),
            environment={**self._variables(context), **self.environment},
            depends_on=self._waits(context) or None,
            healthcheck=compose.Healthcheck(
                test=["CMD", *(word.replace("{port}", str(self.port)) for word in facts.healthcheck)]
            ),
            stop_grace_period=f"{facts.stop_grace_seconds}s",
            deploy=self.limits,
        )
        # A remote engine has no folder of this machine to mount: there, the code is what the image holds.
        if facts.reload and context.environment.hot_reload and not context.environment.remote:
            mount = f"{folder}/{facts.reload.source}:{facts.reload.target}:ro"
            service = service.replace(command=facts.reload.command, volumes=[mount])
        passwords = {"postgres": self._password, "redis": REDIS_PASSWORD}
        return compose.ComposeFile(
            services={self.name: service},
            secrets={passwords[need]: compose.Secret(environment=passwords[need]) for need in sorted(set(self.needs))},
        )

    def _variables(self, context: Context) -> dict[str, str]:
        level = context.environment.log_level
        return {"PORT": str(self.port), "LOG_LEVEL": level, **self._connections(context)}

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
