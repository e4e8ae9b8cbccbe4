"""Images of the user's code: what their names say, and how they get to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from fakehost import FakeHost

from nself_sdk import CustomService, Deployment, Environment, Project, render
from nself_sdk.compose import Build, ComposeFile, Service
from nself_sdk.deploy import images
from nself_sdk.docker import Image, Stack
from nself_sdk.errors import DeclarationError, DriverError
from nself_sdk.store import ProjectFolder
from nself_sdk.testing import RecordingDriver

if TYPE_CHECKING:
    from pathlib import Path


def reference(folder: Path, **service: object) -> str:
    """The name of an image that is built from that folder."""
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "main.py").write_text("print()")
    file = ComposeFile(name="shop", services={"pay": Service(**{"build": "code", **service})})
    return str(images.tagged(file, folder).services["pay"].image)


def test_the_same_code_has_the_same_name(tmp_path: Path) -> None:
    assert reference(tmp_path) == reference(tmp_path, build=Build(context="code"))
    assert reference(tmp_path).startswith("shop-pay:")


def test_the_same_code_built_otherwise_has_another_name(tmp_path: Path) -> None:
    names = [
        reference(tmp_path),
        reference(tmp_path, platform="linux/arm64"),
        reference(tmp_path, build=Build(context="code", target="development")),
        reference(tmp_path, build=Build(context="code", dockerfile_inline="FROM nginx:1.28\nCOPY . /srv\n")),
        reference(tmp_path, build=Build(context="code", dockerfile_inline="FROM nginx:1.30\nCOPY . /srv\n")),
    ]
    assert len(set(names)) == len(names)


def test_what_dev_built_is_not_what_prod_runs(tmp_path: Path) -> None:
    """NestJS runs in dev with its compiler: that image must not be taken for the one of prod, and carried there."""
    project, folder = Project("shop").add(CustomService("pay", "nestjs", 8002)), ProjectFolder(tmp_path)
    folder.scaffold(project)
    dev, prod = (images.tagged(render(project, name), tmp_path).services["pay"].image for name in ("dev", "prod"))
    assert dev != prod


REGISTRY = "registry.example.com/acme"
FILE = ComposeFile.model_validate({
    "name": "shop",
    "services": {
        "redis": {"image": "redis:7.2.16"},
        "pay": {"image": f"{REGISTRY}/shop-pay:1f2e3d4c5b6a", "build": "code"},
        "pay-migrate": {"image": f"{REGISTRY}/shop-pay:1f2e3d4c5b6a", "build": "code"},
        "own": {"image": "own:1", "build": "code"},
    },
})  # fmt: skip
IMAGE = Image(id="sha256:a", os="linux", architecture="amd64", size=1)


class Store(RecordingDriver):
    """An engine that holds what it builds and pulls, as far as the registry has it; all share what was called."""

    def __init__(self, name: str, called: list[str], registry: set[str], *holds: str) -> None:
        super().__init__()
        self.name, self.called, self.registry, self.holds = name, called, registry, {*holds}
        self.answer("compose", self._ran)
        self.answer("held", lambda references: {one: IMAGE for one in references if one in self.holds})
        self.answer("image", lambda reference: IMAGE if reference in self.holds else None)
        self.answer("images", lambda _: ())
        self.answer("save", lambda references: "".join(references).encode())
        self.answer("load", lambda stream: self._take(stream.decode()))

    def _take(self, reference: str) -> None:
        self.called.append(f"{self.name} takes {reference}")
        self.holds.add(reference)

    def _ran(self, _: Stack, command: str, *arguments: str, **__: object) -> str:
        self.called.append(" ".join([self.name, command, *arguments]))
        named = {str(FILE.services[name].image) for name in arguments if name in FILE.services}
        if command == "build":
            self.holds |= named
        elif command == "push":
            self.registry |= named
        elif command == "pull":
            self.holds |= named & self.registry
            if not named <= self.holds and "--ignore-pull-failures" not in arguments:
                raise DriverError("no such image")
        return ""


def provided(tmp_path: Path, *, registry: set[str], here: bool = True) -> list[str]:
    """What was called for all images to be on the host."""
    (tmp_path / "code").mkdir(exist_ok=True)
    called: list[str] = []
    target = Store("host", called, registry)
    images.Provider(
        target=target,
        stack=Stack(project="shop", file="", directory=tmp_path),
        file=FILE,
        tell=lambda _: None,
        here=Store("here", called, registry) if here else None,
        registry=REGISTRY,
    ).provide()
    assert target.holds == {str(service.image) for service in FILE.services.values()}
    return called


def test_what_a_registry_lacks_is_built_and_pushed_there_and_pulled_by_the_host(tmp_path: Path) -> None:
    assert provided(tmp_path, registry={"redis:7.2.16"}) == [
        "host pull --quiet --ignore-pull-failures pay-migrate",
        "here build pay-migrate own",
        "here push pay-migrate",
        "host takes own:1",
        "host pull redis pay pay-migrate",
    ]


def test_what_a_registry_has_is_neither_built_nor_carried(tmp_path: Path) -> None:
    """It was deployed elsewhere before: built once, run everywhere."""
    assert not [
        call
        for call in provided(tmp_path, registry={"redis:7.2.16", f"{REGISTRY}/shop-pay:1f2e3d4c5b6a"})
        if "push" in call or ("build" in call and "pay" in call)
    ]


def test_without_an_engine_here_the_host_builds_and_pushes(tmp_path: Path) -> None:
    assert provided(tmp_path, registry={"redis:7.2.16"}, here=False) == [
        "host pull --quiet --ignore-pull-failures pay-migrate",
        "host build pay-migrate own",
        "host push pay-migrate",
        "host pull redis",
    ]


def test_images_of_ones_code_are_named_after_the_registry_but_in_dev(tmp_path: Path) -> None:
    project, folder = Project("shop").add(CustomService("pay", "fastapi-py", 8003)), ProjectFolder(tmp_path)
    (tmp_path / ".env").write_text(f"IMAGE_REGISTRY={REGISTRY}\nBASE_DOMAIN=shop.example.org\nTLS=local-ca\n")
    folder.scaffold(project)
    named = {
        name: yaml.safe_load(Deployment(project, name, folder, driver=FakeHost()).stack().file)["services"]
        for name in ("dev", "staging")
    }
    assert named["staging"]["pay"]["image"].startswith(f"{REGISTRY}/shop-pay:")
    assert not named["staging"]["nginx"]["image"].startswith(REGISTRY)
    assert named["dev"]["pay"]["image"].startswith("shop-pay:")


@pytest.mark.parametrize("registry", ["https://ghcr.io", "ghcr.io/", "ghcr.io/Acme", "ghcr.io/acme:1", "a b"])
def test_a_registry_that_no_image_could_be_named_after_is_refused(registry: str) -> None:
    with pytest.raises(DeclarationError, match="registry"):
        Environment.named("prod", registry=registry)


def test_dev_neither_asks_a_registry_nor_pushes_to_it(tmp_path: Path) -> None:
    """Also not for an image that the user gave a name there."""
    file = FILE.replace(services={name: FILE.services[name] for name in ("pay", "redis")})
    place = Environment.named("dev", registry=REGISTRY)
    (tmp_path / "code").mkdir()
    called: list[str] = []
    host = FakeHost()
    host.answer("held", lambda _: {})
    host.answer("image", lambda _: None)
    host.answer("compose", lambda _, *words, **__: called.append(words[0]) or "")
    Deployment(Project("shop").add(file), place, ProjectFolder(tmp_path), driver=host)._provide_images(
        Stack(project="shop", file="", directory=tmp_path)
    )
    assert called == ["build", "pull"]
