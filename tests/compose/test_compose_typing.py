from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "user_script.py"


@pytest.mark.slow
def test_a_user_s_script_passes_mypy_in_strict_mode(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(SCRIPT))

    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_a_user_s_script_passes_pyright(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    command = (sys.executable, "-m", "pyright", "-p", str(tmp_path), "--pythonpath", sys.executable)

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout
