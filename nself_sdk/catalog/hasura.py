"""Hasura: GraphQL over the project's database, at ``https://api.<domain>/v1/graphql``.

Sources: https://hasura.io/docs/2.0/deployment/graphql-engine-flags/reference/ (variables),
https://hasura.io/docs/2.0/deployment/postgres-requirements/ (what its role may do),
https://github.com/hasura/graphql-engine/blob/1c8236d7d227bf184d4e8eab435def02f85b4802/packaging/graphql-engine/Dockerfile
(port, console assets, curl for the health check), uid 1001 from packaging/graphql-engine-base/ubuntu.dockerfile.
It reads no ``*_FILE`` variables (https://github.com/hasura/graphql-engine/issues/3989).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.catalog.postgres import Postgres, role_sql
from nself_sdk.environment import Environment
from nself_sdk.offers import RateLimit
from nself_sdk.project import Connection, Context, Route, Secret, Service

ADMIN_SECRET = Secret(name="HASURA_GRAPHQL_ADMIN_SECRET")
#: Signs the tokens that Auth issues and Hasura accepts. HS256 needs 32 characters at least.
JWT_KEY = Secret(name="JWT_KEY", length=64)
JWT_SECRET = f'{{"type":"HS256","key":"${{{JWT_KEY.name}}}"}}'
DB_PASSWORD = Secret(name="HASURA_DB_PASSWORD")

# Hasura's own spelling of our log levels.
_LOG_LEVELS = {"debug": "debug", "info": "info", "warning": "warn", "error": "error"}


class Hasura(Service):
    """Hasura GraphQL Engine, with a Postgres role of its own; brings Postgres and Nginx with it."""

    enabled_by: ClassVar[str] = "HASURA_ENABLED"
    always: ClassVar[bool] = True
    variables: ClassVar[Mapping[str, str]] = {
        "HASURA_VERSION": "image",
        "HASURA_GRAPHQL_UNAUTHORIZED_ROLE": "unauthorized_role",
        "RATE_LIMIT_GRAPHQL_RATE": "rate_limit",
        "HASURA_LOG_LEVEL": "environment.HASURA_GRAPHQL_LOG_LEVEL",
    }
    handed_on: ClassVar[str] = r"HASURA_GRAPHQL_(?!DATABASE_URL|METADATA_DATABASE_URL|JWT|ADMIN).+"

    name: str = "hasura"
    image: str = "hasura/graphql-engine:v2.51.9"
    route: str = "api"
    #: The role of requests without a token; None refuses them.
    unauthorized_role: str | None = "public"
    rate_limit: RateLimit = ""
    memory: str = "1g"

    def requires(self) -> tuple[type[Service], ...]:
        return (Postgres, Nginx)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=8080, read_timeout=300, rate_limit=self.rate_limit),)

    def secrets(self) -> tuple[Secret, ...]:
        return (ADMIN_SECRET, JWT_KEY, DB_PASSWORD)

    def sql(self) -> str:
        return (
            "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;\n"
            + role_sql("hasura", DB_PASSWORD.name)
            + "CREATE SCHEMA IF NOT EXISTS hdb_catalog AUTHORIZATION hasura;\n"
            "GRANT USAGE, CREATE ON SCHEMA public TO hasura;\n"
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO hasura;\n"
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO hasura;\n"
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO hasura;\n"
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO hasura;\n"
        )

    def connection(self, context: Context, client: Service) -> Connection:  # noqa: ARG002 - the same for all
        """The endpoint, and the admin secret as a file."""
        return Connection(
            environment={
                "HASURA_GRAPHQL_URL": f"http://{self.name}:8080/v1/graphql",
                "HASURA_GRAPHQL_ADMIN_SECRET_FILE": f"/run/secrets/{ADMIN_SECRET.name}",
            },
            secrets=(ADMIN_SECRET,),
            depends_on=self.ready(),
        )

    def ready(self) -> dict[str, compose.DependsOn]:
        """What a service that uses Hasura waits for."""
        return {self.name: compose.DependsOn(condition="service_healthy")}

    def entered(self) -> dict[str, compose.DependsOn]:
        """What a service waits for whose actions or event triggers are in the metadata."""
        return {f"{self.name}-metadata": compose.DependsOn(condition="service_completed_successfully")}

    def part(self, context: Context) -> compose.ComposeFile:
        hooks = context.webhooks
        called = {hook.secret: f"${{{hook.secret}}}" for hook in hooks}
        variables = settings(context, ADMIN_SECRET, self.unauthorized_role) | called
        names = [*(secret.name for secret in self.secrets()), *called]
        file = compose.ComposeFile(
            services={self.name: engine(self, self.image, variables, context.the(Postgres).ready())},
            secrets={name: compose.Secret(environment=name) for name in names},
        )
        if not hooks:
            return file
        from nself_sdk.catalog import _hasura_metadata  # noqa: PLC0415 - only for those who have hooks

        return file + _hasura_metadata.part(self, ADMIN_SECRET.name, hooks)


def engine(
    service: Service, image: str, variables: Mapping[str, str], depends_on: Mapping[str, compose.DependsOn]
) -> compose.Service:
    """A container of the engine."""
    return compose.Service(
        image=image,
        # The image's own command runs under a shell, which would not pass SIGTERM on.
        command=["graphql-engine", "serve"],
        user="1001:1001",
        environment={**variables, **service.environment},
        depends_on=dict(depends_on),
        healthcheck=compose.Healthcheck.http("/healthz", 8080, start_period="2m"),
        stop_grace_period="70s",
        deploy=service.limits,
    )


def origins(environment: Environment, site: str) -> tuple[str, str]:
    """The pages of a site and of all below it, as a browser names them: with the port where it is not https' own."""
    below = environment.url(f"*.{site}", "")
    return below.replace("*.", "", 1), below


def settings(context: Context, admin: Secret, unauthorized_role: str | None) -> dict[str, str]:
    """The variables of an engine over the project's database."""
    environment = context.environment
    variables = {
        "HASURA_GRAPHQL_DATABASE_URL": context.the(Postgres).url(context, "hasura", DB_PASSWORD.name),
        "HASURA_GRAPHQL_ADMIN_SECRET": f"${{{admin.name}}}",
        "HASURA_GRAPHQL_JWT_SECRET": JWT_SECRET,
        "HASURA_GRAPHQL_ENABLE_CONSOLE": str(environment.hasura_console).lower(),
        "HASURA_GRAPHQL_DEV_MODE": str(environment.hasura_dev_mode).lower(),
        # On by default: internal errors would reach whoever knows the admin secret.
        "HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS": str(environment.hasura_dev_mode).lower(),
        "HASURA_GRAPHQL_LOG_LEVEL": _LOG_LEVELS[environment.log_level],
        "HASURA_GRAPHQL_ENABLED_LOG_TYPES": "startup,http-log,webhook-log,websocket-log",
        "HASURA_GRAPHQL_ENABLE_TELEMETRY": "false",
        "HASURA_GRAPHQL_CORS_DOMAIN": ",".join(origins(environment, environment.domain)),
        "HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT": "60",
    }
    return variables | ({"HASURA_GRAPHQL_UNAUTHORIZED_ROLE": unauthorized_role} if unauthorized_role else {})
