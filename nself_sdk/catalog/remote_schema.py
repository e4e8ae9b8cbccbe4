"""RemoteSchema: one more Hasura endpoint over the project's one database, with tables and permissions of its own.

Sources: https://hasura.io/docs/2.0/deployment/graphql-engine-flags/reference/ (HASURA_GRAPHQL_METADATA_DATABASE_URL),
https://hasura.io/docs/latest/event-triggers/create-trigger (event triggers live in the database that they watch:
engines with different metadata must not share them), https://www.postgresql.org/docs/16/sql-createdatabase.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from nself_sdk import compose
from nself_sdk.catalog.hasura import DB_PASSWORD, JWT_KEY, Hasura, engine, origins, settings
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.catalog.postgres import Postgres
from nself_sdk.environment import Domain, Environment
from nself_sdk.project import Context, Route, Secret, Service


class RemoteSchema(Service):
    """One more GraphQL endpoint over the project's one database, at a domain of its own.

    ``RemoteSchema("app1", domain="api.app1.com")`` answers at ``https://api.app1.com/v1/graphql``. What it exposes is
    its own metadata, kept in a database of its own (``hasura_app1``) beside the project's; the tables are those of the
    project's database. Its admin secret is its own too (``APP1_ADMIN_SECRET``); the tokens of Auth are accepted
    everywhere. Event triggers belong to the main endpoint, `Hasura`, alone.

    In dev it also answers at ``https://app1-api.<domain>``. With ``tls="acme"`` its domain has a certificate of its
    own; with ``tls="own"`` the one of the environment must name it as well, among its subject alternative names.
    """

    enabled_by: ClassVar[str] = "REMOTE_SCHEMA_N_NAME"

    #: The full host name.
    domain: Domain
    #: That of the project's Hasura when left out: the engines share what they keep in its database.
    image: str = ""
    #: The role of requests without a token; None refuses them.
    unauthorized_role: str | None = "public"
    memory: str = "1g"

    def __init__(  # noqa: PLR0913 - the name is positional; the rest by keyword
        self,
        name: str,
        *,
        domain: str,
        image: str = "",
        unauthorized_role: str | None = "public",
        memory: str = "1g",
        cpus: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        fields: dict[str, Any] = {"domain": domain, "image": image, "unauthorized_role": unauthorized_role}
        super().__init__(name=name, memory=memory, cpus=cpus, environment=dict(environment or {}), **fields)

    @field_validator("domain")
    @classmethod
    def _is_full(cls, domain: str) -> str:
        if "." in domain:
            return domain
        raise ValueError(f"{domain!r} is not a full host name such as 'api.app1.com'")

    def requires(self) -> tuple[type[Service], ...]:
        return (Hasura, Postgres, Nginx)

    def routes(self, environment: Environment) -> tuple[Route, ...]:
        here = (f"{self.name}-api",) if environment.profile == "dev" else ()
        return tuple(Route(name=name, port=8080, read_timeout=300) for name in (self.domain, *here))

    @property
    def _admin(self) -> Secret:
        return Secret(name=f"{self._word.upper()}_ADMIN_SECRET")

    @property
    def _word(self) -> str:
        return self.name.replace("-", "_")

    def secrets(self) -> tuple[Secret, ...]:
        return (self._admin, JWT_KEY, DB_PASSWORD)

    def sql(self) -> str:
        database = f"hasura_{self._word}"
        create = f'CREATE DATABASE "{database}" OWNER hasura'
        return (  # a DNS label with '_' for '-'
            f"SELECT '{create}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec\n"  # noqa: S608 - see above
            f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;\n'
        )

    def part(self, context: Context) -> compose.ComposeFile:
        postgres, hasura = context.the(Postgres), context.the(Hasura)
        variables = settings(context, self._admin, self.unauthorized_role)
        site = self.domain.partition(".")[2]
        theirs = origins(context.environment, site) if "." in site else ()
        variables["HASURA_GRAPHQL_CORS_DOMAIN"] = ",".join((variables["HASURA_GRAPHQL_CORS_DOMAIN"], *theirs))
        url = f"postgresql://hasura:${{{DB_PASSWORD.name}}}@{postgres.name}:5432/hasura_{self._word}"
        variables["HASURA_GRAPHQL_METADATA_DATABASE_URL"] = url
        # The engines prepare the same schema of the shared database: one after the other.
        return compose.ComposeFile(
            services={self.name: engine(self, self.image or hasura.image, variables, hasura.ready())},
            secrets={secret.name: compose.Secret(environment=secret.name) for secret in self.secrets()},
        )
