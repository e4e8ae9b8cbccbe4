"""Prometheus: scrapes whatever offers metrics, keeps them, and says what is wrong.

Sources: https://prometheus.io/docs/prometheus/latest/configuration/configuration/ (dns_sd_config: the address of each
container that has the name; they have no other name that lasts) and
https://prometheus.io/docs/prometheus/latest/storage/#operational-aspects (retention by time and size),
https://github.com/prometheus/prometheus/blob/main/Dockerfile (busybox with wget, user nobody, port 9090,
/prometheus).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.catalog.monitoring.alertmanager import Alertmanager
from nself_sdk.catalog.monitoring.blackbox_exporter import BlackboxExporter
from nself_sdk.catalog.monitoring.reloading import on_hangup
from nself_sdk.catalog.monitoring.texts import filled, plain
from nself_sdk.catalog.nginx import OPERATOR, Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Route, Secret, Service

#: The files of rules, each with a test of its own.
RULES = ("containers", "data", "edge", "host", "services")
_FOLDER = "/etc/prometheus"
_TEST = f"promtool check rules {_FOLDER}/rules/*.next && promtool check config {_FOLDER}/prometheus.yml.next"


class Prometheus(Service):
    """Prometheus on a volume of its own, behind the operator's login. What it scrapes is what the services offer."""

    enabled_by: ClassVar[str] = "PROMETHEUS_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {
        "PROMETHEUS_VERSION": "image",
        "PROMETHEUS_RETENTION_TIME": "retention",
    }

    name: str = "prometheus"
    image: str = "prom/prometheus:v3.15.0"
    route: str = "prometheus"
    #: How long a sample is kept, unless the disk it may use is full before.
    retention: str = Field(default="15d", pattern=r"^[1-9][0-9]*[hdwy]$")
    retention_size: str = Field(default="5GB", pattern=r"^[1-9][0-9]*[MG]B$")
    memory: str = "1g"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx, Alertmanager)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=9090, login=OPERATOR.name),)

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9090),)

    def secrets(self) -> tuple[Secret, ...]:
        return (OPERATOR,)

    @property
    def url(self) -> str:
        """Where Grafana finds it."""
        return f"http://{self.name}:9090"

    def part(self, context: Context) -> compose.ComposeFile:
        texts = {f"{self.name}.yml": (f"{_FOLDER}/prometheus.yml", self._configuration(context))}
        for rules in RULES:
            text = plain(f"prometheus/rules/{rules}.yml") + (self._replicas(context) if rules == "services" else "")
            texts[f"{self.name}-{rules}.yml"] = (f"{_FOLDER}/rules/{rules}.yml", text)
        service = compose.Service(
            image=self.image,
            command=self._command(context),
            user="65534:65534",
            environment=self.environment or None,
            configs=[compose.ServiceConfig(source=name, target=target) for name, (target, _) in texts.items()],
            volumes=[f"{self.name}-data:/prometheus"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/-/ready", 9090, client="wget", start_period="2m"),
            stop_grace_period="1m",
            deploy=self.limits,
        ).replace(**on_hangup("prometheus", 9090, _TEST))
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={name: compose.Config.inline(text) for name, (_, text) in texts.items()},
        )

    def _replicas(self, context: Context) -> str:
        """A group of rules for what has several containers, to stand behind another group."""
        several = [offer for offer in context.metrics if offer.replicas > 1]
        return filled("prometheus/replicas.yml.j2", replicated=several)

    def _command(self, context: Context) -> list[str]:
        return [
            f"--config.file={_FOLDER}/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={self.retention}",
            f"--storage.tsdb.retention.size={self.retention_size}",
            f"--web.external-url={context.environment.url(self.route, '')}",
        ]

    def _configuration(self, context: Context) -> str:
        probers = [prober.name for prober in context.every(BlackboxExporter)]
        edges = [edge.name for edge in context.every(Nginx)]
        return filled(
            "prometheus/prometheus.yml.j2",
            project=context.project,
            environment=context.environment.name,
            alertmanagers=[receiver.name for receiver in context.every(Alertmanager)],
            metrics=context.metrics,
            # Each host name is asked through the edge, which is where its certificate is.
            probes=[(prober, edges[0]) for prober in probers[:1] if edges],
            hosts=context.hosts,
        )
