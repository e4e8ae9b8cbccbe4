"""`nself-sdk import`: a Compose file becomes a stack.py that declares the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nself_sdk import ComposeFile
from nself_sdk.cli.commands import app
from nself_sdk.errors import DeclarationError
from nself_sdk.store import ProjectFolder

COMPOSE = """\
name: shop
services:
  web:
    image: nginx:1.27
    ports: ["8080:80", {target: 443, published: "8443"}]
    environment: {A: "1", B: $$x}
    depends_on: [db]
    healthcheck: {test: [CMD, "true"], interval: 5s}
  db:
    image: postgres:16.4
    volumes: [data:/var/lib/postgresql/data]
volumes:
  data: {}
"""


def run(folder: Path, *arguments: str) -> str:
    return CliRunner().invoke(app, ["-C", str(folder), *arguments], catch_exceptions=False).output


def test_what_is_imported_declares_the_same(tmp_path: Path) -> None:
    source = tmp_path / "docker-compose.yml"
    source.write_text(COMPOSE)
    said = run(tmp_path, "import", str(source))
    assert said.startswith(f"wrote {tmp_path / 'stack.py'}, evaluated: it declares what {source} does\nnext: ")
    folder = ProjectFolder(tmp_path)
    project = folder.project(folder.environment("dev"))
    assert project.name == "shop"
    assert [file.to_yaml() for file in project.files] == [ComposeFile.load(source).to_yaml()]
    assert source.read_text() == COMPOSE


def test_a_users_own_compose_file_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "docker-compose.yml"
    source.write_text(COMPOSE)
    run(tmp_path, "import", str(source))
    with pytest.raises(DeclarationError, match="was not rendered by nself-sdk"):
        run(tmp_path, "build")
    assert source.read_text() == COMPOSE
    source.rename(tmp_path / "old.yml")
    run(tmp_path, "build")
    before = source.read_bytes()
    run(tmp_path, "build")
    assert source.read_bytes() == before


def test_a_stack_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / "stack.py").write_text("mine")
    with pytest.raises(DeclarationError, match="is already there"):
        run(tmp_path, "import", str(tmp_path / "docker-compose.yml"))
    assert (tmp_path / "stack.py").read_text() == "mine"


def test_what_an_import_cannot_keep_is_said(tmp_path: Path) -> None:
    source = tmp_path / "old" / "compose.yaml"
    source.parent.mkdir()
    source.write_text(COMPOSE.replace("name: shop", "name: ${NAME:-My_shop}"))
    folder = tmp_path / "new"
    folder.mkdir()

    said = run(folder, "import", str(source))

    assert "note: the project is called 'my-shop', no longer 'my_shop': its volumes and networks are others\n" in said
    assert f"note: relative paths start at {folder}, no longer at {source.parent}\n" in said


def test_a_service_that_extends_another_may_have_its_image_from_there(tmp_path: Path) -> None:
    source = tmp_path / "compose.yaml"
    source.write_text("services:\n  web: {image: nginx:1.27}\n  more: {extends: web, ports: ['8080:80']}\n")
    run(tmp_path, "import", str(source))
    assert "wrote" in run(tmp_path, "build")
