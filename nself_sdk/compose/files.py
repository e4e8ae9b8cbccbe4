"""Reading a file's text without surprises: regular files of bounded size in UTF-8, and nothing else."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE = 1024 * 1024
"""Bytes of one file, if the caller does not say more."""


def read_text(path: Path, largest: int = LARGEST_FILE) -> str:
    """The text of a regular file.

    Raises:
        DeclarationError: there is none, it is something else, too large, unreadable, or not UTF-8.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise DeclarationError(Problem(str(path), f"cannot be read: {_reason(error)}")) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DeclarationError(Problem(str(path), "is not a regular file", "name a file"))
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(largest + 1)
    check_size(len(content), str(path), largest)
    return _decoded(content, str(path))


def check_size(size: int, name: str, largest: int) -> None:
    """Refuse more bytes than are allowed."""
    if size > largest:
        raise DeclarationError(Problem(name, f"is larger than {largest} bytes", "split it with 'include'"))


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DeclarationError(Problem(f"{name}:{line}", "is not UTF-8", "save it as UTF-8")) from None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
