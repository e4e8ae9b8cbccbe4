"""Small rules about text that several readers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nself_sdk.compose.values import Scalar


def scalar_text(value: Scalar) -> str:
    """The text that Compose makes of a value where it wants a text: ``true``, ``8080``, ``1.5``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:  # noqa: PLR2004 - Go's limit
        return str(int(value))
    return str(value)


def split_outside_variables(text: str, separator: str) -> list[str]:
    """Split at a separator, but not inside ``${...}``."""
    if "${" not in text:
        return text.split(separator)
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character == "{" and index and text[index - 1] == "$":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == separator and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
