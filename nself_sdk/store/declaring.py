"""A project as variables of env files: the inverse of `nself_sdk.store.declaration`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nself_sdk.catalog.auth import Smtp
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.project import Project, Route, Service
from nself_sdk.store import kinds, numbered
from nself_sdk.store.declaration import HANDED_ON

_KEEP = "leave it at its default, or keep stack.py"


class _Unsayable(Exception):  # noqa: N818 - no error: a field that no variable says
    pass


def variables(project: Project, environment: Environment) -> dict[str, str]:
    """The variables that declare the project in that environment.

    Raises:
        DeclarationError: with everything that no variable can say.
    """
    found = {"PROJECT_NAME": project.name}
    problems = [Problem(project.name, "a Compose file cannot be said in variables", _KEEP) for _ in project.files]
    there = {type(service).__name__ for service in project.context(environment).services}
    found |= {kinds.enabled_by(kinds.all_kinds()[name]): "false" for name in kinds.ALWAYS if name not in there}
    numbers = dict.fromkeys(numbered.PREFIXES, 0)
    parts: tuple[Service | Route, ...] = (*project.services.values(), *project.routes)
    for part in parts:
        kind = type(part).__name__
        try:
            if kind in numbers:
                numbers[kind] += 1
                found |= dict(_numbered(part, f"{numbered.PREFIXES[kind]}{numbers[kind]}"))
            elif isinstance(part, Service):
                found |= dict(_service(part))
        except _Unsayable as error:
            problems.append(Problem(f"{part.name}.{error}", "cannot be said in variables", _KEEP))
    if problems:
        raise DeclarationError(problems)
    return found


def _service(service: Service) -> Iterator[tuple[str, str]]:
    """One of the catalog's services: what adds it, and what shapes it."""
    kind = type(service)
    if kinds.all_kinds().get(kind.__name__) is not kind:
        raise _Unsayable(kind.__name__)
    if kinds.enabled_by(kind):
        yield kinds.enabled_by(kind), "true"
    for field, value in kinds.changed(service):
        if isinstance(value, Smtp):
            yield from _smtp(value)
        elif field == "environment":
            yield from _handed_on(kind, value)
        elif field == "port" and kind.__name__ == "Postgres" and value is None:
            yield "POSTGRES_EXPOSE_PORT", "false"
        else:
            yield _said(kind, field, value)


def _said(kind: type[Service], field: str, value: Any) -> tuple[str, str]:
    for name, meant in kinds.variables(kind).items():
        text = kinds.text(kind, field, name, value) if meant == field else None
        if text is not None:
            return name, text
    raise _Unsayable(field)


def _smtp(smtp: Smtp) -> Iterator[tuple[str, str]]:
    for field, value in kinds.changed(smtp):
        yield f"AUTH_SMTP_{field.upper()}", str(value).lower() if isinstance(value, bool) else str(value)


def _handed_on(kind: type[Service], environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    pattern = HANDED_ON.get(kind.__name__)
    for name, value in environment.items():
        if pattern is None or not pattern.fullmatch(name):
            raise _Unsayable(f"environment.{name}")
        yield name, value.replace("$$", "$")


def _numbered(part: Service | Route, prefix: str) -> Iterator[tuple[str, str]]:
    """A custom service, a frontend, a remote schema or a route."""
    values = dict(kinds.changed(part))
    if isinstance(part, Route):
        values.pop("name")
        yield f"{prefix}_SUBDOMAIN", part.name
        yield f"{prefix}_TARGET", f"{values.pop('service')}:{values.pop('port')}"
    elif type(part).__name__ == "CustomService":
        yield prefix, ":".join(str(values.pop(field)) for field in ("name", "template", "port"))
        yield from _own(values.pop("environment", {}), prefix)
        if values.get("route", "") is None:
            values["route"] = "none"
    fields = numbered.fields(type(part))
    for field, value in values.items():
        suffix = next((suffix for suffix, meant in reversed(fields.items()) if meant == field), None)
        text = kinds.text(type(part), field, suffix or "", value) if suffix else None
        if text is None:
            raise _Unsayable(field)
        yield f"{prefix}_{suffix}", text


def _own(environment: dict[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    plain = {name: value.replace("$$", "$") for name, value in environment.items()}
    for name in numbered.HANDED_ON:
        if name in plain:
            yield f"{prefix}_{name}", plain.pop(name)
    if any("," in value for value in plain.values()):
        raise _Unsayable("environment")
    if plain:
        yield f"{prefix}_ENV", ",".join(f"{name}={value}" for name, value in plain.items())
