"""Node Exporter: the host's processors, memory, disks, as metrics.

Sources: https://github.com/prometheus/node_exporter#docker (flags, mounts), its Dockerfile on
quay.io/prometheus/busybox (wget, user nobody, port 9100).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nself_sdk import compose
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service


class NodeExporter(Service):
    """Node Exporter; it sees the host's files read-only and as nobody, and none of its processes."""

    enabled_by: ClassVar[str] = "NODE_EXPORTER_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"NODE_EXPORTER_VERSION": "image"}

    name: str = "node-exporter"
    image: str = "prom/node-exporter:v1.12.1"
    memory: str = "64m"

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9100),)

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            command=[
                "--path.rootfs=/host",
                "--path.procfs=/host/proc",
                "--path.sysfs=/host/sys",
                # Docker's own mounts say nothing about the host's disks.
                "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/docker)($|/)",
            ],
            user="65534:65534",
            environment=self.environment or None,
            volumes=["/:/host:ro"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/", 9100, client="wget"),
            deploy=self.limits,
        )
        return compose.ComposeFile(services={self.name: service})
