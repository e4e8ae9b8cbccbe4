"""Carrying a plan out under the lock: images, changes one by one, and the way back when one fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread

from nself_sdk.compose import ComposeFile
from nself_sdk.deploy import health, observing, refusals, releases
from nself_sdk.deploy.progress import Progress, Report
from nself_sdk.deploy.releases import Release
from nself_sdk.deploy.rollout import Rollout
from nself_sdk.docker import Driver, Stack
from nself_sdk.errors import DriverError, NselfError
from nself_sdk.jobs import once
from nself_sdk.plan import Plan, Wanted, plan

_POLL_SECONDS = 0.5


def carry_out(rollout: Rollout, made: Plan, report: Report, before: Release | None, stack_of: StackOf) -> None:
    """Apply the changes; when one fails, return to the release before.

    Args:
        rollout: how to change the host.
        made: what to change, and nothing else.
        report: gets the seconds of each service.
        before: where to return to; None where there is nothing.
        stack_of: the stack of an earlier release's file.

    Raises:
        DriverError: a change failed; if the way back failed too, the error tells both.
    """
    clear_leftovers(rollout.driver, rollout.stack.project)
    try:
        with watched(rollout, report):
            rollout.carry_out(made.pending)
    except BaseException as failure:
        if before is not None:
            _go_back(rollout, before, stack_of(before.file), failure)
        raise
    report.services.update(rollout.seconds)


StackOf = Callable[[str], Stack]


def _go_back(rollout: Rollout, before: Release, stack: Stack, failure: BaseException) -> None:
    """Restore the release before. A way back that fails is told beside the failure, and not rolled back itself."""
    rollout.tell(Progress("back", f"returning to release {before.number}"))
    try:
        restore(rollout, before, stack, Report())
    except NselfError as second:
        hint = "look at it with: nself-sdk status; correct the cause and deploy again, which continues"
        raise DriverError(f"{failure}\nand the way back to release {before.number} failed: {second}", hint) from failure
    rollout.tell(Progress("back", f"release {before.number} serves again"))


def restore(rollout: Rollout, release: Release, stack: Stack, report: Report) -> Wanted:
    """Bring the host to what a release was, with the same rollout; what that is, as Compose and the host know it.

    Raises:
        DriverError: an image is gone, and nothing was touched; or Docker refused.
        DeclarationError: a service would be without its data; nothing was touched.
    """
    releases.restore_images(rollout.driver, release)
    file = ComposeFile.loads(release.file)
    wanted = observing.wanted(rollout.driver, stack, file, release.environment)
    back = _backwards(plan(wanted, observing.observed(rollout.driver, wanted, stack.project)), file)
    refusals.refuse_loss(back)
    report.plan = back
    way = Rollout(rollout.driver, stack, wanted, rollout.timeout, rollout.drain, rollout.tell)
    with watched(way, report):
        way.carry_out(back.pending)
    report.services.update(way.seconds)
    return wanted


def _backwards(back: Plan, file: ComposeFile) -> Plan:
    """The plan without the jobs that only go forward: what they did to the data stays."""
    left = once(file)
    return back.replace(changes=tuple(change for change in back.changes if change.service not in left))


def clear_leftovers(driver: Driver, project: str) -> None:
    """Remove the stopped containers that an earlier failure left beside running ones, and what was never started.

    The latter is what Compose leaves, under a name for the time between, when it is killed: it would start that
    one, and the name would stay.
    """
    containers = driver.containers(project)
    kept = {container.id for container in observing.serving(containers)}
    for container in containers:
        if container.id not in kept or container.state == "created":
            driver.remove(container.id)


@contextmanager
def watched(rollout: Rollout, report: Report) -> Generator[None]:
    """Tell of every change of a service's state while the body runs."""
    done = Event()
    watcher = Thread(target=_watch, args=(rollout, report, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(rollout: Rollout, report: Report, done: Event) -> None:
    last: dict[str, str] = {}
    begin = time.monotonic()
    while True:
        finished = done.wait(_POLL_SECONDS)
        try:
            states = health.judge(rollout.file, rollout.driver.containers(rollout.stack.project))
        except DriverError:
            return  # the connection is gone; the main thread meets the same error and reports it
        for state in states:
            if last.get(state.service) != state.reason:
                last[state.service] = state.reason
                rollout.tell(Progress("start", state.reason, state.service))
            if state.verdict == "healthy":
                report.services.setdefault(state.service, round(time.monotonic() - begin, 1))
        if finished:
            return
