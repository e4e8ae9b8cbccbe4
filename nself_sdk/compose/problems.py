"""What pydantic found wrong, as sentences in the specification's own paths; knows no attribute by name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nself_sdk.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    Path = tuple[str | int, ...]
    Locate = Callable[[Path], str]

_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "nothing",
}
_LONGEST_VALUE = 60


def dotted(path: Iterable[str | int]) -> str:
    """``("services", "web", "ports", 0)`` as ``services.web.ports[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def closest(word: str, known: Iterable[str]) -> str:
    """A sentence that names the known word nearest to this one, or nothing."""
    found = get_close_matches(word, [*known], n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else ""


def problems_of(
    error: ValidationError, model: type[BaseModel], data: object, locate: Locate | None = None
) -> list[Problem]:
    """One problem for each place that is wrong.

    Args:
        error: what pydantic raised.
        model: the class that ``data`` was meant to be.
        data: what was validated.
        locate: gives ``file:line:column: `` for a path, where it is known.
    """
    places: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        places.setdefault(_real_path(detail, data), []).append(detail)
    deepest = [
        path for path in places if not any(other != path and other[: len(path)] == path for other in places)
    ]
    return [_problem(path, places[path], model, locate) for path in deepest]


def _real_path(detail: ErrorDetails, data: object) -> Path:
    """The path without the names of union members that pydantic puts in between."""
    path: list[str | int] = []
    here: Any = data
    steps = detail["loc"]
    for index, step in enumerate(steps):
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list | tuple) and isinstance(step, int) and step < len(here):
            here = here[step]
        elif hasattr(here, "__pydantic_fields_set__") and isinstance(step, str) and hasattr(here, step):
            here = getattr(here, step)
        elif not (detail["type"] == "missing" and index == len(steps) - 1):
            continue
        path.append(step)
    return tuple(path)


def _problem(
    path: Path, details: list[ErrorDetails], model: type[BaseModel], locate: Locate | None
) -> Problem:
    what, fix = _sentence(path, details, model)
    where = (locate(path) if locate else "") + (dotted(path) or model.__name__)
    return Problem(where, what, fix)


def _sentence(path: Path, details: list[ErrorDetails], model: type[BaseModel]) -> tuple[str, str]:
    first = details[0]
    if any("unknown key" in detail["msg"] for detail in details):
        return "unknown key", closest(str(path[-1]), known_keys(model, details[0]["loc"]))
    if first["type"] == "missing":
        return "is missing", ""
    listed = [
        str(detail["ctx"]["expected"])
        for detail in details
        if detail["type"] == "literal_error" and "ctx" in detail
    ]
    reasons = [
        detail["msg"].removeprefix("Value error, ") for detail in details if detail["type"] == "value_error"
    ]
    if listed:
        return f"{_shown(first['input'])} is not allowed", f"write {listed[0]}"
    if reasons:
        return reasons[0], ""
    wanted = dict.fromkeys(_WANTED.get(detail["type"], detail["msg"]) for detail in details)
    return f"expected {' or '.join(wanted)}, got {_shown(first['input'])}", ""


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing (null)"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def known_keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the element at ``loc[:-1]`` may have, found by the classes that pydantic names on the way."""
    classes = models_below(model)
    here: type[BaseModel] = model
    for step in loc[:-1]:
        if isinstance(step, str) and step in classes:
            here = classes[step]
        elif isinstance(step, str) and step in here.model_fields:
            named = models_in(here.model_fields[step].annotation)
            here = named[0] if named else here
    return [*here.model_fields]


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that an annotation mentions."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]  # pyright cannot know that only models have the attribute
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]


def models_below(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Every model that can stand somewhere inside this one, by class name."""
    found: dict[str, type[BaseModel]] = {}
    waiting = [model]
    while waiting:
        one = waiting.pop()
        if one.__name__ in found:
            continue
        found[one.__name__] = one
        for field in one.model_fields.values():
            waiting += models_in(field.annotation)
    return found
