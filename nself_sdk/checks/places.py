"""What an environment requires of a stack, unless it says otherwise on purpose."""

from __future__ import annotations

from collections.abc import Iterator

from nself_sdk.checks.rules import Rule
from nself_sdk.compose import ComposeFile
from nself_sdk.environment import Environment
from nself_sdk.errors import Problem


def monitored(file: ComposeFile, environment: Environment) -> Iterator[Problem]:
    """Where monitoring is required, somebody collects metrics."""
    if environment.monitoring_required and not _running(file, "prometheus"):
        fix = "add Monitoring() or MONITORING_ENABLED=true; to do without on purpose: MONITORING_REQUIRED=false"
        yield Problem("monitoring", f"is required in {environment.name}, and there is none", fix)


def real_mail(file: ComposeFile, environment: Environment) -> Iterator[Problem]:
    """Where real e-mail is required, nothing catches it, and who sends it has a server to send it through."""
    if not environment.real_mail_required:
        return
    otherwise = "to do without real e-mail on purpose: REAL_MAIL_REQUIRED=false"
    for name in _running(file, "mailpit"):
        fix = f"leave it out in {environment.name}, or MAILPIT_ENABLED=false; {otherwise}"
        yield Problem(f"services.{name}", "catches all e-mail, so nobody would receive any", fix)
    for name, service in file.services.items():
        variables = service.environment_map
        if "AUTH_SERVER_URL" in variables and not variables.get("AUTH_SMTP_HOST"):
            fix = f"give Auth(smtp=Smtp(...)) or AUTH_SMTP_HOST, _PORT, _USER and _SENDER; {otherwise}"
            yield Problem(f"services.{name}", "has no mail server to send through", fix)


def certifiable(file: ComposeFile, environment: Environment) -> Iterator[Problem]:  # noqa: ARG001 - a rule
    """A public CA certifies no name outside the public DNS (RFC 6761, RFC 6762, and ICANN's ``internal``)."""
    is_public = environment.domain.rpartition(".")[2] not in _NOT_PUBLIC
    if environment.tls == "acme" and not environment.acme_ca.startswith("https:") and not is_public:
        what = f"{environment.domain!r} is not in the public DNS, so {environment.acme_ca} does not certify it"
        yield Problem("environment.domain", what, "set BASE_DOMAIN, or TLS=local-ca, or ACME_CA to a CA of your own")


_NOT_PUBLIC = {"localhost", "local", "test", "example", "invalid", "internal", "onion"}


def _running(file: ComposeFile, program: str) -> list[str]:
    """The services whose image is that program's, whoever built it."""
    images = {name: (service.image or "").partition("@")[0] for name, service in file.services.items()}
    return [name for name, image in images.items() if image.rpartition("/")[2].partition(":")[0] == program]


POLICIES: tuple[Rule, ...] = (monitored, real_mail, certifiable)
