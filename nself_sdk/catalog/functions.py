"""Functions: the files of ``functions/``, each served at its path under ``https://functions.<domain>``.

Sources: https://github.com/nhost/functions/blob/b4c57f6ec02d781cfd802e9c28473d882d5cc1a7/22.Dockerfile
(Alpine with node, tsx, nodemon and ni; /opt/server, /opt/project) and its server.ts (port 3000, /healthz, a file's
path is its route, files and folders that begin with ``_`` are left out). Its own start.sh insists on a lock file even
where nothing is to be installed, and installs at every start: the commands here do so once, in the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.hasura import Hasura
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.offers import RateLimit
from nself_sdk.project import Context, Route, Service

_DOCKERFILE = """FROM {image}
COPY --chown=1000:1000 . /opt/project/functions
RUN cd functions && if [ -f package.json ]; then nci; fi
"""
_SERVER = "tsx /opt/server/server.ts"
_INSTALL = "if [ -f functions/package.json ]; then (cd functions && ni); fi"
_HOT = f"{_INSTALL}; exec nodemon --ext js,ts -w functions -x {_SERVER}"


class Functions(Service):
    """User files as endpoints: reloaded when they change in dev, part of an image elsewhere.

    ``functions/hello.js`` with ``export default (req, res) => res.json({...})`` answers at ``/hello``. A Hasura in the
    project is at ``NHOST_HASURA_URL``; a secret that a function needs is given through ``environment``.
    """

    enabled_by: ClassVar[str] = "FUNCTIONS_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"RATE_LIMIT_FUNCTIONS_RATE": "rate_limit"}

    name: str = "functions"
    image: str = "nhost/functions:22-1.4.0"
    route: str = "functions"
    rate_limit: RateLimit = ""
    memory: str = "512m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=3000, rate_limit=self.rate_limit),)

    def part(self, context: Context) -> compose.ComposeFile:
        hasura = context.every(Hasura)
        graphql = {"NHOST_HASURA_URL": f"http://{hasura[0].name}:8080"} if hasura else {}
        service = compose.Service(
            environment={"FUNCTIONS_RELATIVE_PATH": "./functions", **graphql, **self.environment},
            init=True,
            healthcheck=compose.Healthcheck.http("/healthz", 3000, client="wget", start_period="1m"),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        place = context.environment
        # A remote engine has no folder of this machine to mount.
        hot = place.hot_reload and not place.remote
        return compose.ComposeFile(services={self.name: self._hot(service) if hot else self._built(service, context)})

    def _hot(self, service: compose.Service) -> compose.Service:
        return service.replace(
            image=self.image,
            entrypoint=["sh", "-c", _HOT],
            volumes=["./functions:/opt/project/functions"],
        )

    def _built(self, service: compose.Service, context: Context) -> compose.Service:
        return service.replace(
            image=f"{context.project}-{self.name}",
            build=compose.Build(context="./functions", dockerfile_inline=_DOCKERFILE.format(image=self.image)),
            entrypoint=["sh", "-c", f"exec {_SERVER}"],
            user="1000:1000",
            cap_drop=["ALL"],
        )
