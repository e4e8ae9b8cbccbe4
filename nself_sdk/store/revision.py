"""Who deploys what: the operator's name and the git revision of the project folder."""

from __future__ import annotations

import getpass
import platform
import subprocess
from pathlib import Path


def operator() -> str:
    """``user@machine``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        user = "somebody"
    return f"{user}@{platform.node() or 'unknown'}"


def revision(folder: Path) -> tuple[str, bool]:
    """The commit that is checked out, and whether the folder differs from it; ``("", False)`` outside of git."""
    commit = _git(folder, "rev-parse", "HEAD")
    return (commit, bool(_git(folder, "status", "--porcelain", "--", "."))) if commit else ("", False)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
