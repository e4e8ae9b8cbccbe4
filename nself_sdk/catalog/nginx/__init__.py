"""Nginx: the edge. It reads the routes that the services offer, and is the only service published everywhere.

Sources: https://github.com/docker-library/official-images/blob/37079fb336f572a88700cf32e5e1f6be54a04e8f/library/nginx
(the tag), https://github.com/nginx/docker-nginx/blob/0d7f4380c735af5009aa364e27fafecd958fd4fa/stable/alpine/Dockerfile
(paths, curl, SIGQUIT for a graceful stop),
https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2,
https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake,
https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass (a variable is resolved at run time).
"""

from __future__ import annotations

from pathlib import Path

from nself_sdk import compose
from nself_sdk.project import Context, Route, Secret, Service

CERTIFICATE = Secret(name="TLS_CERTIFICATE", source="certificate")
PRIVATE_KEY = Secret(name="TLS_PRIVATE_KEY", source="private-key")


class Nginx(Service):
    """Each route at ``<route>.<domain>`` over TLS; http goes to https; unknown hosts are refused."""

    serves_routes = True

    name: str = "nginx"
    image: str = "nginx:1.30.4-alpine3.24"
    memory: str = "128m"

    def secrets(self) -> tuple[Secret, ...]:
        return (CERTIFICATE, PRIVATE_KEY)

    def part(self, context: Context) -> compose.ComposeFile:
        environment = context.environment
        service = compose.Service(
            image=self.image,
            environment=self.environment or None,
            secrets=[CERTIFICATE.name, PRIVATE_KEY.name],
            configs=[compose.ServiceConfig(source=f"{self.name}.conf", target="/etc/nginx/nginx.conf")],
            ports=[
                compose.Port(environment.http_port, target=80, host_ip=environment.bind or None),
                compose.Port(environment.https_port, target=443, host_ip=environment.bind or None),
            ],
            healthcheck=compose.Healthcheck.http("/healthz", 8080),
            stop_grace_period="1m",
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            configs={f"{self.name}.conf": compose.Config.inline(configuration(context))},
            secrets={s.name: compose.Secret(environment=s.name) for s in (CERTIFICATE, PRIVATE_KEY)},
        )


def configuration(context: Context) -> str:
    """The text of nginx.conf."""
    import jinja2  # noqa: PLC0415 - heavy, and only needed to render

    text = (Path(__file__).parent / "nginx.conf.j2").read_text(encoding="utf-8")
    template = jinja2.Environment(  # noqa: S701 - nginx configuration, not HTML; every value is validated
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    ).from_string(text)
    addresses = {target(route): f"{route.service}:{route.port}" for route in context.routes}
    return template.render(
        project=context.project,
        environment=context.environment,
        routes=context.routes,
        target=target,
        targets=sorted(addresses.items()),
    )


def target(route: Route) -> str:
    """The nginx variable that holds where the route leads: ``target_payments_8003``."""
    return f"target_{route.service}_{route.port}".replace("-", "_").replace(".", "_")
