"""Images of the user's code: what their names say, and how they get to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nself_sdk import CustomService, Project, render
from nself_sdk.compose import Build, ComposeFile, Service
from nself_sdk.deploy import images
from nself_sdk.store import ProjectFolder

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
