"""Container images for the tests under their upstream names: pulled where a registry answers, built where none does.

`NSELF_RIG_IMAGES=pull` or `=build` forces either way. An image that is already here and is not ours is left alone:
it is the real one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter

from rig.base import build_base
from rig.recipes import INTERNAL, Recipe, closure, every, recipe, recipe_for, split
from rig.shell import RigError, alone, docker

Report = Callable[[str], None]

LABEL = "dev.nself.rig"
MODE = "NSELF_RIG_IMAGES"
PARALLEL = 2
PROBE = "hello-world:latest"
PROBE_SECONDS = 10
# A base keeps the package lists of its day; later the mirror drops versions that they name.
BASE_LASTS = timedelta(days=2)


@dataclass(frozen=True)
class Image:
    """One image of the tests: under which name, and what is really in it."""

    reference: str
    kind: str
    description: str

    def __str__(self) -> str:
        return f"{self.reference:<44} {self.kind:<9} {self.description}"


def ensure_images(references: Iterable[str], report: Report = print) -> tuple[Image, ...]:
    """Make every image reference usable on the local engine; unchanged ones cost milliseconds.

    Args:
        references: as the Compose files name them; a digest is left out where the image is built.
        report: gets a line of progress per image built or pulled.

    Raises:
        RigError: no registry answers and no recipe is true to a reference, or a build failed.
    """
    wanted = tuple(sorted(set(references)))
    with alone("images"):
        here = _here()
        missing = tuple(name for name in wanted if _plain(name) not in here)
        if missing and _registry_answers():
            ours = tuple(name for name in wanted if name not in missing and here[_plain(name)].ours)
            _pull((*missing, *ours), report)
            here = _here()
        elif changed := tuple(name for name in wanted if not _is_right(name, here)):
            _build(changed, report)
            here = _here()
    return tuple(_image(name, ours=here[_plain(name)].ours) for name in wanted)


def describe(images: Iterable[Image]) -> str:
    """Return a table of which image is real and which a stand-in."""
    return "\n".join(str(image) for image in images)


@dataclass(frozen=True)
class _Tagged:
    """What a tag of the local engine names, and whether the rig made it."""

    id: str
    ours: bool


def _here() -> dict[str, _Tagged]:
    """Return every tag of the local engine."""
    row = "{{.Repository}}:{{.Tag}} {{.ID}}"
    ours = set(docker("image", "ls", "--filter", f"label={LABEL}", "--format", row).splitlines())
    every = docker("image", "ls", "--format", row).splitlines()
    return {line.split()[0]: _Tagged(line.split()[1], line in ours) for line in every}


def _plain(reference: str) -> str:
    return ":".join(split(reference))


def _is_right(reference: str, here: dict[str, _Tagged]) -> bool:
    """Tell whether a reference is the real image, or ours as the recipe now is."""
    found = here.get(_plain(reference))
    return found is not None and (not found.ours or here.get(recipe_for(reference).tag) == found)


def _image(reference: str, *, ours: bool) -> Image:
    if not ours:
        return Image(reference, "real", "the upstream image")
    found = recipe_for(reference)
    return Image(reference, found.kind, found.description)


def _registry_answers() -> bool:
    """Ask whether images can be pulled, by pulling the smallest there is."""
    mode = os.environ.get(MODE, "")
    if mode in {"pull", "build"}:
        return mode == "pull"
    if mode:
        raise RigError(f"{MODE} is {mode!r}: it may be 'pull', 'build' or unset")
    try:
        docker("pull", "--quiet", PROBE, timeout=PROBE_SECONDS)
    except RigError:
        return False
    return True


def _pull(references: tuple[str, ...], report: Report) -> None:
    for reference in references:
        started = time.monotonic()
        docker("pull", "--quiet", reference)
        if "@" in reference:  # pulling by digest leaves no tag behind
            docker("tag", reference, _plain(reference))
        report(f"{time.monotonic() - started:5.1f} s  pulled {reference}")


def _build(references: tuple[str, ...], report: Report) -> None:
    """Build what the references need and give each its upstream name."""
    recipes = {reference: recipe_for(reference) for reference in references}
    ensure_recipes(tuple(sorted({found.name for found in recipes.values()})), report)
    for reference, found in recipes.items():
        docker("tag", found.tag, _plain(reference))


def ensure_recipes(names: tuple[str, ...], report: Report = print) -> None:
    """Build recipes by name, and before each what it is built on, two at a time."""
    here = _here()
    # What only finished images are built on is not needed any more.
    needed = closure(tuple(name for name in names if recipe(name).tag not in here))
    stale = {name for name in needed if recipe(name).tag not in here or (name == "base" and _is_old(recipe(name).tag))}
    order = TopologicalSorter({name: [on for on in needed[name] if on in stale] for name in stale})
    order.prepare()
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(PARALLEL) as pool:
        while order.is_active():
            running |= {pool.submit(_build_one, recipe(name), report): name for name in order.get_ready()}
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                order.done(running.pop(future))


def _build_one(found: Recipe, report: Report) -> None:
    started = time.monotonic()
    if found.name == "base":
        build_base(found.tag)
    else:
        options = ("--progress=plain", "--pull=false", "--tag", found.tag, "--file", "-")
        docker("build", *options, str(found.folder), text=found.dockerfile())
    report(f"{time.monotonic() - started:5.1f} s  built {found.name}")


def _is_old(tag: str) -> bool:
    created = json.loads(docker("image", "inspect", tag))[0]["Created"]
    return datetime.now(UTC) - datetime.fromisoformat(created) > BASE_LASTS


def prune(report: Report = print) -> None:
    """Remove what former recipes left in the engine; layers that present ones share stay."""
    current = {found.tag for found in map(recipe, closure(tuple(every())))}
    for tag in docker("image", "ls", "--filter", f"label={LABEL}", "--format", "{{.Repository}}:{{.Tag}}").split():
        if tag.startswith(f"{INTERNAL}/") and tag not in current:
            docker("image", "rm", tag)
            report(f"removed {tag}")
