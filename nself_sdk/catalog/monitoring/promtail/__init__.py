"""Promtail: reads every container's log and sends it to Loki; counts the edge's requests on the way.

Sources: https://grafana.com/docs/loki/latest/send-data/promtail/stages/ (pipelines; ``metrics``), the image is Ubuntu
with bash, without curl and wget
(https://github.com/grafana/loki/blob/072f705786cc97574f5d45887d72f9a4bb870eb8/clients/cmd/promtail/Dockerfile). 3.6
is its last line. It reads Docker's log files, read-only, and has no Docker socket: that is root on the host. Which
container wrote a line is in the line, because our `logging` pass asks Docker for it.
"""

from __future__ import annotations

from typing import ClassVar

from nself_sdk import compose
from nself_sdk.catalog.monitoring.loki import Loki
from nself_sdk.catalog.monitoring.texts import filled
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service

# bash speaks HTTP where neither curl nor wget is.
_HEALTH = "exec 3<>/dev/tcp/127.0.0.1/9080; printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3; grep -q ' 200 ' <&3"


class Promtail(Service):
    """Promtail for the containers of this project; those of others on the same host are left out."""

    enabled_by: ClassVar[str] = "PROMTAIL_ENABLED"

    name: str = "promtail"
    image: str = "grafana/promtail:3.6.11"
    #: Where the engine keeps its data on the host.
    docker_root: str = "/var/lib/docker"
    memory: str = "128m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Loki,)

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9080),)

    def part(self, context: Context) -> compose.ComposeFile:
        service = compose.Service(
            image=self.image,
            command=["-config.file=/etc/promtail/config.yml"],
            user="0:0",
            environment=self.environment or None,
            configs=[compose.ServiceConfig(source=f"{self.name}.yml", target="/etc/promtail/config.yml")],
            volumes=[
                f"{self.docker_root}/containers:/var/lib/docker/containers:ro",
                f"{self.name}-positions:/positions",
            ],
            cap_drop=["ALL"],
            # The log files are readable for root only.
            cap_add=["DAC_READ_SEARCH"],
            healthcheck=compose.Healthcheck.command("bash", "-c", _HEALTH),
            deploy=self.limits,
        )
        edges = [edge.name for edge in context.every(Nginx)]
        text = filled("promtail/promtail.yml.j2", project=context.project, loki=context.the(Loki).url, edges=edges)
        return compose.ComposeFile(
            services={self.name: service},
            volumes={f"{self.name}-positions": compose.Volume()},
            configs={f"{self.name}.yml": compose.Config.inline(text)},
        )
