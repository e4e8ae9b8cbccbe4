"""Model: the frozen pydantic base of everything a user declares. It refuses unknown keys and says what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from nself_sdk.errors import DeclarationError, Problem

#: Characters of a wrong value that a message shows.
_LONGEST_VALUE = 80

if TYPE_CHECKING:
    # Type checkers would stop checking a constructor's arguments behind a metaclass with a __call__.
    from pydantic._internal._model_construction import ModelMetaclass as _Explaining
else:

    class _Explaining(type(BaseModel)):
        """Turns pydantic's report into ours, at the outermost constructor only."""

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if args and cls.__init__ is BaseModel.__init__:
                fix = f"name its field: {cls.__name__}(field=...), of {', '.join(sorted(cls.model_fields))}"
                raise DeclarationError(Problem(cls.__name__, f"got {_shown(args[0])} without a name", fix))
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise DeclarationError(problems_of(error, cls)) from None
            except TypeError:
                if found := list(_misnamed(cls, args, kwargs)):
                    raise DeclarationError(found) from None
                raise


class Model(BaseModel, metaclass=_Explaining):
    """Frozen, and strict about keys.

    Raises:
        DeclarationError: a field is unknown or its value is wrong; every problem is listed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    if not TYPE_CHECKING:  # type checkers know already that nothing may be assigned

        def __setattr__(self, name: str, value: object) -> None:
            if not name.startswith("_"):
                fix = f"make another: .replace({name}=...)"
                raise DeclarationError(Problem(f"{type(self).__name__}.{name}", "never changes", fix))
            super().__setattr__(name, value)

    def replace(self, **changes: Any) -> Self:
        """A validated copy with other values, like `dataclasses.replace`."""
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**kept, **changes})


def _misnamed(model: type[BaseModel], args: tuple[Any, ...], given: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the names in a call of a constructor that takes some of its fields without names."""
    from inspect import Parameter, signature  # noqa: PLC0415 - only for a mistake

    known = {name: parameter for name, parameter in signature(model.__init__).parameters.items() if name != "self"}
    for name in given.keys() - known.keys():
        yield Problem(f"{model.__name__}.{name}", "unknown key", did_you_mean(name, list(known)))
    for name in [*known][len(args) :]:
        if known[name].default is Parameter.empty and name not in given:
            yield Problem(f"{model.__name__}.{name}", "Field required")


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """The problems in pydantic's report, each with the field's path and, for an unknown key, what was meant."""
    return [_problem(detail, model) for detail in error.errors(include_url=False)]


def _problem(detail: Any, model: type[BaseModel]) -> Problem:
    where = ".".join((model.__name__, *map(str, detail["loc"])))
    if detail["type"] != "extra_forbidden":
        given = "" if detail["type"] == "missing" else f" (got {_shown(detail['input'])})"
        example = _example(detail["loc"], model) if detail["type"] == "string_pattern_mismatch" else ""
        return Problem(where, detail["msg"].removeprefix("Value error, ") + given, example)
    *path, unknown = map(str, detail["loc"])
    return Problem(where, "unknown key", did_you_mean(unknown, list(_inner(model, path).model_fields)))


def _example(path: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """A right value of that field, for whoever does not read patterns: what it gives as one, or its default."""
    *outer, name = [step for step in path if isinstance(step, str)] or [""]
    field = _inner(model, outer).model_fields.get(name)
    if field is None or (field.is_required() and not field.examples):
        return ""
    usual: Any = (field.examples or [field.default])[0]
    right = usual if isinstance(usual, str) else next(iter(usual or ()), "")
    return f"write it like {right!r}" if right else ""


def _inner(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The model that the fields of that path lead to."""
    for step in path:
        field = model.model_fields.get(step)
        annotations = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next((kind for kind in annotations if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return model


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def did_you_mean(word: str, known: list[str]) -> str:
    """What to do about an unknown word: the nearest known one, or the list of them."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
