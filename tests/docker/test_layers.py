"""Layers: which ones need not travel, and that an archive without them is otherwise the same."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace

import pytest

from nself_sdk.docker import Image, copy_images
from nself_sdk.docker.layers import chains, superfluous, without
from nself_sdk.errors import DriverError, HostUnreachableError
from nself_sdk.testing import RecordingDriver

A, B, C, D = (f"sha256:{letter * 64}" for letter in "abcd")


def image(name: str, *layers: str) -> Image:
    return Image(id=f"sha256:{name}", os="linux", architecture="amd64", size=5_000_000, layers=layers)


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        folder = tarfile.TarInfo("blobs/sha256")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def read(stream: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(stream)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def blob(layer: str) -> str:
    return f"blobs/sha256/{layer.removeprefix('sha256:')}"


def test_a_chain_is_a_layer_and_all_below_it() -> None:
    assert chains([A, B])[0] == A
    assert chains([A, B])[1] == f"sha256:{hashlib.sha256(f'{A} {B}'.encode()).hexdigest()}"
    assert chains([A, B])[1] != chains([B, B])[1]
    assert chains([]) == []


@pytest.mark.parametrize(
    ("sent", "held", "left_out"),
    [
        ([(A, B, C)], [(A, B)], {A, B}),
        ([(A, B, C)], [(A, B, C)], {A, B, C}),
        ([(A, B)], [(B,)], set()),  # the same layer over another one is another chain
        ([(A, B), (C, B)], [(A, B)], {A}),  # B is also needed over C
        ([(A, B), (A, C)], [(A, D)], {A}),
        ([(A,)], [], set()),
    ],
)
def test_only_what_is_there_in_every_place_is_left_out(sent: list, held: list, left_out: set[str]) -> None:
    images = [image(str(n), *layers) for n, layers in enumerate(sent)]
    assert superfluous(images, [image("held", *layers) for layers in held]) == left_out


@pytest.mark.parametrize("size", [1, 511, 4096, 1 << 20])
def test_an_archive_without_a_layer_is_otherwise_the_same(size: int) -> None:
    files = {blob(A): b"a" * 3000, blob(B): b"b" * 512, "manifest.json": b"[]", "empty": b""}
    stream = archive(files)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    thin = b"".join(without(chunks, frozenset({A})))
    assert read(thin) == {name: content for name, content in files.items() if name != blob(A)}
    assert len(thin) % 512 == 0


def test_an_archive_that_is_cut_off_is_no_archive() -> None:
    stream = archive({blob(A): b"a" * 3000, blob(B): b"b" * 3000})
    with pytest.raises(tarfile.ReadError):
        list(without([stream[:4000]], frozenset({A})))


def engines(*, containerd: bool = False) -> tuple[RecordingDriver, RecordingDriver]:
    here, there = RecordingDriver(), RecordingDriver()
    new = image("new", A, B, C)
    here.answer("image", new)
    here.answer("save", archive({blob(A): b"a", blob(B): b"b", blob(C): b"c", "manifest.json": b"[]"}))
    there.answer("info", replace(there.info(), containerd_images=containerd))
    there.answer("images", (image("old", A, B),))
    there.answer("image", None, new)
    return here, there


def loads(there: RecordingDriver) -> list[set[str]]:
    return [set(read(call.arguments[0])) for call in there.calls if call.verb == "load"]


def test_only_the_layers_that_are_not_there_are_sent() -> None:
    here, there = engines()
    lines: list[str] = []
    assert copy_images(here, there, ["shop:2"], on_line=lines.append) == ("shop:2",)
    assert loads(there) == [{blob(C), "manifest.json"}]
    assert lines[-1] == "sent 0.0 MB: 2 layers are there already"


def test_an_image_that_has_another_id_there_arrived_all_the_same() -> None:
    here, there = engines()
    there.answer("image", None, image("the id that the other store gives it", A, B, C))
    copy_images(here, there, ["shop:2"])
    assert [len(names) for names in loads(there)] == [2]


def test_an_engine_with_containerds_store_gets_what_it_lacks_and_makes_a_container_of_it_to_see() -> None:
    here, there = engines(containerd=True)
    copy_images(here, there, ["shop:2"])
    assert loads(there) == [{blob(C), "manifest.json"}]
    assert [call.verb for call in there.calls if call.verb in {"create", "remove"}] == ["remove", "create", "remove"]


def test_an_engine_with_containerds_store_gets_whole_images_where_one_with_gaps_cannot_be_used() -> None:
    here, there = engines(containerd=True)
    there.answer("create", DriverError("content digest not found"))
    copy_images(here, there, ["shop:2"])
    assert [len(names) for names in loads(there)] == [2, 4]


def test_what_is_refused_in_part_is_sent_whole() -> None:
    here, there = engines()
    there.answer("load", DriverError("no such file"), None)
    copy_images(here, there, ["shop:2"])
    assert [len(names) for names in loads(there)] == [2, 4]


def test_what_is_not_there_after_a_part_is_sent_whole() -> None:
    here, there = engines()
    there.answer("image", None, None)
    copy_images(here, there, ["shop:2"])
    assert [len(names) for names in loads(there)] == [2, 4]


def test_a_lost_connection_is_not_tried_again() -> None:
    here, there = engines()
    there.answer("load", HostUnreachableError("gone"))
    with pytest.raises(HostUnreachableError):
        copy_images(here, there, ["shop:2"])
    assert len(loads(there)) == 1
