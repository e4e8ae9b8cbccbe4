"""What every test may use; a test marked `docker` gets an engine, or is skipped with the reason why there is none."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rig.images import Image
    from rig.vps import Vps

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
#: `NSELF_TEST_ENGINE=install` lets the tests install and start an engine, as `CI=true` does; `none` skips them.
ENGINE = os.environ.get("NSELF_TEST_ENGINE", "install" if IN_CI else "")

# What is started in the background, or by nohup, ignores these; so would all that the tests start to interrupt it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Of several runs of all tests at once on a machine, one has the engine: what waits for health would starve."""
    config = session.config
    whole = config.getoption("numprocesses", None) and "not docker" not in config.option.markexpr
    if hasattr(config, "workerinput") or not whole or ENGINE == "none":
        return
    turn = (Path(tempfile.gettempdir()) / "nself-rig-tests.lock").open("a")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write("waiting: another run of the tests has the engine of this machine\n")
        fcntl.flock(turn, fcntl.LOCK_EX)
    config.add_cleanup(turn.close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("docker") and "engine" not in item.fixturenames:  # type: ignore[attr-defined]
            item.fixturenames.insert(0, "engine")  # type: ignore[attr-defined]
    # What waits for containers comes first: what only computes fills the pauses, and the small files the end.
    turns = dict[Path, int]()
    for item in items:
        turn = 0 if item.get_closest_marker("docker") else 1 if item.get_closest_marker("slow") else 2
        turns[item.path] = min(turn, turns.get(item.path, turn))
    items.sort(key=lambda item: turns[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With ``--dist loadfile``: the files of a folder that is a package share a stack, and so a worker."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = Path(super()._split_scope(nodeid))
            return str(path.parent if (config.rootpath / path.parent / "__init__.py").exists() else path)

    return Together(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which image was the real program, and which a stand-in, where a test recorded it."""
    for report in terminalreporter.getreports("passed"):
        for name, images in report.user_properties:
            if name == "images":
                terminalreporter.section("images of the full stack")
                terminalreporter.write_line(str(images))


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with Compose on this machine."""
    if ENGINE == "none":
        pytest.skip("NSELF_TEST_ENGINE=none")
    from rig.shell import alone

    from nself_sdk.docker import engine as local
    from nself_sdk.errors import DriverError

    try:
        if ENGINE == "install":
            with alone("engine"):
                local.repair(_say)
        missing = [f"{found.name}: {found.detail}" for found in local.examine() if not found.ok]
    except DriverError as error:
        missing = [str(error)]
    if missing:
        reason = "; ".join([*missing, "run `nself-sdk doctor --fix`, or set NSELF_TEST_ENGINE=install"])
        (pytest.fail if IN_CI else pytest.skip)(reason)


@pytest.fixture(scope="session")
def rig_images(engine: None) -> Callable[..., tuple[Image, ...]]:
    """Make images usable by their upstream names: call it with image references, or with a Compose file's."""
    from rig.images import ensure_images

    def ensure(*references: str) -> tuple[Image, ...]:
        return ensure_images(references, _say)

    return ensure


@pytest.fixture(scope="session")
def vps(engine: None) -> Iterator[Vps]:
    """A host with nothing but Docker and sshd on it, reachable over SSH; shared by the tests of one process."""
    from rig.vps import vps as host

    with host(_say) as found:
        yield found


def _say(line: str) -> None:
    print(line, file=sys.__stderr__, flush=True)
