"""Where in a YAML text each value stands; asked only when there is something to complain about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nself_sdk.compose.problems import Path

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def positions(text: str) -> dict[Path, tuple[int, int]]:
    """Path of each value to its line and column, both from 1; a key's value counts as standing at the key.

    Of a key that is there twice, the first counts. What stands behind an alias has no position of its own.
    """
    found: dict[Path, tuple[int, int]] = {}
    for path, mark in _walk(yaml.parse(text, Loader=_Loader)):
        found.setdefault(path, (mark.line + 1, mark.column + 1))
    return found


def _walk(events: Iterator[Any]) -> Iterator[tuple[Path, Any]]:
    try:
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                yield (), event.start_mark
                yield from _inside(event, (), events)
                return
    except yaml.YAMLError:
        return  # what comes before the mistake has its position


def _inside(event: Any, path: Path, events: Iterator[Any]) -> Iterator[tuple[Path, Any]]:
    if isinstance(event, yaml.MappingStartEvent):
        yield from _mapping(path, events)
    elif isinstance(event, yaml.SequenceStartEvent):
        yield from _sequence(path, events)


def _mapping(path: Path, events: Iterator[Any]) -> Iterator[tuple[Path, Any]]:
    for key in events:
        if isinstance(key, yaml.MappingEndEvent):
            return
        below = (*path, getattr(key, "value", "?"))
        yield below, key.start_mark
        yield from _inside(next(events), below, events)


def _sequence(path: Path, events: Iterator[Any]) -> Iterator[tuple[Path, Any]]:
    for index, item in enumerate(iter(lambda: next(events), None)):
        if isinstance(item, yaml.SequenceEndEvent):
            return
        yield (*path, index), item.start_mark
        yield from _inside(item, (*path, index), events)
