"""``.env`` files by Compose's rules (Services, "env_file", "Env_file format"), every problem with its line."""

from __future__ import annotations

import re
from collections import ChainMap
from typing import TYPE_CHECKING

from nself_sdk.compose.files import read_text
from nself_sdk.compose.interpolation import interpolate
from nself_sdk.compose.problems import MOST_PROBLEMS
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BETWEEN = re.compile(r"(?:\s+|#[^\n]*)*")
_KEY = re.compile(r"(?:export[^\S\n]+)?([^=:\n]*)(?:([=:])[^\S\n]*|\n|\Z)")
_GOOD_KEY = re.compile(r"[\w.\[\]-]+")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "'\""}
_END_OF_LINE = re.compile(r"[^\S\n]*(?:#|\n|\Z)")
_ESCAPE = re.compile(r'\\([abfnrtv$"\\]|0[0-3][0-7]{2})')
_ESCAPED = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$", '"': '"', "\\": "\\",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def load_env(path: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read a ``.env`` file; see `loads_env`.

    Raises:
        DeclarationError: it cannot be read, or has lines that are wrong.
    """
    return loads_env(read_text(path), variables, name=str(path))


def loads_env(text: str, variables: Mapping[str, str] | None = None, *, name: str = "") -> dict[str, str]:
    """Read the text of a ``.env`` file.

    Args:
        text: lines of ``KEY=value``; a value in single quotes is literal, in others variables are filled in.
        variables: what ``${NAME}`` means before the file's own lines, and what a ``KEY`` without value takes over.
        name: the file's name, for messages.

    Raises:
        DeclarationError: with one problem for each line that is wrong.
    """
    reader = _Reader(text.replace("\r\n", "\n"), variables or {}, name or "<text>")
    while reader.statement() and len(reader.problems) < MOST_PROBLEMS:
        pass
    if reader.problems:
        raise DeclarationError(reader.problems)
    return reader.found


class _Reader:
    """Walks through one text, statement by statement."""

    def __init__(self, text: str, outer: Mapping[str, str], name: str) -> None:
        self.text, self.outer, self.name = text, outer, name
        self.position = self.counted = 0
        self.line = 1
        self.found: dict[str, str] = {}
        self.known = ChainMap({}, dict(outer), self.found)
        self.problems: list[Problem] = []

    def statement(self) -> bool:
        """Read the next one; False at the end."""
        between = _BETWEEN.match(self.text, self.position)
        self.position = between.end() if between else self.position
        if self.position >= len(self.text):
            return False
        start = self.position
        try:
            self.assignment()
        except ValueError as error:
            self.line += self.text.count("\n", self.counted, start)
            self.counted = start
            self.problems.append(Problem(f"{self.name}:{self.line}", str(error)))
            self.skip_line(start)
        return True

    def skip_line(self, start: int) -> None:
        """Go on behind the line that was wrong, and behind all that was read of it."""
        end = self.text.find("\n", max(start, self.position - 1))
        self.position = len(self.text) if end < 0 else end + 1

    def assignment(self) -> None:
        match = _KEY.match(self.text, self.position)
        key = match[1].strip() if match else ""
        if match is None or not _GOOD_KEY.fullmatch(key):
            raise ValueError(f"{key[:60]!r} is not the name of a variable")
        self.position = match.end()
        if not match[2]:
            if key in self.outer:
                self.found[key] = self.outer[key]
            return
        value = self.value(key)
        if _CONTROL.search(value):
            raise ValueError(f"there is a control character in the value of {key!r}")
        self.found[key] = value

    def value(self, key: str) -> str:
        quote = self.text[self.position : self.position + 1]
        if quote not in _QUOTED:
            return self.unquoted()
        match = _QUOTED[quote].match(self.text, self.position)
        if match is None:
            raise ValueError(f"the quote of {key!r} is opened, but not closed")
        self.position = match.end()
        if not _END_OF_LINE.match(self.text, self.position):
            raise ValueError(f"there is text behind the closing quote of {key!r}")
        value = match[1].replace(f"\\{quote}", quote) if quote == "'" else match[1]
        return value if quote == "'" else self.filled(_ESCAPE.sub(_unescaped, value))

    def unquoted(self) -> str:
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        value = self.text[self.position : end].split(" #")[0].rstrip()
        self.position = end
        return self.filled(value)

    def filled(self, value: str) -> str:
        return interpolate(value, self.known) if "$" in value else value


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return _ESCAPED[code] if code in _ESCAPED else chr(int(code, 8))
