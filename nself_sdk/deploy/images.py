"""Getting every image onto the target before anything is touched there: built, carried over, or pulled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nself_sdk.compose import ComposeFile, Service
from nself_sdk.deploy.observing import image_of
from nself_sdk.deploy.progress import Progress
from nself_sdk.docker import Driver, Stack, copy_images
from nself_sdk.errors import DeclarationError, DriverError
from nself_sdk.store import contents


def tagged(file: ComposeFile, folder: Path) -> ComposeFile:
    """The file, with each image that is built from the user's code named after that code and how it is built.

    So an unchanged service is neither built nor replaced, and a release names exactly what it ran. An image with a tag
    of the user's own keeps it.
    """

    def named(name: str, service: Service) -> Service:
        image, digest = image_of(file, name), contents.digest(service, folder)
        has_tag = ":" in image.rpartition("/")[2]
        return service if has_tag or not digest else service.replace(image=f"{image}:{digest}")

    return file.map_services(named)


def provide(
    target: Driver, stack: Stack, file: ComposeFile, here: Driver | None, tell: Callable[[Progress], None]
) -> None:
    """Make sure that the target holds every image.

    Args:
        target: the engine that will run them.
        stack: the file, for ``build`` and ``pull``.
        file: the same, to look into.
        here: this machine's engine, if it is another one than the target and answers: what it has is built and
            carried over, so that a host without a registry or a compiler can run it.
        tell: is told of what happens.

    Raises:
        DeclarationError: there is nothing to build one from.
        DriverError: one cannot be built or pulled.
    """

    def line(text: str) -> None:
        tell(Progress("images", text, raw=True))

    references = {name: image_of(file, name) for name in file.services}
    held = target.held(references.values())
    missing = {name: reference for name, reference in references.items() if reference not in held}
    built = {name: missing[name] for name in missing if file.services[name].build is not None}
    builder = here or target
    _refuse_without_code(stack, file.replace(services={name: file.services[name] for name in built}))
    # A service and its jobs share an image: it is built once.
    if absent := {reference: name for name, reference in built.items() if builder.image(reference) is None}:
        builder.compose(stack, "build", *absent.values(), on_line=line)
    if here is not None:
        missing = _carry(here, target, missing, tell)
    if pulled := {name: reference for name, reference in missing.items() if name not in built}:
        try:
            target.compose(stack, "pull", *pulled, on_line=line)
        except DriverError as error:
            what = ", ".join(sorted(set(pulled.values())))
            raise type(error)(f"not all could be pulled of {what}: {error.message}", error.hint) from error


def _refuse_without_code(stack: Stack, built: ComposeFile) -> None:
    if nothing_there := list(contents.missing(built, stack.directory or Path())):
        raise DeclarationError(nothing_there)


def _carry(
    here: Driver, target: Driver, missing: Mapping[str, str], tell: Callable[[Progress], None]
) -> dict[str, str]:
    """Copy what this machine has of the missing images; what it has not is left."""
    present = {reference for reference in set(missing.values()) if here.image(reference) is not None}
    if present:
        copy_images(here, target, sorted(present), on_line=lambda line: tell(Progress("images", line)))
    return {name: reference for name, reference in missing.items() if reference not in present}
