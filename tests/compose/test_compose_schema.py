"""The models and the official JSON schema (as ``check-jsonschema`` carries it) must agree, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from nself_sdk.compose import ComposeFile
from nself_sdk.compose.problems import models_in

SCHEMA: Any = json.loads(
    files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text(encoding="utf-8")
)


def resolved(schema: Any) -> Any:
    """A schema without ``$ref`` and ``allOf`` at its top."""
    if "$ref" in schema:
        return resolved(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    merged = dict(schema)
    for part in merged.pop("allOf", ()):
        inherited = resolved(part)
        merged["properties"] = {**inherited.get("properties", {}), **merged.get("properties", {})}
    return merged


def branches(schema: Any) -> Iterator[Any]:
    """The schema itself, or each of its alternatives."""
    schema = resolved(schema)
    if "oneOf" in schema:
        for alternative in schema["oneOf"]:
            yield from branches(alternative)
    else:
        yield schema


def walk(schema: Any, annotation: Any, path: str = "") -> Iterator[tuple[str, Any, type[BaseModel]]]:
    """Every object of the schema that has named properties, and the model that stands for it."""
    for branch in branches(schema):
        inside = [branch.get("items"), *branch.get("patternProperties", {}).values()]
        for part in inside:
            if isinstance(part, dict) and part:
                yield from walk(part, annotation, f"{path}[]")
        if "properties" not in branch:
            continue
        model = max(models_in(annotation), key=lambda one: len(one.model_fields.keys() & branch["properties"].keys()))
        yield path, branch, model
        for name, part in branch["properties"].items():
            if name in model.model_fields:
                yield from walk(part, model.model_fields[name].annotation, f"{path}.{name}")


OBJECTS = {path: (branch, model) for path, branch, model in walk(SCHEMA, ComposeFile)}
BY_MODEL = {model: (path, branch) for path, (branch, model) in OBJECTS.items()}


def test_every_property_of_the_schema_is_a_field_and_every_field_a_property() -> None:
    differences = {
        path: branch["properties"].keys() ^ model.model_fields.keys()
        for path, (branch, model) in OBJECTS.items()
        if branch["properties"].keys() != model.model_fields.keys()
    }

    assert differences == {}
    assert sum(len(branch["properties"]) for branch, _ in OBJECTS.values()) > 500


def test_every_model_stands_for_an_object_of_the_schema() -> None:
    def below(model: type[BaseModel], found: set[type[BaseModel]]) -> set[type[BaseModel]]:
        if model not in found:
            found.add(model)
            for field in model.model_fields.values():
                for inner in models_in(field.annotation):
                    below(inner, found)
        return found

    assert below(ComposeFile, set()) == {model for _, model in OBJECTS.values()}


def test_the_required_properties_are_the_required_fields() -> None:
    differences = {
        path: required ^ {*branch.get("required", ())}
        for path, (branch, model) in OBJECTS.items()
        if (required := {name for name, field in model.model_fields.items() if field.is_required()})
        != {*branch.get("required", ())}
    }

    assert differences == {}


def examples(schema: Any) -> Iterator[Any]:
    """One value for each alternative and each type that a schema allows."""
    for branch in branches(schema):
        if "enum" in branch:
            yield from branch["enum"]
            continue
        kinds = branch.get("type", [])
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            yield from _examples_of(kind, branch)


def _examples_of(kind: str, branch: Any) -> Iterator[Any]:
    if kind == "array":
        yield from ([item] for item in examples(branch["items"]))
    elif kind == "object":
        properties, required = branch.get("properties", {}), branch.get("required", ())
        yield {name: next(examples(properties[name])) for name in required}
        for pattern, part in branch.get("patternProperties", {}).items():
            if pattern != "^x-":
                yield from ({"abc": value} for value in examples(part))
    else:
        yield {"null": None, "boolean": True, "integer": 1, "number": 1.5, "string": "text"}[kind]


# Texts with a form that the schema leaves open, and lists whose first word has a meaning.
TEXTS = ("text", "1m", "1", "true", "always", "${VARIABLE}")


def test_every_alternative_of_every_property_is_accepted() -> None:
    refused = [
        (name, example)
        for model, (_, branch) in BY_MODEL.items()
        for name, part in branch["properties"].items()
        for example in examples(part)
        if not accepts(model, name, example)
    ]

    # The schema lets a port be any number; Compose itself refuses half a port. Services and jobs have ports.
    assert refused == [("ports", [1.5])] * 2


@cache
def adapter_of(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[name].annotation)


def accepts(model: type[BaseModel], name: str, example: Any) -> bool:
    adapter = adapter_of(model, name)
    for text in TEXTS:
        try:
            adapter.validate_python(with_text(example, text), strict=True, context={})
        except ValidationError:
            continue
        return True
    return False


def with_text(example: Any, text: str) -> Any:
    if isinstance(example, dict):
        return {key: with_text(value, text) for key, value in example.items()}
    if isinstance(example, list):
        return [with_text(value, text) for value in example]
    return text if example == "text" else example


@pytest.mark.parametrize("wrong", ["unknown", "restrt", ""])
def test_an_unknown_key_is_refused_in_every_object(wrong: str) -> None:
    accepting = []
    for model, (path, branch) in BY_MODEL.items():
        required = {
            name: with_text(next(examples(branch["properties"][name])), "1") for name in branch.get("required", ())
        }
        try:
            TypeAdapter(model).validate_python({**required, wrong: 1}, context={})
        except ValidationError as error:
            if any(detail["loc"][-1] == wrong for detail in error.errors()):
                continue
        accepting.append(path)

    assert accepting == []


@pytest.mark.parametrize(("kind", "value"), [*product(["section"], [5, "a", [1]]), ("section", None)])
def test_a_section_that_is_no_mapping_is_refused(kind: str, value: Any) -> None:
    assert kind
    for section in ("services", "networks", "volumes", "configs", "secrets", "models", "jobs"):
        with pytest.raises(ValidationError):
            TypeAdapter(ComposeFile).validate_python({section: value}, context={})
