"""Why no engine answers behind ssh, told so that somebody can act on it; knows ssh's texts and opens no connection.

The texts are of OpenSSH 8 to 10; tests hold real ones.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

from nself_sdk.docker.target import DOCKER_SOCKET
from nself_sdk.errors import DeclarationError, HostUnreachableError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nself_sdk.docker.target import Target

_QUOTED_LINES = 4
_OPEN_BITS = 0o077
_KEYS = "name the key in identity_file or ~/.ssh/config, or ssh-add it; the host lists it in ~/.ssh/authorized_keys"
_CASES = (
    (r"Could not resolve hostname (\S+?):", "its name does not resolve", "check the spelling of the host, and DNS"),
    (
        r"UNPROTECTED PRIVATE KEY FILE|bad permissions",
        "ssh ignores the key because others may read it",
        "run chmod 600 on it",
    ),
    (
        r"Load key .*incorrect passphrase|Load key .*passphrase",
        "the key is locked with a passphrase, and nobody can be asked for it",
        "unlock it first: ssh-add",
    ),
    (
        r"Load key .*(invalid format|error in libcrypto)",
        "the key file is damaged",
        "restore it; if it came from Windows, remove the carriage returns: sed -i 's/\\r$//'",
    ),
    (r"Too many authentication failures", "too many keys were tried", "name the right one in identity_file"),
    (
        r"Server accepts key: [^\n]*\n(debug1: [^\n]*\n)*[^\n]*Permission denied \(",
        "it accepts the key, but the key cannot be used here: it is locked with a passphrase",
        "unlock it first: ssh-add",
    ),
    (r"Permission denied \(", "it does not accept the user or the key", _KEYS),
    (r"Connection refused", "the connection is refused", "check that sshd runs there, the port, and the firewall"),
    (
        r"timed out|No route to host|Network is unreachable",
        "it does not answer",
        "check the address, the port, the firewall, and that the host is up",
    ),
    (
        r"Bad configuration option|bad configuration options|no argument after keyword",
        "ssh does not accept its configuration",
        "correct ~/.ssh/config; ssh -G HOST shows what it reads",
    ),
    (
        r"no matching (host key type|key exchange method|cipher|MAC)",
        "it offers no algorithm that ssh accepts here",
        "update sshd on the host",
    ),
    (
        r"kex_exchange_identification|Connection (reset|closed) by",
        "it closed the connection before the log-in",
        "sshd limits connections (MaxStartups, PerSourcePenalties) or fail2ban bans this address; try again later",
    ),
    (
        r"not responding|Broken pipe|Connection to .* closed",
        "the connection broke",
        "run the same command again to continue",
    ),
)


def explain(target: Target, log: str) -> HostUnreachableError:
    """Why ssh ended, from its verbose log."""
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in log:
        return _changed(target, log)
    if "Host key verification failed" in log or "you have requested strict checking" in log:
        return _unknown(target, log)
    for pattern, message, hint in _CASES:
        if re.search(pattern, log):
            return _error(target, message, hint, log)
    return _error(target, "ssh ended", "try it by hand: " + _by_hand(target), log)


def examination(target: Target) -> str:
    """A shell script that says, on the host, what `refused` wants to know. It changes nothing."""
    path = shlex.quote(target.socket or DOCKER_SOCKET)
    return (
        f"test -S {path} && echo socket; test -w {path} && echo writable; command -v docker >/dev/null && echo client; "
        f"docker -H unix://{path} version >/dev/null 2>&1 && echo answers; echo user=$(id -un)"
    )


def refused(target: Target, log: str, seen: str) -> HostUnreachableError:
    """Why the log-in worked but the engine's socket did not: from ssh's log, and what `examination` saw."""
    path, words = target.socket or DOCKER_SOCKET, seen.split()
    user = next((word.removeprefix("user=") for word in words if word.startswith("user=")), "")
    start = "start it there: sudo systemctl start docker"
    if "administratively prohibited" in log or "answers" in words:
        hint = "set AllowStreamLocalForwarding yes and AllowTcpForwarding yes in its sshd_config, and reload sshd"
        return _error(target, "its sshd does not allow the forwarding of sockets", hint)
    if "writable" in words:
        return _error(target, f"no engine answers at {path}", start)
    if "socket" in words:
        hint = f"run there: sudo usermod -aG docker {user}"
        return _error(target, f"the user {user} may not use the Docker engine", hint)
    if "client" in words:
        return _error(target, f"Docker is installed there, but no engine runs ({path} is missing)", start)
    if user:
        hint = "install Docker there: nself-sdk server init does it"
        return _error(target, f"there is no Docker ({path} is missing)", hint)
    hint = f"check there that Docker runs, that the user may use {path}, and that sshd allows forwarding"
    return _error(target, f"the socket {path} cannot be opened", hint, log)


def timed_out(target: Target, seconds: float) -> HostUnreachableError:
    """No engine answered in time."""
    hint = "check the host's load and the engine: sudo systemctl status docker"
    return _error(target, f"no answer within {seconds:.0f} seconds", hint)


def check_identity(target: Target) -> None:
    """Look at the key files before ssh does, whose words for these faults mislead.

    Raises:
        DeclarationError: one is missing, open to others, a public key, or damaged.
    """
    files = {place.identity_file: None for place in (target, target.jump) if place and place.identity_file}
    if problems := [problem for file in files for problem in _key_problems(file)]:
        raise DeclarationError(problems)


def _key_problems(file: Path) -> Iterator[Problem]:
    where = f"identity_file {file}"
    try:
        content = file.read_bytes()
    except OSError as error:
        yield Problem(where, (error.strerror or str(error)).lower(), "give the path of the private key")
        return
    if content.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        yield Problem(where, "is a public key", "give the private one, without .pub")
    elif b"PRIVATE KEY-----" not in content:
        yield Problem(where, "is not a private key", "give the path of the private key")
    elif b"\r" in content:
        yield Problem(where, "has Windows line ends, which ssh cannot read", f"sed -i 's/\\r$//' {file}")
    if file.stat().st_mode & _OPEN_BITS:
        yield Problem(where, "others may read it, so ssh ignores it", f"chmod 600 {file}")


def _unknown(target: Target, log: str) -> HostUnreachableError:
    offered = _offered(log)
    shown = f"; it showed {offered}" if offered else ""
    file = target.known_hosts or "~/.ssh/known_hosts"
    hint = (
        "compare that with the output of ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host's own console, "
        f"then pin it: ssh-keyscan {_port(target)}{target.host} >> {file}"
    )
    name = re.search(r"host key is known for (\S+) and", log)
    return _error(target, f"the host key of {name[1] if name else target.host} is not known{shown}", hint)


def _changed(target: Target, log: str) -> HostUnreachableError:
    offending = re.search(r"Offending \S+ key in (\S+):(\d+)", log)
    pinned = _pinned(offending[1], int(offending[2])) if offending else ""
    known = f"; known is {pinned}" if pinned else ""
    where = f" (line {offending[2]} of {offending[1]})" if offending else ""
    message = f"its host key has changed{known}; it now shows {_offered(log) or 'another'}. Nothing was sent"
    hint = (
        "somebody may stand between you and the host. Only if you know why the key changed, remove the old one"
        f"{where} and pin the new one"
    )
    return _error(target, message, hint)


def _offered(log: str) -> str:
    """The fingerprint of the key that the last host in the log offered."""
    found = re.findall(r"Server host key: (\S+ SHA256:\S+)", log)
    return found[-1] if found else ""


def _pinned(file: str, line: int) -> str:
    """The fingerprint of a line of a known_hosts file."""
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123 - a path of ssh's own words
            key = lines.read().splitlines()[line - 1]
        done = subprocess.run(["ssh-keygen", "-lf", "-"], input=key, capture_output=True, text=True, check=True)
    except (OSError, IndexError, subprocess.CalledProcessError):
        return ""
    return next((word for word in done.stdout.split() if word.startswith("SHA256:")), "")


def _error(target: Target, message: str, hint: str, log: str = "") -> HostUnreachableError:
    lines = [line.strip() for line in log.splitlines() if line.strip() and not _chatter(line)]
    quoted = "".join(f"\n  | {line}" for line in lines[-_QUOTED_LINES:])
    return HostUnreachableError(f"{target}: {message}{quoted}", hint)


def _chatter(line: str) -> bool:
    return line.startswith(("debug", "OpenSSH_", "Authenticated to", "Transferred:", "Bytes per", "@@@"))


def _port(target: Target) -> str:
    return f"-p {target.port} " if target.port else ""


def _by_hand(target: Target) -> str:
    user = f"{target.user}@" if target.user else ""
    return f"ssh -v {_port(target)}{user}{target.host}"
