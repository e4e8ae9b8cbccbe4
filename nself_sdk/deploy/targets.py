"""Where an environment's engine is, from its ``server.json``; opens nothing."""

from __future__ import annotations

from nself_sdk.docker import Target
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.store import ProjectFolder


def target(folder: ProjectFolder, environment: Environment) -> Target:
    """The place that ``server.json`` names; this machine without one."""
    server = folder.server(environment.name)
    if server is None:
        return Target()
    return Target.parse(
        server.url,
        identity_file=server.identity_file,
        known_hosts=server.known_hosts,
        jump=server.jump,
        socket=server.socket,
    )


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
