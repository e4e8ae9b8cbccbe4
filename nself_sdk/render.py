"""render: a project in an environment becomes one Compose file. Pure: same input, same bytes, no Docker."""

from __future__ import annotations

from collections.abc import Iterable

from nself_sdk.compose import ComposeFile
from nself_sdk.environment import Environment
from nself_sdk.passes import PASSES, Pass
from nself_sdk.project import Declaration, declared


def render(declaration: Declaration, environment: Environment | str, passes: Iterable[Pass] = ()) -> ComposeFile:
    """The sum of the services' parts, then the passes in order.

    Args:
        declaration: a project, or a function of the environment that makes one.
        environment: a value, or the name of a profile with its default facts.
        passes: the caller's own, after ours.

    Raises:
        DeclarationError: two parts define the same thing differently, or the environment is unknown.
    """
    place = Environment.named(environment) if isinstance(environment, str) else environment
    project = declared(declaration, place)
    context = project.context(place)
    file = ComposeFile(name=project.name)
    for service in context.services:
        file += service.part(context).owned_by(service.name)
    for foreign in project.files:
        file += foreign
    for apply in (*PASSES, *passes):
        file = apply(file, place)
    return file
