"""What `import nself_sdk` and `import nself_sdk.testing` promise: names, and how cheap they are."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest


@pytest.mark.parametrize("package", ["nself_sdk", "nself_sdk.testing"])
def test_every_public_name_is_what_it_says_however_often_it_is_asked_for(package: str) -> None:
    module = import_module(package)
    for _ in range(2):
        found = {name: getattr(module, name) for name in module.__all__}
        assert not [name for name, value in found.items() if isinstance(value, ModuleType)]


def _imported(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_requests_through_the_edge_need_the_standard_library_alone() -> None:
    heavy = {"pydantic", "cryptography", "pytest", "testcontainers", "docker", "python_on_whales", "typer"}
    assert not heavy & _imported("import nself_sdk.testing.edge")


def test_the_pytest_plugin_loads_nothing_but_itself() -> None:
    added = _imported("import pytest; before |= {*sys.modules}; import nself_sdk.testing.pytest_plugin")
    assert added == {"nself_sdk", "nself_sdk.testing", "nself_sdk.testing.pytest_plugin"}
