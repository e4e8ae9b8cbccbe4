"""One ssh connection that brings a remote engine's socket to this machine; knows nothing of what is said over it.

Why not ``DOCKER_HOST=ssh://``: docker then opens one ssh connection for each of its own, and with six services or
more runs into sshd's MaxStartups and MaxSessions; a forwarded socket counts as neither. The system's ssh does the
work, so that ``~/.ssh/config``, agents and hardware keys are honoured.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nself_sdk.docker import ssh_failures
from nself_sdk.docker.environment import scrubbed
from nself_sdk.docker.runner import run, start, stop_group
from nself_sdk.docker.sockets import ping
from nself_sdk.docker.target import DOCKER_SOCKET, Target
from nself_sdk.docker.values import ExecResult
from nself_sdk.errors import DriverError, HostUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_SECONDS = 15
_READY_SECONDS = 45.0  # for the whole way: name, connection, keys, the engine's first answer
_CLOSE_SECONDS = 2.0
_POLL = 0.01
_PATH_LIMIT = 70  # a socket's whole path has room for about 100 characters

_ALWAYS = {
    "BatchMode": "yes",  # never ask: nobody may be there to answer
    "StrictHostKeyChecking": "yes",  # whatever ~/.ssh/config says
    "UpdateHostKeys": "no",
    "ExitOnForwardFailure": "yes",
    "StreamLocalBindUnlink": "yes",
    # A network that goes silent is noticed after half a minute: before anybody may take over the lock of a deploy.
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "5",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ConnectionAttempts": "1",
    "ControlMaster": "no",  # a connection that others share would outlive us
    "ControlPath": "none",
    "ControlPersist": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
}

# Holds ssh to the life of the process that started it, however that ends: its end closes our standard input.
_LIFELINE = """
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & ssh=$!
{ read -r _ <&3; rm -rf -- "$folder"; kill "$ssh"; } 2>/dev/null & guard=$!
wait "$ssh"; code=$?
kill "$guard" 2>/dev/null; wait
exit "$code"
"""


def ssh_command(target: Target, *options: str, remote: str | None = None) -> tuple[str, ...]:
    """``ssh`` to `target`, with `options` of this call before the host and `remote` command after it."""
    settings = {**_ALWAYS, **_settings(target)}
    pairs = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    user = [] if target.user is None else ["-l", target.user]
    port = [] if target.port is None else ["-p", str(target.port)]
    return ("ssh", *options, *pairs, *user, *port, "--", target.host or "", *([remote] if remote else []))


def forward_command(target: Target, socket: str, control: str) -> tuple[str, ...]:
    """The one connection: a forward of the engine's socket to the path `socket`, and `control` for `shell_command`."""
    # -v: its log holds what a failure is explained with, such as the key that the host offered.
    forward = f"{socket}:{target.socket or DOCKER_SOCKET}"
    return ssh_command(target, "-v", "-N", "-T", "-L", forward, "-M", "-S", control)


def shell_command(target: Target, control: str) -> tuple[str, ...]:
    """A shell on the host that reads its script from standard input, over the connection that owns `control`."""
    # Where the host opens no session (MaxSessions 0), ssh would connect anew: the false proxy keeps it from that.
    return ssh_command(target, "-o", "ProxyCommand=false", "-S", control, "-T", remote="sh -s")


def _settings(target: Target) -> dict[str, str]:
    settings: dict[str, str] = {}
    if target.identity_file is not None:
        settings |= {"IdentityFile": _quoted(target.identity_file), "IdentitiesOnly": "yes"}
    if target.known_hosts is not None:
        settings |= {"UserKnownHostsFile": _quoted(target.known_hosts), "GlobalKnownHostsFile": os.devnull}
    if target.jump is not None:
        # ProxyJump would not hand our key, our pins and our strictness on to the host between.
        through = shlex.join(ssh_command(target.jump, "-v", "-W", "[%h]:%p")).replace("'[%h]:%p'", "[%h]:%p")
        settings["ProxyCommand"] = through
    return settings


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("%", "%%") + '"'


class Forward:
    """A `Line` over ssh: open while the context is, gone with it, and gone with this process however it ends."""

    def __init__(self, target: Target, ambient: Mapping[str, str]) -> None:
        self._target = target
        agent = {name: ambient[name] for name in ("SSH_AUTH_SOCK", "KRB5CCNAME") if name in ambient}
        self._environment = scrubbed(ambient, agent)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        ssh_failures.check_identity(self._target)
        long = len(tempfile.gettempdir()) > _PATH_LIMIT
        self._folder = Path(tempfile.mkdtemp(prefix="nself-", dir="/tmp" if long else None))  # noqa: S108 - 0700
        try:
            self._start(self._folder)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """See `Line.address`."""
        return f"unix://{self._socket}"

    @property
    def peer(self) -> str:
        """See `Line.peer`."""
        reached = re.findall(r"^Authenticated to \S+ \((?:\[(.+)\]:\d+|.*)\)", self._log(), re.MULTILINE)
        return str(reached[-1]) if reached else ""

    def ready(self) -> None:
        """See `Line.ready`."""
        self._wait(lambda: self._socket.exists() and self._answers(_READY_SECONDS))

    def logged_in(self) -> None:
        """Wait until `shell` works, be there an engine or not; raises as `ready` does."""
        self._wait(Path(self._control).exists)

    def anew(self) -> bool:
        """Whether another connection would get in now: the one that is open does not tell."""
        try:
            command = ssh_command(self._target, "-T", remote="true")
            return run(command, environment=self._environment, timeout=2 * CONNECT_SECONDS).exit_code == 0
        except DriverError:
            return False

    def _wait(self, is_open: Callable[[], bool]) -> None:
        from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed  # noqa: PLC0415 - only for ssh

        asking = Retrying(
            stop=stop_after_delay(_READY_SECONDS),
            wait=wait_fixed(_POLL),
            retry=retry_if_result(lambda answered: not answered),
            retry_error_callback=lambda _: False,
        )

        def asked() -> bool:
            if (error := self.lost()) is not None:
                raise error
            return is_open()

        if not asking(asked):
            raise ssh_failures.timed_out(self._target, _READY_SECONDS)

    def lost(self) -> HostUnreachableError | None:
        """See `Line.lost`."""
        if self._process is None or self._process.poll() is None:
            return None
        return ssh_failures.explain(self._target, self._log())

    def shell(self, script: str, timeout: float | None = None) -> ExecResult:
        """See `Line.shell`."""
        command = shell_command(self._target, self._control)
        done = run(command, environment=self._environment, stdin=script, timeout=timeout)
        return ExecResult(exit_code=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    def close(self) -> None:
        """End the connection and leave nothing behind. Safe to call again."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSE_SECONDS)
            stop_group(self._process, signal.SIGTERM, _CLOSE_SECONDS)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        return (self._folder or Path()) / "docker.sock"

    @property
    def _control(self) -> str:
        return str(self._socket.parent / "mux")

    def _start(self, folder: Path) -> None:
        if shutil.which("ssh", path=self._environment.get("PATH")) is None:
            raise HostUnreachableError("the ssh command is not installed on this machine", "install openssh-client")
        forward = forward_command(self._target, str(self._socket), self._control)
        command = ["/bin/sh", "-c", _LIFELINE, "sh", str(folder), *forward]
        with (folder / "ssh.log").open("ab") as log:
            self._process = start(
                command, self._environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
            )

    def _answers(self, seconds: float) -> bool:
        try:
            if ping(str(self._socket), max(seconds, 1.0)):
                return True
        except (ConnectionRefusedError, FileNotFoundError):
            return False  # ssh has not begun to listen yet, or has just ended: lost() tells
        except TimeoutError:
            raise ssh_failures.timed_out(self._target, _READY_SECONDS) from None
        except OSError:
            pass
        raise ssh_failures.refused(self._target, self._log(), self._examine())

    def _log(self) -> str:
        return (self._socket.parent / "ssh.log").read_text(errors="replace")

    def _examine(self) -> str:
        """What the remote socket looks like from there: a second connection, made only to explain a failure."""
        command = ssh_command(self._target, "-T", remote=ssh_failures.examination(self._target))
        try:
            return run(command, environment=self._environment, timeout=CONNECT_SECONDS).stdout
        except DriverError:
            return ""
