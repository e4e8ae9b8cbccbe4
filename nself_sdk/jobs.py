"""jobs: which services run to their end, and in what order services and jobs come. Pure; it knows no Docker."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter
from itertools import groupby

from nself_sdk.compose import ComposeFile, Service
from nself_sdk.offers import EDGE, ONCE

_COMPLETED = "service_completed_successfully"


def jobs(file: ComposeFile) -> frozenset[str]:
    """The services that run to their end: another one waits for their completion, or they set another one up."""
    waited_for = {
        name
        for service in file.services.values()
        for name, dependency in service.depends_on_map.items()
        if dependency.condition == _COMPLETED
    }
    # The catalog's ``<service>-setup``, also where nobody needs what it makes.
    setups = {f"{name}-setup": name for name in file.services}
    here = {job for job, name in setups.items() if job in file.services and name in file.services[job].depends_on_map}
    return frozenset(waited_for | here)


def once(file: ComposeFile) -> frozenset[str]:
    """The jobs that only go forward, such as migrations: a way back does not run those of an older release."""
    return frozenset(name for name in jobs(file) if ONCE in file.services[name].extensions)


def ordered(file: ComposeFile) -> list[str]:
    """The services, each after those that it depends on; the edge last, but for what depends on it.

    Jobs that run once come as early as what they need allows: before anything else is replaced. After each stage of
    other jobs comes all that need not wait for the next one. A new route is announced when who answers it is there.
    """
    waits = {name: sorted(service.depends_on_map) for name, service in sorted(file.services.items())}
    names = list(TopologicalSorter(waits).static_order())
    early, done, stage = _needed(once(file), waits), jobs(file), dict[str, int]()
    late = {name: int(EDGE in service.extensions) for name, service in file.services.items()}
    for name in names:
        after = [late[before] + 1 for before in waits.get(name, ()) if late[before]]
        late[name] = max([late.get(name, 0), *after])
        stage[name] = max((stage[before] + (before in done) for before in waits.get(name, ())), default=0)

    def place(name: str) -> tuple[int, bool, int, bool]:
        return late[name], name not in early, stage[name], name in done

    return sorted(names, key=place)


def steps(file: ComposeFile, names: Iterable[str]) -> list[tuple[str, ...]]:
    """The same names in the same order, in steps: each job alone, and what lies between two jobs together."""
    done = jobs(file)
    return [tuple(step) for _, step in groupby(names, key=lambda name: name if name in done else "")]


def without_waiting(file: ComposeFile) -> ComposeFile:
    """The file without the edges that lead to jobs, for Compose under a deploy, which keeps the order itself.

    ``docker compose up SERVICE`` starts every finished job again that the service depends on (2.26.1, run).
    """

    def loose(_: str, service: Service) -> Service:
        waits = service.depends_on_map
        kept = {name: wait for name, wait in waits.items() if wait.condition != _COMPLETED}
        return service if kept == waits else service.replace(depends_on=kept or None)

    return file.map_services(loose)


def _needed(names: Iterable[str], waits: dict[str, list[str]]) -> frozenset[str]:
    """These services, and all that they depend on."""
    found, asked = set[str](), list(names)
    while asked:
        if (name := asked.pop()) not in found:
            found.add(name)
            asked += waits.get(name, ())
    return frozenset(found)
