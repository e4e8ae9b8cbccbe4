"""kinds: the catalog's classes, found by importing it, and the variables of env files that add and shape each."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, cast, get_origin

from nself_sdk import catalog
from nself_sdk.model import Model
from nself_sdk.project import Service
from nself_sdk.store.envfiles import Variable

#: What every stack has unless it is told otherwise.
ALWAYS = ("Postgres", "Hasura", "Auth")

_ENABLED_BY = {
    "Postgres": "POSTGRES_ENABLED",
    "Hasura": "HASURA_ENABLED",
    "Auth": "AUTH_ENABLED",
    "Redis": "REDIS_ENABLED",
}
_VARIABLES: dict[str, dict[str, str]] = {
    "Postgres": {
        "POSTGRES_VERSION": "image",
        "POSTGRES_DB": "database",
        "POSTGRES_PORT": "port",
        "POSTGRES_MEMORY": "memory",
    },
    "Hasura": {
        "HASURA_VERSION": "image",
        "HASURA_ROUTE": "route",
        "HASURA_MEMORY": "memory",
        "HASURA_GRAPHQL_UNAUTHORIZED_ROLE": "unauthorized_role",
    },
    "Auth": {
        "AUTH_IMAGE": "image",
        "AUTH_ROUTE": "route",
        "AUTH_CLIENT_URL": "client_url",
        "AUTH_MEMORY": "memory",
        "AUTH_PASSWORD_MIN_LENGTH": "password_min_length",
    },
    "Nginx": {"NGINX_VERSION": "image"},
    "Redis": {"REDIS_VERSION": "image", "REDIS_PORT": "port", "REDIS_MEMORY": "memory"},
}


@cache
def all_kinds() -> dict[str, type[Any]]:
    """Every public class of the catalog that a project can be given, by name."""
    modules = [import_module(f"{catalog.__name__}.{module.name}") for module in pkgutil.iter_modules(catalog.__path__)]
    return {
        name: kind
        for module in modules
        for name, kind in sorted(vars(module).items())
        if inspect.isclass(kind) and issubclass(kind, Service) and kind is not Service and not name.startswith("_")
        if kind.__module__.startswith(catalog.__name__)
    }


def enabled_by(kind: type[Service]) -> str:
    """The variable that adds a service of that kind; empty where none does."""
    return kind.enabled_by or _ENABLED_BY.get(kind.__name__, "")


def variables(kind: type[Service]) -> Mapping[str, str]:
    """The variables that set fields of that kind."""
    return {**_VARIABLES.get(kind.__name__, {}), **kind.variables}


@cache
def understood() -> frozenset[str]:
    """Every variable that adds or shapes a service of the catalog, whether or not it is in a project."""
    found = all_kinds().values()
    return frozenset({enabled_by(kind) for kind in found} | {n for kind in found for n in variables(kind)})


def value(kind: type[Service], field: str, variable: Variable) -> Any:
    """What a variable's text means for a field: a version is a tag, sizes are lower case, lists have commas."""
    text = variable.value.strip()
    info = kind.model_fields[field]
    if field == "image" and variable.name.endswith("_VERSION"):
        return f"{str(info.default).rpartition(':')[0]}:{text}"
    if field == "memory":
        return text.lower()
    if get_origin(info.annotation) in {tuple, list, set, frozenset}:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    return None if text.lower() == "none" else text


def text(kind: type[Model], field: str, name: str, value: Any) -> str | None:
    """The inverse of `value`: the text that means that value; None where there is none."""
    if field == "image" and name.endswith("_VERSION"):
        repository, _, tag = str(value).rpartition(":")
        return tag if repository == str(kind.model_fields[field].default).rpartition(":")[0] else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        items = cast("tuple[object, ...]", value)
        plain = all(isinstance(item, str) and "," not in item for item in items)
        return ",".join(map(str, items)) if plain else None
    if value is None:
        return "none"
    return str(value) if isinstance(value, str | int | float) else None


def changed(value: Model) -> Iterator[tuple[str, Any]]:
    """The fields that are not at their default."""
    for name, info in type(value).model_fields.items():
        now = getattr(value, name)
        if info.is_required() or now != info.get_default(call_default_factory=True):
            yield name, now


@dataclass(frozen=True)
class Entry:
    """One class of the catalog, for a list."""

    name: str
    variable: str
    purpose: str


def listing() -> list[Entry]:
    """Every class of the catalog with its first sentence, by name."""
    return [
        Entry(name, enabled_by(kind) or _NUMBERED.get(name, ""), (inspect.getdoc(kind) or "").partition("\n")[0])
        for name, kind in sorted(all_kinds().items())
    ]


_NUMBERED = {"CustomService": "CS_N", "FrontendApp": "FRONTEND_APP_N_NAME", "RemoteSchema": "REMOTE_SCHEMA_N_NAME"}
