"""Rollout: carry one change out on the host. It knows how to replace a service, not what should be replaced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from nself_sdk.compose import ComposeFile, duration
from nself_sdk.deploy import edge, health, observing
from nself_sdk.deploy.batches import Batch, batches, monitored
from nself_sdk.deploy.edge import Edge
from nself_sdk.deploy.health import ServiceHealth
from nself_sdk.deploy.progress import DOING, DONE, Progress, Tell
from nself_sdk.docker import Container, Driver, Stack
from nself_sdk.errors import DriverError, NselfError, UnhealthyServiceError
from nself_sdk.jobs import jobs, steps
from nself_sdk.plan import CONFIG_HASH, Change, Wanted

_POLL = 0.5
#: Compose itself may wait for a service; it gets a little longer, so that our own message comes first.
_MARGIN = 60.0
_GRACE = 10.0  # Docker's own, where the file says nothing


@dataclass
class Rollout:
    """The host, what is wanted there, and how patient to be. ``timeout`` and ``drain`` are seconds."""

    driver: Driver
    stack: Stack
    wanted: Wanted
    timeout: float
    drain: float
    tell: Tell
    #: The seconds until each service was healthy.
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    #: The id of the container that failed; empty while none did.
    failed: str = ""
    _seen: health.Runs = field(default_factory=dict[tuple[str, "datetime | None"], float])

    @property
    def file(self) -> ComposeFile:
        """What is wanted."""
        return self.wanted.file

    def carry_out(self, changes: Sequence[Change]) -> None:
        """Carry the changes out, one by one; services that do not run yet start together, in Compose's own order.

        Raises:
            UnhealthyServiceError: a service did not become healthy; those after it were not touched.
            DriverError: Docker refused.
        """
        try:
            self._hold([change.service for change in changes if change.order == "start-first"])
            for is_new, some in groupby(changes, key=lambda change: change.kind == "create"):
                if is_new:
                    self.create([change.service for change in some])
                else:
                    for change in some:
                        self.apply(change)
        except BaseException:
            with contextlib.suppress(NselfError):  # what comes next, or the next deploy, settles it
                self.settle()
            raise
        self.settle()

    def apply(self, change: Change) -> None:
        """Carry the change out, and wait until the service is healthy.

        Raises:
            UnhealthyServiceError: it did not become healthy. A service that is replaced start-first keeps its old
                container, which serves on.
            DriverError: Docker refused.
        """
        begin = time.monotonic()
        self._say(change.service, DOING[change.kind] + (f", {change.order}" if change.order else ""))
        if change.kind == "remove":
            self._remove(self._containers(change.service), _GRACE)
        elif change.kind == "reload":
            container = self._containers(change.service)[0]
            edge.reload(self.driver, self.file, container, self.wanted.texts[change.service])
        elif change.order == "start-first":
            self._start_first(change.service)
        else:
            self._stop_first(change.service)
        self.seconds[change.service] = round(time.monotonic() - begin, 1)
        self._say(change.service, f"{DONE[change.kind]} after {self.seconds[change.service]:.1f} s")

    def create(self, services: Sequence[str]) -> None:
        """Create services that do not run yet, in the order of their dependencies, and wait for all of them.

        Raises:
            UnhealthyServiceError: one did not become healthy.
            DriverError: Docker refused.
        """
        for step in steps(self.file, services):
            self._create(step)
            if step[0] in jobs(self.file):
                self._finish(step[0])
            for service in step:
                if observing.is_told_anew(self.file, service):
                    self._healthy(service)
                    self._tell_anew(service)
        for service in services:
            self._healthy(service, beside=services)

    def _create(self, services: Sequence[str]) -> None:
        try:
            self._up(services[-1], "--no-recreate", *services[:-1])
        except DriverError as error:
            # What Compose calls a failed dependency is told as the service that failed.
            states = health.judge(self.file, self.driver.containers(self.stack.project))
            if failed := next((state for state in states if state.verdict == "failed"), None):
                raise self._failure(failed, failed.reason) from error
            raise

    def _tell_anew(self, service: str) -> None:
        """Tell a new container what it was given: its volume may know another password, of a time before."""
        if observing.is_told_anew(self.file, service):
            edge.reload(self.driver, self.file, self._containers(service)[0], self.wanted.texts[service])

    def _finish(self, job: str) -> None:
        """Wait for a job's end, and tell what it wrote. One that is given up does nothing more behind our back."""
        try:
            for line in observing.evidence(self.driver, self._healthy(job)[0]).splitlines():
                self.tell(Progress("start", line, job, lasting=True))
        except BaseException:
            for container in [each for each in self._containers(job) if each.running]:
                self.driver.stop(container.id, int(self._grace(job)))
            raise

    def settle(self) -> None:
        """Nothing is under way any more: services are found by name again, also those that a killed deploy left pinned.

        Otherwise the edge would keep an address that nobody has after the next restart.
        """
        if gate := self._edge():
            gate.unpin_all()

    def _hold(self, services: Sequence[str]) -> None:
        """Nothing that is started from now on gets a request of these services before it is healthy.

        For all of them at once: each reload of the edge starts its workers anew.
        """
        if services and (gate := self._edge()):
            gate.pin({service: health.ready(self._containers(service)) for service in services})

    def _stop_first(self, service: str) -> None:
        self._up(service)
        if service in jobs(self.file):
            self._finish(service)
        else:
            new = self._healthy(service)
            self._tell_anew(service)
            self._watch_over(service, new)

    def _start_first(self, service: str) -> None:
        """New containers beside the old, batch by batch."""
        serving = self._present(service)
        fresh = [container for container in serving if self._is_as_wanted(container)]
        stale = [container for container in serving if container not in fresh]
        for batch in batches(self.file.services[service], fresh, stale):
            serving = self._exchange(service, serving, batch)

    def _exchange(self, service: str, serving: Sequence[Container], batch: Batch) -> list[Container]:
        """Start a batch; the edge moves to it when it is healthy; those that it replaces are drained. Who serves then.

        The edge is pinned to who serves, and so does not see the new ones before.
        """
        gate = self._edge()
        known = {container.id for container in serving}
        stay = [container for container in serving if container not in batch.stop]
        time.sleep(batch.delay)
        try:
            self._up(service, "--no-recreate", "--scale", f"{service}={len(serving) + batch.start}")
            new = self._healthy(service, except_for=known) if batch.start else []
            self._ask(gate, service, new)
            if gate:
                gate.pin({service: health.ready([*stay, *new])})
            self._watch_over(service, new)
        except BaseException:
            self._abandon(service, known, gate)
            raise
        self._drain(gate, service, batch.stop)
        self._remove(batch.stop, self._grace(service))
        return [*stay, *new]

    def _watch_over(self, service: str, new: Sequence[Container]) -> None:
        """Before the old ones go, the new must stay well under traffic for as long as the file says."""
        deadline = time.monotonic() + monitored(self.file.services[service])
        known = {container.id for container in new}
        while time.monotonic() < deadline:
            state = health.service(service, [c for c in self._containers(service) if c.id in known], self.file)
            if state.verdict != "healthy":
                raise self._failure(state, f"did not stay well: {state.reason}")
            time.sleep(_POLL)

    def _is_as_wanted(self, container: Container) -> bool:
        """Whether an earlier deploy that was cut off has replaced this container already."""
        service = container.service
        return (
            container.health in health.WELL
            and container.labels.get(CONFIG_HASH) == self.wanted.hashes.get(service)
            and container.image_id == self.wanted.images.get(service)
        )

    def _present(self, service: str) -> list[Container]:
        """The service's running containers; the others go, because Compose would start them instead of new ones."""
        found = self._containers(service)
        for container in found:
            if not container.running:
                self.driver.remove(container.id)
        return [container for container in found if container.running]

    def _abandon(self, service: str, known: set[str], gate: Edge | None) -> None:
        """The old containers serve on. What was started is stopped; it stays, to be looked at."""
        found = self._containers(service)
        if gate:
            gate.pin({service: health.ready([container for container in found if container.id in known])})
        for container in found:
            if container.id not in known:
                self.driver.stop(container.id, int(_GRACE))
                self._say(service, f"{container.name} is kept, stopped, until the next deploy", lasting=True)

    def _ask(self, gate: Edge | None, service: str, new: Sequence[Container]) -> None:
        for container in new if gate else ():
            if gate and not gate.answers(service, container):
                state = ServiceHealth(service, "failed", "", container)
                raise self._failure(state, "is healthy by its own check, but does not answer the edge")

    def _drain(self, gate: Edge | None, service: str, old: Sequence[Container]) -> None:
        if gate and old and service in gate.targets:
            self._say(service, "draining the old container")
            if left := gate.drain(old, self.drain):
                self._say(service, f"drain time is over, {left} connections are cut")

    def _remove(self, containers: Sequence[Container], grace: float) -> None:
        for container in containers:
            self.driver.stop(container.id, int(grace))
            self.driver.remove(container.id)

    def _up(self, service: str, *options: str) -> None:
        """Let Compose create and start this service.

        Not with ``--no-deps``: Compose would take the dependencies out of the definition, and so out of the hash by
        which it knows later whether the container is as declared. What it depends on is as wanted by now.
        """
        command = ("up", "--detach", "--no-build", *options, service)
        self.driver.compose(self.stack, *command, on_line=self._line, timeout=self.timeout + _MARGIN)

    def _healthy(
        self, service: str, except_for: AbstractSet[str] = frozenset(), beside: Sequence[str] = ()
    ) -> list[Container]:
        """Wait for the service's containers, those known before left out; not beside one that ended for good."""
        deadline = time.monotonic() + self.timeout
        while True:
            containers = [c for c in self._containers(service) if c.id not in except_for]
            state = health.service(service, containers, self.file)
            if state.verdict == "healthy" and health.lasting(containers, self._seen, time.monotonic()):
                return containers
            if beside:
                state = health.ended(self.file, self.driver.containers(self.stack.project), beside) or state
            if state.verdict == "failed":
                raise self._failure(state, state.reason)
            if time.monotonic() > deadline:
                raise self._failure(state, "did not become healthy in time")
            time.sleep(_POLL)

    def _failure(self, state: ServiceHealth, reason: str) -> UnhealthyServiceError:
        """The error that a tired person reads at night: the service, why, its last lines, the next command."""
        self._say(state.service, f"failed: {reason}")
        self.failed = state.container.id if state.container else ""
        logs = observing.evidence(self.driver, state.container)
        hint = f"see more with: nself-sdk logs {state.service} --env {self.wanted.environment}"
        return UnhealthyServiceError(state.service, reason, logs, f"{hint}; correct it and deploy again")

    def _line(self, text: str) -> None:
        self.tell(Progress("start", text, raw=True))

    def _edge(self) -> Edge | None:
        return Edge.of(self.driver, self.file, self.driver.containers(self.stack.project))

    def _containers(self, service: str) -> list[Container]:
        found = self.driver.containers(self.stack.project)
        health.note(found, self._seen, time.monotonic())
        return [container for container in found if container.service == service and not container.one_off]

    def _grace(self, service: str) -> float:
        written = self.file.services[service].stop_grace_period
        return duration(str(written)).total_seconds() if written else _GRACE

    def _say(self, service: str, what: str, *, lasting: bool = False) -> None:
        self.tell(Progress("start", what, service, lasting=lasting))
