"""nself-admin: the old tool's web page for a stack, at ``https://admin.<domain>``.

Sources, all in https://github.com/nself-org/admin/tree/v1.1.2: Dockerfile (Alpine with curl; port 3021; /workspace and
/app/data; user 1001), .github/workflows/docker-publish.yml (each git tag is published as an image's; README.md
calls this one the current release), src/app/api/health/route.ts (503 wherever ``docker version`` fails, so without the
socket always) and src/middleware.ts (/login answers anybody).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.nginx import OPERATOR, Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service


class NselfAdmin(Service):
    """nself-admin behind the operator's login, without the project's files and secrets.

    ``docker_socket=True`` gives it the engine's socket, and with it everything on the host: whoever gets past its
    login is root there. Without it, it shows what can be seen over the network.
    """

    enabled_by: ClassVar[str] = "NSELF_ADMIN_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"NSELF_ADMIN_VERSION": "image", "ADMIN_ROUTE": "route"}

    name: str = "nself-admin"
    image: str = "nself/nself-admin:1.1.2"
    route: str = "admin"
    docker_socket: bool = False
    memory: str = "512m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=3021, login=OPERATOR.name),)

    def secrets(self) -> tuple[Secret, ...]:
        return (OPERATOR,)

    def part(self, context: Context) -> compose.ComposeFile:
        socket = ["/var/run/docker.sock:/var/run/docker.sock"] if self.docker_socket else []
        service = compose.Service(
            image=self.image,
            # The socket belongs to root; without it nothing needs to.
            user=None if self.docker_socket else "1001:1001",
            environment={"PROJECT_NAME": context.project, "NSELF_PROJECT_PATH": "/workspace", **self.environment},
            volumes=[f"{self.name}-data:/app/data", *socket],
            # Its own /api/health calls a page without the Docker socket unhealthy.
            healthcheck=compose.Healthcheck.http("/login", 3021, start_period="1m"),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        return compose.ComposeFile(services={self.name: service}, volumes={f"{self.name}-data": compose.Volume()})
