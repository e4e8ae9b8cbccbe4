"""Loki: keeps the logs of every container, for Grafana to search.

Sources: https://grafana.com/docs/loki/latest/operations/storage/retention/ (the compactor's, a day at least),
https://github.com/grafana/loki/pull/20590 (``loki -health`` since 3.6.5, because the image has no shell),
https://github.com/grafana/loki/issues/20910 (a volume that belongs to another user: hence root with the one
capability that it needs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from nself_sdk import compose
from nself_sdk.catalog.monitoring.texts import filled
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service


class Loki(Service):
    """Loki on a volume of its own; inside the stack only."""

    enabled_by: ClassVar[str] = "LOKI_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"LOKI_RETENTION_PERIOD": "retention"}

    name: str = "loki"
    image: str = "grafana/loki:3.7.8"
    #: How long a line is kept, in hours or days; a multiple of 24 hours.
    retention: str = Field(default="168h", pattern=r"^[1-9][0-9]*[hdw]$")
    #: What all containers together may send, in MiB a second: bounds the disk together with the retention.
    rate: int = Field(default=4, ge=1)
    memory: str = "512m"

    @field_validator("retention")
    @classmethod
    def _is_whole_days(cls, retention: str) -> str:
        if retention.endswith("h") and int(retention[:-1]) % 24:
            raise ValueError("Loki keeps whole days, one at least; write a multiple of 24h, or days such as '7d'")
        return retention

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=3100),)

    @property
    def url(self) -> str:
        """Where the other services of the stack find it."""
        return f"http://{self.name}:3100"

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            command=["-config.file=/etc/loki/config.yml"],
            user="0:0",
            environment=self.environment or None,
            configs=[compose.ServiceConfig(source=f"{self.name}.yml", target="/etc/loki/config.yml")],
            volumes=[f"{self.name}-data:/loki"],
            cap_drop=["ALL"],
            cap_add=["DAC_OVERRIDE"],
            healthcheck=compose.Healthcheck.command("/usr/bin/loki", "-health", start_period="1m"),
            stop_grace_period="1m",
            deploy=self.limits,
        )
        text = filled("loki/loki.yml.j2", retention=self.retention, rate=self.rate)
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={f"{self.name}.yml": compose.Config.inline(text)},
        )
