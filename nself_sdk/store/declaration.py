"""A project made of env files: the variables of the old system become the typed project. It knows no disk.

Every reader takes what it understands out of ``left``; what stays there is not honoured, and one warning names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nself_sdk.catalog.auth import Smtp
from nself_sdk.environment import ALIASES, Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.project import Project, Service
from nself_sdk.store import cascade, kinds, numbered
from nself_sdk.store.envfiles import Variable
from nself_sdk.store.facts import FACTS, blamed, stated
from nself_sdk.store.secrets import is_secret, masked

_ON, _OFF = {"true", "1", "yes", "on"}, {"false", "0", "no", "off", ""}

#: What Hasura and Auth read themselves is handed on to them, unless it is ours to say.
HANDED_ON = {
    "Hasura": re.compile(r"HASURA_GRAPHQL_(?!DATABASE_URL|METADATA_DATABASE_URL|JWT|ADMIN).+"),
    "Auth": re.compile(
        r"AUTH_(ACCESS_TOKEN|REFRESH_TOKEN|PROVIDER|EMAIL|WEBAUTHN|ACCESS_CONTROL|ANONYMOUS|MFA|PASSWORD|LOCALE|USER"
        r"|GRAVATAR|RATE_LIMIT|DISABLE|CONCEAL)_.+"
    ),
}
_DECLARES = re.compile(r"PROJECT_NAME|[A-Z_]+_ENABLED|CS_[0-9]+|FRONTEND_APP_[0-9]+_NAME|REMOTE_SCHEMA_[0-9]+_NAME")


@dataclass(frozen=True)
class Reading:
    """A project, and the variables that say nothing about it."""

    project: Project
    not_honoured: tuple[Variable, ...]


def declares(variables: Mapping[str, Variable]) -> bool:
    """Whether variables say anything about a project at all."""
    return any(_DECLARES.fullmatch(name) for name in variables)


def is_about_services(name: str) -> bool:
    """Whether a variable of that name declares or shapes a service, rather than the environment."""
    numbers = any(name.startswith(prefix) for prefix in numbered.PREFIXES.values())
    smtp = any(name in names for _, *names in _SMTP)
    handed_on = any(pattern.fullmatch(name) for pattern in HANDED_ON.values()) and name not in FACTS
    return numbers or smtp or handed_on or name in kinds.understood() or _DECLARES.fullmatch(name) is not None


def read(variables: Mapping[str, Variable], environment: Environment) -> Reading:
    """The project that the variables declare in that environment.

    Raises:
        DeclarationError: with everything that is wrong, each at the line of its variable.
    """
    left = {name: variable for name, variable in variables.items() if not _is_fact(variable, variables, environment)}
    problems: list[Problem] = []
    _collect(problems, lambda: _translate(left))
    project = _collect(problems, lambda: _named(left)) or Project()
    off: dict[str, Variable] = {}
    for name, kind in sorted(kinds.all_kinds().items()):
        if name not in numbered.PREFIXES:
            _collect(problems, lambda kind=kind: _add(project, kind, left, off))  # type: ignore[misc]
    left = {name: variable for name, variable in left.items() if name not in kinds.understood()}
    numbered.add_all(project, environment, left, problems)
    if not problems:
        problems += _needed_but_off(project, environment, off)
    if problems:
        raise DeclarationError(problems)
    return Reading(project, tuple(left[name] for name in sorted(left) if left[name].value))


def _is_fact(variable: Variable, variables: Mapping[str, Variable], environment: Environment) -> bool:
    """Whether it says something about the environment, and nothing about the project."""
    if variable.name in {"ENV", "NODE_ENV", cascade.BASE}:
        return ALIASES.get(variable.value.lower(), variable.value) in {environment.name, environment.profile}
    fact = FACTS.get(variable.name)
    return fact is not None and stated(environment.profile, variables).get(fact) is variable


def _translate(left: dict[str, Variable]) -> None:
    """Older ways to enable a service become the present one."""
    if storage := left.pop("STORAGE_ENABLED", None):
        left.setdefault("MINIO_ENABLED", storage)
    if search := left.pop("SEARCH_ENABLED", None):
        provider = left.get("SEARCH_PROVIDER") or left.get("SEARCH_ENGINE")
        name = f"{provider.value.upper()}_ENABLED" if provider and provider.value else "MEILISEARCH_ENABLED"
        if name not in {kinds.enabled_by(kind) for kind in kinds.all_kinds().values()}:
            left["SEARCH_ENABLED"] = search
            return
        left.setdefault(name, search)
        for known in ("SEARCH_PROVIDER", "SEARCH_ENGINE"):
            left.pop(known, None)


def _named(left: dict[str, Variable]) -> Project:
    name = left.pop("PROJECT_NAME", None)
    left.pop("PROJECT_DESCRIPTION", None)
    if name is None or not name.value:
        return Project()
    try:
        return Project(name.value)
    except DeclarationError as error:
        raise DeclarationError([Problem(name.where, p.what, p.fix) for p in error.problems]) from None


def _add(project: Project, kind: type[Service], left: dict[str, Variable], off: dict[str, Variable]) -> None:
    """Add a service of that kind if it is enabled; its variables are understood either way."""
    flag = left.get(kinds.enabled_by(kind))
    given = {f: left[n] for n, f in kinds.variables(kind).items() if n in left and f in kind.model_fields}
    enabled = is_on(flag) if flag else kind.__name__ in kinds.ALWAYS
    if flag and not enabled:
        off[kind.__name__] = flag
    more = _more(kind, left)
    if not enabled and not (kind.__name__ == "Nginx" and given):
        return
    values = {field: kinds.value(kind, field, variable) for field, variable in given.items() if variable.value}
    try:
        project.add(kind(**values, **more))
    except DeclarationError as error:
        raise DeclarationError(blamed(error, given)) from None


def _more(kind: type[Service], left: dict[str, Variable]) -> dict[str, Any]:
    """What no table says: variables that a program reads itself, Auth's mail server, a closed database port."""
    more: dict[str, Any] = {}
    pattern = HANDED_ON.get(kind.__name__)
    names = [name for name in left if pattern and pattern.fullmatch(name) and _may_be_shown(left[name])]
    if kind.__name__ == "Hasura" and (extra := left.pop("HASURA_EXTRA_ENV", None)):
        names += [n for n in map(str.strip, extra.value.split(",")) if n in left and _may_be_shown(left[n])]
    if names:
        more["environment"] = {n: left.pop(n).value.replace("$", "$$") for n in dict.fromkeys(names)}
    if kind.__name__ == "Auth" and (smtp := _smtp(left)):
        more["smtp"] = smtp
    if kind.__name__ == "Postgres" and (exposed := left.get("POSTGRES_EXPOSE_PORT")):
        if exposed.value.lower() in _OFF:
            more["port"] = None
        if exposed.value.lower() in {*_OFF, "auto"}:
            del left["POSTGRES_EXPOSE_PORT"]
    return more


def _smtp(left: dict[str, Variable]) -> Smtp | None:
    """The mail server, from ``AUTH_SMTP_*`` or ``SMTP_*``; Mailpit is not one, it is wired by itself."""
    found: dict[str, Variable] = {}
    for field, *names in _SMTP:
        for name in names:
            if variable := left.pop(name, None):
                found.setdefault(field, variable)
    host = found.get("host")
    if host is None or host.value in {"", "mailpit"}:
        return None
    given = {field: variable.value for field, variable in found.items() if variable.value}
    values: dict[str, Any] = {"user": "", "sender": "", **given}
    try:
        return Smtp(**values)
    except DeclarationError as error:
        raise DeclarationError(blamed(error, found)) from None


_SMTP = (
    ("host", "AUTH_SMTP_HOST", "SMTP_HOST"),
    ("port", "AUTH_SMTP_PORT", "SMTP_PORT"),
    ("user", "AUTH_SMTP_USER", "SMTP_USER"),
    ("sender", "AUTH_SMTP_SENDER", "EMAIL_FROM"),
    ("secure", "AUTH_SMTP_SECURE", "SMTP_SECURE"),
)


def _needed_but_off(project: Project, environment: Environment, off: Mapping[str, Variable]) -> list[Problem]:
    """What was switched off and is needed all the same."""
    problems: list[Problem] = []
    there = project.context(environment).services
    for service in there:
        for kind in service.requires():
            if (flag := off.get(kind.__name__)) is not None:
                fix = f"set it to true, or leave {service.name} out"
                problems.append(Problem(flag.where, f"{service.name} needs {kind.__name__}", fix))
    return problems


def is_on(variable: Variable) -> bool:
    """Whether a flag is true.

    Raises:
        DeclarationError: it is neither true nor false.
    """
    value = variable.value.strip().lower()
    if value in _ON | _OFF:
        return value in _ON
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
