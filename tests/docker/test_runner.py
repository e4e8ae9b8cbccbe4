"""A long command survives the first Ctrl-C, streams while it is captured, and shows nothing secret."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from nself_sdk.docker.redaction import Redaction
from nself_sdk.docker.runner import _Child, _Stream, interact, run
from nself_sdk.docker.streams import consume, produce
from nself_sdk.errors import DriverError

pytestmark = [pytest.mark.timeout(30), pytest.mark.slow]

PATH = {"PATH": os.environ["PATH"]}

# A child that does a step of work, and says so if it was interrupted.
CHILD = """
import signal, sys, time
def stopped(*_):
    print("child interrupted", flush=True)
    if STUBBORN: return
    sys.exit(1)
signal.signal(signal.SIGINT, stopped)
print("child working", flush=True)
end = time.monotonic() + SECONDS
while time.monotonic() < end: time.sleep(0.01)
print("step finished", flush=True)
"""
PARENT = """
import os, sys
from nself_sdk.docker.runner import run
try:
    child = [sys.executable, "-u", "-c", sys.argv[1]]
    run(child, environment=os.environ, on_line=lambda line: print(line, flush=True), OPTIONS)
except KeyboardInterrupt:
    print("parent interrupted", flush=True)
    sys.exit(130)
"""


class Terminal:
    """A parent that runs a child, in the foreground of a terminal: Ctrl-C reaches its whole group."""

    def __init__(self, *, seconds: float, stubborn: bool = False, options: str = "grace=5") -> None:
        child = CHILD.replace("SECONDS", str(seconds)).replace("STUBBORN", str(stubborn))
        command = [sys.executable, "-c", PARENT.replace("OPTIONS", options), child]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def until(self, words: str) -> None:
        assert self.process.stdout
        while words not in (line := self.process.stdout.readline()):
            assert line, f"ended before it said {words!r}"

    def ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def rest(self) -> list[str]:
        return self.process.communicate(timeout=20)[0].splitlines()


def test_the_first_ctrl_c_lets_the_step_finish():
    terminal = Terminal(seconds=0.5)
    terminal.until("child working")
    terminal.ctrl_c()
    assert terminal.rest() == [
        "Ctrl-C: finishing this step first; press it again to stop at once",
        "step finished",
        "parent interrupted",
    ]
    assert terminal.process.returncode == 130


def test_the_second_ctrl_c_stops_the_child():
    terminal = Terminal(seconds=60)
    terminal.until("child working")
    terminal.ctrl_c()
    terminal.until("finishing this step")
    terminal.ctrl_c()
    assert terminal.rest() == ["parent interrupted"]
    assert terminal.process.returncode == 130


def test_a_child_that_will_not_stop_is_killed_after_the_grace():
    terminal = Terminal(seconds=60, stubborn=True, options="grace=0.3")
    terminal.until("child working")
    terminal.ctrl_c()
    terminal.until("finishing this step")
    begin = time.monotonic()
    terminal.ctrl_c()
    assert terminal.rest() == ["parent interrupted"]
    assert 0.25 < time.monotonic() - begin < 5


def test_an_impatient_command_stops_at_the_first_ctrl_c():
    terminal = Terminal(seconds=60, options="patient=False, grace=5")
    terminal.until("child working")
    terminal.ctrl_c()
    assert terminal.rest() == ["parent interrupted"]


def test_what_the_child_started_is_stopped_with_it():
    with pytest.raises(DriverError, match=r"sh took longer than 0\.3 seconds"):
        run(["sh", "-c", "sleep 4321 & sleep 4321"], environment=PATH, timeout=0.3, grace=1)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 4321" not in listed.splitlines()


def test_output_is_streamed_in_lines_and_captured():
    lines: list[str] = []
    done = run(["sh", "-c", "echo one; echo two >&2; printf three; exit 7"], environment=PATH, on_line=lines.append)
    assert (done.exit_code, done.stdout, done.stderr) == (7, "one\nthree", "two\n")
    assert sorted(lines) == ["one", "three", "two"]


def test_merged_outputs_keep_their_order():
    script = "for i in 1 2 3; do echo out$i; echo err$i >&2; done"
    assert run(["sh", "-c", script], environment=PATH, merged=True).stdout.split() == [
        "out1", "err1", "out2", "err2", "out3", "err3",
    ]  # fmt: skip


def test_secrets_are_hidden_in_lines_texts_and_commands():
    lines: list[str] = []
    hide = Redaction(["hunter2secret"])
    done = run(
        ["sh", "-c", "echo hunter2secret; echo $1 >&2", "sh", "hunter2secret"],
        environment=PATH,
        redaction=hide,
        on_line=lines.append,
    )
    assert "hunter2secret" not in repr(done)
    assert lines == ["***", "***"]


def test_the_child_sees_only_the_given_environment_and_no_input():
    done = run(["sh", "-c", "cat; env"], environment={**PATH, "GIVEN": "1"})
    assert {line.partition("=")[0] for line in done.stdout.splitlines()} - {"PWD", "SHLVL", "OLDPWD", "_"} == {
        "PATH",
        "GIVEN",
    }


def test_the_child_works_where_no_compose_file_lies():
    assert run(["pwd"], environment=PATH).stdout == "/\n"


@pytest.mark.parametrize("command", [["wc", "-c"], ["true"]])
def test_a_long_input_is_written_or_dropped_without_blocking(command):
    assert run(command, environment=PATH, stdin="x" * 1_000_000, timeout=20).stdout.strip() in {"1000000", ""}


def test_a_child_that_leaves_somebody_behind_does_not_hold_us():
    begin = time.monotonic()
    assert run(["sh", "-c", "sleep 5 & echo done"], environment=PATH).stdout == "done\n"
    assert time.monotonic() - begin < 3


def test_a_broken_terminal_lets_the_step_finish_and_is_told(tmp_path):
    def broken(_: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(["sh", "-c", f"echo one; sleep 0.1; touch {tmp_path}/finished"], environment=PATH, on_line=broken)
    assert (tmp_path / "finished").exists()


def test_a_missing_program_is_a_driver_error():
    with pytest.raises(DriverError, match="no-such-program cannot be started: No such file"):
        run(["no-such-program"], environment=PATH)


def test_an_interactive_command_gives_its_exit_code():
    assert interact(["sh", "-c", "exit 5"], PATH) == 5


def test_a_stream_goes_from_one_command_to_another():
    chunks = produce(["head", "-c", "5000000", "/dev/zero"], PATH, DriverError)
    consume(["sh", "-c", 'test "$(wc -c)" = 5000000'], PATH, chunks, DriverError)


def test_a_stream_that_breaks_stops_the_other_end(tmp_path):
    chunks = produce(["sh", "-c", "echo part; echo broken >&2; exit 1"], PATH, DriverError)
    with pytest.raises(DriverError, match="broken"):
        consume(["sh", "-c", f"cat && touch {tmp_path}/taken-for-whole"], PATH, chunks, DriverError)
    assert not (tmp_path / "taken-for-whole").exists()


def test_a_receiver_that_refuses_says_why():
    with pytest.raises(DriverError, match="no room"):
        consume(["sh", "-c", "echo no room >&2; exit 1"], PATH, iter([b"x" * 100_000] * 100), DriverError)


def test_an_abandoned_stream_ends_its_command():
    chunks = produce(["sh", "-c", "echo part; exec sleep 4322"], PATH, DriverError)
    assert next(chunks) == b"part\n"
    chunks.close()  # type: ignore[attr-defined]
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 4322" not in listed.splitlines()


def test_what_a_child_writes_last_is_read_however_late_we_are() -> None:
    child = _Child(["sh", "-c", "sleep 0.3; echo all of it"], PATH, "", merged=True)
    stream = _Stream(child.outputs[0], Redaction(), None)
    ask = child.process.poll
    # A busy machine: between a look at the pipes and the question whether it runs, the child writes and ends.
    child.process.poll = lambda: (child.process.wait(), ask())[1]  # type: ignore[method-assign]
    assert child.pump([stream], None)
    child.close()
    assert stream.finish() == "all of it\n"
