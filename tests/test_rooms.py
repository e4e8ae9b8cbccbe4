"""The rooms of the package: imports point one way, doors have one owner, and files and functions stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "nself_sdk"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if not {"_templates", "_recipes"} & set(path.parts))

# Each room, and the rooms that it may import from besides itself. The arrows of docs/design.md, one a line.
_FIRST = {"errors"}
_COMPOSE = {*_FIRST, "compose"}
_ENVIRONMENT = {*_FIRST, "model", "environment"}
_OFFERS = {*_COMPOSE, *_ENVIRONMENT, "offers"}
_PROJECT = {*_OFFERS, "hooks", "project"}
_PASSES = {*_PROJECT, "passes"}
_RENDER = {*_PASSES, "render"}
_CHECKS = {*_RENDER, "checks"}
_CATALOG = {*_PROJECT, "resources", "catalog"}
_PLAN = {*_CHECKS, "data", "jobs", "reasons", "plan"}
_DOCKER = {*_FIRST, "docker"}
_STORE = {*_PLAN, *_CATALOG, "store"}
_DEPLOY = {*_STORE, *_DOCKER, "deploy"}
_CLI = {*_DEPLOY, "cli"}
_PUBLIC = {
    "",
    "catalog",
    "compose",
    "deploy",
    "docker",
    "environment",
    "errors",
    "passes",
    "project",
    "render",
    "store",
}
ARROWS = {
    "errors": set(),
    "compose": _FIRST,
    "model": _FIRST,
    "environment": {*_FIRST, "model"},
    "offers": {*_COMPOSE, *_ENVIRONMENT},
    "hooks": {*_FIRST, "model"},
    "project": {*_OFFERS, "hooks"},
    "passes": _PROJECT,
    "render": _PASSES,
    "checks": _RENDER,
    "reasons": _CHECKS,
    "jobs": {*_COMPOSE, "offers"},
    "data": {*_COMPOSE, "docker"},  # of docker only its values
    "plan": {*_CHECKS, "data", "jobs", "reasons", "docker"},  # of docker only its values: what was observed
    "resources": {*_FIRST, "model"},
    "catalog": {*_PROJECT, "resources"},
    "docker": _FIRST,
    "store": {*_PLAN, *_CATALOG},
    "deploy": {*_STORE, *_DOCKER},
    "cli": _DEPLOY,
    "testing": _PUBLIC,
    "__main__": {"cli"},
    "": {*_CLI},
}

# Modules that reach outside of the process, and the rooms that may.
DOORS = {
    "python_on_whales": {"docker"},
    "subprocess": {"docker", "store", "cli", "testing"},
    "socket": {"docker", "testing"},
    "random": {"testing"},
    "secrets": {"store", "testing"},
    "fcntl": {"docker", "store"},
    "time": {"docker", "store", "deploy", "cli", "testing"},
}
_OUTER = {"docker", "store", "cli", "testing"}
OUTER = {"environ": _OUTER, "getenv": _OUTER, "now": _OUTER, "utcnow": _OUTER, "today": _OUTER, "system": set[str]()}

LONGEST_FILE = 300
LONGEST_FUNCTION = 25
# What may be longer, each with the reason why.
LONG_FUNCTIONS = {
    "docker/documents.py:container": "one field of Docker's document a line",
    "docker/target.py:_place": "one kind of wrong address after the other",
}


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


ROOMS = {room_of(path) for path in FILES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


@cache
def imports_of(path: Path) -> set[str]:
    """Dotted names of everything that a file imports, also under TYPE_CHECKING and inside functions."""
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively: write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported_by(path: Path) -> set[str]:
    found = [name.split(".")[1:] for name in imports_of(path) if name.split(".")[0] == "nself_sdk"]
    return {parts[0] if parts and parts[0] in ROOMS else "" for parts in found}


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return done.stdout


def test_imports_point_one_way() -> None:
    strangers = [
        f"{path}: {room_of(path) or 'the package'} must not import from {forbidden}"
        for path in FILES
        for forbidden in sorted(rooms_imported_by(path) - ARROWS.get(room_of(path), set()) - {room_of(path)})
    ]
    assert strangers == []


def test_every_room_is_drawn() -> None:
    assert ROOMS - set(ARROWS) == set(), "a room is new: say what it may import from"


def test_only_its_owner_opens_a_door() -> None:
    strangers = [
        f"{path} must not import {door}: that is for {', '.join(sorted(DOORS[door]))}"
        for path in FILES
        for door in sorted({name.split(".")[0] for name in imports_of(path)} & set(DOORS))
        if room_of(path) not in DOORS[door]
    ]
    assert strangers == []


def test_only_the_outer_rooms_read_the_environment_and_the_clock() -> None:
    reads = [
        f"{path}:{node.lineno} reads {node.attr}"
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and room_of(path) not in OUTER.get(node.attr, {room_of(path)})
    ]
    assert reads == []


def test_the_rooms_have_an_order() -> None:
    edges = {room: {other for other in ARROWS[room] if other not in {room, ""}} for room in ARROWS if room}
    assert list(TopologicalSorter(edges).static_order())


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(PACKAGE)}:{node.name}": body_length(node)
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION and name not in LONG_FUNCTIONS} == {}


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code: from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_module_opens_with_a_sentence() -> None:
    assert [path for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_importing_the_package_imports_no_pydantic() -> None:
    assert in_a_fresh_process("import sys, nself_sdk; print('pydantic' in sys.modules)") == "False\n"


def test_help_waits_for_nothing_heavy() -> None:
    heavy = ("python_on_whales", "jinja2", "cryptography", "pydantic", "yaml", "rich")
    code = f"""
import sys
sys.argv = ["nself-sdk", "--help"]
from nself_sdk.cli import main
try:
    main()
except SystemExit:
    print("loaded:", [name for name in {heavy!r} if name in sys.modules])
"""
    assert in_a_fresh_process(code).splitlines()[-1] == "loaded: []"


@pytest.mark.slow
def test_rendering_a_stack_needs_neither_docker_nor_cryptography() -> None:
    code = """
import sys
from nself_sdk import Hasura, Project, render
render(Project("shop").add(Hasura()), "prod")
print([name for name in ("python_on_whales", "cryptography", "typer") if name in sys.modules])
"""
    assert in_a_fresh_process(code) == "[]\n"


@pytest.mark.slow
def test_every_public_name_is_what_its_place_defines() -> None:
    code = """
import importlib, nself_sdk
for place in sorted(set(nself_sdk._PLACES.values())):
    importlib.import_module(f"nself_sdk.{place}")
wrong = [n for n in nself_sdk.__all__ if getattr(nself_sdk, n).__name__ != n]
print(wrong, nself_sdk.render is importlib.import_module("nself_sdk.render").render)
"""
    assert in_a_fresh_process(code) == "[] True\n"


def test_the_table_of_public_names_and_all_agree() -> None:
    import nself_sdk

    assert sorted(nself_sdk._PLACES) == sorted(nself_sdk.__all__)
    assert set(nself_sdk.__all__) <= set(dir(nself_sdk))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import nself_sdk

    with pytest.raises(AttributeError, match="Hazura"):
        nself_sdk.Hazura  # noqa: B018 - reading it is the point
