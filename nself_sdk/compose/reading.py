"""YAML to plain values by the rules of Compose's parser, within limits, every problem with line and column.

Knows nothing of the Compose Specification. Values come straight from the parser's events: there is no tree of nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from nself_sdk.compose.files import LARGEST_FILE, check_size
from nself_sdk.compose.positions import EventLoader, positions
from nself_sdk.compose.problems import MOST_PROBLEMS
from nself_sdk.compose.scalars import CORE, resolve, tagged
from nself_sdk.compose.tree import Tag, dotted
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from nself_sdk.compose.tree import Path, Tree

DEEPEST = 64
"""Levels of nesting."""

_MOST_READ_AGAIN = 2 * 1024 * 1024  # characters, so that no text keeps the parser busy
_COMMENTS = re.compile(r"^ *#.*\n(?:[ \t]*(?:#.*)?\n)*[ \t]*#", re.MULTILINE)

_MERGE = CORE + "merge"
_COMPOSE_TAGS = frozenset({"!reset", "!override"})


class Document(NamedTuple):
    """What a file says: its values, and the tags that stand on some of them."""

    value: Tree
    tags: dict[Path, Tag]


class _Anchored(NamedTuple):
    """What an alias stands for."""

    value: Tree
    size: int
    tags: dict[Path, Tag]


class _RefusedError(Exception):
    """One place that ends the reading."""

    def __init__(self, event: Any, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.mark, self.what, self.fix = event.start_mark, what, fix


def read(text: str, name: str = "", largest: int = LARGEST_FILE) -> Document:
    """Read one YAML document.

    Args:
        text: the file's text.
        name: the file's name, for messages.
        largest: characters it may have, and values after its aliases are filled in.

    Raises:
        DeclarationError: it is not YAML, or more than the limits allow.
    """
    check_size(len(text), name, largest)
    attempts = 1 + _MOST_READ_AGAIN // (len(text) + 1)
    while True:
        try:
            return _document(text, name, largest)
        except yaml.MarkedYAMLError as error:
            mended = _without_tabs(text, error.problem_mark)
            attempts -= 1
            if mended == text or not attempts:
                raise DeclarationError(_syntax_problem(error, text, name)) from None
        text = mended


def _document(text: str, name: str, largest: int) -> Document:
    try:
        reader = _Reader(text, largest)
        document = reader.document()
    except _RefusedError as refused:
        problem = Problem(_place(name, refused.mark), refused.what, refused.fix)
        raise DeclarationError(problem) from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore")
        raise DeclarationError(_character_problem(text, before, name)) from None
    except UnicodeEncodeError as error:
        raise DeclarationError(_character_problem(text, text[: error.start], name)) from None
    if reader.duplicates:
        raise DeclarationError(_duplicate_problems(reader.duplicates, text, name))
    return document


def _without_tabs(text: str, mark: Any) -> str:
    """The text without the tabs in the line at ``mark``, if it belongs to comments that begin with one without tabs.

    Compose's parser goes over such lines, the one in C does not. Elsewhere Compose refuses tabs, too.
    """
    start = text.rfind("\n", 0, mark.index) + 1 if mark else 0
    for run in _COMMENTS.finditer(text):
        if run.start() < start < run.end():
            line = text[start:].partition("\n")[0]
            return text[:start] + line.replace("\t", " ") + text[start + len(line) :]
    return text


def _place(name: str, mark: Any) -> str:
    return f"{name or '<text>'}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    what = " ".join(part for part in (error.context, error.problem) if part)
    if line.startswith("\t"):
        what += " (YAML does not allow tabs for indentation)"
    return Problem(_place(name, mark), what, f"the line is: {line.strip()[:120]}" if line else "")


def _character_problem(text: str, before: str, name: str) -> Problem:
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    what = f"the character U+{ord(text[len(before)]):04X} is not allowed in YAML"
    return Problem(f"{name or '<text>'}:{line}:{column}", what, "remove it, or write it as \\u.... in double quotes")


def _duplicate_problems(duplicates: list[tuple[Path, Any]], text: str, name: str) -> list[Problem]:
    first = positions(text)
    return [
        Problem(
            f"{_place(name, mark)}: {dotted(path)}",
            f"duplicate key {path[-1]!r} (first in line {first.get(path, (1, 1))[0]})",
            "remove one of the two",
        )
        for path, mark in duplicates[:MOST_PROBLEMS]
    ]


class _Reader:
    """Builds values from the events of one text."""

    def __init__(self, text: str, most_values: int) -> None:
        self.most_values = most_values
        self.next = EventLoader(text).get_event
        self.anchors: dict[str, _Anchored] = {}
        self.tags: dict[Path, Tag] = {}
        self.duplicates: list[tuple[Path, Any]] = []
        self.path: list[str | int] = []
        self.count = 0

    def document(self) -> Document:
        self.next()  # the start of the stream
        if type(self.next()) is yaml.StreamEndEvent:
            return Document(None, {})
        value = self.value(self.next())
        self.next()  # the end of the document
        event = self.next()
        if type(event) is not yaml.StreamEndEvent:
            raise _RefusedError(event, "a second document starts here", "keep one document per file")
        return Document(value, self.tags)

    def value(self, event: Any) -> Tree:
        """The value that starts with this event."""
        self.count += 1
        kind: Any = event.__class__
        if kind is yaml.ScalarEvent:
            if event.implicit[0] and not event.anchor:  # most values by far
                return resolve(event.value)
            return self.kept(event, self.count, self.scalar(event))
        if kind is yaml.AliasEvent:
            return self.alias(event)
        before = self.count
        return self.kept(event, before, self.mapping(event) if kind is yaml.MappingStartEvent else self.list(event))

    def kept(self, event: Any, before: int, value: Tree) -> Tree:
        """Note the tag and the anchor of a value."""
        if event.tag in _COMPOSE_TAGS and self.path:
            self.tags[*self.path] = Tag(event.tag, value)
        elif event.tag == "!reset":
            raise _RefusedError(event, "'!reset' on the whole file leaves nothing of it", "remove it")
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(value, self.count - before + 1, self.tags_below((*self.path,)))
        return value

    def tags_below(self, path: Path) -> dict[Path, Tag]:
        """The tags on a value and inside it, by their path from there."""
        length = len(path)
        return {below[length:]: tag for below, tag in self.tags.items() if below[:length] == path}

    def alias(self, event: Any) -> Tree:
        if event.anchor not in self.anchors:
            raise _RefusedError(event, f"unknown alias {event.anchor!r}", "define it before its use, and not around it")
        anchored = self.anchors[event.anchor]
        self.count += anchored.size
        if self.count > self.most_values:
            raise _RefusedError(event, f"aliases blow this file up to more than {self.most_values} values")
        self.tags.update({(*self.path, *below): tag for below, tag in anchored.tags.items()})
        return anchored.value

    def scalar(self, event: Any) -> Tree:
        """A scalar in quotes, in block style, with a tag or an anchor."""
        tag = event.tag
        if tag is None or tag in _COMPOSE_TAGS or tag == "!":
            return resolve(event.value) if event.implicit[0] or (tag != "!" and not event.style) else event.value
        try:
            return tagged(event.value, tag)
        except ValueError as error:
            raise _RefusedError(event, str(error), "remove the tag") from None

    def mapping(self, event: Any) -> Tree:
        self.enter(event, CORE + "map")
        found: dict[str, Tree] = {}
        merged: list[dict[str, Tree]] = []
        while type(key_event := self.next()) is not yaml.MappingEndEvent:
            key = self.key(key_event)
            self.path.append(key)
            if key in found or (key == "<<" and merged):
                self.duplicates.append(((*self.path,), key_event.start_mark))
            value = self.value(self.next())
            self.path.pop()
            if key == "<<" and (key_event.implicit[0] or key_event.tag == _MERGE):
                merged += self.mergeable(value, key_event)
            else:
                found[key] = value
        return self.merged(found, merged) if merged else found

    def merged(self, found: dict[str, Tree], mappings: list[dict[str, Tree]]) -> Tree:
        """Add what was merged: what stands here wins, then what was merged first."""
        inside = self.tags_below((*self.path, "<<"))
        for below, tag in inside.items():
            del self.tags[*self.path, "<<", *below]
            key_path = below[1:] if below and isinstance(below[0], int) else below
            if key_path and key_path[0] not in found:
                self.tags.setdefault((*self.path, *key_path), tag)
        for mapping in mappings:
            found = {**found, **{key: value for key, value in mapping.items() if key not in found}}
        return found

    def key(self, event: Any) -> str:
        key = None
        if type(event) is yaml.ScalarEvent:
            key = event.value if event.tag == _MERGE else self.scalar(event)
        if type(event) is yaml.AliasEvent:
            key = self.alias(event)
        if isinstance(key, str):
            return key
        shown = getattr(event, "value", None)
        raise _RefusedError(event, f"the key {shown!r} is not a text" if shown else "a key must be a text", "quote it")

    def mergeable(self, value: Tree, event: Any) -> list[dict[str, Tree]]:
        mappings = value if isinstance(value, list) else [value]
        found = [mapping for mapping in mappings if isinstance(mapping, dict)]
        if len(found) < len(mappings):
            raise _RefusedError(event, "'<<' takes a mapping or a list of mappings")
        return found

    def list(self, event: Any) -> Tree:
        self.enter(event, CORE + "seq")
        found: list[Tree] = []
        while type(item := self.next()) is not yaml.SequenceEndEvent:
            self.path.append(len(found))
            found.append(self.value(item))
            self.path.pop()
        return found

    def enter(self, event: Any, core_tag: str) -> None:
        if len(self.path) >= DEEPEST:
            raise _RefusedError(event, f"nested deeper than {DEEPEST} levels")
        if event.tag not in {None, "!", core_tag} and event.tag not in _COMPOSE_TAGS:
            raise _RefusedError(event, f"the tag {event.tag.replace(CORE, '!!')!r} is not allowed", "remove it")
