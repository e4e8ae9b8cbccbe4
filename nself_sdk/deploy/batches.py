"""In which steps the containers of a service give way to new ones. Pure: it looks at nothing and starts nothing.

The words are the Compose Specification's: ``parallelism``, ``delay`` and ``monitor`` of ``deploy.update_config``
(https://github.com/compose-spec/compose-spec/blob/main/deploy.md#update_config).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nself_sdk.compose import Service, UpdateConfig, duration
from nself_sdk.docker import Container
from nself_sdk.plan import replicas

#: Containers at a time where the file says nothing, as Docker itself has it: the host needs room for one more.
_AT_A_TIME = 1


@dataclass(frozen=True)
class Batch:
    """How many containers are started after how many seconds, and which go when these are healthy."""

    start: int
    stop: tuple[Container, ...] = ()
    delay: float = 0


def batches(service: Service, fresh: Sequence[Container], stale: Sequence[Container]) -> list[Batch]:
    """The steps that lead to as many containers as the service shall have, never with fewer than it has now.

    Args:
        service: as it is wanted.
        fresh: containers that are as wanted already: what a deploy that was cut off had done.
        stale: containers that are not.
    """
    size, delay = parallelism(service), _seconds(_asked(service).delay)
    needed = max(0, replicas(service) - len(fresh))
    going = [*stale, *fresh[replicas(service) :]]
    starts = [min(size, needed - begun) for begun in range(0, needed, size)] or [0]
    parts = [tuple(going[at * size : (at + 1) * size]) for at in range(len(starts) - 1)]
    last = tuple(going[(len(starts) - 1) * size :])
    pauses = [0.0, *(delay for _ in parts)]
    return [Batch(*each) for each in zip(starts, [*parts, last], pauses, strict=True)]


def parallelism(service: Service) -> int:
    """How many containers are replaced at a time."""
    asked = _asked(service).parallelism
    return (_AT_A_TIME if asked is None else int(asked)) or replicas(service)


def monitored(service: Service) -> float:
    """Seconds that new containers must stay well before the old ones go; none where the file does not say."""
    return _seconds(_asked(service).monitor)


def _asked(service: Service) -> UpdateConfig:
    return (service.deploy.update_config if service.deploy else None) or UpdateConfig()


def _seconds(written: object) -> float:
    return duration(str(written)).total_seconds() if written else 0.0
