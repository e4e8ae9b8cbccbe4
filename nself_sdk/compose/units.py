"""Durations and byte sizes as Compose reads them; the texts themselves stay as they were written."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MICROSECONDS = {"ns": 0.001, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_BYTES = re.compile(r"(-?\d+(?:\.\d+)*) ?([kKmMgGtTpP]?)[iI]?[bB]?")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def check_duration(text: str) -> str:
    """Return ``text`` if Go reads it as a duration, or will after interpolation."""
    if "$" in text or _DURATION.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not a duration; write for example 30s, 1m30s or 500ms")


def check_bytes(text: str) -> str:
    """Return ``text`` if Docker reads it as an amount of bytes, or will after interpolation."""
    if "$" in text or _BYTES.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not an amount of bytes; write for example 512m, 1.5g or 1048576")


def duration(text: str) -> timedelta:
    """The length of time that ``text`` ("1m30s") means; its smallest unit is the microsecond.

    Raises:
        ValueError: it is no duration, or still has a variable in it.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration")
    parts = _DURATION_PART.findall(text)
    total = timedelta(microseconds=sum(float(number) * _MICROSECONDS[unit] for number, unit in parts))
    return -total if text.startswith("-") else total


def byte_size(value: int | str) -> int:
    """The number of bytes that ``value`` ("512m", 1048576) means; units are powers of 1024, as in Docker.

    Raises:
        ValueError: it is no amount of bytes, or still has a variable in it.
    """
    if isinstance(value, int):
        return value
    match = _BYTES.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is not an amount of bytes")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])
