"""Build contexts on this machine: which are missing, and what one contains, as one short digest."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Container, Iterator
from pathlib import Path

from nself_sdk.compose import Build, ComposeFile, Service
from nself_sdk.errors import Problem

#: Never part of an image, and changing all the time.
_NOISE = (".git", "__pycache__", "*.pyc", "node_modules", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")


def context(service: Service, folder: Path) -> Path | None:
    """The folder that the service's image is built from; None where it is not built, or from a URL."""
    build = service.build_settings
    place = (build.context if build else None) or "."
    return None if build is None or "://" in place or place.startswith("git@") else folder / place


def missing(file: ComposeFile, folder: Path, coming: Container[Path] = ()) -> Iterator[Problem]:
    """Every folder that an image is to be built from and that is not there, nor one of those that will be."""
    for name, service in file.services.items():
        place = context(service, folder)
        if place is not None and place not in coming and not place.is_dir():
            fix = "make it; the built files of a frontend come from the frontend's own build"
            yield Problem(f"services.{name}.build", f"there is no folder {place}", fix)


def digest(service: Service, folder: Path) -> str:
    """Twelve hexadecimal digits over all that the service's image is made of; empty where that is not a folder.

    That is every file's path, mode and content, every link's target, and how it is built: another stage or platform,
    or another Dockerfile in the Compose file, make another image of the same code. Plain patterns of ``.dockerignore``
    are left out; exceptions to them (``!name``) are not understood, so then the digest covers too much rather than too
    little.
    """
    place = context(service, folder)
    if place is None or not place.is_dir():
        return ""
    total = hashlib.sha256(_manner(service).encode())
    for path in sorted(_files(place, _ignored(place))):
        name = path.relative_to(place).as_posix()
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        total.update(f"{name}\0{path.lstat().st_mode & 0o111}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:12]


def _manner(service: Service) -> str:
    """How the image is built; empty where nothing but the folder is said."""
    said = {**(service.build_settings or Build()).written, "platform": service.platform}
    said = {key: value for key, value in said.items() if value and key != "context"}
    return json.dumps(said, default=str) if said else ""


def _ignored(folder: Path) -> tuple[str, ...]:
    path = folder / ".dockerignore"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if any(line.strip().startswith("!") for line in lines):
        return _NOISE
    return (*_NOISE, *(line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#")))


def _files(folder: Path, ignored: tuple[str, ...], top: Path | None = None) -> Iterator[Path]:
    for path in folder.iterdir():
        name = path.relative_to(top or folder).as_posix()
        if any(fnmatch.fnmatch(text, pattern) for pattern in ignored for text in (path.name, name)):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, ignored, top or folder)
        elif path.is_file() or path.is_symlink():
            yield path
