"""A Compose file as the Python that builds it: typed constructors which evaluate to an equal file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nself_sdk.compose.element import Element
from nself_sdk.compose.tree import dotted, is_list, is_mapping
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nself_sdk.compose.file import ComposeFile

_LINE = 100
_ENDS_OF_LINES = re.compile(r"(?<=\n)")
_INDENT = "    "


def to_python(file: ComposeFile, *, indent: int = 0) -> str:
    """An expression whose names are those of `nself_sdk.compose`; `names_in` lists the ones to import.

    Args:
        file: what to write down.
        indent: levels by which all lines but the first are indented.

    Raises:
        DeclarationError: it has tags or keys that constructors do not take.
    """
    if file.tags:
        problems = [Problem(dotted(path), f"{tag.name} has no form in Python") for path, tag in file.tags.items()]
        raise DeclarationError(problems)
    return _expression(file, indent)


def names_in(value: Any) -> list[str]:
    """The classes that occur in a file, sorted."""
    return sorted(set(_names(value)))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Element):
        yield type(value).__name__
        value = value.written
    inside = value.values() if is_mapping(value) else value if is_list(value) else ()
    for item in inside:
        yield from _names(item)


def _expression(value: Any, level: int) -> str:
    if isinstance(value, Element):
        return _bracketed(f"{type(value).__name__}(", _arguments(value, level + 1), ")", level)
    if is_mapping(value):
        items = [f"{_quoted(key)}: {_expression(item, level + 1)}" for key, item in value.items()]
        return _bracketed("{", items, "}", level)
    if is_list(value):
        return _bracketed("[", [_expression(item, level + 1) for item in value], "]", level)
    if isinstance(value, str):
        lines = [_quoted(line) for line in _ENDS_OF_LINES.split(value) if line]
        return _bracketed("(", lines, ")", level, separator="") if len(lines) > 1 else _quoted(value)
    if isinstance(value, float) and repr(value) in {"inf", "-inf", "nan"}:
        return f'float("{value!r}")'
    return repr(value)


def _quoted(text: str) -> str:
    """In double quotes, unless there are some in the text."""
    return repr(text) if '"' in text else f'"{repr(text)[1:-1]}"'


def _arguments(element: Element, level: int) -> list[str]:
    written, extensions = element.written, element.extensions
    fields = [
        f"{key}={oct(item) if key in element.octal and type(item) is int else _expression(item, level)}"
        for key, item in written.items()
        if key not in extensions
    ]
    return [*fields, f"**{_expression(extensions, level)}"] if extensions else fields


def _bracketed(opening: str, items: list[str], closing: str, level: int, separator: str = ",") -> str:
    """On one line if it fits, else one item a line; without a separator, items are the lines of one text."""
    line = f"{opening}{', '.join(items)}{closing}"
    if separator and len(line) + len(_INDENT) * level <= _LINE and "\n" not in line:
        return line
    inner = _INDENT * (level + 1)
    return "\n".join([opening, *(f"{inner}{item}{separator}" for item in items), f"{_INDENT * level}{closing}"])
