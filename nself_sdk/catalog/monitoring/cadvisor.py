"""cAdvisor: what each container uses, as metrics.

Sources: https://github.com/google/cadvisor/blob/master/docs/running.md (mounts), docs/runtime_options.md (flags; port
8080, /healthz), https://github.com/google/cadvisor/blob/0061d10d0c1e5687b57696336208c6bfe0d68f85/deploy/Dockerfile
(Alpine with wget). It is not privileged and has no Docker socket, which is root on the host: it reads control groups
alone, and so knows containers by their id. Prometheus takes their names from what Promtail reads, see
prometheus/rules/containers.yml.
"""

from __future__ import annotations

from typing import ClassVar

from nself_sdk import compose
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Metrics, Service

_UNUSED = "advtcp,cpu_topology,cpuset,hugetlb,memory_numa,percpu,process,referenced_memory,resctrl,sched,tcp,udp"


class Cadvisor(Service):
    """cAdvisor, reading the host's control groups and nothing else of it."""

    enabled_by: ClassVar[str] = "CADVISOR_ENABLED"

    name: str = "cadvisor"
    image: str = "ghcr.io/google/cadvisor:v0.60.5"
    memory: str = "256m"

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=8080),)

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            command=[
                "--docker_only=true",
                # Where Docker puts its control groups: by itself, and under systemd.
                "--raw_cgroup_prefix_whitelist=/docker/,/system.slice/docker-",
                f"--disable_metrics={_UNUSED}",
                "--store_container_labels=false",
                "--housekeeping_interval=15s",
            ],
            environment=self.environment or None,
            volumes=["/sys:/sys:ro", "/:/rootfs:ro"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.http("/healthz", 8080, client="wget"),
            deploy=self.limits,
        )
        return compose.ComposeFile(services={self.name: service})
