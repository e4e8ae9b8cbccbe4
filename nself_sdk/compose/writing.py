"""Plain values to YAML that a person likes to read, and that every parser reads alike.

Two spaces of indentation, lists indented below their key, texts of several lines as blocks, quotes only where one
parser or another would read something else than the text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from nself_sdk.compose.element import Element
from nself_sdk.compose.scalars import is_text_everywhere

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nself_sdk.compose.problems import Path

_PLAIN = re.compile(r"(?![-?:](?:\s|$))[^\s,\[\]{}#&*!|>'\"%@`](?:[^\s:#]|:(?=\S)|(?<=\S)#| (?=[^\s#]))*")
_UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SHORT_LIST = 100
_LONGEST_KEY = 120
_ARGUMENTS = frozenset({"test", "command", "entrypoint"})


class _Octal(int):
    """A number that is a set of permissions."""


def to_yaml(value: Any, tags: Mapping[Path, str] | None = None) -> str:
    """The text of one document.

    Args:
        value: elements, mappings, lists and scalars.
        tags: ``!reset`` or ``!override`` by the path on which it stands.
    """
    lines: list[str] = []
    _Writer(lines, tags or {}).block(value, "", ())
    return "\n".join(lines) + "\n"


class _Writer:
    def __init__(self, lines: list[str], tags: Mapping[Path, str]) -> None:
        self.lines = lines
        self.tags = tags

    def block(self, value: Any, indent: str, path: Path) -> None:
        """Write what is no scalar, from the beginning of a line."""
        if isinstance(value, Element) or (isinstance(value, dict) and value):
            self.entries(_items(value), indent, path)
        elif isinstance(value, list | tuple) and value:
            for index, item in enumerate(value):
                self.entry(f"{indent}-", item, indent, (*path, index), "")
        else:
            self.lines.append(f"{indent}{_inline(value)}")

    def entries(self, items: Iterable[tuple[str, Any]], indent: str, path: Path) -> None:
        for key, value in items:
            self.entry(f"{indent}{_key(key, indent)}:", value, indent, (*path, key), key)

    def entry(self, head: str, value: Any, indent: str, path: Path, key: str) -> None:
        """Write one value behind its key, or behind the dash of its list."""
        if self.tags and path in self.tags:
            head = f"{head} {self.tags[path]}"
        if isinstance(value, str):
            self.lines.append(f"{head} {quoted(value, len(indent) + 2)}")
        elif isinstance(value, Element):
            self.nested(head, value, indent, path, bool(value.written))
        elif isinstance(value, dict | list | tuple):
            flow = _flow(value) if key in _ARGUMENTS else ""
            if flow and len(head) + len(flow) < _SHORT_LIST:
                self.lines.append(f"{head} {flow}")
            else:
                self.nested(head, value, indent, path, bool(value))
        else:
            self.lines.append(f"{head} {_inline(value)}".rstrip())

    def nested(self, head: str, value: Any, indent: str, path: Path, filled: bool) -> None:
        if not filled:
            self.lines.append(f"{head} {'[]' if isinstance(value, list | tuple) else '{}'}")
            return
        start = len(self.lines)
        self.block(value, f"{indent}  ", path)
        if head.endswith("-") and head.strip() == "-":  # the first line shares the line of the dash
            self.lines[start] = head + self.lines[start][len(indent) + 1 :]
        else:
            self.lines.insert(start, head)


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, Element):
        return value.items()
    if not value.octal:
        return value.written.items()
    return (
        (key, _Octal(item) if key in value.octal and isinstance(item, int) else item)
        for key, item in value.written.items()
    )


def _key(key: str, indent: str) -> str:
    return quoted(key, None) if len(key) <= _LONGEST_KEY else f"? {quoted(key, None)}\n{indent}"


def _flow(value: Any) -> str:
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str) and "\n" not in item for item in value
    ):
        return ""
    return f"[{', '.join(_double(item) for item in value)}]"


def _inline(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Octal):
        return f"0{int(value):o}" if value > 0 else str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, int):
        return str(value)
    return (
        "[]" if isinstance(value, list | tuple) else "{}" if isinstance(value, dict) else quoted(value, None)
    )


def _float(value: float) -> str:
    text = repr(value)
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def quoted(text: str, indent: int | None) -> str:
    """One text as a scalar: plain, as a block if it has lines and ``indent`` allows one, or in quotes."""
    if _PLAIN.fullmatch(text) and is_text_everywhere(text):
        return text
    if _UNPRINTABLE.search(text):
        return _double(text)
    if "\n" in text:
        return _double(text) if indent is None or not text.strip("\n") else _block(text, indent)
    if "'" not in text and "\t" not in text and ("\\" in text or '"' in text):
        return f"'{text}'"
    return _double(text)


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
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), escaped)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - the longest \x escape
