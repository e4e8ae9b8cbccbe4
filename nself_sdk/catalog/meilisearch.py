"""Meilisearch: full-text search at ``https://search.<domain>``.

Sources: https://raw.githubusercontent.com/meilisearch/cli/28f8a8692b5287618bf21beaaa5f8dc1435c093f/docker-compose.yml
(the tag), https://github.com/meilisearch/meilisearch/blob/02887fb5da710d0e849466f4241a38dbb01f4ce0/Dockerfile (Alpine
with tini, curl and a shell; /meili_data; no user),
https://www.meilisearch.com/docs/learn/self_hosted/configure_meilisearch_at_launch (variables; no ``*_FILE``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service

KEY = Secret(name="MEILISEARCH_MASTER_KEY")

# An environment variable of the service would show in `docker inspect`.
_START = f'MEILI_MASTER_KEY="$$(cat /run/secrets/{KEY.name})" exec /bin/meilisearch'


class Meilisearch(Service):
    """Meilisearch on a volume of its own; every request needs a key made from its master key."""

    enabled_by: ClassVar[str] = "MEILISEARCH_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"MEILISEARCH_VERSION": "image", "SEARCH_ROUTE": "route"}
    handed_on: ClassVar[str] = r"MEILI_(?!ENV$|MASTER_KEY|HTTP_ADDR|DB_PATH|NO_ANALYTICS).+"

    name: str = "meilisearch"
    image: str = "getmeili/meilisearch:v1.54.0"
    route: str = "search"
    memory: str = "1g"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=7700, max_body="100m"),)

    def secrets(self) -> tuple[Secret, ...]:
        return (KEY,)

    def part(self, context: Context) -> compose.ComposeFile:
        service = compose.Service(
            image=self.image,
            command=["sh", "-c", _START],
            environment={
                "MEILI_ENV": "development" if context.environment.profile == "dev" else "production",
                "MEILI_HTTP_ADDR": "0.0.0.0:7700",
                "MEILI_DB_PATH": "/meili_data/data.ms",
                "MEILI_NO_ANALYTICS": "true",
                **self.environment,
            },
            secrets=[KEY.name],
            volumes=[f"{self.name}-data:/meili_data"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/health", 7700, start_period="1m"),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            secrets={KEY.name: compose.Secret(environment=KEY.name)},
        )
