"""Where a Docker engine is: this machine, or a host behind ssh. A checked value; opens nothing.

``Target.parse("ssh://deploy@vps.example.com:2222")``. What the URL leaves open (user, port, key) is decided
by ``~/.ssh/config``, as for ``ssh vps.example.com``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCKER_SOCKET = "/var/run/docker.sock"
"""Where an engine listens unless it was told otherwise."""

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|(?=.*:)[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]+)?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PATH = re.compile(r"/[^\s:%\x00-\x1f\x7f\"'\\$~]{1,90}")  # ssh expands or splits at the excluded characters
_PLACE = re.compile(
    r"((?P<user>[^@/:]*)(?P<password>:[^@/]*)?@)?(?P<host>\[[^]/]*\]|[^:/?#]*)(:(?P<port>[^/?#]*))?(?P<rest>.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where Docker is. ``Target()`` is this machine.

    Attributes:
        host: name or address of the ssh host, or a ``Host`` alias of ``~/.ssh/config``; None: this machine.
        user: None: as ``~/.ssh/config`` says.
        port: of sshd; None: as ``~/.ssh/config`` says.
        identity_file: the private key to use, and then no other; None: the agent and ssh's defaults.
        known_hosts: the file that pins the host's key, and then no other; None: ssh's defaults.
        jump: the host to go through; None: as ``~/.ssh/config`` says.
        socket: path of the engine's socket, on the ssh host or here; None: ``/var/run/docker.sock``, and on
            this machine an ambient ``DOCKER_HOST=unix://...`` before it (nothing else ambient counts).

    Raises:
        DeclarationError: with everything that is wrong.
    """

    host: str | None = None
    user: str | None = None
    port: int | None = None
    identity_file: Path | None = None
    known_hosts: Path | None = None
    jump: Target | None = None
    socket: str | None = None

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise DeclarationError(problems)

    @classmethod
    def parse(
        cls,
        url: str = "local",
        *,
        identity_file: Path | str | None = None,
        known_hosts: Path | str | None = None,
        jump: str | None = None,
        socket: str | None = None,
    ) -> Target:
        """Read ``ssh://[user@]host[:port]``, ``unix:///path``, or ``local`` for this machine.

        Paths may start with ``~``. `jump` is ``[user@]host[:port]``; the same key and known hosts serve it.

        Raises:
            DeclarationError: with everything that is wrong.
        """
        key, pins = _path(identity_file), _path(known_hosts)
        if url == "local" or url.startswith("unix://"):
            path = socket if url == "local" else url.removeprefix("unix://")
            return cls(socket=path, identity_file=key, known_hosts=pins)
        gate, problems = (None, []) if jump is None else _place("jump", f"ssh://{jump}", None)
        target, more = _place("host", url, socket)
        if target is None or more or problems:
            raise DeclarationError([*more, *problems])
        gate = replace(gate, identity_file=key, known_hosts=pins) if gate else None
        return replace(target, identity_file=key, known_hosts=pins, jump=gate)

    @property
    def url(self) -> str:
        """The shortest text that `parse` reads as this place, without its options."""
        if self.host is None:
            return f"unix://{self.socket}" if self.socket else "local"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"ssh://{user}{host}{f':{self.port}' if self.port else ''}"

    def __str__(self) -> str:
        return "this machine" if self.host is None else self.url

    def _problems(self) -> Iterator[Problem]:
        if self.socket is not None and not _PATH.fullmatch(self.socket):
            fix = "give an absolute path of at most 90 plain characters"
            yield Problem("socket", f"{self.socket!r} is not the path of a socket", fix)
        if self.host is None:
            for name in ("user", "port", "identity_file", "known_hosts", "jump"):
                if getattr(self, name) is not None:
                    yield Problem(name, "needs an ssh host to mean something", "name the host, or leave it out")
            return
        yield from _host_problems(self.host)
        if self.user is not None and not _USER.fullmatch(self.user):
            fix = "at most 32 of a-z, 0-9, '_' and '-', the first a letter or '_'"
            yield Problem("user", f"{self.user!r} is not a user name", fix)
        if self.port is not None and not 1 <= self.port <= 65535:  # noqa: PLR2004 - the range of TCP ports
            yield Problem("port", f"{self.port} is not a port", "give a number from 1 to 65535")
        if self.jump is not None and self.jump.host is None:
            yield Problem("jump", "is this machine", "name the host to go through")


def _host_problems(host: str) -> Iterator[Problem]:
    if host.startswith("-"):
        yield Problem("host", f"{host!r} starts with '-'", "a host name starts with a letter or a digit")
    elif not _HOST.fullmatch(host):
        yield Problem("host", f"{host!r} is not a host name or address", "give the bare name or address")


def _place(where: str, url: str, socket: str | None) -> tuple[Target | None, list[Problem]]:
    """What an ssh URL names, and everything that is wrong with it (without ever repeating a password)."""
    scheme, _, rest = url.partition("://")
    found = _PLACE.fullmatch(rest)
    if scheme != "ssh" or found is None:
        form = "write ssh://user@host:port, unix:///path/to/docker.sock or local"
        return None, [Problem(where, f"{_masked(url)!r} names no place of Docker", form)]
    problems: list[Problem] = []
    if found["password"] is not None:
        fix = "use a key: identity_file, ssh-agent or ~/.ssh/config"
        problems.append(Problem(where, "a password in the URL is not accepted", fix))
    if found["rest"] not in ("", "/"):
        problems.append(Problem(where, "something follows the host and port", "write ssh://user@host:port"))
    port, text = None, found["port"]
    if text is not None and not (text.isascii() and text.isdecimal()):
        problems.append(
            Problem(
                "port" if where == "host" else f"{where} port",
                f"{text!r} is not a port",
                "give a number from 1 to 65535",
            )
        )
    elif text is not None:
        port = int(text[:6])
    try:
        return Target(host=found["host"].strip("[]"), user=found["user"], port=port, socket=socket), problems
    except DeclarationError as error:
        prefix = "" if where == "host" else f"{where} "
        return None, [*problems, *(replace(p, where=prefix + p.where) for p in error.problems)]


def _masked(url: str) -> str:
    return re.sub(r":[^:@/]*@", ":***@", url)


def _path(value: Path | str | None) -> Path | None:
    return None if value is None else Path(value).expanduser()


LOCAL = Target()
"""This machine."""
