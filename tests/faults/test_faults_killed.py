"""F10, F12: the deploying process dies or is told to end, at every phase."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from oracles import Kept, Prober, availability, check, convergence, data, error, lock, locks
from shop import Run, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.docker

#: A line that the deploy prints, and how many seconds after it the process is killed.
PHASES: list[tuple[str, float]] = [
    (r"secrets: \.\.\.", 0),
    (r"secrets: done", 0.05),
    (r"images: \.\.\.", 0),
    (r"images: done", 0),
    (r"plan: \.\.\.", 0.2),
    (r"plan: done", 0),
    (r"start: \.\.\.", 0),
    (r"redis: replacing", 0.1),
    (r"redis: replacing", 0.3),
    (r"redis: replacing", 0.6),
    (r"redis: healthy after", 0),
    (r"site: replacing", 0.1),
    (r"site: replacing", 1.2),
    (r"site: replacing", 0.6),
    (r"site: draining", 0),
    (r"site: healthy after", 0),
    (r"nginx: reloading", 0.05),
    (r"nginx: reloaded", 0),
    (r"start: done", 0),
    (r"start: done", 0.3),
]


#: Makes its standard input its session's terminal: whoever closes that sends SIGHUP.
OWNED = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"

#: Reads to the line where Redis is replaced, and goes away.
READ_A_LITTLE = 'set -o pipefail; "$@" 2>&1 | sed -u "/redis: replacing/q"'


def truth(shop: Shop) -> list[str]:
    """`status` says of each service what Docker says of it; asked again if that changed between the two questions."""
    for _ in range(4):
        if not (wrong := list(lies(shop))):
            break
    return wrong


def lies(shop: Shop) -> Iterator[str]:
    """What `status` says otherwise than Docker does a moment later."""
    told = {row["service"]: row["verdict"] for row in json.loads(shop.run("status", "staging", "--json").text)}
    for service, verdict in told.items():
        rows = shop.docker("ps", "--filter", f"name={shop.name}-{service}-", "--format", "{{.Status}}").splitlines()
        healthy = bool(rows) and all("(healthy)" in row for row in rows)
        if healthy != (verdict == "healthy"):
            yield f"status: {service} is {verdict}, and Docker says {rows}"


def killed(shop: Shop, line: str, delay: float) -> None:
    """Kill a deploy there, and ask everything."""
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        new = shop.change_much()
        run = shop.deploy()
        run.until(line)
        time.sleep(delay)
        run.process.kill()
        run.end()
        wrong = truth(shop)
        if locks(shop) and not shop.hurried:
            wrong += error(shop, shop.deploy().end(), r"is being deployed by \S+@\S+, for \d+ s", "--lock-wait SECONDS")
        wrong += convergence(shop, new, "--lock-wait", "90")
    check(wrong, data(shop, before), availability(prober, old, new), lock(shop))


@pytest.mark.parametrize(("line", "delay"), [(r"redis: replacing", 0.3)])
def test_a_deploy_that_is_killed_hurts_nothing_and_the_next_one_ends_it(shop: Shop, line: str, delay: float) -> None:
    shop.hurried = True
    killed(shop, line, delay)


@pytest.mark.long
@pytest.mark.parametrize(("line", "delay"), PHASES)
def test_a_deploy_that_is_killed_at_any_phase_hurts_nothing(shop: Shop, line: str, delay: float) -> None:
    shop.hurried = True
    killed(shop, line, delay)


@pytest.mark.long
def test_whoever_comes_after_a_killed_deploy_is_told_and_has_to_wait_less_than_a_minute(shop: Shop) -> None:
    killed(shop, r"site: replacing", 0.6)


@pytest.mark.long
def test_a_deploy_that_slept_while_another_took_its_lock_touches_nothing_when_it_wakes(shop: Shop) -> None:
    before, old = Kept.of(shop), shop.version
    shop.hurried = True
    with Prober(shop) as prober:
        new = shop.change_much()
        sleeper = shop.deploy()
        sleeper.until(r"site: replacing")
        sleeper.process.send_signal(signal.SIGSTOP)
        other = shop.deploy("--lock-wait", "90").end()
        ids = shop.containers()
        sleeper.process.send_signal(signal.SIGCONT)
        ended = sleeper.end()
        wrong = list(error(shop, ended, "its lock was taken over by", "nself-sdk status"))
        wrong += [] if other.code == 0 else [other.text]
        wrong += [] if shop.containers() == ids else [f"{ids} became {shop.containers()}"]
        wrong += convergence(shop, new)
    check(wrong, data(shop, before), availability(prober, old, new), lock(shop))


@pytest.mark.long
@pytest.mark.parametrize("line", [r"images: \.\.\.", r"redis: replacing", r"site: replacing", r"site: draining"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_deploy_that_is_told_to_end_goes_back_and_unlocks(shop: Shop, line: str, number: signal.Signals) -> None:
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        new = shop.change_much()
        run = shop.deploy()
        run.until(line)
        run.process.send_signal(number)
        ended = run.end()
        body = shop.body()
        wrong = [*error(shop, ended, "interrupted", code=130), *lock(shop)]
        wrong += [] if body == old else [f"availability: {body} serves after it, instead of {old}"]
        wrong += convergence(shop, new)
    check(wrong, data(shop, before), availability(prober, old, new))


@pytest.mark.long
def test_a_reader_that_goes_away_does_not_end_a_deploy(shop: Shop) -> None:
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        new = shop.change_much()
        command = shop.command("deploy", "staging", "--drain", "5")
        ended = Run(["bash", "-c", READ_A_LITTLE, "bash", *command], {}, shop.scratch).end()
        wrong = [] if ended.code == 0 and shop.body() == new else [f"availability: {shop.body()} serves:\n{ended.text}"]
        wrong += [*lock(shop), *convergence(shop, new)]
    check(wrong, data(shop, before), availability(prober, old, new))


@pytest.mark.long
def test_a_terminal_that_is_closed_ends_a_deploy_as_ctrl_c_does(shop: Shop) -> None:
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        new = shop.change_much()
        ours, theirs = os.openpty()
        command = shop.command("deploy", "staging", "--drain", "5")
        process = subprocess.Popen(
            [sys.executable, "-c", OWNED, *command], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "TMPDIR": str(shop.scratch)},
        )  # fmt: skip
        os.close(theirs)
        seen = b""
        while b"start-first" not in seen:
            seen += os.read(ours, 65536)
        os.close(ours)
        code = process.wait(120)
        wrong = [] if code == 130 else [f"error: exit code {code}"]
        wrong += [] if shop.body() == old else [f"availability: {shop.body()} serves instead of {old}"]
        wrong += [*lock(shop), *convergence(shop, new)]
    check(wrong, data(shop, before), availability(prober, old, new))
