"""Tempo: keeps traces; services send them as OTLP, by gRPC to 4317 or by HTTP to 4318.

Sources: https://grafana.com/docs/tempo/latest/configuration/ (version 3: retention is given to the backend scheduler
and to the backend worker), https://github.com/grafana/tempo/pull/6608 (``tempo -health``, because the image has no
shell). It runs as root with the one capability that it needs to write a volume, whoever owns that.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.catalog.monitoring.texts import filled
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service


class Tempo(Service):
    """Tempo on a volume of its own; inside the stack only."""

    enabled_by: ClassVar[str] = "TEMPO_ENABLED"

    name: str = "tempo"
    image: str = "grafana/tempo:3.0.3"
    #: How long a trace is kept, in hours.
    retention: str = Field(default="72h", pattern=r"^[1-9][0-9]*h$")
    #: What all services together may send, in MiB a second: bounds the disk together with the retention.
    rate: int = Field(default=2, ge=1)
    memory: str = "512m"

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=3200),)

    def traces(self) -> str:
        return f"http://{self.name}:4318"

    @property
    def url(self) -> str:
        """Where Grafana finds it."""
        return f"http://{self.name}:3200"

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            command=["-target=all", "-config.file=/etc/tempo/config.yml"],
            user="0:0",
            environment=self.environment or None,
            configs=[compose.ServiceConfig(source=f"{self.name}.yml", target="/etc/tempo/config.yml")],
            volumes=[f"{self.name}-data:/var/tempo"],
            cap_drop=["ALL"],
            cap_add=["DAC_OVERRIDE"],
            healthcheck=compose.Healthcheck.command("/tempo", "-health", start_period="1m"),
            stop_grace_period="1m",
            deploy=self.limits,
        )
        text = filled("tempo/tempo.yml.j2", retention=self.retention, rate=self.rate)
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={f"{self.name}.yml": compose.Config.inline(text)},
        )
