"""What a plain YAML scalar means to Compose: the rules of its own parser (go-yaml 3), not those of YAML 1.1.

``22:22`` and ``no`` are texts, ``010`` is eight, ``1e3`` is a number, a date is a point in time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nself_sdk.compose.tree import Scalar

CORE = "tag:yaml.org,2002:"
"""What ``!!`` stands for in a tag."""

_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_NUMERIC_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_OLD_OCTAL = re.compile(r"\A([-+]?)0([0-7]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](?=.*Z)| )(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?Z?)?", re.ASCII
)
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)
_SHORT = 19  # decimal digits that fit into 64 bits
_LONGEST_INTEGER = 70  # digits of a 64-bit number in base two, and some
_INFINITY = float("inf")

# What YAML 1.1, and so many other readers, take for something else than a text.
_YAML_1_1 = re.compile(
    r"(?:[yY]|[nN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|=|<<"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?0[bx][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?)"
)


def resolve(text: str) -> Scalar:
    """The value of a scalar that was written without quotes and without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMERIC_START else text


def _number(text: str) -> Scalar:
    if len(text) < _SHORT and text[0] != "0" and text.isascii() and text.isdigit():  # most numbers, and faster
        return int(text)
    if _DATE.fullmatch(text):
        return _timestamp(text)
    plain = text if text[0] == "." else text.replace("_", "")
    if len(plain) < _LONGEST_INTEGER and _INTEGER.fullmatch(plain):
        value = int(_OLD_OCTAL.sub(r"\g<1>0o\2", plain), 0)
        if _SMALLEST <= value <= _LARGEST:
            return value
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return text if abs(number) == _INFINITY else number
    return text


def _timestamp(text: str) -> str:
    """What Compose makes of a date without quotes: a point in time, which it writes as Go does."""
    year, month, day, hour, minute, second, fraction = _DATE.fullmatch(text).groups(default="0")  # type: ignore[union-attr]
    try:
        point = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return text
    return f"{point:%Y-%m-%d %H:%M:%S}{'.' + fraction.rstrip('0') if fraction.strip('0') else ''} +0000 UTC"


def tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with one of YAML's own tags.

    Raises:
        ValueError: the tag is another one, or the text does not fit it.
    """
    if tag == CORE + "str":
        return text
    value = resolve(text)
    if tag == CORE + "float" and type(value) is int:
        return float(value)
    wanted = {CORE + "int": int, CORE + "float": float, CORE + "bool": bool, CORE + "null": type(None)}.get(tag)
    if wanted is None or type(value) is not wanted:
        raise ValueError(f"the tag {tag.replace(CORE, '!!')!r} is not allowed here")
    return value


def is_text_everywhere(text: str) -> bool:
    """Whether Compose and YAML 1.1 both read these characters, unquoted, as a text."""
    if text in _WORDS or _YAML_1_1.fullmatch(text):
        return False
    return text[0] not in _NUMERIC_START or isinstance(_number(text), str)
