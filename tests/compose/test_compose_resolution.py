from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nself_sdk.compose import ComposeFile, resolved
from nself_sdk.compose.tree import Tag

BASE = """
services:
  web: {image: 'web:${TAG}', ports: ['80:80'], environment: {A: 1}}
  extra: {image: x, profiles: [p]}
"""
OVER = """
services:
  web:
    extends: {file: other.yml, service: o}
    ports: !override ['81:80']
    environment: {A: !reset null}
"""
OTHER = "services: {o: {init: true}}"


@pytest.mark.slow
@pytest.mark.usefixtures("compose_cli")
def test_several_files_extends_and_profiles_are_resolved_by_compose(tmp_path: Path) -> None:
    for name, text in {
        "base.yml": BASE,
        "over.yml": OVER,
        "other.yml": OTHER,
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "vars").write_text("TAG=7")

    def run(arguments: Sequence[str]) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return subprocess.run(
            ("docker", *arguments), capture_output=True, text=True, check=True, env=environment
        ).stdout

    files = (tmp_path / "base.yml", tmp_path / "over.yml")
    file = resolved(run, *files, env_files=[tmp_path / "vars"], project="shop")

    web = file.services["web"]
    assert list(file.services) == ["web"]
    assert (web.image, web.init, web.environment_map) == ("web:7", True, {})
    assert [port.published for port in web.port_mappings] == ["81"]
    assert "extra" in resolved(run, *files, profiles=["p"], env_files=[tmp_path / "vars"], project="shop").services


def test_tags_stay_when_a_file_is_only_loaded() -> None:
    file = ComposeFile.loads(OVER)

    assert file.tags[("services", "web", "environment", "A")] == Tag("!reset", None)
    assert file.services["web"].environment == {}
