"""What pydantic found wrong, as sentences in the specification's own paths; knows no attribute by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args, get_origin

from nself_sdk.compose.tree import dotted, has, list_in, mapping_in, step_into
from nself_sdk.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from nself_sdk.compose.tree import Path

    Locate = Callable[[Path], str]

UNKNOWN_KEY = "unknown key"
MOST_PROBLEMS = 200
"""How many problems are spelled out; nobody reads more at once."""

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


def closest(word: str, known: Iterable[str]) -> str:
    """A sentence that names the known word nearest to this one, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    found = get_close_matches(word, [*known], n=1, cutoff=0.7)
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
    for detail in error.errors(include_url=False):
        places.setdefault(_real_path(detail, data), []).append(detail)
    above = {path[:length] for path in places for length in range(len(path))}
    wrong = [path for path in places if path not in above]
    problems = [_problem(path, places[path], model, locate) for path in wrong[:MOST_PROBLEMS]]
    return problems if len(wrong) <= MOST_PROBLEMS else [*problems, more(len(wrong) - MOST_PROBLEMS)]


def more(count: int) -> Problem:
    """What stands for the problems behind the first `MOST_PROBLEMS`."""
    return Problem("", f"and {count} more problems")


def _real_path(detail: ErrorDetails, data: object) -> Path:
    """The path without the names of union members that pydantic puts in between."""
    path: list[str | int] = []
    here: object = data
    *before, last = detail["loc"]
    for step in before:
        if has(here, step):
            here = step_into(here, step)
            path.append(step)
    return (*path, last) if has(here, last) or detail["type"] == "missing" else tuple(path)


def _problem(path: Path, details: list[ErrorDetails], model: type[BaseModel], locate: Locate | None) -> Problem:
    what, fix = _sentence(path, details, model)
    where = (locate(path) if locate else "") + (dotted(path) or model.__name__)
    return Problem(where, what, fix)


def _sentence(path: Path, details: list[ErrorDetails], model: type[BaseModel]) -> tuple[str, str]:
    first = details[0]
    reasons = [detail["msg"].removeprefix("Value error, ") for detail in details if detail["type"] == "value_error"]
    if UNKNOWN_KEY in reasons:
        return UNKNOWN_KEY, closest(str(path[-1]), _known_keys(model, path[:-1]))
    if first["type"] == "missing":
        return "is missing", ""
    listed = [detail["msg"].removeprefix("Input should be ") for detail in details if detail["type"] == "literal_error"]
    if listed and not list_in(first["input"]):
        return f"{_shown(first['input'])} is not allowed", f"write {listed[0]}"
    if reasons:
        return reasons[0], ""
    wanted = dict.fromkeys(_WANTED.get(detail["type"], detail["msg"]) for detail in details)
    if "a number" in wanted:
        wanted.pop("a whole number", None)
    return f"expected {' or '.join(wanted)}, got {_shown(first['input'])}", ""


def _shown(value: object) -> str:
    if value is None:
        return "nothing (null)"
    if mapping_in(value) is not None:
        return "a mapping"
    if list_in(value) is not None:
        return "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that the element at this path may have."""
    here: object = model
    for step in path:
        here = _inside(here, step)
    return [key for found in models_in(here) for key in found.model_fields]


def _inside(annotation: object, step: str | int) -> object:
    """The type of what is found one step into a value of this type; ``None`` where that has none."""
    if (fields := getattr(annotation, "model_fields", None)) is not None:
        return fields[step].annotation if step in fields else None
    parts = get_args(annotation)
    if get_origin(annotation) is (list if isinstance(step, int) else dict):
        return parts[-1]
    return next((found for part in parts if (found := _inside(part, step)) is not None), None)


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that an annotation mentions."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
