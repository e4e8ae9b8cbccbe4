"""Monitoring: metrics, logs, traces, alerts and dashboards for the whole stack, as ten services that know each other.

An eleventh, the Blackbox Exporter, asks every route through the edge as a client does: it sees what nobody inside can
see, a route that fails and a certificate that is about to expire.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from nself_sdk import compose
from nself_sdk.catalog.monitoring.alertmanager import Alertmanager
from nself_sdk.catalog.monitoring.blackbox_exporter import BlackboxExporter
from nself_sdk.catalog.monitoring.cadvisor import Cadvisor
from nself_sdk.catalog.monitoring.grafana import Grafana
from nself_sdk.catalog.monitoring.loki import Loki
from nself_sdk.catalog.monitoring.node_exporter import NodeExporter
from nself_sdk.catalog.monitoring.postgres_exporter import PostgresExporter
from nself_sdk.catalog.monitoring.prometheus import Prometheus
from nself_sdk.catalog.monitoring.promtail import Promtail
from nself_sdk.catalog.monitoring.redis_exporter import RedisExporter
from nself_sdk.catalog.monitoring.tempo import Tempo
from nself_sdk.project import Context, Service

TEN: tuple[type[Service], ...] = (
    Prometheus,
    Grafana,
    Loki,
    Promtail,
    Tempo,
    Alertmanager,
    Cadvisor,
    NodeExporter,
    PostgresExporter,
    RedisExporter,
)


class Monitoring(Service):
    """Metrics, logs, traces, alerts and dashboards: all ten services, with their defaults.

    To change one, add it yourself: ``Prometheus(retention="30d")``. Ten with Redis or without: the Redis Exporter has
    nothing to watch until a `Redis` is in the project.
    """

    enabled_by: ClassVar[str] = "MONITORING_ENABLED"

    name: str = "monitoring"

    @model_validator(mode="after")
    def _is_no_container(self) -> Self:
        if said := sorted(self.model_fields_set - {"name"}):
            raise ValueError(f"it is no container of its own; say {', '.join(said)} of one of the ten: Prometheus(...)")
        return self

    def requires(self) -> tuple[type[Service], ...]:
        return (*TEN, BlackboxExporter)

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - nothing of its own
        return compose.ComposeFile()
