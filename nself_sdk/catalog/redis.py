"""Redis: cache and sessions, internal only, behind a password.

Sources: https://github.com/docker-library/official-images/blob/37079fb336f572a88700cf32e5e1f6be54a04e8f/library/redis
(the tag; 7.2 is the last release line under the BSD licence),
https://github.com/docker-library/redis/blob/e92049967d6baa9b4b3d6fd950553e6458e61f13/7.2/alpine/Dockerfile (uid 999,
gid 1000, /data), https://redis.io/docs/latest/develop/tools/cli/ (REDISCLI_AUTH).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.project import Connection, Context, Secret, Service

PASSWORD = "REDIS_PASSWORD"  # noqa: S105 - the secret's name

# The password goes in through standard input: an argument would show in the host's process list.
_START = f"""exec redis-server - <<EOF
requirepass $$(cat /run/secrets/{PASSWORD})
appendonly yes
dir /data
EOF
"""


class Redis(Service):
    """Redis with an append-only file on a volume of its own, published only on 127.0.0.1 and only in dev."""

    enabled_by: ClassVar[str] = "REDIS_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"REDIS_VERSION": "image"}

    name: str = "redis"
    image: str = "redis:7.2.16-alpine3.21"
    #: The port of the host in dev; None publishes nothing.
    port: int | None = Field(default=6379, ge=1, le=65535)
    memory: str = "256m"

    def secrets(self) -> tuple[Secret, ...]:
        return (Secret(name=PASSWORD),)

    def connection(self, context: Context, client: Service) -> Connection:  # noqa: ARG002 - the same for all
        """One password for all clients; the URL does not hold it."""
        return Connection(
            environment={"REDIS_URL": f"redis://{self.name}:6379/0", "REDIS_PASSWORD_FILE": f"/run/secrets/{PASSWORD}"},
            secrets=(Secret(name=PASSWORD),),
            depends_on=self.ready(),
        )

    def ready(self) -> dict[str, compose.DependsOn]:
        """What a service that uses Redis waits for."""
        return {self.name: compose.DependsOn(condition="service_healthy")}

    def part(self, context: Context) -> compose.ComposeFile:
        open_here = self.port and context.environment.publishes(self.name)
        port = compose.Port(self.port, target=6379, host_ip=context.environment.bind or None)
        ping = f'REDISCLI_AUTH="$$(cat /run/secrets/{PASSWORD})" redis-cli ping | grep -q PONG'
        service = compose.Service(
            image=self.image,
            command=["sh", "-c", _START],
            # The image's entry point leaves root only for the command redis-server.
            user="999:1000",
            environment=self.environment or None,
            secrets=[PASSWORD],
            volumes=[f"{self.name}-data:/data"],
            ports=[port] if open_here else None,
            healthcheck=compose.Healthcheck(test=["CMD-SHELL", ping]),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            secrets={PASSWORD: compose.Secret(environment=PASSWORD)},
        )
