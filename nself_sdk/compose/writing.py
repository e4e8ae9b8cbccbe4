"""Plain values to YAML that a person likes to read, and that every parser reads alike.

Two spaces of indentation, lists indented below their key, texts of several lines as blocks, quotes only where one
parser or another would read something else than the text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from nself_sdk.compose.element import Element
from nself_sdk.compose.scalars import is_text_everywhere
from nself_sdk.compose.tree import is_list, is_mapping, list_in, mapping_in
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nself_sdk.compose.tree import Path, Tag

_PLAIN = re.compile(
    r"(?!(?:[-?:]|---|\.\.\.)(?:\s|$))[^\s,\[\]{}#&*!|>'\"%@`](?:[^\s:#]|:(?=\S)|(?<=\S)#| (?=[^\s#]))*"
)
_UNPRINTABLE = "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_SHORT_LIST = 100
_LONGEST_KEY = 120
_ARGUMENTS = frozenset({"test", "command", "entrypoint"})


class _Octal(int):
    """A number that is a set of permissions."""


def to_yaml(value: object, tags: Mapping[Path, Tag] | None = None) -> str:
    """The text of one document.

    Args:
        value: elements, mappings, lists and scalars.
        tags: ``!reset`` and ``!override`` by the path on which they stand. What is reset stands only here.
    """
    writer = _Writer(tags or {})
    writer.block(value, "", ())
    return "\n".join(writer.lines or ["{}"]) + "\n"


class _Writer:
    def __init__(self, tags: Mapping[Path, Tag]) -> None:
        self.lines: list[str] = []
        self.tags = tags
        self.resets: dict[Path, dict[str, object]] = {}
        for path, tag in tags.items():
            if tag.is_reset and path and isinstance(path[-1], str):
                self.resets.setdefault(path[:-1], {})[path[-1]] = tag.value

    def block(self, value: object, indent: str, path: Path) -> None:
        """Write what is no scalar, from the beginning of a line."""
        items = list_in(value)
        if items is None:
            for key, item in self.items(value, path):
                self.entry(f"{indent}{_key(key, indent)}:", item, indent, (*path, key))
        for index, item in enumerate(items or ()):
            self.entry(f"{indent}-", item, indent, (*path, index))

    def items(self, value: object, path: Path) -> Iterable[tuple[str, object]]:
        """The entries of an element or a mapping, with those that are reset."""
        if isinstance(value, Element):
            entries = value.written
            for key in value.octal & entries.keys():
                entries[key] = _Octal(entries[key]) if isinstance(entries[key], int) else entries[key]
        else:
            entries = mapping_in(value) or {}
        if path not in self.resets:
            return entries.items()
        order = list(value.key_order) if isinstance(value, Element) else []
        rank = {key: index for index, key in enumerate(order)}
        return sorted({**entries, **self.resets[path]}.items(), key=lambda entry: rank.get(entry[0], len(rank)))

    def entry(self, head: str, value: object, indent: str, path: Path) -> None:
        """Write one value behind its key, or behind the dash of its list."""
        if path in self.tags:
            head = f"{head} {self.tags[path].name}"
        if isinstance(value, str):
            self.lines.append(f"{head} {quoted(value, len(indent) + 2)}")
        elif isinstance(value, Element) or is_mapping(value) or is_list(value):
            self.nested(head, value, indent, path)
        else:
            self.lines.append(f"{head} {_inline(value)}")

    def nested(self, head: str, value: object, indent: str, path: Path) -> None:
        """Write a mapping or a list: below its key, or on the line of the dash, or in brackets."""
        flow = _flow(value, path)
        if flow and len(head) + len(flow) < _SHORT_LIST:
            self.lines.append(f"{head} {flow}")
            return
        start = len(self.lines)
        self.block(value, f"{indent}  ", path)
        if start == len(self.lines):
            self.lines.append(f"{head} {'{}' if list_in(value) is None else '[]'}")
        elif head.endswith("-"):
            self.lines[start] = head + self.lines[start][len(head) :]
        else:
            self.lines.insert(start, head)


def _key(key: str, indent: str) -> str:
    return quoted(key, None) if len(key) <= _LONGEST_KEY else f"? {quoted(key, None)}\n{indent}"


def _flow(value: object, path: Path) -> str:
    """A list of arguments in brackets, as people write it."""
    items = list_in(value) if path[-1] in _ARGUMENTS else None
    if not items or not all(isinstance(item, str) for item in items):
        return ""
    return f"[{', '.join(_double(item) for item in items)}]"


def _inline(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Octal):
        return f"0{int(value):o}" if value > 0 else str(int(value))
    return _float(value) if isinstance(value, float) else str(value)


def _float(value: float) -> str:
    text = repr(value)
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def quoted(text: str, indent: int | None) -> str:
    """One text as a scalar: plain, as a block if it has lines and ``indent`` allows one, or in quotes."""
    if _is_unprintable(text):
        return _double(text)
    if _PLAIN.fullmatch(text) and is_text_everywhere(text):
        return text
    if "\n" in text:
        return _double(text) if indent is None or not text.strip("\n") else _block(text, indent)
    if "'" not in text and "\t" not in text and ("\\" in text or '"' in text):
        return f"'{text}'"
    return _double(text)


def _is_unprintable(text: str) -> bool:
    if text.isascii():
        return not text.replace("\n", "").replace("\t", "").isprintable()
    return re.search(_UNPRINTABLE, text) is not None


def _block(text: str, indent: int) -> str:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomping = "-" if ends == 0 else "" if ends == 1 else "+"
    explicit = "2" if text[0] in " \n\t" else ""
    margin = " " * indent
    lines = [f"{margin}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([f"|{explicit}{chomping}", *lines, *[""] * (ends - 1)])


def _double(text: str) -> str:
    """In double quotes, as JSON writes it: a YAML parser reads the same, but for what JSON leaves unescaped."""
    escaped = json.dumps(text, ensure_ascii=False)
    return re.sub(_UNPRINTABLE, lambda match: _escape(match[0]), escaped) if _is_unprintable(escaped) else escaped


def _escape(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - the surrogates, which no encoding can hold
        raise DeclarationError(Problem("", f"a text has half a character in it (U+{code:04X})", "remove it"))
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - the longest \x escape
