"""Env files: read as data, never executed, with the place of every mistake.

One cascade, used by every command; a later file wins::

    .env  <  .env.<name>  <  .env.local (dev only)  <  .environments/<name>/.env

Secrets are apart, in ``.environments/<name>/.env.secrets``.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from nself_sdk.errors import DeclarationError, NselfError, Problem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST = 1 << 20


def cascade(folder: Path, name: str, profile: str) -> list[Path]:
    """The env files of an environment that exist, the weakest first."""
    local = [folder / ".env.local"] if profile == "dev" else []
    files = [folder / ".env", folder / f".env.{name}", *local, folder / ".environments" / name / ".env"]
    return [file for file in files if file.exists()]


def read(path: Path) -> dict[str, str]:
    """The variables of one env file.

    Values are literal: ``$`` means itself, so that no value is cut short behind the user's back.

    Raises:
        DeclarationError: every line that is not ``NAME=value``, and whatever keeps the file from being read.
    """
    bindings = list(parse_stream(io.StringIO(read_text(path))))
    if problems := [problem for binding in bindings for problem in _problems(path, binding)]:
        raise DeclarationError(problems)
    return {binding.key: binding.value or "" for binding in bindings if binding.key}


def read_text(path: Path) -> str:
    """The text of a small regular file; never waits on a pipe or a device.

    Raises:
        DeclarationError: it is no such file.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DeclarationError(Problem(str(path), "is not a regular file", "replace it by a text file"))
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise DeclarationError(Problem(str(path), str(error.strerror), "check the path and its permissions")) from None
    if len(content) > _LARGEST:
        raise DeclarationError(Problem(str(path), "is larger than 1 MiB", "keep only variables in it"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeclarationError(Problem(str(path), f"byte {error.start} is not UTF-8", "save it as UTF-8")) from None


def _problems(path: Path, binding: Binding) -> Iterator[Problem]:
    where = f"{path}:{binding.original.line}"
    if binding.error:
        yield Problem(where, "is not NAME=value", "check the name and its quotes")
        return
    if binding.key is None:
        return
    if binding.value is None:
        yield Problem(where, f"{binding.key!r} has no '='", f"write {binding.key}=value")
    elif not _NAME.fullmatch(binding.key):
        yield Problem(where, f"{binding.key!r} is not a variable name", "use letters, digits and _")
    elif any(ord(character) < ord(" ") and character not in "\n\t" for character in binding.value):
        yield Problem(where, f"the value of {binding.key} has a control character", "remove it")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    write(path, text, mode=0o600)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all: a reader sees the old text or the new one.

    Raises:
        NselfError: the disk is full, the folder is read-only, or the like.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise NselfError(
            f"{path} cannot be written: {error.strerror}", "free the disk or choose another folder"
        ) from None
