"""What can be said about a folder's environments without deploying anything; secrets are masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nself_sdk.errors import DeclarationError, Problem, SecretError
from nself_sdk.store import cascade, facts, secrets
from nself_sdk.store.envfiles import Variable
from nself_sdk.store.folder import ProjectFolder


@dataclass(frozen=True)
class Row:
    """One environment."""

    name: str
    base: str
    domain: str
    host: str
    current: bool


@dataclass(frozen=True)
class Shown:
    """One variable, masked, and the ``file:line`` that decided it."""

    name: str
    value: str
    place: str


def environments(folder: ProjectFolder) -> list[Row]:
    """Every environment of the folder; one whose files are wrong does not hide the others."""
    return [_row(folder, name) for name in folder.environments]


def _row(folder: ProjectFolder, name: str) -> Row:
    try:
        environment, server = folder.environment(name), folder.server(name)
    except DeclarationError:
        return Row(name, "", "", f"its files are wrong: nself-sdk env validate {name}", name == folder.current)
    named = server is None or not facts.is_placeholder(server.host)
    host = (server.url if server else "this machine") if named else "still to be named"
    return Row(name, environment.profile, environment.domain, host, name == folder.current)


def shown(folder: ProjectFolder, name: str) -> list[Shown]:
    """Every variable and secret of an environment, by name."""
    found = _all(folder, name)
    return [
        Shown(key, _masked(variable), f"{_relative(folder, variable)}:{variable.line}")
        for key, variable in sorted(found.items())
    ]


def differing(folder: ProjectFolder, first: str, second: str) -> list[tuple[str, str | None, str | None]]:
    """The variables that are not the same in both, masked; None where one is absent."""
    one, other = (_all(folder, name) for name in (first, second))
    names = [n for n in sorted({*one, *other}) if (one.get(n) and one[n].value) != (other.get(n) and other[n].value)]
    return [(n, _masked(one[n]) if n in one else None, _masked(other[n]) if n in other else None) for n in names]


def wrong(folder: ProjectFolder, name: str) -> Iterator[Problem]:
    """What is wrong with an environment's files; where they declare the project, with what they declare too."""
    from nself_sdk.store import declaration  # noqa: PLC0415 - imports the whole catalog

    try:
        environment = folder.environment(name)
        yield from folder.file_problems(environment)
        if not (folder.path / "stack.py").exists() and declaration.declares(folder.variables(name)):
            folder.declared_by_variables(environment)
    except DeclarationError as error:
        yield from error.problems
    try:
        _secrets(folder, name)
    except DeclarationError as error:
        yield from error.problems
    except SecretError as error:
        yield Problem("", error.message, error.hint)


def _all(folder: ProjectFolder, name: str) -> dict[str, Variable]:
    """Every variable and secret. What ``.env.secrets`` says of a secret is what counts, whatever other files say."""
    return {**folder.variables(name), **_secrets(folder, name)}


def _secrets(folder: ProjectFolder, name: str) -> dict[str, Variable]:
    return secrets.located(folder.home(cascade.canonical(folder.path, name)) / ".env.secrets")


def _masked(variable: Variable) -> str:
    if variable.file.name == ".env.secrets":
        return secrets.MASK
    return secrets.masked(variable.name, variable.value)


def _relative(folder: ProjectFolder, variable: Variable) -> str:
    path = variable.file
    return str(path.relative_to(folder.path) if path.is_relative_to(folder.path) else path)
