"""The recipes: one folder under images/ each, read from its Dockerfile; knows nothing of the engine.

A Dockerfile says in comments what it stands for (`# stands for: REPOSITORY`), which tags alone it can honestly bear
(`# only: PREFIX`), and in labels whether it holds the real program or a stand-in. `nself-rig/NAME` in it names
another recipe. A recipe's key is a hash of its files and of the keys of all it is built on.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rig.shell import RigError

FOLDER = Path(__file__).parent / "images"
INTERNAL = "nself-rig"


@dataclass(frozen=True)
class Recipe:
    """How one image is built."""

    name: str
    text: str
    repositories: tuple[str, ...]
    only: str
    kind: str
    description: str
    needs: tuple[str, ...]
    key: str

    @property
    def folder(self) -> Path:
        """The build context."""
        return FOLDER / self.name

    @property
    def tag(self) -> str:
        """The name it is built under, before it is given the upstream one."""
        return f"{INTERNAL}/{self.name}:{self.key}"

    def dockerfile(self) -> str:
        """The Dockerfile with the tags of the recipes it is built on filled in."""
        return re.sub(rf"{INTERNAL}/([\w-]+)", lambda found: recipe(found[1]).tag, self.text)


@cache
def recipe(name: str) -> Recipe:
    """Read one recipe."""
    folder = FOLDER / name
    dockerfile = folder / "Dockerfile"
    text = dockerfile.read_text(encoding="utf-8") if dockerfile.is_file() else ""
    needs = tuple(sorted(set(re.findall(rf"{INTERNAL}/([\w-]+)", text))))
    return Recipe(
        name=name,
        text=text,
        repositories=tuple(re.findall(r"^# stands for: (\S+)$", text, flags=re.MULTILINE)),
        only=_said(r"^# only: (\S+)$", text),
        kind=_said(r'dev\.nself\.rig="([^"]*)"', text),
        description=_said(r'dev\.nself\.rig\.description="([^"]*)"', text),
        needs=needs,
        key=_key(folder, needs),
    )


def every() -> tuple[str, ...]:
    """Return the names of all recipes."""
    return tuple(path.name for path in sorted(FOLDER.iterdir()) if (path / "Dockerfile").is_file())


@cache
def by_repository() -> dict[str, Recipe]:
    """Return the recipe that stands for each upstream repository."""
    return {repository: found for found in map(recipe, every()) for repository in found.repositories}


def recipe_for(reference: str) -> Recipe:
    """Return the recipe that can be built as ``reference``; RigError where none is true to it."""
    repository, tag = split(reference)
    found = by_repository().get(repository)
    if found is None:
        raise RigError(
            f"{reference}: no registry answers, and no recipe under tests/rig/images stands for {repository} "
            f"(there are: {', '.join(by_repository())})"
        )
    if not tag.startswith(found.only):
        raise RigError(f"{reference}: no registry answers, and packages carry {repository} {found.only} alone")
    return found


def split(reference: str) -> tuple[str, str]:
    """Return repository and tag of an image reference: ``("nginx", "1.29-alpine")``, Docker Hub's prefixes left out."""
    name = reference.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def closure(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return all recipes needed for some, each with those it is built on."""
    graph: dict[str, tuple[str, ...]] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = recipe(name).needs
            waiting += graph[name]
    return graph


def _said(pattern: str, text: str) -> str:
    found = re.search(pattern, text, flags=re.MULTILINE)
    return found[1] if found else ""


def _key(folder: Path, needs: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\n".join(recipe(name).key for name in needs).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
