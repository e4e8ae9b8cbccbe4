"""Redis Exporter: memory, clients, keys, evictions, as metrics.

Sources: https://github.com/oliver006/redis_exporter#command-line-flags (an empty address: it watches what it is asked
to under /scrape, so nothing of its own),
https://github.com/oliver006/redis_exporter/blob/074cbf1dcb1251c1e9051ee42867663f84d81af5/docker/Dockerfile (the
Alpine variant has a shell and wget; user 59000, port 9121).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.redis import PASSWORD, Redis
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service

# Its password file is JSON by address, and the secret is the password alone.
_START = f'REDIS_PASSWORD="$$(cat /run/secrets/{PASSWORD})" exec /redis_exporter'


class RedisExporter(Service):
    """Redis Exporter; without a `Redis` in the project it runs, and has nothing to watch."""

    enabled_by: ClassVar[str] = "REDIS_EXPORTER_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"REDIS_EXPORTER_VERSION": "image"}

    name: str = "redis-exporter"
    image: str = "oliver006/redis_exporter:v1.89.0-alpine"
    memory: str = "64m"

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9121),)

    def part(self, context: Context) -> compose.ComposeFile:
        watched = context.every(Redis)[:1]
        service = compose.Service(
            image=self.image,
            entrypoint=["sh", "-c", _START] if watched else None,
            user="59000:59000",
            environment={"REDIS_ADDR": f"redis://{watched[0].name}:6379" if watched else "", **self.environment},
            secrets=[PASSWORD] if watched else None,
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/health", 9121, client="wget"),
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            secrets={PASSWORD: compose.Secret(environment=PASSWORD)} if watched else {},
        )
