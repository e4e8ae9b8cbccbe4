"""Bytes out of and into a command while it runs, so that an image is never held whole; knows nothing of Docker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nself_sdk.docker.runner import start, stop_group
from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

_CHUNK = 1 << 20
_GRACE = 5.0


def produce(
    command: Sequence[str], environment: Mapping[str, str], failure: Callable[[str], DriverError]
) -> Iterator[bytes]:
    """What `command` writes. Its process ends with the iterator; a non-zero exit code raises `failure`."""
    with tempfile.TemporaryFile() as errors:
        process = start(command, environment, stderr=errors)
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            with process.stdout:
                while chunk := os.read(process.stdout.fileno(), _CHUNK):
                    yield chunk
            process.wait()
        finally:
            stop_group(process, signal.SIGINT, _GRACE)
        if process.returncode != 0:
            errors.seek(0)
            raise failure(errors.read().decode(errors="replace"))


def consume(
    command: Sequence[str],
    environment: Mapping[str, str],
    chunks: Iterable[bytes],
    failure: Callable[[str], DriverError],
) -> None:
    """Give `chunks` to `command` and wait for its end; a non-zero exit code raises `failure`.

    If the chunks end in an exception, the command is stopped: half a stream is never taken for a whole one.
    """
    with tempfile.TemporaryFile() as outputs:
        process = start(command, environment, stdin=subprocess.PIPE, stdout=outputs, stderr=outputs)
        try:
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            with contextlib.suppress(BrokenPipeError):  # it ended early: its exit code and its words say why
                for chunk in chunks:
                    process.stdin.write(chunk)
                process.stdin.close()
            process.wait()
        finally:
            stop_group(process, signal.SIGKILL, _GRACE)
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
        if process.returncode != 0:
            outputs.seek(0)
            raise failure(outputs.read().decode(errors="replace"))


@contextmanager
def beside(module: str) -> Generator[tuple[IO[bytes], IO[bytes]]]:
    """Run a Python module in a process of its own while the body runs: what it reads, and what it writes.

    Not by `multiprocessing`: its ``spawn`` runs the caller's script once more, which may be a deploy, and its ``fork``
    copies locks that other threads hold. At the end its input is closed, which tells it to end, and it is waited for.

    Raises:
        DriverError: it did not end well.
    """
    path = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
    environment = {**os.environ, "PYTHONPATH": path}
    with tempfile.TemporaryFile() as errors:
        process = start([sys.executable, "-m", module], environment, stdin=subprocess.PIPE, stderr=errors)
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes were asked for
            with process.stdout:
                yield process.stdin, process.stdout
                process.stdin.close()
                process.wait()
        except (EOFError, BrokenPipeError):
            if process.wait() == 0:
                raise
        finally:
            stop_group(process, signal.SIGKILL, _GRACE)
        if process.returncode != 0:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()
            raise DriverError(f"{module} ended with an error: {last[-1] if last else process.returncode}")
