"""Whether a stack is healthy, judged from its containers. Pure; `nself_sdk.deploy.deployment` asks again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from nself_sdk.compose import ComposeFile
from nself_sdk.docker import Container
from nself_sdk.jobs import jobs

#: What Docker says of a container that is well, one without a health check among them.
WELL = frozenset({"healthy", "none"})
#: When each run of a container (its id, and when it was started) was seen first.
Runs = dict[tuple[str, datetime | None], float]
Verdict = Literal["waiting", "healthy", "failed"]

#: What Docker says of a container that it does not start again.
_ENDED = {"exited", "dead"}
#: A container that was restarted this often does not get well by itself.
_RESTARTS = 3
#: Seconds that a container without a health check must run before it counts as healthy.
_LASTING = 3.0


@dataclass(frozen=True)
class ServiceHealth:
    """One service's verdict, the reason in words, and the container that shows it."""

    service: str
    verdict: Verdict
    reason: str
    container: Container | None = None


def judge(file: ComposeFile, containers: Iterable[Container]) -> tuple[ServiceHealth, ...]:
    """The verdict on every service of the file, by name."""
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        if not container.one_off:
            by_service.setdefault(container.service, []).append(container)
    done = jobs(file)
    return tuple(_service(name, by_service.get(name, []), is_job=name in done) for name in file.services)


def later(states: Iterable[ServiceHealth], file: ComposeFile) -> tuple[ServiceHealth, ...]:
    """The verdicts for who looks when no deploy is under way: a job without a container is nothing to wait for."""
    done = jobs(file)
    return tuple(
        replace(state, verdict="healthy", reason="no container is left")
        if state.service in done and state.container is None
        else state
        for state in states
    )


def service(name: str, containers: list[Container], file: ComposeFile) -> ServiceHealth:
    """The verdict on one service of the file, from its containers."""
    return _service(name, containers, is_job=name in jobs(file))


def ready(containers: Iterable[Container]) -> list[Container]:
    """Those that may get requests: the ones that are well; all that run, if none is."""
    running = [container for container in containers if container.running]
    return [container for container in running if container.health in WELL] or running


def ended(file: ComposeFile, containers: Iterable[Container], services: Collection[str]) -> ServiceHealth | None:
    """One of the services that ended and that nothing starts again: who waits for the others waits in vain."""
    judged = [state for state in judge(file, containers) if state.service in services and state.verdict == "failed"]
    return next((state for state in judged if state.container and state.container.state in _ENDED), None)


def note(containers: Iterable[Container], seen: Runs, now: float) -> None:
    """Add the runs of containers that are new to ``seen``; ``now`` is in seconds, of any one clock."""
    for container in containers:
        seen.setdefault((container.id, container.started_at), now)


def lasting(containers: Iterable[Container], seen: Runs, now: float) -> bool:
    """Whether those without a health check have run long enough to be believed: most that crash do so at once."""
    unchecked = [c for c in containers if c.running and c.health == "none"]
    return all(now - seen.get((c.id, c.started_at), now) >= _LASTING for c in unchecked)


def _service(name: str, containers: list[Container], *, is_job: bool) -> ServiceHealth:
    if not containers:
        return ServiceHealth(name, "waiting", "not created yet")
    # A stopped container beside a running one is what a failed deploy left to be looked at.
    present = [c for c in containers if c.running] or containers
    judged = [_container(name, container, is_job=is_job) for container in present]
    order: tuple[Verdict, ...] = ("failed", "waiting", "healthy")
    return min(judged, key=lambda health: order.index(health.verdict))


def _container(name: str, container: Container, *, is_job: bool) -> ServiceHealth:
    verdict, reason = _job(container) if is_job else _server(container)
    return ServiceHealth(name, verdict, reason, container)


def _job(container: Container) -> tuple[Verdict, str]:
    if container.state != "exited":
        return "waiting", container.state
    return ("healthy", "completed") if container.exit_code == 0 else ("failed", _exit(container))


def _server(container: Container) -> tuple[Verdict, str]:
    if container.state in _ENDED:
        return "failed", _exit(container)
    if container.restart_count >= _RESTARTS and container.health != "healthy":
        last = f"; {_exit(container)}" if container.exit_code is not None else ""
        return "failed", f"restarted {container.restart_count} times{last}"
    if container.health == "unhealthy":
        restarts = f" after {container.restart_count} restarts" if container.restart_count else ""
        return "failed", f"its health check fails{restarts}"
    if container.running and container.health in WELL:
        return "healthy", container.health if container.health == "healthy" else "running"
    return "waiting", container.health if container.health == "starting" else container.state


def _exit(container: Container) -> str:
    if container.oom_killed:
        return "killed: it used more memory than its limit"
    if container.error:
        return f"could not start: {container.error}"
    return f"exited with code {container.exit_code}"
