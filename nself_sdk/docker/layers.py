"""Image archives without the layers that their receiver has already. Pure: bytes in, bytes out.

An engine of the classic image store takes a layer by its chain of digests before it looks into the archive, so that
what it has may be left out (https://github.com/moby/moby/blob/033750cf80/image/tarexport/load.go); one of containerd's
does so where it has unpacked the chain, or holds the file. ``docker save`` names a layer by its digest since Docker
25; an older archive, or one with compressed layers, passes as it is.
"""

from __future__ import annotations

import hashlib
import tarfile
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nself_sdk.docker.values import Image

_CHUNK = 1 << 20
_SHA256 = "sha256:"


def superfluous(images: Iterable[Image], held: Iterable[Image]) -> frozenset[str]:
    """The layers of `images` that an engine which holds the others has, wherever they occur in `images`."""
    there = {chain for image in held for chain in chains(image.layers)}
    pairs = [pair for image in images for pair in zip(image.layers, chains(image.layers), strict=True)]
    needed = {layer for layer, chain in pairs if chain not in there}
    return frozenset(layer for layer, _ in pairs) - needed


def chains(layers: Sequence[str]) -> list[str]:
    """What an engine knows each layer by: it and all below it.

    Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md#layer-chainid
    """
    found: list[str] = []
    for layer in layers:
        below = f"{found[-1]} {layer}" if found else ""
        found.append(_SHA256 + hashlib.sha256(below.encode()).hexdigest() if below else layer)
    return found


def without(chunks: Iterable[bytes], layers: frozenset[str]) -> Iterator[bytes]:
    """An archive of ``docker save``, chunk by chunk, without the files of these layers."""
    names = {f"blobs/sha256/{layer.removeprefix(_SHA256)}" for layer in layers}
    with tarfile.open(fileobj=cast("IO[bytes]", _Chunks(chunks)), mode="r|") as archive:
        for member in archive:
            if member.name in names:
                continue
            yield member.tobuf()
            content = archive.extractfile(member) if member.isfile() else None
            while content and (chunk := content.read(_CHUNK)):
                yield chunk
            yield b"\0" * (-member.size % tarfile.BLOCKSIZE if member.isfile() else 0)
    yield b"\0" * 2 * tarfile.BLOCKSIZE


class _Chunks:
    """Chunks as a file to read; how many bytes come at once is theirs."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)

    def read(self, _: int = -1) -> bytes:
        return next(self._chunks, b"")
