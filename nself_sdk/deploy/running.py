"""Carrying a plan out under the lock: images, changes one by one, and the way back when one fails."""

from __future__ import annotations

import contextlib
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
        report: gets the seconds of each service that is changed.
        before: where to return to; None where there is nothing.
        stack_of: the stack of an earlier release's file.

    Raises:
        DriverError: a change failed; if the way back failed too, the error tells both.
    """
    clear_leftovers(rollout.driver, rollout.stack.project)
    try:
        _timed(rollout, made, report)
    except BaseException as failure:
        if before is not None:
            _go_back(rollout, before, stack_of(before.file), failure)
        raise


StackOf = Callable[[str], Stack]


def _go_back(rollout: Rollout, before: Release, stack: Stack, failure: BaseException) -> None:
    """Restore the release before. A way back that fails is told beside the failure, and not rolled back itself."""
    rollout.tell(Progress("back", f"returning to release {before.number}"))
    try:
        restore(rollout, before, stack, Report())
    except NselfError as second:
        look = f"look at it with: nself-sdk status {before.environment}"
        hint = f"{look}; correct the cause and deploy again, which continues"
        raise DriverError(f"{failure}\nand the way back to release {before.number} failed: {second}", hint) from failure
    again = f"release {before.number} serves again"
    rollout.tell(Progress("back", again, lasting=True))
    if isinstance(failure, NselfError):
        failure.hint = f"{again}; {_next(rollout, failure)}"


def _next(rollout: Rollout, failure: NselfError) -> str:
    """What to do: what was replaced stop-first had to make room, and there is no more to look at."""
    there = {rollout.failed}
    with contextlib.suppress(NselfError):  # what failed first is what is told
        there = {container.id for container in rollout.driver.containers(rollout.stack.project)}
    if rollout.failed and rollout.failed not in there:
        return "the failed container made room, and these are its last lines; correct it and deploy again"
    return failure.hint


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
    _timed(way, back, report)
    return wanted


def _timed(rollout: Rollout, made: Plan, report: Report) -> None:
    """Carry the changes out, and report the seconds that each service took."""
    with watched(rollout) as created:
        rollout.carry_out(made.pending)
    changed = {change.service for change in made.pending}
    report.services = {name: took for name, took in {**created, **rollout.seconds}.items() if name in changed}


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
def watched(rollout: Rollout) -> Generator[dict[str, float]]:
    """Tell of every change of a service's state while the body runs; the seconds from its container to its health."""
    done, seconds = Event(), dict[str, float]()
    watcher = Thread(target=_watch, args=(rollout, seconds, done), daemon=True)
    watcher.start()
    try:
        yield seconds
    finally:
        done.set()
        watcher.join()


def _watch(rollout: Rollout, seconds: dict[str, float], done: Event) -> None:
    last, seen = dict[str, str](), dict[str, float]()
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
            begin = seen.setdefault(state.service, time.monotonic()) if state.container else 0
            if state.verdict == "healthy":
                seconds.setdefault(state.service, round(time.monotonic() - begin, 1))
        if finished:
            return
