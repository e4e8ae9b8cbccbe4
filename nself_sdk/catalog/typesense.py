"""Typesense: the other full-text search, at ``https://search.<domain>``; instead of Meilisearch.

Sources: https://github.com/typesense/typesense/blob/05692a0e6c56f252723c7d8613aa2c9cdf29e0ab/docker/deployment.Dockerfile
(Ubuntu with bash, without curl and wget; the program's place; no user),
https://typesense.org/docs/guide/install-typesense.html (the tag), https://typesense.org/docs/30.0/api/server-configuration.html
(TYPESENSE_API_KEY; no ``*_FILE``) and https://typesense.org/docs/30.0/api/cluster-operations.html#health.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service

KEY = Secret(name="TYPESENSE_API_KEY")

# On the command line the key would show in the host's process list.
_START = f'TYPESENSE_API_KEY="$$(cat /run/secrets/{KEY.name})" exec /opt/typesense-server --data-dir=/data'
# bash speaks HTTP where neither curl nor wget is.
_HEALTH = "exec 3<>/dev/tcp/127.0.0.1/8108; printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3; grep -q '\"ok\": *true' <&3"


class Typesense(Service):
    """Typesense on a volume of its own; every request needs a key."""

    enabled_by: ClassVar[str] = "TYPESENSE_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"TYPESENSE_VERSION": "image", "SEARCH_ROUTE": "route"}
    handed_on: ClassVar[str] = r"TYPESENSE_(ENABLE_CORS|CORS_DOMAINS|SNAPSHOT_INTERVAL_SECONDS|HEALTHY_.+_LAG)"

    name: str = "typesense"
    image: str = "typesense/typesense:30.2"
    route: str = "search"
    memory: str = "1g"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=8108, max_body="100m"),)

    def secrets(self) -> tuple[Secret, ...]:
        return (KEY,)

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            entrypoint=["bash", "-c", _START],
            environment=self.environment or None,
            secrets=[KEY.name],
            volumes=[f"{self.name}-data:/data"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.command("bash", "-c", _HEALTH, start_period="1m"),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            secrets={KEY.name: compose.Secret(environment=KEY.name)},
        )
