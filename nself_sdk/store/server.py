"""server.json: where an environment's Docker engine is. Read as data; nothing is opened here."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model
from nself_sdk.store import envfiles


class Server(Model):
    """The remote host of an environment.

    ``host`` is a name, an address, an alias of ``~/.ssh/config``, or a whole ``ssh://user@host:port``. What is left
    out is decided by ``~/.ssh/config``. Paths may start with ``~``; relative ones start at the project folder.
    """

    host: str
    user: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    identity_file: str | None = None
    known_hosts: str | None = None
    #: A host to go through: ``[user@]host[:port]``.
    jump: str | None = None
    #: Path of the engine's socket on the host; ``/var/run/docker.sock`` when left out.
    socket: str | None = None

    @property
    def url(self) -> str:
        """The host as an ssh URL."""
        if "://" in self.host:
            return self.host
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{self.host}{port}"


def read(path: Path, folder: Path) -> Server:
    """The server that a ``server.json`` names.

    Raises:
        DeclarationError: it is not JSON, or a key is unknown or wrong.
    """
    try:
        fields = json.loads(envfiles.read_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise DeclarationError(Problem(where, f"is not JSON: {error.msg}", "check quotes and commas")) from None
    if not isinstance(fields, dict):
        raise DeclarationError(Problem(str(path), "is not a JSON object", 'write {"host": "ssh://user@host"}'))
    try:
        server = Server(**{str(key): value for key, value in fields.items()})
    except DeclarationError as error:
        raise DeclarationError([Problem(f"{path}: {p.where}", p.what, p.fix) for p in error.problems]) from None
    paths = {name: getattr(server, name) for name in ("identity_file", "known_hosts")}
    return server.replace(**{name: _absolute(folder, value) for name, value in paths.items() if value})


def _absolute(folder: Path, path: str) -> str:
    return str(folder / Path(path).expanduser())
