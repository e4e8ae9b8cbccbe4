"""Hides secret values in foreign text; knows the values and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"

_SHORTEST = 4
_SHORTEST_LINE = 8


class Redaction:
    """``redaction(text)`` is the text with every secret replaced by ``***``.

    A secret is also found URL-quoted, JSON-escaped, and, if it has several lines, line by line (of 8 characters
    or more), because text is streamed in lines. Values under 4 characters are left alone: hiding them would garble
    every message and protect nothing.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secrets)
        forms = {form for secret in self._secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` with nothing secret in it."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def also(self, secrets: Iterable[str]) -> Redaction:
        """A redaction that hides these values too."""
        return Redaction(self._secrets.union(secrets))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield from (line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE)
