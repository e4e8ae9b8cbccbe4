"""server.json: where an environment's Docker engine is. Read as data; nothing is opened here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from pydantic import Field

from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model
from nself_sdk.store import envfiles

#: What stands in a new file until the user names a host: no host has this name, so nothing can be deployed there.
TO_BE_NAMED = "<host>"
#: What ``host`` says for this machine.
_HERE = {"local", "localhost", "127.0.0.1"}


class Server(Model):
    """The engine of an environment.

    ``host`` is a name, an address, an alias of ``~/.ssh/config``, a whole ``ssh://user@host:port``, or ``local`` for
    this machine. What is left out is decided by ``~/.ssh/config``. Paths may start with ``~``; relative ones start at
    the project folder.
    """

    host: str = Field(min_length=1)
    user: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    identity_file: str | None = None
    known_hosts: str | None = None
    #: A host to go through: ``[user@]host[:port]``.
    jump: str | None = None
    #: Path of the engine's socket on the host; ``/var/run/docker.sock`` when left out.
    socket: str | None = None

    # For people, and of the tools before us: nothing is put on the host's disk, so that no path there matters.
    name: str | None = None
    type: str | None = None
    description: str | None = None
    domain: str | None = None
    created_at: str | None = None
    deploy_path: str | None = None
    project_subdir: str | None = None
    backup: dict[str, Any] | None = None

    @property
    def is_remote(self) -> bool:
        """Whether the engine is on another machine."""
        return self.host not in _HERE

    @property
    def url(self) -> str:
        """The host as an ssh URL; ``local`` for this machine."""
        if not self.is_remote:
            return "local"
        if "://" in self.host:
            return self.host
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{self.host}{port}"


def read(path: Path, folder: Path) -> Server:
    """The server that a ``server.json`` names.

    Raises:
        DeclarationError: it is not JSON, or a key is unknown or wrong; all problems at once.
    """
    try:
        fields = json.loads(envfiles.read_text(path), object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise DeclarationError(Problem(where, f"is not JSON: {error.msg}", "check quotes and commas")) from None
    except ValueError as error:
        raise DeclarationError(Problem(str(path), str(error), "keep one of them")) from None
    if not isinstance(fields, dict):
        raise DeclarationError(Problem(str(path), "is not a JSON object", 'write {"host": "ssh://user@host"}'))
    try:
        server = Server(**_present(cast("dict[str, Any]", fields)))
    except DeclarationError as error:
        raise DeclarationError([_explained(path, problem) for problem in error.problems]) from None
    paths = {name: getattr(server, name) for name in ("identity_file", "known_hosts")}
    return server.replace(**{name: _absolute(folder, value) for name, value in paths.items() if value})


def text(host: str) -> str:
    """The text of a ``server.json`` for that host."""
    return json.dumps({"host": host}, indent=2) + "\n"


def _present(fields: dict[Any, Any]) -> dict[str, Any]:
    """The fields that say something, the old name of the key file with them: an empty text was how one was left out."""
    renamed = {("identity_file" if name == "key" else str(name)): value for name, value in fields.items()}
    if not renamed.get("host") and renamed.get("type") == "local":
        renamed["host"] = "local"
    return {name: value for name, value in renamed.items() if value != "" or name == "host"}


def _explained(path: Path, problem: Problem) -> Problem:
    if problem.where == "Server.host":
        fix = 'write "ssh://user@host", or "local" for this machine'
        return Problem(f"{path}: host", "names no host", fix)
    return Problem(f"{path}: {problem.where.partition('.')[2]}", problem.what, problem.fix)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} is there twice")
    return dict(pairs)


def _absolute(folder: Path, path: str) -> str:
    return str(folder / Path(path).expanduser())
