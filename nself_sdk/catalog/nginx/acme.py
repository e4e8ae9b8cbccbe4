"""The service beside Nginx that fetches certificates by ACME (RFC 8555). It knows no routes, only host names.

Sources: https://github.com/certbot/certbot/blob/main/tools/docker/Dockerfile (Alpine with openssl, runs as root; tags
like v5.6.0), https://eff-certbot.readthedocs.io/en/stable/using.html#standalone,
https://github.com/certbot/certbot/blob/v5.6.0/certbot/src/certbot/_internal/renewal.py (due when the CA says so, or
when a third of its life is left), https://letsencrypt.org/docs/rate-limits/ (why one certificate a host is no problem,
and what failures cost), https://letsencrypt.org/docs/challenge-types/#http-01-challenge (port 80, always).
"""

from __future__ import annotations

from pathlib import Path

from nself_sdk import compose
from nself_sdk.environment import Environment
from nself_sdk.offers import CERTIFICATES
from nself_sdk.project import Context

NAME = "acme"
_VOLUME = "acme-certificates"
_SCRIPT = "/usr/local/bin/certificates"


def applies(environment: Environment) -> bool:
    """Whether the certificates of that environment come from an ACME CA."""
    return environment.tls == "acme"


def mounts(environment: Environment) -> list[str] | None:
    """Where Nginx finds the certificates."""
    return [f"{_VOLUME}:/etc/nginx/certificates:ro"] if applies(environment) else None


def part(context: Context, edge: str, image: str, memory: str) -> compose.ComposeFile:
    """The service and its volumes; nothing where certificates come from elsewhere.

    Args:
        context: whose hosts get certificates.
        edge: the Compose key of the Nginx that passes the CA's questions on.
        image: certbot's.
        memory: the most that it may use.
    """
    if not applies(context.environment):
        return compose.ComposeFile()
    text = (Path(__file__).parent / "certificates.sh").read_text(encoding="utf-8")
    return compose.ComposeFile(
        services={NAME: _service(context, edge, image, memory)},
        volumes={f"{NAME}-data": compose.Volume(), _VOLUME: compose.Volume()},
        configs={"certificates.sh": compose.Config.inline(text)},
    )


def _service(context: Context, edge: str, image: str, memory: str) -> compose.Service:
    return compose.Service(
        image=image,
        init=True,
        entrypoint=[_SCRIPT, "forever"],
        environment={
            "DIRECTORY": context.environment.acme_directory,
            "EMAIL": context.environment.admin_email,
            "HOSTS": " ".join(context.hosts),
        },
        configs=[compose.ServiceConfig(source="certificates.sh", target=_SCRIPT, mode=0o755)],
        volumes=[f"{NAME}-data:/etc/letsencrypt", f"{_VOLUME}:/certificates"],
        # A volume of the image's own, of which nothing is kept.
        tmpfs=["/var/lib/letsencrypt"],
        # The CA asks at the edge.
        depends_on={edge: compose.DependsOn(condition="service_healthy")},
        cap_drop=["ALL"],
        cap_add=["CHOWN"],
        # It tries every twelve hours at least. Whether it succeeds is no question of its health: see `state`.
        healthcheck=compose.Healthcheck.shell("find /tmp/alive -mmin -1500 | grep -q ."),
        deploy=compose.Deploy(resources=compose.Resources(limits=compose.Limits(memory=memory))),
    ).replace(**{CERTIFICATES: [_SCRIPT, "state"]})
