"""Images carried from one engine to another without a registry; knows only the two drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nself_sdk.docker.protocol import Driver, OnLine


def copy_images(
    source: Driver, destination: Driver, references: Sequence[str], *, on_line: OnLine | None = None
) -> tuple[str, ...]:
    """Carry images to `destination` as one stream, and return the references that were not there yet.

    An image that is there already, by the same id, is not sent. Nothing is stored on the way.

    Raises:
        DriverError: `source` lacks one of them (all missing ones are named; nothing was sent).
    """
    held = {reference: source.image(reference) for reference in dict.fromkeys(references)}
    if missing := [reference for reference, image in held.items() if image is None]:
        hint = "build them, or pull them with docker pull"
        raise DriverError(f"{source.target} holds no image {', '.join(missing)}", hint)
    wanted = tuple(r for r, image in held.items() if image and not _there(destination, r, image.id))
    if not wanted:
        return ()
    if on_line:
        size = sum(image.size for r, image in held.items() if image and r in wanted)
        on_line(f"carrying {', '.join(wanted)} to {destination.target} ({size / 1e6:,.0f} MB)")
    destination.load(source.save(wanted))
    return wanted


def _there(destination: Driver, reference: str, identity: str) -> bool:
    image = destination.image(reference)
    return image is not None and image.id == identity
