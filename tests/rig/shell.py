"""Running docker and other programs for the rig; knows nothing of what they are run for."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class RigError(Exception):
    """Something the rig needs cannot be had; the message says what, and what to do."""


def run(*command: str, text: str | None = None, timeout: float = 900) -> str:
    """Run a program to its end and return its standard output; RigError with its last lines where it fails."""
    # `input` closes stdin after the text, so nothing ever waits for a terminal.
    try:
        done = subprocess.run(
            command, input=text or "", capture_output=True, text=True, timeout=timeout, check=False, errors="replace"
        )
    except FileNotFoundError as error:
        raise RigError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise RigError(f"`{' '.join(command[:4])} ...` took longer than {timeout:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-25:]
        raise RigError("\n  | ".join([f"`{' '.join(command)[:200]}` failed ({done.returncode})", *lines]))
    return done.stdout


def docker(*arguments: str, text: str | None = None, timeout: float = 900) -> str:
    """Run the docker client; its answer without the trailing newline."""
    return run("docker", *arguments, text=text, timeout=timeout).rstrip("\n")


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold a lock of this machine: workers of one run, and runs side by side, take turns."""
    with (Path(tempfile.gettempdir()) / f"nself-rig-{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need(program: str, package: str) -> None:
    """Install a program of the distribution where it is missing; RigError where that cannot be done."""
    if shutil.which(program):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RigError(f"the rig needs {program}: run `apt-get install {package}` as root")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", package)
