"""kinds: the catalog's classes, found by importing it, and the variables of env files that add and shape each.

What a class does not say itself follows one rule: a field is set by ``<SERVICE>_<FIELD>``, ``REDIS_MEMORY`` for one.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from nself_sdk import catalog
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model, did_you_mean
from nself_sdk.project import Service
from nself_sdk.store import secrets
from nself_sdk.store.envfiles import Variable
from nself_sdk.store.facts import blamed

_NUMBERED = re.compile(r"([A-Z_]+_)N(_NAME)?")
# A field that has a shorter word in variables.
_WORDS = {"cpus": "cpu"}
_PLAIN = {str, int, float, bool, NoneType, Ellipsis}
#: Where a path leads into the variables of the container, and not to a field.
_ENVIRONMENT = "environment."


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


@cache
def numbered() -> dict[str, str]:
    """The kinds that come in numbers, each with what stands before the number: ``CS_`` for custom services."""
    found = {name: _NUMBERED.fullmatch(kind.enabled_by) for name, kind in all_kinds().items()}
    return {name: match[1] for name, match in found.items() if match}


def prefix(kind: type[Service]) -> str:
    """What the variables of that kind begin with: ``REDIS`` for Redis."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()
    return kind.enabled_by.removesuffix("_ENABLED") or snake


def is_bundle(kind: type[Service]) -> bool:
    """Whether it is no service of its own, but brings others."""
    return "image" not in kind.model_fields and kind.__name__ not in numbered()


def variables(kind: type[Service]) -> Mapping[str, str]:
    """The variables that set fields of that kind; where several set one field, the first counts: the class's own word.

    Of kinds that come in numbers: what follows the number. ``smtp.host`` is a field of a field, and
    ``environment.NAME`` a variable of the container.
    """
    if is_bundle(kind):
        return {}
    first = "" if kind.__name__ in numbered() else f"{prefix(kind)}_"
    return {**{f"{first}{_word(path)}": path for path in _paths(kind)}, **kind.variables}


def _word(path: str) -> str:
    return _WORDS.get(path, path).replace(".", "_").upper()


def _paths(kind: type[Service]) -> Iterator[str]:
    """The fields that a text can say, and those of optional values."""
    for name, info in kind.model_fields.items():
        if name == "name" and kind.__name__ not in numbered():
            continue
        if _is_plain(info.annotation) or (_json_type(info.annotation) and name != "environment"):
            yield name
        elif inner := _optional(info.annotation):
            yield from (f"{name}.{field}" for field, i in inner.model_fields.items() if _is_plain(i.annotation))


def _is_plain(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_plain(get_args(annotation)[0])
    if get_origin(annotation) in {tuple, list, Union, UnionType}:
        return all(map(_is_plain, get_args(annotation)))
    return get_origin(annotation) is Literal or annotation in _PLAIN


def _json_type(annotation: Any) -> type[Any] | None:
    """What JSON must hold for a field that a plain text does not say: several models, or something by name."""
    several = [kind for kind in get_args(annotation) if inspect.isclass(kind) and issubclass(kind, Model)]
    return {tuple: list if several else None, dict: dict}.get(get_origin(annotation))


def _optional(annotation: Any) -> type[Model] | None:
    kinds = [each for each in get_args(annotation) if inspect.isclass(each) and issubclass(each, Model)]
    return kinds[0] if NoneType in get_args(annotation) and kinds else None


@cache
def understood() -> frozenset[str]:
    """Every variable that adds or shapes a service of the catalog, whether or not it is in a project."""
    found = [kind for name, kind in all_kinds().items() if name not in numbered()]
    return frozenset({kind.enabled_by for kind in found} | {n for kind in found for n in variables(kind)}) - {""}


@cache
def secret_names() -> frozenset[str]:
    """What the catalog's services call their secrets; a name that is there for one that was left out is no mistake."""
    whole = [kind for name, kind in all_kinds().items() if name not in numbered()]
    return frozenset({secret.name for kind in whole for secret in kind().secrets()} | {secrets.FINGERPRINT_KEY.name})


def is_handed_on(name: str) -> bool:
    """Whether a program of the catalog reads that variable itself."""
    return any(kind.handed_on and re.fullmatch(kind.handed_on, name) for kind in all_kinds().values())


def values(kind: type[Model], given: Mapping[str, Variable]) -> dict[str, Any]:
    """The fields that variables set, by the path of each."""
    found: dict[str, Any] = {}
    for path, variable in given.items():
        outer, _, inner = path.partition(".")
        if path.startswith(_ENVIRONMENT):
            found.setdefault(outer, {})[inner] = variable.value.replace("$", "$$")
        elif inner:
            found.setdefault(outer, {})[inner] = variable.value.strip()
        else:
            found[outer] = value(kind, outer, variable)
    return found


def made(kind: type[Any], fields: Mapping[str, Any], given: Mapping[str, Variable], environment: Environment) -> Any:
    """A service or a route of these fields.

    Raises:
        DeclarationError: a field is wrong, or gives a host name that is none; each at the line of its variable.
    """
    try:
        service = kind(**fields)
    except DeclarationError as error:
        raise DeclarationError(blamed(error, given)) from None
    routes = [variable.where for path, variable in given.items() if path.endswith("route")]
    try:
        if isinstance(service, Service):
            service.routes(environment)
    except DeclarationError as error:
        where = routes[0] if routes else service.name
        raise DeclarationError([Problem(where, p.what, p.fix) for p in error.problems]) from None
    return service


def value(kind: type[Model], field: str, variable: Variable) -> Any:
    """What a variable's text means for a field: a version is a tag, sizes are lower case, lists have commas.

    Raises:
        DeclarationError: it is to be JSON, and is not.
    """
    text = variable.value.strip()
    info = kind.model_fields[field]
    if wanted := _json_type(info.annotation):
        return _parsed(variable, wanted)
    if field == "image" and variable.name.endswith("_VERSION"):
        return f"{str(info.default).rpartition(':')[0]}:{text}"
    if field == "memory":
        return text.lower()
    if get_origin(info.annotation) in {tuple, list, set, frozenset}:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    return None if text.lower() == "none" else text


def _parsed(variable: Variable, wanted: type[Any]) -> Any:
    form = "[{...}]" if wanted is list else '{"name": ...}'
    try:
        found = json.loads(variable.value)
    except json.JSONDecodeError as error:
        fix = f"write {form} in single quotes"
        raise DeclarationError(Problem(variable.where, f"is not JSON: {error}", fix)) from None
    if not isinstance(found, wanted):
        raise DeclarationError(Problem(variable.where, f"is {type(found).__name__} in JSON", f"write {form}"))
    return found


def text(kind: type[Model], field: str, name: str, value: Any) -> str | None:
    """The inverse of `value`: the text that means that value; None where there is none, as for what is empty."""
    info = kind.model_fields.get(field)
    if field == "image" and name.endswith("_VERSION"):
        repository, _, tag = str(value).rpartition(":")
        return tag if repository == str(kind.model_fields[field].default).rpartition(":")[0] else None
    if info and _json_type(info.annotation):
        return json.dumps(value, default=lambda model: model.model_dump(exclude_defaults=True))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        items = cast("tuple[object, ...]", value)
        plain = all(isinstance(item, str) and "," not in item for item in items)
        return (",".join(map(str, items)) or None) if plain else None
    if value is None:
        return "none"
    return (str(value) or None) if isinstance(value, str | int | float) else None


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
    #: The variables that shape it, and the field that each sets.
    variables: dict[str, str]


def listing() -> list[Entry]:
    """Every class of the catalog with its first sentence, by name."""
    return [_entry(name, kind) for name, kind in sorted(all_kinds().items())]


def entry(word: str) -> Entry:
    """The class of that name, however it is written: ``postgres-exporter`` is PostgresExporter.

    Raises:
        DeclarationError: there is none.
    """
    known = {name.lower(): name for name in all_kinds()}
    if name := known.get(re.sub(r"[-_ ]", "", word).lower()):
        return _entry(name, all_kinds()[name])
    fix = did_you_mean(word.lower(), list(known))
    raise DeclarationError(Problem("service", f"there is no {word!r} in the catalog", fix))


def _entry(name: str, kind: type[Service]) -> Entry:
    first = numbered().get(name, "")
    words = {f"{first}N_{variable}" if first else variable: path for variable, path in variables(kind).items()}
    purpose = (inspect.getdoc(kind) or "").partition("\n")[0].replace("`", "")
    return Entry(name, kind.enabled_by, purpose, words)
