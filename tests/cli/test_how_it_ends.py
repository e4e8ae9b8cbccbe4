"""How a command ends: with its own exit code where nobody reads, and with a word where it is told to end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nself_sdk.cli import output

REPORT = (
    "from nself_sdk.cli import output\nwith output._for_whoever_reads(): print('x' * 200000)\nraise SystemExit({code})"
)
LIVE = """
import sys
from nself_sdk.cli import commands, main, output
from nself_sdk.deploy import Progress
@commands.app.command("talk")
def talk():
    with output.Live() as live:
        for _ in range(9999): live(Progress("start", "x" * 99))
    raise SystemExit({code})
sys.argv = ["nself-sdk", "talk"]
main()
"""
#: As most people run it; and what is still to be written when a process ends is only there with a buffer.
ORDINARY = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("script", [REPORT, LIVE])
def test_the_exit_code_is_the_deploys_own(script: str, code: int) -> None:
    line = 'set -o pipefail; "$@" 2>&1 | true'
    command = ["bash", "-c", line, "bash", sys.executable, "-c", script.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ORDINARY)
    assert (done.returncode, done.stderr) == (code, "")


CLOSED = """
import sys
from nself_sdk.cli import commands, main, output
from nself_sdk.deploy import Progress
@commands.app.command("talk")
def talk():
    with output.Live() as live:
        sys.stdin.readline()
        live(Progress("back", "release 1 serves again", lasting=True))
    with output._for_whoever_reads(): print("x" * 200000)
    raise SystemExit(4)
sys.argv = ["nself-sdk", "talk"]
main()
"""


@pytest.mark.slow
def test_a_terminal_that_was_closed_is_no_failure_of_its_own() -> None:
    ours, theirs = os.openpty()
    on_it = {"stdout": theirs, "stderr": theirs}
    with subprocess.Popen([sys.executable, "-c", CLOSED], stdin=subprocess.PIPE, env=ORDINARY, **on_it) as deploying:
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
        deploying.communicate(b"go on\n")
    assert deploying.returncode == 4


FULL = """
import sys
from nself_sdk.cli import commands, main, output
@commands.app.command("talk")
def talk():
    with output._for_whoever_reads(): print("x" * 200000)
sys.argv = ["nself-sdk", {word!r}]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("word", ["talk", "services"])
def test_what_finds_no_space_is_told_and_no_success(word: str) -> None:
    command = [sys.executable, "-c", FULL.format(word=word)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=ORDINARY)
    assert (done.returncode, done.stderr.partition(" where")[0]) == (1, "error: no space is left")


INTERRUPTED = """
import os, signal, sys
from nself_sdk.cli import commands, main
commands.app.command("wait")(lambda: os.kill(os.getpid(), signal.{name}))
sys.argv = ["nself-sdk", "wait"]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_whoever_is_told_to_end_says_so(name: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")


FORBIDDEN = """
import sys
from nself_sdk.cli import commands, main
def read(): raise PermissionError(13, "Permission denied", "/root/shop")
commands.app.command("read")(read)
sys.argv = ["nself-sdk", "read"]
main()
"""


@pytest.mark.slow
def test_what_this_user_may_not_read_is_named_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", FORBIDDEN], capture_output=True, text=True, check=False)
    told = "error: /root/shop: Permission denied\n  this user may not use it; name another with -C\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize("wanted", [True, False])
def test_colours_can_be_declined(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, wanted: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "" if wanted else "1")
    monkeypatch.setattr("typer.echo", print)
    output.table(("service", "health"), [("redis", "healthy")], colour=1)
    assert ("\x1b[" in capsys.readouterr().out) is wanted
