"""Images carried from one engine to another without a registry; knows only the two drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nself_sdk.docker import layers
from nself_sdk.errors import DriverError, HostUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nself_sdk.docker.protocol import Driver, OnLine
    from nself_sdk.docker.values import Image


def copy_images(
    source: Driver, destination: Driver, references: Sequence[str], *, on_line: OnLine | None = None
) -> tuple[str, ...]:
    """Carry images to `destination` as one stream, and return the references that were not there yet.

    An image that is there already, by the same id, is not sent, and of the others only the layers that are not there.
    Nothing is stored on the way.

    Raises:
        DriverError: `source` lacks one of them (all missing ones are named; nothing was sent).
    """
    held = {reference: source.image(reference) for reference in dict.fromkeys(references)}
    if missing := [reference for reference, image in held.items() if image is None]:
        hint = "build them, or pull them with docker pull"
        raise DriverError(f"{source.target} holds no image {', '.join(missing)}", hint)
    wanted = {r: image for r, image in held.items() if image and not _there(destination, r, image.id)}
    if not wanted:
        return ()
    size = sum(image.size for image in wanted.values())
    tell = on_line or _silent
    tell(f"carrying {', '.join(wanted)} to {destination.target} ({size / 1e6:,.0f} MB)")
    if not _carried_in_part(source, destination, wanted, tell):
        destination.load(source.save(tuple(wanted)))
    return tuple(wanted)


def _carried_in_part(source: Driver, destination: Driver, wanted: Mapping[str, Image], tell: OnLine) -> bool:
    """Whether the layers that `destination` lacks were enough. False where it must get everything."""
    known = layers.superfluous(wanted.values(), destination.images())
    if not known:
        return False
    sent: list[int] = []
    try:
        destination.load(_counted(layers.without(source.save(tuple(wanted)), known), sent))
    except HostUnreachableError:
        raise
    except DriverError:  # a layer that was there has gone meanwhile, or this engine wants them all
        return False
    tell(f"sent {sum(sent) / 1e6:,.1f} MB: {len(known)} layers are there already")
    return all(_complete(destination, reference, image) for reference, image in wanted.items())


def _silent(_: str) -> None: ...


def _counted(chunks: Iterable[bytes], sent: list[int]) -> Iterator[bytes]:
    for chunk in chunks:
        sent.append(len(chunk))
        yield chunk


def _complete(destination: Driver, reference: str, image: Image) -> bool:
    """Whether it arrived. By its layers, because an id is the store's own: containerd's is that of the manifest."""
    arrived = destination.image(reference)
    return arrived is not None and arrived.layers == image.layers and _usable(destination, reference, arrived)


def _usable(destination: Driver, reference: str, image: Image) -> bool:
    """Whether a container can be made of it.

    Containerd's image store knows a layer by the digest of its compressed form, and so may lack one that an image of
    its own has. It takes the archive all the same, and holds an image that nothing can be made of
    (https://github.com/moby/moby/blob/0031b7a46/daemon/containerd/image_exporter.go, ``LoadImage``).
    """
    if not destination.info().containerd_images:
        return True
    name = f"nself-trial-{image.id.removeprefix('sha256:')[:12]}"
    try:
        destination.remove(name)
        destination.create(name, reference, {})
        destination.remove(name)
    except HostUnreachableError:
        raise
    except DriverError:
        return False
    return True


def _there(destination: Driver, reference: str, identity: str) -> bool:
    image = destination.image(reference)
    return image is not None and image.id == identity
