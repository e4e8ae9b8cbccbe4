"""Env files: read as data, never executed, with the place of every mistake; and text files written whole."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from nself_sdk.errors import DeclarationError, NselfError, Problem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+*-]*")
# What would change which programs run, where Docker is, or how Compose reads the file.
_RESERVED = re.compile(
    r"PATH|HOME|SHELL|IFS|BASH_ENV|PYTHONPATH|SSH_AUTH_SOCK|BUILDKIT_HOST|(LD|DYLD|COMPOSE)_.*"
    r"|DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS.*|API_VERSION)"
)
_NAMED_SECRET = re.compile(r"(PASSWORD|PASSWD|PASS|SECRET|TOKEN|KEY|CREDENTIALS|PASSWORD_HASH|PAT)$|(^|_)PAT_")


def is_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret, as far as names tell."""
    return _NAMED_SECRET.search(name) is not None


@dataclass(frozen=True)
class Variable:
    """A variable of an env file, and where it is written."""

    name: str
    value: str
    file: Path
    line: int
    #: In single quotes: ``${NAME}`` in it means itself.
    quoted: bool = False
    #: Another variable's value is made of it.
    lent: bool = False

    @property
    def where(self) -> str:
        """``file:line: NAME``, for messages."""
        return f"{self.file}:{self.line}: {self.name}"


def located(path: Path) -> dict[str, Variable]:
    """The variables of one env file, each with its line; the last of several with one name.

    Raises:
        DeclarationError: every line that is not ``NAME=value``, every reserved name, and whatever keeps the file from
            being read.
    """
    bindings = list(parse_stream(io.StringIO(read_text(path))))
    if problems := [problem for binding in bindings for problem in _problems(path, binding)]:
        raise DeclarationError(problems)
    return {binding.key: _variable(path, binding) for binding in bindings if binding.key}


def read(path: Path) -> dict[str, str]:
    """The values of one env file, literally: ``$`` means itself.

    Raises:
        DeclarationError: as `located`.
    """
    return {name: variable.value for name, variable in located(path).items()}


def _line(binding: Binding) -> int:
    """The line that the name is on: a binding begins with the blank lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _variable(path: Path, binding: Binding) -> Variable:
    raw = binding.original.string.partition("=")[2].lstrip()
    return Variable(binding.key or "", binding.value or "", path, _line(binding), quoted=raw.startswith("'"))


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
    where = f"{path}:{_line(binding)}"
    if binding.error:
        value = binding.original.string.partition("=")[2].lstrip()
        what = "a quote is opened and not closed" if value[:1] in {"'", '"'} else "is not NAME=value"
        yield Problem(where, what, "check the name and its quotes")
        return
    if binding.key is None:
        return
    if binding.value is None:
        yield Problem(where, f"{binding.key!r} has no '='", f"write {binding.key}=value")
    elif not _NAME.fullmatch(binding.key):
        yield Problem(where, f"{binding.key!r} is not a variable name", "use letters, digits and _")
    elif _RESERVED.fullmatch(binding.key):
        yield Problem(where, f"{binding.key} is reserved: it would steer Docker or the programs that run", "remove it")
    elif any(ord(character) < ord(" ") and character not in "\n\t" for character in binding.value):
        yield Problem(where, f"the value of {binding.key} has a control character", "remove it")


def assign(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in an env file: the line of one that is there is replaced, every other line stays as it is."""
    lines = read_text(path).splitlines() if path.exists() else []
    present = located(path) if path.exists() else {}
    for name, value in values.items():
        line = f"{name}={value}" if _PLAIN.fullmatch(value) else f"{name}={_quoted(value)}"
        if name in present:
            lines[present[name].line - 1] = line
        else:
            lines.append(line)
    write(path, "\n".join(lines) + "\n")


def _quoted(value: str) -> str:
    """In single quotes, in which only these two characters are special."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    write(path, text, mode=0o600)


def write(path: Path, text: str, mode: int = 0o644, *, lasting: bool = True) -> None:
    """Write a file whole or not at all: a reader sees the old text or the new one.

    Args:
        path: where; its folder is made.
        text: the whole of it.
        mode: of a new file.
        lasting: wait until it would survive a power cut; what can be made again need not.

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
            if lasting:
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        fix = "make room there" if error.errno == errno.ENOSPC else "get the right to write there"
        raise NselfError(f"{path} cannot be written: {error.strerror}", f"{fix}, or choose another folder") from None
