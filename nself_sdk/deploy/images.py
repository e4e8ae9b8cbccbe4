"""Getting every image onto the target before anything is touched there: built, carried over, or pulled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nself_sdk.compose import ComposeFile
from nself_sdk.deploy.progress import Progress
from nself_sdk.docker import Driver, Stack, copy_images
from nself_sdk.errors import DriverError


@dataclass(frozen=True)
class Wanted:
    """The images of a file: those that are built from the user's code, and the others."""

    built: dict[str, str]
    named: dict[str, str]

    @classmethod
    def of(cls, file: ComposeFile) -> Wanted:
        """By service: the image reference that Compose will look for."""
        images = {name: service.image or f"{file.name}-{name}" for name, service in file.services.items()}
        built = {name for name, service in file.services.items() if service.build is not None}
        return cls(
            built={name: image for name, image in images.items() if name in built},
            named={name: image for name, image in images.items() if name not in built},
        )


def provide(
    target: Driver, stack: Stack, wanted: Wanted, here: Driver | None, tell: Callable[[Progress], None]
) -> None:
    """Make sure that the target holds every image.

    Args:
        target: the engine that will run them.
        stack: the file, for ``build`` and ``pull``.
        wanted: its images.
        here: this machine's engine, if it is another one than the target and answers: what it has is built and
            carried over, so that a host without a registry or a compiler can run it.
        tell: is told of what happens.
    """

    def line(text: str) -> None:
        tell(Progress("images", text, raw=True))

    if wanted.built:
        (here or target).compose(stack, "build", *wanted.built, on_line=line)
    if here is not None:
        _carry(here, target, wanted, tell)
    missing = {name: image for name, image in wanted.named.items() if target.image(image) is None}
    if missing:
        try:
            target.compose(stack, "pull", *missing, on_line=line)
        except DriverError as error:
            what = ", ".join(sorted(set(missing.values())))
            raise type(error)(f"not all could be pulled of {what}: {error.message}", error.hint) from error


def _carry(here: Driver, target: Driver, wanted: Wanted, tell: Callable[[Progress], None]) -> None:
    """Copy the images that this machine has and the target lacks, or has in another version when built here."""
    references: list[str] = []
    for image in dict.fromkeys([*wanted.built.values(), *wanted.named.values()]):
        mine, theirs = here.image(image), target.image(image)
        stale = theirs is None or (image in wanted.built.values() and mine is not None and mine.id != theirs.id)
        if mine is not None and stale:
            references.append(image)
    if references:
        tell(Progress("images", f"carrying over {', '.join(references)}"))
        copy_images(here, target, references)
