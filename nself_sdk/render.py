"""render: a project in an environment becomes one Compose file. Pure: same input, same bytes, no Docker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nself_sdk.compose import ComposeFile
from nself_sdk.compose.file import SECTIONS
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import did_you_mean
from nself_sdk.passes import PASSES, Pass
from nself_sdk.project import Context, Declaration, declared


def render(declaration: Declaration, environment: Environment | str, passes: Iterable[Pass] = ()) -> ComposeFile:
    """The sum of the services' parts, then the passes in order.

    Args:
        declaration: a project, or a function of the environment that makes one.
        environment: a value, or the name of a profile with its default facts.
        passes: the caller's own, after ours.

    Raises:
        DeclarationError: two parts define the same thing differently, a route leads nowhere, or the environment is
            unknown.
    """
    place = Environment.named(environment) if isinstance(environment, str) else environment
    project = declared(declaration, place)
    context = project.context(place)
    parts = (service.part(context).owned_by(service.name) for service in context.services)
    file = _sum([ComposeFile(name=project.name), *parts, *project.files])
    filled = {section: elements for section in SECTIONS if (elements := getattr(file, section))}
    file = file.replace(**{section: dict(sorted(elements.items())) for section, elements in filled.items()})
    if problems := list(_lost_routes(context, file)):
        raise DeclarationError(problems)
    for apply in (*PASSES, *passes):
        file = apply(file, place)
    return file


def _sum(files: Sequence[ComposeFile]) -> ComposeFile:
    """All in one, by halves: one after the other, each addition would copy all that came before."""
    if len(files) == 1:
        return files[0]
    half = len(files) // 2
    return _sum(files[:half]) + _sum(files[half:])


def _lost_routes(context: Context, file: ComposeFile) -> Iterator[Problem]:
    """Routes that lead nowhere, that nobody serves, or that two services want."""
    owners: dict[str, str] = {}
    for route in context.routes:
        host = context.environment.host(route.name)
        if route.service not in file.services and not route.on_host:
            fix = did_you_mean(route.service, list(file.services))
            yield Problem(f"route {host}", f"there is no service {route.service!r}", fix)
        if host in owners:
            what = f"{owners[host]!r} and {route.service!r} both want to answer for it"
            yield Problem(f"route {host}", what, "give one of them another route")
        owners.setdefault(host, route.service)
    if owners and not any(service.serves_routes for service in context.services):
        yield Problem("routes", f"nothing answers for {', '.join(owners)}", "add Nginx()")
