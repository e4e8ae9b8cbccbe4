"""Runs one command line to its end, and knows nothing of Docker.

Why not ``subprocess.run``, as python-on-whales does: a Ctrl-C there kills ``docker compose`` a quarter of a second
later, half-way through replacing a container; the output is either captured or streamed; and the child inherits
the whole environment and the terminal's input. Here the child has its own session, a closed standard input and
exactly the environment that it is given; its output is captured *and* streamed; and nothing secret leaves.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from nself_sdk.docker.redaction import Redaction
from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_KEPT_LINES = 10_000  # of a streamed output; one that is not streamed is kept whole
_CHUNK = 65536
_TICK = 0.1  # seconds between looks at the child and the clock
_NOTHING_TO_HIDE = Redaction()


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended; `stdout` and `stderr` hold nothing secret."""

    command: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str


def run(  # noqa: PLR0913 - one knob for each thing that differs between the driver's calls
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    redaction: Redaction = _NOTHING_TO_HIDE,
    on_line: Callable[[str], None] | None = None,
    stdin: str = "",
    timeout: float | None = None,
    patient: bool = True,
    merged: bool = False,
    grace: float = 10.0,
) -> Completed:
    """Run `command` to its end. A non-zero exit code is an answer, not an error.

    Args:
        command: the program, found on the PATH of `environment`, and its arguments.
        environment: all that the child gets to see.
        redaction: applied to every line and every text.
        on_line: gets each line of both outputs as it is written. If it raises, the child finishes first.
        stdin: what the child reads; then its input is closed.
        timeout: seconds; None: as long as it takes.
        patient: what the first Ctrl-C does. True: the child finishes its step, then KeyboardInterrupt is raised;
            a second one stops the child. False: the first one stops it.
        merged: both outputs as one, in the order in which they were written; `stderr` is empty then.
        grace: seconds between SIGINT and SIGKILL when the child is stopped.

    Raises:
        DriverError: the time is over, or the program cannot be started.
        KeyboardInterrupt: after Ctrl-C, as told above.
    """
    child = _Child(command, environment, stdin, merged=merged)
    streams = [_Stream(pipe, redaction, on_line) for pipe in child.outputs]
    try:
        _wait(child, streams, patient=patient, timeout=timeout)
    finally:
        if child.process.poll() is None:
            stop_group(child.process, signal.SIGINT, grace)
        child.close()
    stdout, *others = [stream.finish() for stream in streams]
    return Completed(tuple(map(redaction, command)), child.process.returncode, stdout, "".join(others))


def interact(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `command` on this process's own terminal, where Ctrl-C belongs to it and not to us; its exit code."""
    try:
        process = subprocess.Popen(list(command), env=dict(environment))
    except OSError as error:
        raise _no_start(command, error) from None
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _wait(child: _Child, streams: Sequence[_Stream], *, patient: bool, timeout: float | None) -> None:
    """Return when the child has ended; whatever is raised here, the caller stops it if it still runs."""
    deadline = None if timeout is None else time.monotonic() + timeout
    interrupted = False
    while True:
        try:
            ended = child.pump(streams, deadline)
            break
        except KeyboardInterrupt:
            if interrupted or not patient:
                raise
            interrupted = True
            streams[-1].say("Ctrl-C: finishing this step first; press it again to stop at once")
    if not ended:
        raise DriverError(f"{child.name} took longer than {timeout:g} seconds and was stopped")
    if interrupted:
        raise KeyboardInterrupt


class _Stream:
    """One output of a child: its lines, shown as they come and kept."""

    def __init__(self, pipe: IO[bytes], redaction: Redaction, on_line: Callable[[str], None] | None) -> None:
        self.pipe = pipe
        self._hide = redaction
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES if on_line else None)
        self._rest = b""
        self._error: Exception | None = None

    def read(self) -> bool:
        """Take what is there; False at the end of the stream."""
        chunk = os.read(self.pipe.fileno(), _CHUNK)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take(line + b"\n")
        return bool(chunk)

    def say(self, line: str) -> None:
        if self._on_line is None or self._error is not None:
            return
        try:
            self._on_line(self._hide(line))
        except Exception as error:  # noqa: BLE001 - a broken terminal must not break a deploy; told at the end
            self._error = error

    def finish(self) -> str:
        """All that came (of a streamed output the end), with nothing secret; raises what `on_line` raised."""
        if self._rest:
            self._take(self._rest)
        if self._error is not None:
            raise self._error
        return self._hide("".join(self._lines))

    def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        self._lines.append(text)
        self.say(text.rstrip("\r\n"))


class _Child:
    """A process in a session of its own, with its pipes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], stdin: str, *, merged: bool) -> None:
        self.name = os.path.basename(command[0])  # noqa: PTH119 - a name, not a path
        self.process = start(
            command,
            environment,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        )
        self._input = stdin.encode()

    @property
    def outputs(self) -> list[IO[bytes]]:
        return [pipe for pipe in (self.process.stdout, self.process.stderr) if pipe is not None]

    def pump(self, streams: Sequence[_Stream], deadline: float | None) -> bool:
        """Read and write until the child has ended; False if the deadline came first. May be called again."""
        with selectors.DefaultSelector() as selector:
            for stream in streams:
                selector.register(stream.pipe, selectors.EVENT_READ, stream.read)
            if self._input and self.process.stdin:
                selector.register(self.process.stdin, selectors.EVENT_WRITE, self._write)
            while True:
                # Asked before looking: a child that had ended by then has written all that it ever will. Its pipes
                # may stay open for ever, held by a grandchild.
                ended = self.process.poll() is not None
                ready = selector.select(_TICK) if selector.get_map() else self._rest()
                for key, _ in ready:
                    if not key.data():
                        selector.unregister(key.fileobj)
                if ended and not ready:
                    return True
                if deadline is not None and time.monotonic() > deadline:
                    return False

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _rest(self) -> list[tuple[selectors.SelectorKey, int]]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_TICK)
        return []

    def _write(self) -> bool:
        """Write what the pipe takes without blocking; False when all is written or nobody reads."""
        pipe = self.process.stdin
        if pipe is None:
            return False
        try:
            written = os.write(pipe.fileno(), self._input[: select.PIPE_BUF])
        except BrokenPipeError:
            written = len(self._input)
        self._input = self._input[written:]
        if not self._input:
            pipe.close()
        return bool(self._input)


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that the terminal's Ctrl-C does not reach it.

    It works in ``/``, where no Compose file or ``.env`` of whoever called us can be picked up.
    """
    try:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        raise _no_start(command, error) from None


def _no_start(command: Sequence[str], error: OSError) -> DriverError:
    return DriverError(f"{command[0]} cannot be started: {error.strerror}")


def stop_group(process: subprocess.Popen[bytes], first: signal.Signals, grace: float) -> None:
    """End a process that leads its own group, with everything that it started. Safe to call again."""
    try:
        _signal(process, first)
        process.wait(grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
