"""hooks/: the executables in a project folder that run around a deploy. It finds them, and runs none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.hooks import MOMENTS

_FOLDER = "hooks"


def executables(folder: Path) -> dict[str, Path]:
    """The hooks of a project folder, by moment. Other files beside them are nobody's business.

    Raises:
        DeclarationError: one is not executable, or its name is nearly that of a moment: it would never run.
    """
    place = folder / _FOLDER
    files = sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else []
    meant = {re.sub(r"[^a-z]", "", moment): moment for moment in MOMENTS}
    wrong = [
        Problem(f"{_FOLDER}/{path.name}", "would never run", f"call it {_FOLDER}/{moment}")
        for path in files
        if path.name not in MOMENTS and (moment := meant.get(re.sub(r"[^a-z]", "", path.stem.lower())))
    ]
    found: dict[str, Path] = {path.name: path for path in files if path.name in MOMENTS}
    wrong += [
        Problem(f"{_FOLDER}/{name}", "is not executable", f"chmod +x {_FOLDER}/{name}")
        for name, path in found.items()
        if not os.access(path, os.X_OK)
    ]
    if wrong:
        raise DeclarationError(wrong)
    return found


def surroundings(facts: Mapping[str, str]) -> dict[str, str]:
    """What a hook finds in its environment: that of whoever deploys, and the facts."""
    return {**os.environ, **facts}
