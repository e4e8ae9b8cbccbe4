"""The computer this runs on, as the installation of Docker sees it: commands, files, one daemon; decides nothing."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENGINE_LOG: Final = Path("/var/log/dockerd.log")
LOCK_FILE: Final = Path("/run/lock/nself-engine.lock")
LOCAL_SOCKETS: Final = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str = ""

    @property
    def last_line(self) -> str:
        """The last line it wrote, where tools put their reason."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit code {self.code}"


class Machine:
    """The computer this runs on. A test gives its own."""

    #: How long a started engine may take until it answers, in seconds.
    patience: float = 60.0

    def run(self, *command: str) -> Answer:
        """Run a command to its end with nothing on its stdin; a missing program is exit code 127."""
        environment = os.environ | {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        nothing = subprocess.DEVNULL
        try:
            done = subprocess.run(command, stdin=nothing, capture_output=True, text=True, env=environment, check=False)
        except OSError as error:
            return Answer(127, "", f"{command[0]}: {error.strerror}")
        return Answer(done.returncode, done.stdout, done.stderr)

    def is_root(self) -> bool:
        """Whether packages may be installed."""
        return os.geteuid() == 0

    def docker_host(self) -> str:
        """Where ``DOCKER_HOST`` points; empty for the local engine."""
        host = os.environ.get("DOCKER_HOST", "")
        return "" if host in LOCAL_SOCKETS else host

    def has_systemd(self) -> bool:
        """Whether systemd is what started this machine: the program alone may lie about in a container."""
        return Path("/run/systemd/system").is_dir()

    def read(self, path: Path) -> str:
        """Return a file's text, empty where there is none."""
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def write(self, path: Path, text: str) -> None:
        """Write a file readable by all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def start_daemon(self) -> None:
        """Start dockerd by hand, in a session of its own, so that it outlives this process."""
        with ENGINE_LOG.open("ab") as log:
            subprocess.Popen(  # the engine stays behind on purpose
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    @contextmanager
    def alone(self) -> Generator[None]:
        """Hold a lock of the machine: two repairs at once take turns."""
        LOCK_FILE.parent.mkdir(parents=True, exist_ok=True)
        with LOCK_FILE.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
