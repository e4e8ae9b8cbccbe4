"""Where an environment's engine is, from its ``server.json``; opens nothing."""

from __future__ import annotations

from dataclasses import replace

from nself_sdk.docker import Target
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.store import ProjectFolder


def target(folder: ProjectFolder, environment: Environment) -> Target:
    """The place that ``server.json`` names; this machine without one.

    Raises:
        DeclarationError: it names none, or one that cannot be.
    """
    server = folder.server(environment.name)
    if server is None:
        return Target()
    if unnamed := list(folder.server_problems(environment)):
        raise DeclarationError(unnamed)
    options = {name: getattr(server, name) for name in ("identity_file", "known_hosts", "jump", "socket")}
    try:
        return Target.parse(server.url, **options)
    except DeclarationError as error:
        path = folder.home(environment.name) / "server.json"
        raise DeclarationError([replace(p, where=f"{path}: {p.where}") for p in error.problems]) from None


def remote_target(folder: ProjectFolder, environment: Environment) -> Target:
    """The same, for what only makes sense on another machine.

    Raises:
        DeclarationError: it is this machine.
    """
    place = target(folder, environment)
    if place.host is None:
        where = str(folder.home(environment.name) / "server.json")
        fix = 'name a host: {"host": "ssh://user@host"}; this machine is prepared by: nself-sdk doctor --fix'
        raise DeclarationError(Problem(where, "names no other machine", fix))
    return place
