"""Grafana: dashboards of the stack, its logs and its traces, at ``https://grafana.<domain>``, behind its own login.

Sources: https://grafana.com/docs/grafana/latest/administration/provisioning/ (files; ``$$`` for a dollar),
https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ (GF_*; ``__FILE``),
https://github.com/grafana/grafana/blob/main/Dockerfile (Alpine with wget; user 472, port 3000, /var/lib/grafana).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.catalog.monitoring.alertmanager import Alertmanager
from nself_sdk.catalog.monitoring.grafana.dashboards import DASHBOARDS
from nself_sdk.catalog.monitoring.loki import Loki
from nself_sdk.catalog.monitoring.prometheus import Prometheus
from nself_sdk.catalog.monitoring.tempo import Tempo
from nself_sdk.catalog.monitoring.texts import filled, plain
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Route, Secret, Service

_PASSWORD = Secret(name="GRAFANA_ADMIN_PASSWORD")
_PROVISIONING = "/etc/grafana/provisioning"


class Grafana(Service):
    """Grafana with its data sources and dashboards. Who has no account sees nothing, and nobody can make one."""

    enabled_by: ClassVar[str] = "GRAFANA_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {
        "GRAFANA_VERSION": "image",
        "GRAFANA_ADMIN_USER": "user",
        "GRAFANA_PLUGINS": "environment.GF_PLUGINS_PREINSTALL",
    }

    name: str = "grafana"
    image: str = "grafana/grafana:13.3.0"
    route: str = "grafana"
    user: str = Field(default="admin", pattern=r"^[\w.@-]+$")
    memory: str = "512m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx, Prometheus, Loki, Tempo, Alertmanager)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=3000, hidden=("/metrics",)),)

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=3000),)

    def secrets(self) -> tuple[Secret, ...]:
        return (_PASSWORD,)

    def part(self, context: Context) -> compose.ComposeFile:
        texts = self._texts(context)
        service = compose.Service(
            image=self.image,
            user="472:0",
            environment={**self._variables(context), **self.environment},
            secrets=[_PASSWORD.name],
            configs=[compose.ServiceConfig(source=name, target=target) for name, (target, _) in texts.items()],
            volumes=[f"{self.name}-data:/var/lib/grafana"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/api/health", 3000, client="wget", start_period="2m"),
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={name: compose.Config.inline(text) for name, (_, text) in texts.items()},
            secrets={_PASSWORD.name: compose.Secret(environment=_PASSWORD.name)},
        )

    def _variables(self, context: Context) -> dict[str, str]:
        return {
            "GF_SERVER_ROOT_URL": context.environment.url(self.route),
            "GF_SECURITY_ADMIN_USER": self.user,
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"/run/secrets/{_PASSWORD.name}",
            "GF_SECURITY_COOKIE_SECURE": "true",
            "GF_SECURITY_DISABLE_GRAVATAR": "true",
            "GF_AUTH_ANONYMOUS_ENABLED": "false",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
            "GF_LOG_LEVEL": "info" if context.environment.log_level == "debug" else "warn",
            # Its own alerting would be a second one.
            "GF_UNIFIED_ALERTING_ENABLED": "false",
        }

    def _texts(self, context: Context) -> dict[str, tuple[str, str]]:
        """Where each file goes, and its text, by the name of its config."""
        sources = filled(
            "grafana/datasources.yml.j2",
            prometheus=context.the(Prometheus).url,
            loki=context.the(Loki).url,
            tempo=context.the(Tempo).url,
            alertmanager=f"http://{context.the(Alertmanager).name}:9093",
        )
        folder = "/etc/grafana/dashboards"
        boards = {f"{self.name}-{name}.json": (f"{folder}/{name}.json", text) for name, text in DASHBOARDS.items()}
        return {
            f"{self.name}-datasources.yml": (f"{_PROVISIONING}/datasources/stack.yml", sources),
            f"{self.name}-dashboards.yml": (f"{_PROVISIONING}/dashboards/stack.yml", plain("grafana/dashboards.yml")),
            **boards,
        }
