"""Secrets on disk: generated on first use, readable by their owner only, never overwritten, never shown."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets as randomness
import string
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nself_sdk.errors import SecretError
from nself_sdk.project import Secret
from nself_sdk.store import envfiles

#: Only characters that mean nothing to a shell, to YAML, to Compose or in a URL.
_ALPHABETS = {"alphanumeric": string.ascii_letters + string.digits, "hexadecimal": "0123456789abcdef"}
_SAFE = re.compile(r"[A-Za-z0-9_.~-]+")
_WEAKEST = 16
_FINGERPRINT_KEY = Secret(name="FINGERPRINT_KEY")


def ensure(path: Path, wanted: Iterable[Secret], *, weak_allowed: bool) -> dict[str, str]:
    """The values of those secrets from ``path``, after generating what is missing.

    Raises:
        SecretError: one must be given by the user and is not, is weak, or the file is not private.
    """
    wanted = [*wanted, _FINGERPRINT_KEY]
    with _locked(path):
        present = _read(path)
        missing = [secret for secret in wanted if not present.get(secret.name)]
        if given := sorted(secret.name for secret in missing if secret.source == "given"):
            raise SecretError(f"{', '.join(given)} has no value", f"write it into {path}")
        made = {secret.name: _generated(secret) for secret in missing}
        if made:
            _append(path, made)
    values = {**present, **made}
    _refuse_weak(path, wanted, values, weak_allowed=weak_allowed)
    return {secret.name: values[secret.name] for secret in wanted}


def fingerprints(values: Mapping[str, str]) -> dict[str, str]:
    """Twelve hexadecimal digits for each value, keyed: equal when equal, and no help in guessing it."""
    key = values[_FINGERPRINT_KEY.name].encode()
    return {
        name: hmac.new(key, f"{name}={value}".encode(), hashlib.sha256).hexdigest()[:12]
        for name, value in values.items()
        if name != _FINGERPRINT_KEY.name
    }


def _generated(secret: Secret) -> str:
    return "".join(randomness.choice(_ALPHABETS[secret.alphabet]) for _ in range(secret.length))


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise SecretError(f"{path} can be read by others", f"run: chmod 600 {path}")
    return envfiles.read(path)


def _append(path: Path, made: Mapping[str, str]) -> None:
    present = path.read_text(encoding="utf-8") if path.exists() else _HEADER
    gap = "" if present.endswith("\n") else "\n"
    lines = "".join(f"{name}='{value}'\n" for name, value in sorted(made.items()))
    envfiles.write_private(path, f"{present}{gap}{lines}")


def _refuse_weak(path: Path, wanted: Iterable[Secret], values: Mapping[str, str], *, weak_allowed: bool) -> None:
    names = [secret.name for secret in wanted if secret.source == "generated"]
    unsafe = [name for name in names if not _SAFE.fullmatch(values[name])]
    if unsafe:
        fix = f"use letters, digits and -_.~ only, in {path}: other characters would need escaping in URLs"
        raise SecretError(f"{', '.join(sorted(unsafe))} has characters that do not travel", fix)
    weak = [name for name in names if len(values[name]) < _WEAKEST]
    if weak and not weak_allowed:
        fix = f"remove it from {path} and a strong one is generated"
        raise SecretError(f"{', '.join(sorted(weak))} is shorter than {_WEAKEST} characters", fix)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
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
