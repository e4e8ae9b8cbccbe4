"""docs/faults.md names tests that exist, and every test of a fault stands in it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
NAME = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def defined(folder: Path) -> set[str]:
    return {name for path in folder.rglob("test_*.py") for name in NAME.findall(path.read_text(encoding="utf-8"))}


def test_the_page_of_faults_names_only_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert named - defined(TESTS) == set()


def test_every_test_of_a_fault_stands_in_the_page_of_faults() -> None:
    own = set(NAME.findall(Path(__file__).read_text(encoding="utf-8")))
    assert defined(Path(__file__).parent) - own - set(re.findall(r"`(test_\w+)`", PAGE)) == set()
