"""In which steps the containers of a service give way to new ones. Pure: it looks at nothing and starts nothing.

The words are the Compose Specification's: ``deploy.update_config.parallelism``
(https://github.com/compose-spec/compose-spec/blob/main/deploy.md#update_config).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nself_sdk.compose import Service
from nself_sdk.docker import Container
from nself_sdk.plan import replicas

#: Containers at a time where the file says nothing, as Docker itself has it: the host needs room for one more.
_AT_A_TIME = 1


@dataclass(frozen=True)
class Batch:
    """How many containers are started, and which go when these are healthy."""

    start: int
    stop: tuple[Container, ...] = ()


def batches(service: Service, fresh: Sequence[Container], stale: Sequence[Container]) -> list[Batch]:
    """The steps that lead to as many containers as the service shall have, never with fewer than it has now.

    Args:
        service: as it is wanted.
        fresh: containers that are as wanted already: what a deploy that was cut off had done.
        stale: containers that are not.
    """
    size = parallelism(service)
    needed = max(0, replicas(service) - len(fresh))
    going = [*stale, *fresh[replicas(service) :]]
    starts = [min(size, needed - begun) for begun in range(0, needed, size)] or [0]
    parts = [tuple(going[at * size : (at + 1) * size]) for at in range(len(starts) - 1)]
    last = tuple(going[(len(starts) - 1) * size :])
    return [Batch(start, stop) for start, stop in zip(starts, [*parts, last], strict=True)]


def parallelism(service: Service) -> int:
    """How many containers are replaced at a time."""
    update = service.deploy.update_config if service.deploy else None
    written = _AT_A_TIME if update is None or update.parallelism is None else int(update.parallelism)
    return written or replicas(service)
