"""Nginx: the edge. It reads the routes that the services offer, and is the only service published everywhere.

Sources: https://github.com/docker-library/official-images/blob/37079fb336f572a88700cf32e5e1f6be54a04e8f/library/nginx
(how the tags are made; it has 1.30.4), https://hub.docker.com/_/nginx/tags (1.30.6-alpine),
https://nginx.org/en/security_advisories.html (why at least 1.30.6),
https://github.com/nginx/docker-nginx/blob/0d7f4380c735af5009aa364e27fafecd958fd4fa/stable/alpine/Dockerfile
(paths, curl, SIGQUIT for a graceful stop),
https://github.com/nginx/nginx/blob/01f1e4d1/src/core/ngx_resolver.c (``resend_timeout``),
https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2,
https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake,
https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass (a variable is resolved at run time),
https://nginx.org/en/docs/http/ngx_http_grpc_module.html#grpc_pass (the same),
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md (415 to what is no gRPC; 502 and 429 mean UNAVAILABLE).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import JsonValue

from nself_sdk import compose
from nself_sdk.catalog.nginx import acme
from nself_sdk.environment import Environment
from nself_sdk.offers import EDGE, RELOAD, Route, Secret
from nself_sdk.project import Context, Service

if TYPE_CHECKING:
    import jinja2

CERTIFICATE = Secret(name="TLS_CERTIFICATE", source="certificate")
PRIVATE_KEY = Secret(name="TLS_PRIVATE_KEY", source="private-key")
#: What the edge asks for before pages that have no login of their own; the user is ``operator``.
OPERATOR = Secret(name="OPERATOR_PASSWORD")

# Run by the image's entry point: nginx reads names and passwords from files that its workers can open.
# The password stays as it is under /run/secrets; a slow hash would be computed for every request.
_SCRIPT = "50-logins.sh"
_LOGINS = """#!/bin/sh
set -eu
umask 077
mkdir -p /etc/nginx/logins
for name in {names}; do
    printf 'operator:{{PLAIN}}%s\\n' "$(cat "/run/secrets/$name")" >"/etc/nginx/logins/$name"
done
chown -R nginx: /etc/nginx/logins
"""

_LOGINS_PATH = "/docker-entrypoint.d/50-logins.sh"
_LOGINS_AGAIN = f"if [ -x {_LOGINS_PATH} ]; then {_LOGINS_PATH}; fi"


class Nginx(Service):
    """Each route at ``<route>.<domain>`` over TLS; http goes to https; unknown hosts are refused."""

    serves_routes = True
    variables: ClassVar[Mapping[str, str]] = {"NGINX_VERSION": "image"}

    name: str = "nginx"
    image: str = "nginx:1.30.6-alpine"
    memory: str = "128m"
    #: Fetches the certificates where the environment says ``tls="acme"``.
    acme_image: str = "certbot/certbot:v5.8.0"
    acme_memory: str = "256m"

    def secrets(self) -> tuple[Secret, ...]:
        return (CERTIFICATE, PRIVATE_KEY)

    def part(self, context: Context) -> compose.ComposeFile:
        logins = sorted({route.login for route in context.routes if route.login})
        texts = {f"{self.name}.conf": configuration(context)}
        configs = [compose.ServiceConfig(source=f"{self.name}.conf", target="/etc/nginx/nginx.conf")]
        if logins:
            texts[_SCRIPT] = _LOGINS.format(names=" ".join(logins))
            configs.append(compose.ServiceConfig(source=_SCRIPT, target=f"/docker-entrypoint.d/{_SCRIPT}", mode=0o755))
        secrets = [*([] if acme.applies(context.environment) else [CERTIFICATE.name, PRIVATE_KEY.name]), *logins]
        service = compose.Service(
            image=self.image,
            environment=self.environment or None,
            secrets=secrets,
            configs=configs,
            volumes=acme.mounts(context.environment),
            ports=_ports(context.environment),
            extra_hosts=["host.docker.internal:host-gateway"] if any(r.on_host for r in context.routes) else None,
            healthcheck=compose.Healthcheck.http("/healthz", 8080),
            # From SIGQUIT on nobody listens: a WebSocket must not keep all others waiting for long.
            stop_grace_period="10s",
            deploy=self.limits,
        ).replace(**_deploying(context))
        return acme.part(context, self.name, self.acme_image, self.acme_memory) + compose.ComposeFile(
            services={self.name: service},
            configs={name: compose.Config.inline(text) for name, text in texts.items()},
            secrets={name: compose.Secret(environment=name) for name in secrets},
        )


def _ports(environment: Environment) -> list[compose.Port]:
    published = {environment.http_port: 80, environment.https_port: 443}
    return [compose.Port(port, target=inside, host_ip=environment.bind or None) for port, inside in published.items()]


def _deploying(context: Context) -> dict[str, JsonValue]:
    """What a deploy must know to move the edge without dropping a request."""
    targets: dict[str, list[JsonValue]] = {}
    for route in _contained(context):
        ports = targets.setdefault(route.service, [])
        if route.port not in ports:
            ports.append(route.port)
    edge: dict[str, JsonValue] = {"folder": "/etc/nginx/targets", "targets": dict(sorted(targets.items()))}
    if grpc := sorted({route.service for route in _contained(context) if route.grpc}):
        edge["grpc"] = [*grpc]
    return {
        EDGE: edge,
        RELOAD: {"test": "nginx -t -q -c /etc/nginx/nginx.conf.next", "command": f"{_LOGINS_AGAIN}; nginx -s reload"},
    }


def configuration(context: Context) -> str:
    """The text of nginx.conf."""
    port = "" if context.environment.https_port == 443 else f":{context.environment.https_port}"  # noqa: PLR2004 - https
    addresses = {target(route): f"{route.service}:{route.port}" for route in _contained(context)}
    return _template().render(
        project=context.project,
        environment=context.environment,
        by_acme=acme.applies(context.environment),
        host=f"$host{port}",
        routes=context.routes,
        target=target,
        targets=sorted(addresses.items()),
    )


@cache
def _template() -> jinja2.Template:
    """Compiled once: that takes many times as long as filling it in."""
    import jinja2  # noqa: PLC0415 - heavy, and only needed to render

    text = (Path(__file__).parent / "nginx.conf.j2").read_text(encoding="utf-8")
    return jinja2.Environment(  # noqa: S701 - nginx configuration, not HTML; every value is validated
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    ).from_string(text)


def _contained(context: Context) -> tuple[Route, ...]:
    """The routes that lead to containers."""
    return tuple(route for route in context.routes if not route.on_host)


def target(route: Route) -> str:
    """The nginx variable that holds where the route leads: ``target_payments_8003``."""
    return f"target_{route.service}_{route.port}".replace("-", "_").replace(".", "_")
