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
from datetime import datetime, timedelta, timezone
from graphlib import TopologicalSorter

from rig.base import build_base
from rig.recipes import Recipe, closure, recipe, recipe_for, split
from rig.shell import RigError, alone, docker

Report = Callable[[str], None]

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
        ours = tuple(name for name in wanted if here.get(_plain(name), "") not in {"", "upstream"})
        if (missing or ours) and _registry_answers(needed=bool(missing)):
            _pull((*missing, *ours), report)
        else:
            _build((*missing, *ours), report)
        here = _here()
    return tuple(_image(name, here[_plain(name)]) for name in wanted)


def describe(images: Iterable[Image]) -> str:
    """Return a table of which image is real and which a stand-in."""
    return "\n".join(str(image) for image in images)


def _plain(reference: str) -> str:
    return ":".join(split(reference))


def _here() -> dict[str, str]:
    """Return each tag of the local engine with the kind of its image: ours by its label, else `upstream`."""
    every = "{{.Repository}}:{{.Tag}}"
    kinds = dict.fromkeys(docker("image", "ls", "--format", every).split(), "upstream")
    for kind in ("real", "stand-in", "internal", "base"):
        labelled = docker("image", "ls", "--filter", f"label=dev.nself.rig={kind}", "--format", every)
        kinds |= dict.fromkeys(labelled.split(), kind)
    return kinds


def _image(reference: str, kind: str) -> Image:
    if kind == "upstream":
        return Image(reference, "real", "the upstream image")
    return Image(reference, kind, recipe_for(reference).description)


def _registry_answers(*, needed: bool) -> bool:
    """Ask whether images can be pulled, by pulling the smallest there is; only when something is missing."""
    mode = os.environ.get(MODE, "")
    if mode in {"pull", "build"}:
        return mode == "pull"
    if mode:
        raise RigError(f"{MODE} is {mode!r}: it may be 'pull', 'build' or unset")
    if not needed:
        return False
    try:
        docker("pull", "--quiet", PROBE, timeout=PROBE_SECONDS)
    except RigError:
        return False
    return True


def _pull(references: tuple[str, ...], report: Report) -> None:
    for reference in references:
        started = time.monotonic()
        docker("pull", "--quiet", reference)
        report(f"{time.monotonic() - started:5.1f} s  pulled {reference}")


def _build(references: tuple[str, ...], report: Report) -> None:
    """Build what the references need and give each its upstream name."""
    recipes = {reference: recipe_for(reference) for reference in references}
    ensure_recipes(tuple(sorted({found.name for found in recipes.values()})), report)
    ids = dict(line.split() for line in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines())
    for reference, found in recipes.items():
        if ids.get(_plain(reference)) != ids[found.tag]:
            docker("tag", found.tag, _plain(reference))


def ensure_recipes(names: tuple[str, ...], report: Report = print) -> None:
    """Build recipes by name, and before each what it is built on, two at a time."""
    here = _here()
    graph = closure(names)
    absent = {name for name in graph if recipe(name).tag not in here}
    # What only unbuilt images are built on is not needed when those are all here.
    needed = closure(tuple(name for name in names if name in absent))
    stale = {name for name in needed if name in absent or (name == "base" and _is_old(recipe(name).tag))}
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
        docker(
            "build", "--progress=plain", "--pull=false", "--tag", found.tag, "--label", f"dev.nself.rig.recipe={found.name}",
            "--file", "-", str(found.folder), text=found.dockerfile(),
        )  # fmt: skip
    report(f"{time.monotonic() - started:5.1f} s  built {found.name}")


def _is_old(tag: str) -> bool:
    if tag not in _here():
        return False
    created = json.loads(docker("image", "inspect", tag))[0]["Created"]
    return datetime.now(timezone.utc) - datetime.fromisoformat(created) > BASE_LASTS
