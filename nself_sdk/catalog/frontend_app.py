"""FrontendApp: a web application that runs outside Docker, or its built files, at ``https://<route>.<domain>``.

Sources: https://docs.docker.com/reference/cli/docker/container/run/#add-host (``host-gateway``),
https://nginx.org/en/docs/http/ngx_http_core_module.html#try_files,
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Cache-Control#caching_static_assets_with_cache_busting,
https://vite.dev/guide/build, https://nextjs.org/docs/app/api-reference/config/next-config-js/generateBuildId
(which files are named after their content).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from nself_sdk import compose
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Service

_INSIDE = 8080


class FrontendApp(Service):
    """A web application outside Docker, or its built files: in dev and staging, and in prod only on request.

    ``FrontendApp("web", port=3000, route="app")``: the edge asks port 3000 of the machine that runs Docker. There the
    program must listen on all addresses, not on 127.0.0.1 alone (``vite --host``, ``next dev -H 0.0.0.0``), and the
    machine's firewall must let containers reach it.

    ``FrontendApp("web", route="app", dist="frontend/web/dist")``: so in dev; elsewhere the built files travel as an
    image of their own. Files that a bundler named after their content are cached for ever, the others are asked for
    anew each time; a path without a file is answered with ``fallback``, for the router in the page.
    """

    enabled_by: ClassVar[str] = "FRONTEND_APP_N_NAME"
    variables: ClassVar[Mapping[str, str]] = {"SYSTEM_NAME": "name"}

    #: The port on the machine that runs Docker.
    port: int = Field(default=3000, ge=1, le=65535)
    #: Its host name; its own name when left out.
    route: str = ""
    #: The folder of its built files, in the project's folder.
    dist: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_@-][A-Za-z0-9_.@-]*(/[A-Za-z0-9_@-][A-Za-z0-9_.@-]*)*)?$",
        examples=["frontend/web/dist"],
    )
    #: What answers a path without a file; 404 when empty.
    fallback: str = Field(default="/index.html", pattern=r"^(/[A-Za-z0-9_./-]+)?$")
    #: What serves the built files.
    image: str = "nginx:1.30.6-alpine"
    memory: str = "64m"

    def __init__(  # noqa: PLR0913 - the name is positional; the rest by keyword
        self,
        name: str,
        *,
        port: int = 3000,
        route: str = "",
        dist: str = "",
        fallback: str = "/index.html",
        image: str = "nginx:1.30.6-alpine",
        memory: str = "64m",
        cpus: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        fields: dict[str, Any] = {"port": port, "route": route, "dist": dist, "fallback": fallback, "image": image}
        super().__init__(name=name, memory=memory, cpus=cpus, environment=dict(environment or {}), **fields)

    @model_validator(mode="after")
    def _has_what_its_options_are_about(self) -> Self:
        """Where no files were built nothing serves them, and nobody would miss what was said of it."""
        usual = FrontendApp.model_construct(name=self.name)
        about = ("fallback", "image", "memory", "cpus", "environment")
        idle = [name for name in about if getattr(self, name) != getattr(usual, name)]
        if idle and not self.dist:
            raise ValueError(f"{', '.join(idle)}: of what serves its built files, and there are none; say dist too")
        return self

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:
        if not environment.frontends:
            return ()
        name = self.route or self.name
        if self._is_built(environment):
            return (Route(name=name, port=_INSIDE),)
        # Development servers hold a websocket open, on which nothing is said for a long time.
        return (Route(name=name, port=self.port, on_host=True, read_timeout=3600),)

    def _is_built(self, environment: Environment) -> bool:
        return bool(self.dist) and not environment.hot_reload

    def part(self, context: Context) -> compose.ComposeFile:
        if not (context.environment.frontends and self._is_built(context.environment)):
            return compose.ComposeFile()
        service = compose.Service(
            image=f"{context.project}-{self.name}",
            build=compose.Build(context=f"./{self.dist}", dockerfile_inline=_DOCKERFILE.format(image=self.image)),
            user="101:101",
            environment=self.environment or None,
            configs=[compose.ServiceConfig(source=f"{self.name}.conf", target="/etc/nginx/nginx.conf")],
            healthcheck=compose.Healthcheck.http("/healthz", 8081),
            stop_grace_period="1m",
            deploy=self.limits,
        )
        text = _CONFIGURATION.replace("@fallback@", self.fallback or "=404")
        configs = {f"{self.name}.conf": compose.Config.inline(text)}
        return compose.ComposeFile(services={self.name: service}, configs=configs)


# Owned by the user that reads them, whatever their modes were.
_DOCKERFILE = "FROM {image}\nCOPY --chown=101:101 . /srv\n"
_CONFIGURATION = r"""worker_processes auto;
worker_rlimit_nofile 4096;
error_log /dev/stderr warn;
pid /tmp/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    server_tokens off;
    access_log off;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    sendfile on;
    # The files of an image never change.
    open_file_cache max=1000 inactive=60s;
    gzip on;
    gzip_vary on;
    gzip_proxied any;
    gzip_types text/css text/javascript application/javascript application/json application/manifest+json
        application/wasm image/svg+xml;

    # What is named after its content never changes; everything else is asked for anew, and mostly answered 304.
    map $uri $caching {
        default no-cache;
        "~^/(_next/static|_nuxt|_astro|_app/immutable)/" "public, max-age=31536000, immutable";
        "~[.-](?=[^./]*[0-9])(?=[^./]*[A-Za-z])([0-9a-f]{8,64}|[A-Za-z0-9]{8})\.(js|mjs|css|wasm|map|woff2?|ttf|svg|png|jpe?g|gif|webp|avif)$"
            "public, max-age=31536000, immutable";
    }

    server {
        listen 127.0.0.1:8081;
        location = /healthz {
            return 200 "ok\n";
        }
    }

    server {
        listen 8080;
        root /srv;
        location / {
            try_files $uri $uri/index.html @fallback@;
            add_header Cache-Control $caching;
        }
        # A missing script is missing: a page in its place would only fail later.
        location ~ \.[A-Za-z0-9]+$ {
            try_files $uri =404;
            add_header Cache-Control $caching;
        }
    }
}
"""
