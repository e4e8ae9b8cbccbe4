"""The real driver: docker and docker compose on one engine; knows no project, only stacks and containers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from nself_sdk.docker.target import LOCAL, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nself_sdk.docker.protocol import Driver


@contextmanager
def connect(target: Target = LOCAL, *, secrets: Iterable[str] = ()) -> Iterator[Driver]:
    """Open the door to the engine at `target` and close it again, whatever happens.

    Over ssh this is one connection, for every call. `secrets` are hidden in every text that comes back, as
    are those of each stack.

    Raises:
        HostUnreachableError: no engine answers there; it says why, and what to do.
    """
    raise NotImplementedError
