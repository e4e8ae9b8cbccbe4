"""hooks: the moments of a deploy at which a project's own code runs. It runs none, and knows no deploy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import did_you_mean

Moment = Literal["pre-deploy", "post-deploy", "on-failure"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)

#: It is given the facts that an executable finds in its environment (docs/deploying.md). What it raises, it refuses.
Hook = Callable[[Mapping[str, str]], None]


def known(hooks: Mapping[Moment, Hook]) -> dict[Moment, Hook]:
    """The hooks, if each has its moment.

    Raises:
        DeclarationError: a moment is unknown, or what is to be called is no function.
    """
    strange = [Problem(f"hooks.{m}", "is no moment", did_you_mean(m, [*MOMENTS])) for m in hooks if m not in MOMENTS]
    lame = [Problem(f"hooks.{m}", f"{h!r} is no function", "give one") for m, h in hooks.items() if not callable(h)]
    if strange or lame:
        raise DeclarationError([*strange, *lame])
    return dict(hooks)
