"""Texts with a meaning, such as durations and byte sizes, as Compose reads them; they stay as they were written."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MICROSECONDS = {"ns": 0.001, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_BYTES = re.compile(r"(\d+(?:\.\d+)*) ?([kKmMgGtTpP]?)[iI]?[bB]?")
_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)
_FLAGS = frozenset({"true", "false", "y", "yes", "on", "n", "no", "off"})
_KEY = re.compile(r"[a-zA-Z0-9._-]+")
_PULL_POLICY = re.compile(r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_(?:\d+[wdhms])+")
_PORTS = re.compile(r"0*(\d{1,5})(?:-0*(\d{1,5}))?", re.ASCII)
_LARGEST_PORT = 65535
_PROTOCOLS = ("", "tcp", "udp", "sctp")
_TESTS = ("CMD", "CMD-SHELL", "NONE")
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


def check_flag(text: str) -> str:
    """Return ``text`` if Compose reads it as true or false, or will after interpolation."""
    if "$" in text or text.lower() in _FLAGS:
        return text
    raise ValueError(f"{text!r} is neither true nor false")


def check_whole(text: str) -> str:
    """Return ``text`` if it is a whole number, or will be after interpolation."""
    if "$" in text or _WHOLE.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not a whole number")


def whole(value: float) -> int:
    """The whole number that was written with a decimal point: ``2.0``."""
    if value.is_integer():
        return int(value)
    raise ValueError(f"{value!r} is not a whole number")


def check_port(value: float | str) -> float | str:
    """Return ``value`` if Docker reads it as published ports, or will after interpolation."""
    if "$" in (text := str(value)) or _publishes(text):
        return value
    raise ValueError(
        f"{value!r} is not a port; write for example 8080:80, 127.0.0.1:8080:80/udp or 9000-9009:9000-9009"
    )


def _publishes(text: str) -> bool:
    """Whether it is ``[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`` (docker/go-connections, ``nat.ParsePortSpec``)."""
    ports, _, protocol = text.partition("/")
    *before, target = ports.split(":")
    published, address = (before.pop() if before else ""), ":".join(before)
    inside, outside = _port_range(target), _port_range(published)
    if not inside or not inside[0] or (published and not outside):
        return False
    fits = not outside or inside[0] == inside[1] or outside[1] - outside[0] == inside[1] - inside[0]
    return fits and _is_address(address) and protocol.split("/")[0].lower() in _PROTOCOLS


def _port_range(text: str) -> tuple[int, int] | None:
    match = _PORTS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    return (first, last) if first <= last <= _LARGEST_PORT else None


def _is_address(text: str) -> bool:
    """Whether it is empty or an IP address, which needs brackets if it has colons."""
    from ipaddress import ip_address  # noqa: PLC0415 - few ports name an address

    bare = text[1:-1] if text[:1] == "[" and text[-1] == "]" else text.replace(":", "%")
    try:
        return not text or ("%" not in bare and bool(ip_address(bare)))
    except ValueError:
        return False


def check_number(text: str) -> str:
    """Return ``text`` if it is a number, or will be after interpolation."""
    if "$" not in text:
        try:
            float(text if text == text.strip() else "")
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
    return text


def check_key(text: str) -> str:
    """Return ``text`` if something can be called so in a section."""
    if _KEY.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not a name; use letters, digits, '.', '_' and '-'")


def check_variable_name(text: str) -> str:
    """Return ``text`` if a variable or a label can be called so."""
    if text:
        return text
    raise ValueError("a name is empty")


def check_filled(text: str) -> str:
    """Return ``text`` if there is any."""
    if text:
        return text
    raise ValueError("is empty")


def check_pull_policy(text: str) -> str:
    """Return ``text`` if it is one of the policies, or will be after interpolation."""
    if "$" in text or _PULL_POLICY.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is no pull policy; write for example always, missing, never or every_12h")


def check_test(arguments: Sequence[str]) -> Sequence[str]:
    """Return ``arguments`` if they tell how a health check runs."""
    if not arguments or arguments[0] in _TESTS or "$" in arguments[0]:
        return arguments
    raise ValueError(f"a list must start with 'CMD', 'CMD-SHELL' or 'NONE', not with {arguments[0]!r}")


def check_unique(items: Sequence[object]) -> Sequence[object]:
    """Return ``items`` if none is there twice."""
    if len({(type(item), item) for item in items}) == len(items):
        return items
    raise ValueError("something is there twice")


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
