"""Every variable of the system before us: honoured, so anyway, or named in the one warning; none is dropped."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from nself_sdk import DeclarationError, Environment, Project
from nself_sdk.store import ProjectFolder, kinds
from nself_sdk.store.folder import NotHonouredWarning

TABLE = Path(__file__).with_name("nself_variables.txt")


def cases() -> Iterator[tuple[str, str, str]]:
    """What the folder says besides, the variable, and what it does."""
    given = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            given = line[1:-1]
        elif line and not line.startswith("#"):
            does, _, variable = line.partition(" ")
            yield given, variable.strip(), does


CASES = [pytest.param(*case, id=f"{case[1]} {case[2]}") for case in cases()]


@pytest.mark.slow
@pytest.mark.parametrize(("given", "variable", "does"), CASES)
def test_a_variable_does_what_the_table_says(tmp_path: Path, given: str, variable: str, does: str) -> None:
    besides = given.replace(" ", "\n")
    before = read(tmp_path, besides)
    if does == "refused":
        with pytest.raises(DeclarationError, match=variable.partition("=")[0]):
            read(tmp_path, f"{besides}\n{variable}")
        return
    after = read(tmp_path, f"{besides}\n{variable}")
    changes = "+".join(changed(before, after))
    warned = re.search(rf"\b{variable.partition('=')[0]} \(", after[2]) is not None
    assert (changes or ("warned" if warned else "so"), warned) == (does, does == "warned")


def read(folder: Path, text: str) -> tuple[Project, Environment, str]:
    (folder / ".env").write_text(text + "\n", encoding="utf-8")
    opened = ProjectFolder(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NotHonouredWarning)
        place = opened.environment("dev")
        project = opened.project(place)
    return project, place, " ".join(str(warning.message) for warning in caught)


def changed(before: tuple[Project, Environment, str], after: tuple[Project, Environment, str]) -> Iterator[str]:
    old, new = before[0], after[0]
    if old.name != new.name:
        yield "name"
    names = sorted({*old.services, *new.services})
    yield from (name for name in names if old.services.get(name) != new.services.get(name))
    if old.routes != new.routes:
        yield "route"
    facts = [fact for fact in Environment.model_fields if fact != "variables"]
    yield from (f"environment.{fact}" for fact in facts if getattr(before[1], fact) != getattr(after[1], fact))


# What only Python says: values that are more than a text or a list of texts.
UNSAYABLE = {
    "CustomService": {"actions", "events", "jobs"},
    "Mlflow": {"bucket_password"},
}


def test_every_field_of_the_catalog_has_a_variable() -> None:
    said = {
        name: {path.partition(".")[0] for path in kinds.variables(kind).values()}
        for name, kind in kinds.all_kinds().items()
    }
    fields = {name: set(kind.model_fields) - {"name", "environment"} for name, kind in kinds.all_kinds().items()}
    bundles = {name for name, kind in kinds.all_kinds().items() if kinds.is_bundle(kind)}
    missing = {name: fields[name] - said[name] - UNSAYABLE.get(name, set()) for name in fields if name not in bundles}
    assert {name: found for name, found in missing.items() if found} == {}
    assert bundles == {"Monitoring"}


def test_no_variable_belongs_to_two_services_that_can_be_together() -> None:
    owners: dict[str, list[str]] = {}
    for name, kind in kinds.all_kinds().items():
        for variable in kinds.variables(kind) if name not in kinds.numbered() else ():
            owners.setdefault(variable, []).append(name)
    assert {variable: found for variable, found in owners.items() if len(found) > 1} == {
        "SEARCH_ROUTE": ["Meilisearch", "Typesense"]
    }
