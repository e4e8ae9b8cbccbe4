"""Secrets on disk: generated on first use, readable by their owner only, never overwritten, never shown."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets as randomness
import string
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from nself_sdk.errors import DeclarationError, Problem, SecretError
from nself_sdk.project import Secret
from nself_sdk.store import envfiles
from nself_sdk.store.envfiles import Variable, is_secret
from nself_sdk.store.facts import is_placeholder

#: Only characters that mean nothing to a shell, to YAML, to Compose or in a URL.
_ALPHABETS = {"alphanumeric": string.ascii_letters + string.digits, "hexadecimal": "0123456789abcdef"}
_SAFE = re.compile(r"[A-Za-z0-9_.~-]+")
#: From this default length on a secret is a key: HS256 wants 32 bytes at least (RFC 7518, 3.2), also in dev.
_KEY = 64
#: What fingerprints are keyed with.
FINGERPRINT_KEY = Secret(name="FINGERPRINT_KEY")

_URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]+(?=@)")
MASK = "********"


def ensure(
    path: Path, wanted: Iterable[Secret], *, weak_allowed: bool, others: Mapping[str, Path] | None = None
) -> dict[str, str]:
    """The values of those secrets from ``path``, after generating what is missing.

    Args:
        path: the environment's ``.env.secrets``.
        wanted: what the services use.
        weak_allowed: in dev, where passwords may be short.
        others: the same file of other environments, by name, whose values may not be used here.

    Raises:
        SecretError: with everything that is wrong: not given, weak, a placeholder, the file is not private.
    """
    wanted = [*wanted, FINGERPRINT_KEY]
    if found := problems(path, wanted, weak_allowed=weak_allowed, others=others or {}):
        raise SecretError("\n".join(map(str, found)))
    generate(path, wanted)
    values = _read(path)
    return {secret.name: values[secret.name] for secret in wanted}


def generate(path: Path, wanted: Iterable[Secret]) -> list[str]:
    """Write a strong value for each secret that has none and need not be given; the names of those made."""
    with _locked(path):
        made = {secret.name: _generated(secret) for secret in missing(path, wanted)}
        if made:
            _append(path, made)
    return sorted(made)


def missing(path: Path, wanted: Iterable[Secret]) -> list[Secret]:
    """The secrets that have no value yet and need not be given.

    Raises:
        SecretError: the file is not private.
    """
    present = _read(path)
    asked = {secret.name: secret for secret in (*wanted, FINGERPRINT_KEY)}.values()
    return [secret for secret in asked if secret.source == "generated" and not present.get(secret.name)]


def problems(path: Path, wanted: Iterable[Secret], *, weak_allowed: bool, others: Mapping[str, Path]) -> list[Problem]:
    """What is wrong with the secrets as they are; one that is not generated yet is not wrong.

    Raises:
        SecretError: the file is not private.
    """
    present = located(path)
    elsewhere = {name: _read(other) for name, other in others.items()}
    found: list[Problem] = []
    for secret in wanted:
        variable = present.get(secret.name)
        if variable is None or not variable.value:
            if secret.source == "given":
                found.append(Problem(secret.name, "has no value", f"write it into {path}"))
            continue
        if what := _weakness(secret, variable.value, weak_allowed=weak_allowed):
            found.append(Problem(variable.where, what, "remove the line and a strong one is generated"))
        same = [name for name, values in elsewhere.items() if values.get(secret.name) == variable.value]
        if same and secret.source == "generated":
            fix = "remove the line and another one is generated"
            found.append(Problem(variable.where, f"is the same value as in {same[0]!r}", fix))
    return found


def _weakness(secret: Secret, value: str, *, weak_allowed: bool) -> str:
    """Why a value cannot be this secret; empty when it can."""
    if not weak_allowed and is_placeholder(value):
        return "is a placeholder"
    if secret.source == "given":
        return ""
    if not _SAFE.fullmatch(value):
        return "has characters that would need escaping in URLs: letters, digits and -_.~ travel"
    if secret.alphabet == "hexadecimal" and (
        len(value) != secret.length or set(value.lower()) - set("0123456789abcdef")
    ):
        return f"is not {secret.length} hexadecimal digits"
    least = secret.length // 2
    if len(value) < least and not (weak_allowed and secret.length < _KEY):
        return f"is too short: {len(value)} < {least} characters"
    return ""


def located(path: Path) -> dict[str, Variable]:
    """What the file holds, with lines; nothing if there is none.

    Raises:
        SecretError: the file is not private.
    """
    return envfiles.located(path) if _read(path) else {}


def masked(name: str, value: str) -> str:
    """A value that may be shown: hidden if its name tells of a secret, without the passwords of URLs."""
    return MASK if value and is_secret(name) else _URL_PASSWORD.sub(MASK, value)


def fingerprints(values: Mapping[str, str]) -> dict[str, str]:
    """Twelve hexadecimal digits for each value, keyed: equal when equal, and no help in guessing it."""
    key = values[FINGERPRINT_KEY.name].encode()
    return {
        name: hmac.new(key, f"{name}={value}".encode(), hashlib.sha256).hexdigest()[:12]
        for name, value in values.items()
        if name != FINGERPRINT_KEY.name
    }


def _generated(secret: Secret) -> str:
    return "".join(randomness.choice(_ALPHABETS[secret.alphabet]) for _ in range(secret.length))


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise SecretError(f"{path} can be read by others", f"run: chmod 600 {path}")
    try:
        return envfiles.read(path)
    except DeclarationError as error:
        # A wrong line may be the secret itself: only its place is told.
        places = ", ".join(problem.where for problem in error.problems)
        raise SecretError(f"{places}: cannot be read as NAME=value", "check the name and its quotes") from None


def _append(path: Path, made: Mapping[str, str]) -> None:
    present = path.read_text(encoding="utf-8") if path.exists() else _HEADER
    gap = "" if present.endswith("\n") else "\n"
    lines = "".join(f"{name}='{value}'\n" for name, value in sorted(made.items()))
    envfiles.write_private(path, f"{present}{gap}{lines}")


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """One process at a time, so that two first runs do not generate two different values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


_HEADER = """\
# Secrets of this environment. Never commit this file; keep a copy in a safe place.
# A value that is here is never changed by nself-sdk.
"""
