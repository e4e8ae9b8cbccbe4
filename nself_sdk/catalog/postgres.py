"""Postgres: the project's one database, and the job that prepares it for the services that use it.

Sources: https://github.com/docker-library/official-images/blob/37079fb336f572a88700cf32e5e1f6be54a04e8f/library/postgres
(the tag), https://github.com/docker-library/postgres/blob/6edb0a8c4def40c371514b34aef9037ec82d9110/16/alpine3.23/Dockerfile
(data folder, SIGINT for a fast stop, uid 70) and its docker-entrypoint.sh (``*_FILE``; a first start listens on the
socket only).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.offers import RELOAD
from nself_sdk.project import Connection, Context, Secret, Service

PASSWORD = "POSTGRES_PASSWORD"  # noqa: S105 - the secret's name
Extension = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
# What is known by another name than ``CREATE EXTENSION`` takes.
_EXTENSIONS = {"pgvector": "vector"}


# Over the socket, where the image trusts whoever is inside (initdb's default for local connections). The database
# learns the password before its file says so: what went wrong is tried again by the next deploy.
_TELL = (
    r"printf '%s\n' '\set password `cat /run/secrets/POSTGRES_PASSWORD.next`' "
    "\"SET log_statement = 'none';\" \"SET log_min_error_statement = 'panic';\" "
    "\"ALTER ROLE postgres PASSWORD :'password';\" | psql -X -q -w -v ON_ERROR_STOP=1 -U postgres -d postgres"
)


class Postgres(Service):
    """PostgreSQL on a volume of its own, published only on 127.0.0.1 and only in dev.

    What the services need in it (roles, schemas, extensions: `Service.sql`) is set up by the one-shot service
    ``<name>-setup``, which may run any number of times: a service that is added later finds its schema, and a
    role's changed password takes effect. The superuser's is told to the running server, which is not restarted for it.
    """

    enabled_by: ClassVar[str] = "POSTGRES_ENABLED"
    always: ClassVar[bool] = True
    variables: ClassVar[Mapping[str, str]] = {"POSTGRES_VERSION": "image", "POSTGRES_DB": "database"}

    name: str = "postgres"
    image: str = "postgres:16.15-alpine3.24"
    #: The database's name; the project's name when left out.
    database: str = Field(default="", pattern=r"^([a-z_][a-z0-9_]{0,62})?$", examples=["shop"])
    #: The port of the host in dev; None publishes nothing.
    port: int | None = Field(default=5432, ge=1, le=65535)
    #: Extensions of the database, besides those that the services bring; the image must have them.
    extensions: tuple[Extension, ...] = Field(default=(), examples=["pg_trgm"])
    #: How many clients may be connected at once; Postgres' own default, 100, when None.
    max_connections: int | None = Field(default=None, ge=1, le=10_000)
    memory: str = "1g"

    @property
    def _folder(self) -> str:
        """Where the image keeps its data; from 18 on in a folder a version, below one that is the volume."""
        major = re.search(r":(?:pg)?([0-9]+)", self.image)
        is_new = major is not None and int(major[1]) >= 18  # noqa: PLR2004 - see the Dockerfiles of 17 and 18
        return "/var/lib/postgresql" if is_new else "/var/lib/postgresql/data"

    def secrets(self) -> tuple[Secret, ...]:
        return (Secret(name=PASSWORD),)

    def sql(self) -> str:
        names = dict.fromkeys(_EXTENSIONS.get(name, name) for name in self.extensions)
        return "".join(f'CREATE EXTENSION IF NOT EXISTS "{name}" WITH SCHEMA public CASCADE;\n' for name in names)

    def database_name(self, context: Context) -> str:
        """The database's name in that project."""
        return self.database or context.project.replace("-", "_")

    def url(self, context: Context, role: str, secret: str) -> str:
        """A connection URL; the password is interpolated when the file is applied."""
        return f"postgresql://{role}:${{{secret}}}@{self.name}:5432/{self.database_name(context)}"

    def connection(self, context: Context, client: Service) -> Connection:
        """A role and a schema of the client's own; the URL holds no password."""
        role = client.name.replace("-", "_")
        secret = Secret(name=f"{role.upper()}_DB_PASSWORD")
        return Connection(
            environment={
                "DATABASE_URL": f"postgresql://{role}@{self.name}:5432/{self.database_name(context)}",
                "DATABASE_PASSWORD_FILE": f"/run/secrets/{secret.name}",
            },
            secrets=(secret,),
            sql=role_sql(role, secret.name) + f'CREATE SCHEMA IF NOT EXISTS "{role}" AUTHORIZATION "{role}";\n',
            depends_on=self.ready(),
        )

    def ready(self) -> dict[str, compose.DependsOn]:
        """What a service that uses the database waits for."""
        return {f"{self.name}-setup": compose.DependsOn(condition="service_completed_successfully")}

    def part(self, context: Context) -> compose.ComposeFile:
        sql = setup_sql(context)
        services = {self.name: self._server(context)}
        if not sql:
            return compose.ComposeFile(
                services=services,
                volumes={f"{self.name}-data": compose.Volume()},
                secrets={PASSWORD: compose.Secret(environment=PASSWORD)},
            )
        used = [PASSWORD, *dict.fromkeys(re.findall(r":'([A-Z][A-Z0-9_]*)'", sql))]
        return compose.ComposeFile(
            services={**services, f"{self.name}-setup": self._setup(context, used)},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={f"{self.name}-setup.sql": compose.Config.inline(_script(sql, used[1:]))},
            secrets={name: compose.Secret(environment=name) for name in used},
        )

    def _server(self, context: Context) -> compose.Service:
        open_here = self.port and context.environment.publishes(self.name)
        limit = self.max_connections
        command = {"command": ["postgres", "-c", f"max_connections={limit}"]} if limit else {}
        port = compose.Port(self.port, target=5432, host_ip=context.environment.bind or None)
        return compose.Service(
            image=self.image,
            environment={
                "POSTGRES_DB": self.database_name(context),
                "POSTGRES_PASSWORD_FILE": f"/run/secrets/{PASSWORD}",
                **self.environment,
            },
            secrets=[PASSWORD],
            volumes=[f"{self.name}-data:{self._folder}"],
            ports=[port] if open_here else None,
            # During the first start the server listens on its socket only: ask over TCP.
            healthcheck=compose.Healthcheck(
                test=["CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"], start_period="2m"
            ),
            shm_size="128m",
            stop_grace_period="2m",
            deploy=self.limits,
        ).replace(**command, **{RELOAD: {"test": _TELL, "command": "true", "anew": True}})

    def _setup(self, context: Context, secrets: list[str]) -> compose.Service:
        psql = f"psql -X -q -h {self.name} -U postgres -d {self.database_name(context)} -f /setup.sql"
        return compose.Service(
            image=self.image,
            entrypoint=["sh", "-c", f'PGPASSWORD="$$(cat /run/secrets/{PASSWORD})" exec {psql}'],
            user="postgres",
            secrets=list(secrets),
            # The image declares a volume there: without this every run would leave a nameless one behind.
            tmpfs=self._folder,
            configs=[compose.ServiceConfig(source=f"{self.name}-setup.sql", target="/setup.sql")],
            depends_on={self.name: compose.DependsOn(condition="service_healthy")},
            restart="no",
            deploy=self.replace(memory="128m").limits,
        )


def role_sql(role: str, secret: str) -> str:
    """SQL that creates a role that may log in, or gives it the secret's present value as its password."""
    return (  # a role is a DNS label with '_' for '-', and the password is psql's own variable
        f"SELECT 'CREATE ROLE \"{role}\"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n"  # noqa: S608 - see above
        f"ALTER ROLE \"{role}\" WITH LOGIN PASSWORD :'{secret}';\n"
    )


def setup_sql(context: Context) -> str:
    """What all services need, each after the services that it requires."""
    each = ((service.name, service.sql(), context.connections(service)) for service in _required_first(context))
    texts = ((name, sql + "".join(connection.sql for connection in lent)) for name, sql, lent in each)
    return "\n".join(f"-- {name}\n{sql}" for name, sql in texts if sql)


def _required_first(context: Context) -> Iterator[Service]:
    seen: set[str] = set()

    def visit(service: Service) -> Iterator[Service]:
        if service.name in seen:
            return
        seen.add(service.name)
        for kind in service.requires():
            for other in context.every(kind):
                yield from visit(other)
        yield service

    for service in context.services:
        yield from visit(service)


def _script(sql: str, secrets: list[str]) -> str:
    """A psql script: stops at the first error, and writes no password into the server's log."""
    reads = "".join(f"\\set {name} `cat /run/secrets/{name}`\n" for name in secrets)
    quiet = "SET client_min_messages = warning;\nSET log_statement = 'none';\nSET log_min_error_statement = 'panic';\n"
    return f"\\set ON_ERROR_STOP on\n{reads}{quiet}\n{sql}"
