"""How the engine's socket is reached: directly, or through a forward; knows sockets, and no verb of Docker."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from nself_sdk.docker.environment import scrubbed
from nself_sdk.docker.runner import run
from nself_sdk.docker.sockets import ping
from nself_sdk.docker.ssh import Forward
from nself_sdk.docker.target import DOCKER_SOCKET
from nself_sdk.docker.values import ExecResult
from nself_sdk.errors import HostUnreachableError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from nself_sdk.docker.target import Target

_ANSWER = 20.0  # seconds for an engine that is starting up to answer its first ping


class Line(Protocol):
    """A way to an engine."""

    @property
    def address(self) -> str:
        """``unix:///...`` on this machine: what docker's ``--host`` takes."""
        ...

    @property
    def peer(self) -> str:
        """The address of the host at the other end; empty for this machine, and where it is not known."""
        ...

    def ready(self) -> None:
        """Wait until the engine answers; raises HostUnreachableError with the reason if it does not."""
        ...

    def lost(self) -> HostUnreachableError | None:
        """What broke the way since it was ready; None if nothing did."""
        ...

    def shell(self, script: str, timeout: float | None = None) -> ExecResult:
        """Run a POSIX shell script on the engine's host; exit code 255 where no shell can be had there.

        Raises:
            DriverError: it took longer than `timeout` seconds.
        """
        ...


@contextmanager
def open_line(target: Target, ambient: Mapping[str, str]) -> Generator[Line]:
    """The way to `target`, being opened: call `Line.ready` before it is used. Closed at the end."""
    if target.host is None:
        yield LocalLine(target.socket or _ambient_socket(ambient) or DOCKER_SOCKET, ambient)
    else:
        with Forward(target, ambient) as forward:
            yield forward


class LocalLine:
    """The engine of this machine."""

    def __init__(self, path: str, ambient: Mapping[str, str]) -> None:
        self._path = path
        self._environment = scrubbed(ambient)

    @property
    def address(self) -> str:
        """See `Line.address`."""
        return f"unix://{self._path}"

    @property
    def peer(self) -> str:
        """See `Line.peer`."""
        return ""

    def ready(self) -> None:
        """See `Line.ready`."""
        try:
            answered = ping(self._path, _ANSWER)
        except PermissionError:
            hint = "add yourself to the docker group (sudo usermod -aG docker $USER) and log in again"
            raise HostUnreachableError(f"this user may not use the Docker engine at {self._path}", hint) from None
        except OSError as error:
            why = error.strerror or str(error)
            hint = "run nself-sdk doctor --fix, which installs and starts it"
            if self._path != DOCKER_SOCKET:
                hint = "correct DOCKER_HOST or server.json; for this machine's own engine: nself-sdk doctor --fix"
            raise HostUnreachableError(f"no Docker engine runs at {self._path}: {why}", hint) from None
        if not answered:
            raise HostUnreachableError(f"something that is not a Docker engine listens at {self._path}")

    def lost(self) -> None:
        """A local socket does not break; an engine that stopped tells so itself."""

    def shell(self, script: str, timeout: float | None = None) -> ExecResult:
        """See `Line.shell`."""
        done = run(["/bin/sh", "-s"], environment=self._environment, stdin=script, timeout=timeout)
        return ExecResult(exit_code=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def _ambient_socket(ambient: Mapping[str, str]) -> str | None:
    host = ambient.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if host.startswith("unix:///") else None
