"""Postgres Exporter: the database's connections, sizes, transactions, as metrics.

Sources: https://github.com/prometheus-community/postgres_exporter#environment-variables (DATA_SOURCE_*, with a file
for the password) and its Dockerfile on quay.io/prometheus/busybox (wget, user nobody, port 9187),
https://www.postgresql.org/docs/16/predefined-roles.html (pg_monitor).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.postgres import Postgres, role_sql
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Secret, Service

_PASSWORD = Secret(name="POSTGRES_EXPORTER_PASSWORD")
_ROLE = "postgres_exporter"


class PostgresExporter(Service):
    """Postgres Exporter, with a role of its own that may look at statistics and at no table."""

    enabled_by: ClassVar[str] = "POSTGRES_EXPORTER_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"POSTGRES_EXPORTER_VERSION": "image"}

    name: str = "postgres-exporter"
    image: str = "prometheuscommunity/postgres-exporter:v0.19.1"
    memory: str = "64m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Postgres,)

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9187),)

    def secrets(self) -> tuple[Secret, ...]:
        return (_PASSWORD,)

    def sql(self) -> str:
        return role_sql(_ROLE, _PASSWORD.name) + f"GRANT pg_monitor TO {_ROLE};\n"

    def part(self, context: Context) -> compose.ComposeFile:
        postgres = context.the(Postgres)
        service = compose.Service(
            image=self.image,
            user="65534:65534",
            environment={
                "DATA_SOURCE_URI": f"{postgres.name}:5432/{postgres.database_name(context)}?sslmode=disable",
                "DATA_SOURCE_USER": _ROLE,
                "DATA_SOURCE_PASS_FILE": f"/run/secrets/{_PASSWORD.name}",
                **self.environment,
            },
            secrets=[_PASSWORD.name],
            depends_on=postgres.ready(),
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/", 9187, client="wget"),
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            secrets={_PASSWORD.name: compose.Secret(environment=_PASSWORD.name)},
        )
