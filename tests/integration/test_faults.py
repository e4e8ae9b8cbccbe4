"""What goes wrong: each ends with a clear message, the right exit code and no false success; nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from observed import remains
from rig.shell import docker

from nself_sdk import ComposeFile, DeclarationError, DriverError, Project, Redis
from nself_sdk.errors import UnhealthyServiceError
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable

    from nself_sdk.deploy import Progress

REDIS = "redis:7.2.16-alpine3.21"
EXIT_DRIVER = 4

#: Its health check never succeeds, and it says why in its log.
SICK = f"""
services:
  ledger:
    image: {REDIS}
    command: ["sh", "-c", "echo cannot open the ledger: locked; exec sleep 600"]
    healthcheck: {{test: ["CMD-SHELL", "echo no ledger; false"], interval: 200ms, retries: 2, start_period: 0s}}
    init: true
"""
CRASHING = f"""
services:
  ledger: {{image: "{REDIS}", command: ["sh", "-c", "echo cannot open the ledger; exit 3"]}}
"""
WRONG_IMAGE = """
services:
  ledger: {image: "nself-no-such-image:9.9"}
"""


@pytest.fixture
def redis_image(rig_images: Callable[..., object]) -> None:
    rig_images(REDIS)


def declared(folder: Path, compose: str) -> Path:
    """A project folder whose stack.py takes that Compose file in; its name is the folder's."""
    (folder / "other.yml").write_text(compose, encoding="utf-8")
    (folder / "stack.py").write_text(
        "from pathlib import Path\n"
        "from nself_sdk import ComposeFile, Project\n"
        f"project = Project({folder.name!r}).add(ComposeFile.load(Path(__file__).parent / 'other.yml'))\n",
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / f"nself-fault-{os.urandom(4).hex()}"
    path.mkdir()
    return path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nself_sdk", "-C", str(folder), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


def failed_loudly(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed, said all of this, and neither claimed success nor showed a traceback."""
    everything = done.stdout + done.stderr
    assert done.returncode == EXIT_DRIVER, everything
    assert [word for word in words if word not in done.stderr] == [], everything
    assert "Traceback" not in everything
    assert "is healthy in" not in everything


# --- through the command line -------------------------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.usefixtures("redis_image")
@pytest.mark.parametrize(
    ("compose", "words"),
    [
        (SICK, ("ledger: its health check fails", "cannot open the ledger: locked", "no ledger")),
        (CRASHING, ("ledger: exited with code 3", "cannot open the ledger")),
    ],
    ids=["never healthy", "crashing"],
)
def test_a_service_that_does_not_get_well_is_named_with_its_last_lines(
    folder: Path, compose: str, words: tuple[str, ...]
) -> None:
    declared(folder, compose)
    try:
        failed_loudly(run(folder, "up", "--timeout", "30"), *words)
        assert run(folder, "status").returncode == 1
    finally:
        assert run(folder, "down").returncode == 0
    assert remains(folder.name) == {}


@pytest.mark.docker
def test_a_wrong_image_is_named_and_nothing_is_started(folder: Path) -> None:
    declared(folder, WRONG_IMAGE)
    failed_loudly(run(folder, "up"), "nself-no-such-image:9.9")
    assert remains(folder.name) == {}


@pytest.mark.docker  # its command line must be there
def test_an_engine_that_does_not_run_is_said_so(folder: Path) -> None:
    declared(folder, WRONG_IMAGE)
    dead = folder / "docker.sock"
    done = run(folder, "up", DOCKER_HOST=f"unix://{dead}")
    failed_loudly(done, f"no Docker engine runs at {dead}", "nself-sdk doctor --fix")


@pytest.mark.docker  # its command line must be there
def test_a_host_that_nobody_answers_at_is_said_so(folder: Path) -> None:
    declared(folder, WRONG_IMAGE.replace("9.9", "9.9@sha256:" + "0" * 64))
    server = folder / ".environments" / "staging" / "server.json"
    server.parent.mkdir(parents=True)
    server.write_text('{"host": "ssh://deploy@127.0.0.1:1"}', encoding="utf-8")
    failed_loudly(run(folder, "deploy", "staging"), "127.0.0.1", "refused")


# --- through NselfStack -------------------------------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.usefixtures("redis_image")
def test_a_stack_that_cannot_start_shows_the_logs_and_leaves_nothing() -> None:
    stack = NselfStack(Project().add(Redis()).add(ComposeFile.loads(SICK)), timeout=30)
    with pytest.raises(UnhealthyServiceError) as caught, stack:
        pytest.fail("it must not be up")
    assert (caught.value.service, "cannot open the ledger: locked" in caught.value.logs) == ("ledger", True)
    assert remains(stack.name) == {}
    assert not stack.folder.path.exists()


@pytest.mark.docker
@pytest.mark.usefixtures("redis_image")
def test_a_stack_leaves_nothing_when_a_test_fails_in_it() -> None:
    stack = NselfStack(Project().add(Redis()))
    with pytest.raises(ZeroDivisionError), stack:  # noqa: PT012 - the test that fails is what is tested
        assert set(remains(stack.name)) == {"containers", "networks", "volumes"}
        raise ZeroDivisionError
    assert remains(stack.name) == {}
    assert not stack.folder.path.exists()


@pytest.mark.docker
@pytest.mark.usefixtures("redis_image")
def test_a_stack_leaves_nothing_after_ctrl_c_in_the_middle_of_its_start() -> None:
    def interrupting(progress: Progress) -> None:
        if "Starting" in progress.what:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)  # the signal is delivered to this thread, or to the one that waits for this

    stack = NselfStack(Project().add(Redis()), tell=interrupting)
    with pytest.raises(KeyboardInterrupt), stack:
        pytest.fail("it must not be up")
    assert remains(stack.name) == {}
    assert not stack.folder.path.exists()


@pytest.mark.docker
@pytest.mark.usefixtures("redis_image")
def test_two_stacks_of_one_project_run_side_by_side() -> None:
    project = Project("shop").add(Redis())
    with NselfStack(project) as one, NselfStack(project) as other:
        assert one.container("redis").id != other.container("redis").id
        assert one.secret("REDIS_PASSWORD") != other.secret("REDIS_PASSWORD")
    assert project.name == "shop"


@pytest.mark.docker
@pytest.mark.usefixtures("redis_image")
def test_a_kept_stack_stays_and_carries_no_label_of_the_reaper() -> None:
    with NselfStack(Project().add(Redis()), keep=True) as stack:
        pass
    try:
        assert set(remains(stack.name)) == {"containers", "networks", "volumes"}
        assert "org.testcontainers" not in docker("inspect", f"{stack.name}-redis-1")
        assert stack.folder.path.exists()
    finally:
        docker("compose", "--project-name", stack.name, "down", "--volumes", "--timeout", "2")
        shutil.rmtree(stack.folder.path)


def test_a_wrong_project_touches_nothing() -> None:
    stack = NselfStack(Project().add(ComposeFile.loads("services: {a: {image: 'x:1', depends_on: [b]}}")))
    with pytest.raises(DeclarationError, match="there is no service 'b'"), stack:
        pytest.fail("it must not be up")
    assert not stack.folder.path.exists()


@pytest.mark.docker  # its command line must be there
def test_a_stack_says_so_when_there_is_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'docker.sock'}")
    stack = NselfStack(Project().add(Redis()))
    with pytest.raises(DriverError, match="no Docker engine runs"), stack:
        pytest.fail("it must not be up")
    assert not stack.folder.path.exists()
