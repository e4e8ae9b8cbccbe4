"""A stack.py is read as it is now."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nself_sdk import Environment
from nself_sdk.store import stack

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_change_of_the_same_size_within_a_second_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path, names = tmp_path / "stack.py", []
    for name in ("shop", "blog"):
        path.write_text(f"from nself_sdk import Project\nproject = Project({name!r})\n", encoding="utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        names.append(stack.project(path, Environment.named("dev")).name)
    assert names == ["shop", "blog"]
    assert os.listdir(tmp_path) == ["stack.py"]  # noqa: PTH208 - names
