"""A project made of env files: the variables of the old system become the typed project. It knows no disk.

Every reader takes what it understands out of ``left``; what stays there is not honoured, and one warning names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.project import Project, Service
from nself_sdk.store import kinds, numbered
from nself_sdk.store.envfiles import Variable, is_secret
from nself_sdk.store.facts import FACTS, OFF, ON, is_fact
from nself_sdk.store.secrets import masked

_DECLARES = re.compile(r"PROJECT_NAME|[A-Z_]+_ENABLED|CS_[0-9]+|FRONTEND_APP_[0-9]+_NAME|REMOTE_SCHEMA_[0-9]+_NAME")
#: What is so in every stack: said of it, there is nothing to do.
_SO = {
    "POSTGRES_HOST": {"postgres"},
    "POSTGRES_USER": {"postgres"},
    "HASURA_JWT_TYPE": {"HS256"},
    "AUTH_JWT_TYPE": {"HS256"},
    "EMAIL_PROVIDER": {"mailpit", "smtp"},
    "MAILPIT_ACCEPT_ANY_AUTH": ON,
    "MLFLOW_DB_NAME": {"mlflow"},
    "MLFLOW_AUTH_ENABLED": ON,
    "NGINX_MODE": {"standalone"},
    "NGINX_ENABLED": ON,
    "SSL_ENABLED": ON,
    "DEBUG": OFF,
    **dict.fromkeys(("SEED_DATA", "SEED_DATABASE", "DEMO_USERS", "DEMO_CONTENT"), OFF),
}


@dataclass(frozen=True)
class Reading:
    """A project, and the variables that say nothing about it."""

    project: Project
    not_honoured: tuple[Variable, ...]


@dataclass
class _Said:
    """What the variables say of one kind of service, whether or not it is in the project."""

    given: dict[str, Variable]
    environment: dict[str, str] = field(default_factory=dict[str, str])
    #: The port of the host stays closed.
    closed: bool = False

    def __bool__(self) -> bool:
        return bool(self.given or self.environment or self.closed)


def declares(variables: Mapping[str, Variable]) -> bool:
    """Whether variables say anything about a project at all."""
    return any(_DECLARES.fullmatch(name) for name in variables)


def is_about_services(name: str) -> bool:
    """Whether a variable of that name declares or shapes a service, rather than the environment."""
    numbers = any(name.startswith(prefix) for prefix in numbered.prefixes().values())
    handed_on = kinds.is_handed_on(name) and name not in FACTS
    return numbers or handed_on or name in kinds.understood() or _DECLARES.fullmatch(name) is not None


def read(variables: Mapping[str, Variable], environment: Environment) -> Reading:
    """The project that the variables declare in that environment.

    Raises:
        DeclarationError: with everything that is wrong, each at the line of its variable.
    """
    left = {name: v for name, v in variables.items() if not is_fact(v, variables, environment) and not _is_so(v)}
    problems: list[Problem] = []
    _collect(problems, lambda: _translate(left))
    project = _collect(problems, lambda: _named(left)) or Project()
    catalog = {name: kind for name, kind in sorted(kinds.all_kinds().items()) if name not in kinds.numbered()}
    said = {name: _said(kind, left, environment) for name, kind in catalog.items()}
    on, off = _switched(catalog, left, problems)
    for name in on:
        _collect(problems, lambda name=name: project.add(_made(catalog[name], said[name], environment)))  # type: ignore[misc]
    left = {name: variable for name, variable in left.items() if name not in kinds.understood()}
    numbered.add_all(project, environment, left, problems)
    if not problems:
        _collect(problems, lambda: _shape_required(project, environment, said))
        problems += _needed_but_off(project, environment, off)
    if problems:
        raise DeclarationError(problems)
    return Reading(project, tuple(v for _, v in sorted(left.items()) if v.value and not v.lent))


def _is_so(variable: Variable) -> bool:
    return variable.value.strip() in _SO.get(variable.name, ())


def _translate(left: dict[str, Variable]) -> None:
    """Older ways to enable a service become the present one."""
    if storage := left.pop("STORAGE_ENABLED", None):
        left.setdefault("MINIO_ENABLED", storage)
    if search := left.pop("SEARCH_ENABLED", None):
        provider = left.get("SEARCH_PROVIDER") or left.get("SEARCH_ENGINE")
        name = f"{provider.value.upper()}_ENABLED" if provider and provider.value else "MEILISEARCH_ENABLED"
        if name not in {kind.enabled_by for kind in kinds.all_kinds().values()}:
            left["SEARCH_ENABLED"] = search
            return
        left.setdefault(name, search)
        for known in ("SEARCH_PROVIDER", "SEARCH_ENGINE"):
            left.pop(known, None)


def _named(left: dict[str, Variable]) -> Project:
    name = left.pop("PROJECT_NAME", None)
    if name is None or not name.value:
        return Project()
    try:
        return Project(name.value)
    except DeclarationError as error:
        raise DeclarationError([Problem(name.where, p.what, p.fix) for p in error.problems]) from None


def _said(kind: type[Service], left: dict[str, Variable], environment: Environment) -> _Said:
    """What the variables say of that kind; those that only its program understands are taken out of ``left``."""
    said = _Said({})
    for name, path in kinds.variables(kind).items():
        if name in left and left[name].value:
            said.given.setdefault(path, left[name])
    handed_on = [name for name in left if kind.handed_on and re.fullmatch(kind.handed_on, name)]
    if extra := left.get(f"{kinds.prefix(kind)}_EXTRA_ENV"):
        names = [name.strip() for name in extra.value.split(",")]
        handed_on += [name for name in names if name in left]
        if set(names) <= left.keys():
            del left[extra.name]
    for name in dict.fromkeys(handed_on):
        if name not in kinds.variables(kind) and _may_be_shown(left[name]):
            said.environment[name] = left.pop(name).value.replace("$", "$$")
    said.closed = _is_closed(kind, left, environment)
    return said


def _is_closed(kind: type[Service], left: dict[str, Variable], environment: Environment) -> bool:
    """Whether the kind's port is not to be published; outside dev it never is, and nobody can ask for it."""
    exposed = left.get(f"{kinds.prefix(kind)}_EXPOSE_PORT")
    if exposed is None or "port" not in kind.model_fields:
        return False
    word, open_here = exposed.value.lower(), environment.publishes(str(kind.model_fields["name"].default))
    if word in {*OFF, "auto"} or (word in ON and open_here):
        del left[exposed.name]
    return word in OFF


def _switched(
    catalog: Mapping[str, type[Service]], left: Mapping[str, Variable], problems: list[Problem]
) -> tuple[list[str], dict[str, Variable]]:
    """The names of the kinds that are switched on, and the flags of those that are switched off."""
    flags = {name: left[kind.enabled_by] for name, kind in catalog.items() if kind.enabled_by in left}
    states = {name: _collect(problems, lambda flag=flag: is_on(flag)) for name, flag in flags.items()}  # type: ignore[misc]
    off = {name: flags[name] for name, state in states.items() if state is False}
    on: list[str] = []
    for name, kind in catalog.items():
        if states.get(name, kind.always):
            on += _unbundled(kind, off) if kinds.is_bundle(kind) else [name]
    return list(dict.fromkeys(on)), off


def _unbundled(bundle: type[Service], off: Mapping[str, Variable]) -> list[str]:
    """A bundle or, where some of it is switched off, the rest of it."""
    parts = [kind.__name__ for kind in bundle().requires()]  # type: ignore[call-arg]  # a bundle has a name of its own
    rest = [name for name in parts if name not in off]
    return [bundle.__name__] if rest == parts else rest


def _made(kind: type[Service], said: _Said, environment: Environment) -> Service:
    values = kinds.values(kind, said.given)
    if said.environment:
        values["environment"] = {**values.get("environment", {}), **said.environment}
    if said.closed:
        values["port"] = None
    service: Service = kinds.made(kind, values, said.given, environment)
    return service


def _shape_required(project: Project, environment: Environment, said: Mapping[str, _Said]) -> None:
    """What is said of a service counts too where others bring it: Prometheus, where monitoring is switched on."""
    for service in project.context(environment).services:
        kind = type(service)
        if service.name not in project.services and said.get(kind.__name__):
            project.add(_made(kind, said[kind.__name__], environment))


def _needed_but_off(project: Project, environment: Environment, off: Mapping[str, Variable]) -> Iterator[Problem]:
    """What was switched off and is needed all the same."""
    for service in project.context(environment).services:
        for kind in service.requires():
            if (flag := off.get(kind.__name__)) is not None:
                fix = f"set it to true, or leave {service.name} out"
                yield Problem(flag.where, f"{service.name} needs {kind.__name__}", fix)


def is_on(variable: Variable) -> bool:
    """Whether a flag is true.

    Raises:
        DeclarationError: it is neither true nor false.
    """
    value = variable.value.strip().lower()
    if value in ON | OFF:
        return value in ON
    raise DeclarationError(
        Problem(variable.where, f"{variable.value!r} is neither true nor false", "write one of them")
    )


def _may_be_shown(variable: Variable) -> bool:
    return not is_secret(variable.name) and masked(variable.name, variable.value) == variable.value


def _collect(problems: list[Problem], step: Callable[[], Any]) -> Any:
    """The step's value; None, and its problems among the others, if it fails."""
    try:
        return step()
    except DeclarationError as error:
        problems += error.problems
        return None
