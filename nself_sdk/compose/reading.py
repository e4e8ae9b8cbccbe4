"""YAML to plain Python values by the rules of Compose's parser, within limits, every problem with line and column.

Knows nothing of the Compose Specification. Values come straight from the parser's events: there is no tree of nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from nself_sdk.compose.positions import positions
from nself_sdk.compose.problems import dotted
from nself_sdk.compose.scalars import resolve
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from nself_sdk.compose.problems import Path

LARGEST_FILE = 1024 * 1024
"""Bytes of one file."""
DEEPEST = 64
"""Levels of nesting."""
MOST_VALUES = 1_000_000
"""Values of one file after its aliases are filled in."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_COMPOSE_TAGS = frozenset({"!reset", "!override"})


class Tag(NamedTuple):
    """A ``!reset`` or ``!override``, and where it stands."""

    path: Path
    tag: str
    value: Any


class Document(NamedTuple):
    """What a file says: its values, and the tags that stand on some of them."""

    value: Any
    tags: tuple[Tag, ...]


class _Refused(Exception):
    """One place that ends the reading."""

    def __init__(self, mark: Any, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.mark, self.what, self.fix = mark, what, fix


def read(text: str, name: str = "") -> Document:
    """Read one YAML document.

    Args:
        text: the file's text.
        name: the file's name, for messages.

    Raises:
        DeclarationError: it is not YAML, or more than the limits allow.
    """
    if len(text) > LARGEST_FILE:
        raise DeclarationError(Problem(name, f"larger than {LARGEST_FILE} bytes", "split it with 'include'"))
    try:
        return _Reader(text, name).document()
    except _Refused as refused:
        raise DeclarationError(Problem(_place(name, refused.mark), refused.what, refused.fix)) from None
    except yaml.MarkedYAMLError as error:
        raise DeclarationError(_syntax_problem(error, text, name)) from None
    except yaml.reader.ReaderError as error:
        what = f"character U+{ord(str(error.character)) if isinstance(error.character, str) else error.character:04X}"
        raise DeclarationError(Problem(name, f"{what} is not allowed in YAML: {error.reason}")) from None


def _place(name: str, mark: Any) -> str:
    return f"{name or '<text>'}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = lines[mark.line].strip() if mark and mark.line < len(lines) else ""
    what = " ".join(part for part in (error.context, error.problem) if part)
    if line.startswith("\t") or "\\t" in what:
        what += " (YAML does not allow tabs for indentation)"
    return Problem(_place(name, mark), what, f"the line is: {line[:120]}" if line else "")


class _Reader:
    """Builds values from the events of one text."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.next: Callable[[], Any] = _Loader(text).get_event
        self.name = name
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.tags: list[Tag] = []
        self.problems: list[Problem] = []
        self.path: list[str | int] = []
        self.count = 0

    def document(self) -> Document:
        self.next()  # the start of the stream
        event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            return Document(None, ())
        value = self.value(self.next())
        self.next()  # the end of the document
        event = self.next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Refused(event.start_mark, "a second document starts here", "keep one document per file")
        if self.problems:
            raise DeclarationError(self.problems)
        return Document(value, tuple(self.tags))

    def value(self, event: Any) -> Any:
        """The value that starts with this event."""
        self.count += 1
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self.alias(event)
        before, tags = self.count, len(self.tags)
        if kind is yaml.ScalarEvent:
            value = resolve(event.value) if event.implicit[0] else self.scalar(event)
        elif kind is yaml.MappingStartEvent:
            value = self.mapping(event)
        else:
            value = self.sequence(event)
        if event.anchor:
            if len(self.tags) > tags:
                raise _Refused(event.start_mark, "a tag inside an anchor", "write the value where it is used")
            self.anchors[event.anchor] = (value, self.count - before + 1)
        return value

    def alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            raise _Refused(
                event.start_mark,
                f"unknown alias {event.anchor!r}",
                "define it before, and not around, its use",
            )
        value, size = self.anchors[event.anchor]
        self.count += size
        if self.count > MOST_VALUES:
            raise _Refused(event.start_mark, f"aliases blow this file up to more than {MOST_VALUES} values")
        return value

    def scalar(self, event: Any) -> Any:
        """A scalar in quotes, in block style, or with a tag."""
        tag = event.tag
        if tag is None or tag in {"!", _CORE + "str"}:
            return event.value
        value = resolve(event.value)
        if tag in _COMPOSE_TAGS:
            value = event.value if event.style else value
            self.tags.append(Tag((*self.path,), tag, value))
        elif tag == _CORE + "float" and isinstance(value, int | float):
            return float(value)
        elif tag not in _EXPECTED or not isinstance(value, _EXPECTED[tag]):
            raise _Refused(event.start_mark, f"tag {_short(tag)!r} is not allowed here", "remove it")
        return value

    def mapping(self, event: Any) -> dict[str, Any]:
        self.enter(event, _CORE + "map")
        found: dict[str, Any] = {}
        merged: list[Any] = []
        for key_event in iter(self.next, None):
            if type(key_event) is yaml.MappingEndEvent:
                break
            key = self.key(key_event)
            if key in found:
                self.duplicate(key, key_event)
            self.path.append(key)
            value = self.value(self.next())
            self.path.pop()
            if key == "<<" and key_event.implicit[0]:
                merged += self.mergeable(value, key_event)
            else:
                found[key] = value
        for mapping in merged:
            for key, value in mapping.items():
                found.setdefault(key, value)
        self.leave(event, found)
        return found

    def key(self, event: Any) -> str:
        if type(event) is yaml.ScalarEvent:
            key = resolve(event.value) if event.implicit[0] else self.scalar(event)
            if isinstance(key, str):
                return key
            raise _Refused(event.start_mark, f"the key {event.value!r} is not a text", "put it in quotes")
        if type(event) is yaml.AliasEvent and isinstance(key := self.alias(event), str):
            return key
        raise _Refused(event.start_mark, "a key must be a text")

    def duplicate(self, key: str, event: Any) -> None:
        first = positions(self.text).get((*self.path, key))
        seen = f" (first in line {first[0]})" if first else ""
        where = f"{_place(self.name, event.start_mark)}: {dotted((*self.path, key))}"
        self.problems.append(Problem(where, f"duplicate key {key!r}{seen}", "remove one of the two"))

    def mergeable(self, value: Any, event: Any) -> list[Any]:
        mappings = value if isinstance(value, list) else [value]
        if all(isinstance(mapping, dict) for mapping in mappings):
            return mappings
        raise _Refused(event.start_mark, "'<<' takes a mapping or a list of mappings")

    def sequence(self, event: Any) -> list[Any]:
        self.enter(event, _CORE + "seq")
        found: list[Any] = []
        for item in iter(self.next, None):
            if type(item) is yaml.SequenceEndEvent:
                break
            self.path.append(len(found))
            found.append(self.value(item))
            self.path.pop()
        self.leave(event, found)
        return found

    def enter(self, event: Any, core_tag: str) -> None:
        if len(self.path) > DEEPEST:
            raise _Refused(event.start_mark, f"nested deeper than {DEEPEST} levels")
        if event.tag not in {None, "!", core_tag} and event.tag not in _COMPOSE_TAGS:
            raise _Refused(event.start_mark, f"tag {_short(event.tag)!r} is not allowed", "remove it")

    def leave(self, event: Any, value: Any) -> None:
        if event.tag in _COMPOSE_TAGS:
            self.tags.append(Tag((*self.path,), event.tag, value))


_EXPECTED: dict[str, type | tuple[type, ...]] = {
    _CORE + "int": int,
    _CORE + "float": float,
    _CORE + "bool": bool,
    _CORE + "null": type(None),
}


def _short(tag: str) -> str:
    return tag.replace(_CORE, "!!")
