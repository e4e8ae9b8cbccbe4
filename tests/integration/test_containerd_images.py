"""A host whose engine keeps images in containerd's store, as a new Docker 29 does: ids are other digests there.

Source: https://docs.docker.com/engine/storage/containerd/
"""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import TYPE_CHECKING

import pytest

from nself_sdk import ComposeFile, Deployment, Environment, Project
from nself_sdk.docker import LOCAL, connect, copy_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rig.vps import Vps

pytestmark = pytest.mark.docker

NAME = f"nself-containerd-{uuid.uuid4().hex[:8]}"
STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca", remote=True)


@pytest.fixture(scope="module")
def host(engine: None) -> Iterator[Vps]:
    from rig.vps import vps

    with vps() as made:
        setting = json.dumps({"features": {"containerd-snapshotter": True}})
        made.exec("sh", "-c", f"mkdir -p /etc/docker && echo '{setting}' >/etc/docker/daemon.json")
        made.stop_engine()
        made.start_engine()
        assert "io.containerd.snapshotter.v1" in made.docker("info")
        yield made


@pytest.fixture(scope="module")
def folder(host: Vps, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project folder for that host; here are two versions of its image, the second with one layer more."""
    from rig.images import ensure_recipes
    from rig.recipes import recipe

    path = tmp_path_factory.mktemp("shop")
    place = path / ".environments" / "staging"
    place.mkdir(parents=True)
    server = {"host": host.url, "identity_file": str(host.identity_file), "known_hosts": str(host.known_hosts)}
    (place / "server.json").write_text(json.dumps(server))
    ensure_recipes(("versioned",))
    build(f"{NAME}:1", f"FROM {recipe('versioned').tag}\nLABEL version=1\n")
    build(f"{NAME}:2", f"FROM {NAME}:1\nRUN echo 2 >/www/version\n")
    yield path
    subprocess.run(["docker", "rmi", f"{NAME}:1", f"{NAME}:2"], capture_output=True, check=True)


def build(tag: str, text: str) -> None:
    subprocess.run(["docker", "build", "-q", "-t", tag, "-"], input=text, text=True, capture_output=True, check=True)


def deployment(folder: Path, version: int, told: list[str] | None = None) -> Deployment:
    service = {"image": f"{NAME}:{version}", "restart": "always", "stop_grace_period": "1s"}
    site = ComposeFile.model_validate({"services": {"site": service}})
    lines = [] if told is None else told
    return Deployment(Project(NAME).add(site), STAGING, folder, tell=lambda progress: lines.append(progress.what))


def test_it_is_deployed_to_changed_and_brought_back_and_only_new_layers_travel(host: Vps, folder: Path) -> None:
    def runs() -> str:
        return host.docker("inspect", "--format", "{{.Image}}", host.docker("ps", "-q"))

    with deployment(folder, 1) as first:
        first.deploy()
        assert first.plan().pending == ()
        assert first.drift().differences == ()
    before, told = runs(), list[str]()
    with deployment(folder, 2, told) as second:
        assert [change.kind for change in second.plan().pending] == ["replace"]
        second.deploy()
        assert [line for line in told if line.startswith("sent 0.0 MB: ")], told
        assert runs() != before
        assert second.plan().pending == ()
        assert second.drift().differences == ()
        second.rollback()
        assert runs() == before
        assert second.drift().differences == ()
    left = host.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert [name for name in left if not name.startswith(f"{NAME}-site-")] == []


def test_an_image_comes_from_there_to_an_engine_of_the_other_store_in_one_go(host: Vps, folder: Path) -> None:
    host.load(f"{NAME}:1")
    text = rf"FROM {NAME}:1\nLABEL version=3\nRUN echo 3 >/www/version\n"
    host.exec("sh", "-c", f"printf '{text}' | docker build -q -t {NAME}:3 - 2>/dev/null")
    lines: list[str] = []
    with deployment(folder, 1) as there, connect(LOCAL) as here:
        assert copy_images(there.driver, here, [f"{NAME}:3"], on_line=lines.append) == (f"{NAME}:3",)
        assert here.image(f"{NAME}:3") is not None
    assert [line.partition(":")[0] for line in lines[1:]] == ["sent 0.0 MB"]
    subprocess.run(["docker", "rmi", f"{NAME}:3"], capture_output=True, check=True)
