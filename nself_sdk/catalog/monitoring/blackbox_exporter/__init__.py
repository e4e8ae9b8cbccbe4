"""Blackbox Exporter: asks every route through the edge, and looks at the certificate that it gets.

Sources: https://github.com/prometheus/blackbox_exporter/blob/master/CONFIGURATION.md (modules), its README (the
parameters ``module``, ``target`` and ``hostname``; port 9115, /-/healthy) and its Dockerfile on
quay.io/prometheus/busybox (wget).
"""

from __future__ import annotations

from nself_sdk import compose
from nself_sdk.catalog.monitoring.texts import plain
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service


class BlackboxExporter(Service):
    """Blackbox Exporter; Prometheus tells it whom to ask."""

    name: str = "blackbox-exporter"
    image: str = "prom/blackbox-exporter:v0.28.0"
    memory: str = "64m"

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9115),)

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            command=["--config.file=/etc/blackbox_exporter/config.yml"],
            user="65534:65534",
            environment=self.environment or None,
            configs=[compose.ServiceConfig(source=f"{self.name}.yml", target="/etc/blackbox_exporter/config.yml")],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/-/healthy", 9115, client="wget"),
            deploy=self.limits,
        )
        text = plain("blackbox_exporter/blackbox.yml")
        return compose.ComposeFile(
            services={self.name: service},
            configs={f"{self.name}.yml": compose.Config.inline(text)},
        )
