"""What several tests of the Compose models share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(scope="session")
def compose_cli() -> None:
    """Skip where Docker Compose is not installed; no engine is needed. In CI it must be there."""
    try:
        found = subprocess.run(("docker", "compose", "version"), capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        found = False
    if not found and os.environ.get("CI"):
        pytest.fail("docker compose is missing")
    if not found:
        pytest.skip("docker compose is not installed")
