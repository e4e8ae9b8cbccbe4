"""The help: every command has an example, no summary is cut off, and what one needs first comes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nself_sdk.cli.commands import app

pytestmark = pytest.mark.slow


def tree(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every command by its words, and whether it is a group."""
    inner = getattr(command, "commands", {})
    yield path, bool(inner)
    for name, each in inner.items():
        yield from tree(each, (*path, name))


EVERY = list(tree(get_command(app)))


def shown(path: tuple[str, ...]) -> str:
    return CliRunner().invoke(app, [*path, "--help"], catch_exceptions=False, env={"COLUMNS": "80"}).stdout


@pytest.mark.parametrize("path", [path for path, group in EVERY if not group], ids=" ".join)
def test_every_command_has_an_example(path: tuple[str, ...]) -> None:
    words = "-C shop init" if path == ("init",) else " ".join(path).removesuffix(" list")
    assert f"Example: nself-sdk {words}" in " ".join(shown(path).split())
    assert "[[" not in shown(path)


@pytest.mark.parametrize("path", [path for path, group in EVERY if group], ids=lambda path: " ".join(path) or "all")
def test_no_summary_is_cut_off(path: tuple[str, ...]) -> None:
    assert [line for line in shown(path).splitlines() if line.endswith("...") and "COMMAND" not in line] == []


def test_what_one_needs_first_comes_first() -> None:
    names = [line.split()[0] for line in shown(()).partition("Commands:\n")[2].splitlines() if line.startswith("  ")]
    assert names[:4] == ["init", "build", "check", "up"]
    assert names[-2:] == ["doctor", "Start"]
