"""Alertmanager: sends what Prometheus finds wrong by e-mail, to Slack or to a webhook, grouped and not twice.

Sources: https://prometheus.io/docs/alerting/latest/configuration/ (``auth_password_file``, ``api_url_file``,
``url_file``), https://github.com/prometheus/alertmanager/blob/main/Dockerfile (busybox with wget, user nobody, port
9093, /alertmanager).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.catalog.mailpit import SMTP_PORT, Mailpit
from nself_sdk.catalog.monitoring.reloading import on_hangup
from nself_sdk.catalog.monitoring.texts import filled
from nself_sdk.catalog.nginx import OPERATOR, Nginx
from nself_sdk.environment import Environment
from nself_sdk.model import Model
from nself_sdk.project import Context, Metrics, Route, Secret, Service

_SMTP_PASSWORD = Secret(name="ALERTMANAGER_SMTP_PASSWORD", source="given")
_SLACK_URL = Secret(name="ALERTMANAGER_SLACK_URL", source="given")
_WEBHOOK_URL = Secret(name="ALERTMANAGER_WEBHOOK_URL", source="given")

_FILE = "/etc/alertmanager/alertmanager.yml"
_ADDRESS = r"^[^@\s\"']+@[^@\s\"']+$"


class AlertEmail(Model):
    """Alerts by e-mail; the mail server's password is the secret ``ALERTMANAGER_SMTP_PASSWORD``."""

    to: str = Field(pattern=_ADDRESS, examples=["ops@example.com"])
    sender: str = Field(pattern=_ADDRESS, examples=["alerts@example.com"])
    #: The mail server.
    host: str = Field(pattern=r"^[A-Za-z0-9.-]+$", examples=["smtp.example.com"])
    port: int = Field(default=587, ge=1, le=65535)
    #: The name it logs in with; it does not when empty.
    user: str = Field(default="", pattern=r"^[^\s\"']*$")
    #: Refuse to send without TLS.
    tls: bool = True


class Alertmanager(Service):
    """Alertmanager behind the operator's login. Say at least one of ``email``, ``slack`` and ``webhook``.

    Said none, alerts go to `Mailpit` where one is in the project and real mail is not required, else they are only
    shown. The URLs of Slack's and of the own webhook are the secrets ``ALERTMANAGER_SLACK_URL`` and
    ``ALERTMANAGER_WEBHOOK_URL``: whoever knows them can post there.
    """

    enabled_by: ClassVar[str] = "ALERTMANAGER_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"ALERTMANAGER_VERSION": "image"}

    name: str = "alertmanager"
    image: str = "prom/alertmanager:v0.34.1"
    route: str = "alertmanager"
    email: AlertEmail | None = None
    #: The channel, such as ``#alerts``.
    slack: str = Field(default="", pattern=r"^([#@][\w.-]+)?$", examples=["#alerts"])
    webhook: bool = False
    #: Remind of what is still wrong after this time.
    repeat: str = Field(default="4h", pattern=r"^[1-9][0-9]*[mhd]$")
    #: How long it remembers what it sent and what was silenced.
    retention: str = Field(default="120h", pattern=r"^[1-9][0-9]*h$")
    memory: str = "128m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=9093, login=OPERATOR.name),)

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9093),)

    def secrets(self) -> tuple[Secret, ...]:
        return (OPERATOR, *self._channels())

    def _channels(self) -> tuple[Secret, ...]:
        """The secrets of the channels that were chosen."""
        return (
            *([_SMTP_PASSWORD] if self.email and self.email.user else []),
            *([_SLACK_URL] if self.slack else []),
            *([_WEBHOOK_URL] if self.webhook else []),
        )

    def part(self, context: Context) -> compose.ComposeFile:
        used = [secret.name for secret in self._channels()]
        service = compose.Service(
            image=self.image,
            command=self._command(context),
            user="65534:65534",
            environment=self.environment or None,
            secrets=used or None,
            configs=[compose.ServiceConfig(source=f"{self.name}.yml", target=_FILE)],
            volumes=[f"{self.name}-data:/alertmanager"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/-/healthy", 9093, client="wget"),
            deploy=self.limits,
        ).replace(**on_hangup("alertmanager", 9093, f"amtool check-config {_FILE}.next"))
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={f"{self.name}.yml": compose.Config.inline(self._configuration(context))},
            secrets={name: compose.Secret(environment=name) for name in used},
        )

    def _command(self, context: Context) -> list[str]:
        return [
            f"--config.file={_FILE}",
            "--storage.path=/alertmanager",
            f"--data.retention={self.retention}",
            f"--web.external-url={context.environment.url(self.route, '')}",
            # There is one: it need not look for others.
            "--cluster.listen-address=",
        ]

    def _configuration(self, context: Context) -> str:
        return filled(
            "alertmanager/alertmanager.yml.j2",
            email=self.email or self._caught(context),
            slack=self.slack,
            webhook=self.webhook,
            repeat=self.repeat,
            place=f"{context.project} {context.environment.name}",
        )

    def _caught(self, context: Context) -> AlertEmail | None:
        """To the mail catcher, where nobody said where to."""
        catchers = context.every(Mailpit)
        environment = context.environment
        if not catchers or self.slack or self.webhook or environment.real_mail_required:
            return None
        address = environment.admin_email or f"operator@{environment.domain}"
        sender = f"alerts@{environment.domain}"
        return AlertEmail(to=address, sender=sender, host=catchers[0].name, port=SMTP_PORT, tls=False)
