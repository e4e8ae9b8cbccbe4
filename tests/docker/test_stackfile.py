"""The file that Compose reads: private, gone after the call, and gone with the next call where a process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from nself_sdk.docker import stackfile

if TYPE_CHECKING:
    from pathlib import Path

WRITE = "from nself_sdk.docker import stackfile\nwith stackfile.written('x') as path: print(path, flush=True); input()"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nobody_else_can_read_it_and_it_is_gone_afterwards(scratch: Path) -> None:
    with stackfile.written("services: {}") as path:
        assert path.read_text() == "services: {}"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(scratch.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_call_and_what_is_in_use_stays(scratch: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITE], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        folder = scratch / process.stdout.readline().strip().split("/")[-2]
        os.utime(folder, (0, 0))
        with stackfile.written("y"):
            assert folder.exists(), "it is in use"
        process.kill()
        process.wait()
        assert folder.exists()
    with stackfile.written("z"):
        assert not folder.exists()
