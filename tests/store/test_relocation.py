"""What is written elsewhere still finds the project's folders."""

from __future__ import annotations

from pathlib import Path

from nself_sdk import ComposeFile
from nself_sdk.store.relocation import relocated

TEXT = """
services:
  web:
    build: {context: ./services/web}
    volumes: ["./services/web/app:/srv/app:ro", "data:/data", "/etc/ssl:/ssl"]
  short:
    build: ./services/short
volumes: {data: {}}
"""


def test_paths_of_a_file_written_elsewhere_lead_back(tmp_path: Path) -> None:
    moved = relocated(ComposeFile.loads(TEXT), tmp_path, tmp_path / "rendered" / "prod")
    web, short = moved.services["web"], moved.services["short"]
    assert web.build is not None
    assert getattr(web.build, "context", None) == "../../services/web"
    assert web.volumes == ["../../services/web/app:/srv/app:ro", "data:/data", "/etc/ssl:/ssl"]
    assert short.build == "../../services/short"


def test_a_file_written_in_place_is_left_as_it_is(tmp_path: Path) -> None:
    file = ComposeFile.loads(TEXT)
    assert relocated(file, tmp_path, tmp_path) == file
