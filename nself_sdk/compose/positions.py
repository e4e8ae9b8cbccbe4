"""Where in a YAML text each value stands; asked only when there is something to complain about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nself_sdk.compose.tree import Path

EventLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser: the one in C where it is there."""


def positions(text: str) -> dict[Path, tuple[int, int]]:
    """Path of each value to its line and column, both from 1; a key's value counts as standing at the key.

    Of a key that is there twice, the first counts. What stands behind an alias has no position of its own.
    """
    found: dict[Path, tuple[int, int]] = {}
    try:
        for path, mark in _walk(EventLoader(text).get_event):
            found.setdefault(path, (mark.line + 1, mark.column + 1))
    except (yaml.YAMLError, UnicodeEncodeError):
        pass  # what comes before the mistake has its position
    return found


def locator(text: str, name: str) -> Callable[[Path], str]:
    """A function that gives ``file:line:column: `` for a path in this text, or for what is around it."""
    known = positions(text)

    def locate(path: Path) -> str:
        while path and path not in known:
            path = path[:-1]
        line, column = known.get(path, (1, 1))
        return f"{name or '<text>'}:{line}:{column}: "

    return locate


def _walk(next_event: Callable[[], Any]) -> Iterator[tuple[Path, Any]]:
    next_event()  # the start of the stream
    next_event()  # the start of the document
    first = next_event()
    yield (), first.start_mark
    yield from _inside(first, (), next_event)


def _inside(event: Any, path: Path, next_event: Callable[[], Any]) -> Iterator[tuple[Path, Any]]:
    if isinstance(event, yaml.MappingStartEvent):
        while not isinstance(key := next_event(), yaml.MappingEndEvent):
            below = (*path, str(getattr(key, "value", "?")))
            yield below, key.start_mark
            yield from _inside(next_event(), below, next_event)
    elif isinstance(event, yaml.SequenceStartEvent):
        index = 0
        while not isinstance(item := next_event(), yaml.SequenceEndEvent):
            yield (*path, index), item.start_mark
            yield from _inside(item, (*path, index), next_event)
            index += 1
