"""A project as variables of env files: the inverse of `nself_sdk.store.declaration`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model
from nself_sdk.project import Project, Route, Service
from nself_sdk.store import kinds, numbered

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
    problems += [Problem(f"hooks.{moment}", "is a function", f"make it hooks/{moment}") for moment in project.hooks]
    there = {type(service).__name__ for service in project.context(environment).services}
    problems += [
        Problem(part.name, "no variable adds it, and nothing here brings it", _KEEP) for part in _unbrought(project)
    ]
    found |= {k.enabled_by: "false" for name, k in kinds.all_kinds().items() if k.always and name not in there}
    numbers = dict.fromkeys(numbered.prefixes(), 0)
    parts: tuple[Service | Route, ...] = (*project.services.values(), *project.routes)
    for part in parts:
        kind = type(part).__name__
        try:
            if kind in numbers:
                numbers[kind] += 1
                found |= dict(_numbered(part, f"{numbered.prefixes()[kind]}{numbers[kind]}"))
            elif isinstance(part, Service):
                found |= dict(_service(part))
        except _Unsayable as error:
            problems.append(Problem(f"{part.name}.{error}", "cannot be said in variables", _KEEP))
    if problems:
        raise DeclarationError(problems)
    return found


def _unbrought(project: Project) -> Iterator[Service]:
    """Services that come only with others, and whom no other brings: Nginx, where nothing has a route."""
    brought = {kind for service in project.services.values() for kind in service.requires()}
    for service in project.services.values():
        if not (type(service).enabled_by or type(service) in brought):
            yield service


def _service(service: Service) -> Iterator[tuple[str, str]]:
    """One of the catalog's services: what adds it, and what shapes it."""
    kind = type(service)
    if kinds.all_kinds().get(kind.__name__) is not kind:
        raise _Unsayable(kind.__name__)
    if kind.enabled_by:
        yield kind.enabled_by, "true"
    for path, value in _paths(service):
        if path == "environment":
            yield from _handed_on(kind, value)
        else:
            yield _said(kind, path, value, _words(kind))


def _paths(value: Model, before: str = "") -> Iterator[tuple[str, Any]]:
    """What is not at its default, by the path of each field."""
    for name, now in kinds.changed(value):
        if isinstance(now, Model):
            yield from _paths(now, f"{before}{name}.")
        else:
            yield f"{before}{name}", now


def _words(kind: type[Service]) -> Mapping[str, str]:
    """The variables of that kind, those of the old system first: it understands no others."""
    return {**kind.variables, **kinds.variables(kind)}


def _said(kind: type[Any], path: str, value: Any, words: Mapping[str, str]) -> tuple[str, str]:
    for name, meant in words.items():
        text = kinds.text(kind, path, name, value) if meant == path else None
        if text is not None:
            return name, text
    raise _Unsayable(path)


def _handed_on(kind: type[Service], environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if re.fullmatch(kind.handed_on, name):
            yield name, value.replace("$$", "$")
        else:
            yield _said(kind, f"environment.{name}", value.replace("$$", "$"), kind.variables)


def _numbered(part: Service | Route, prefix: str) -> Iterator[tuple[str, str]]:
    """A custom service, a frontend, a remote schema or a route."""
    values = dict(_paths(part))
    if isinstance(part, Route):
        yield f"{prefix}_TARGET", f"{values.pop('service')}:{values.pop('port')}"
        if values.pop("read_timeout", 60) == 3600:  # noqa: PLR2004 - what WEBSOCKET means
            yield f"{prefix}_WEBSOCKET", "true"
    elif type(part).__name__ == "CustomService":
        yield prefix, ":".join(str(values.pop(field)) for field in ("name", "template", "port"))
        yield from _own(values.pop("environment", {}), prefix, numbered.fields(type(part)))
        if values.get("route", "") is None:
            values["route"] = "none"
    elif type(part).__name__ == "FrontendApp":
        values["port"] = dict(part)["port"]  # left out, it would be the number's
    for path, value in values.items():
        word, text = _said(type(part), path, value, numbered.fields(type(part)))
        yield f"{prefix}_{word}", text


def _own(environment: dict[str, str], prefix: str, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    plain = {name: value.replace("$$", "$") for name, value in environment.items()}
    for name in [name for name in plain if words.get(name) == f"environment.{name}"]:
        yield f"{prefix}_{name}", plain.pop(name)
    if any("," in value for value in plain.values()):
        raise _Unsayable("environment")
    if plain:
        yield f"{prefix}_ENV", ",".join(f"{name}={value}" for name, value in plain.items())
