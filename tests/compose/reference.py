"""Write ``docs/compose-reference.md`` from the models: every attribute, its type, its forms, the specification.

python tests/compose/reference.py > docs/compose-reference.md
"""

# ruff: noqa: T201 - a script that prints its findings
from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from nself_sdk import compose

if TYPE_CHECKING:
    from pydantic import BaseModel

SPECIFICATION = "https://github.com/compose-spec/compose-spec/blob/main/"
CHAPTERS = {
    "Compose file": "03-compose-file.md",
    "Services": "05-services.md",
    "Networks": "06-networks.md",
    "Volumes": "07-volumes.md",
    "Configs": "08-configs.md",
    "Secrets": "09-secrets.md",
    "Include": "14-include.md",
    "Models": "models.md",
    "Jobs": "schema/compose-spec.json",
    "Deploy": "deploy.md",
    "Compose Deploy Specification": "deploy.md",
    "Compose Build Specification": "build.md",
    "Compose Develop Specification": "develop.md",
}
WORDS = {
    "StringOrList": "text, or list of texts",
    "ListOrMap": "mapping, or list of `KEY=value`",
    "Strings": "list of texts",
    "Command": "text, list of texts, or null",
    "TextOrNumber": "text or number",
    "WholeNumber": "whole number",
    "ByteSize": "bytes, or text such as `512m`",
    "PublishedPort": "text such as `8080:80`, or number",
    "ByteText": "text such as `512m`",
    "FilledText": "text",
    "Duration": "text such as `1m30s`",
    "Integer": "whole number",
    "Number": "number",
    "Options": "mapping to texts and numbers",
    "ExtraHosts": "mapping, or list of `host=address`",
    "Scalar": "text, number, true, false or null",
    "Flag": "true or false",
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Variable": "`${VARIABLE}`",
}
PREFACE = """# Reference of the Compose models

Every attribute that the Compose Specification knows, by the class in `nself_sdk.compose` that stands for it. This page
is generated from the models (`python tests/compose/reference.py`), and a test checks that it is current.

What a file writes in short syntax stays in short syntax; where an attribute takes several forms, all of them are
listed, separated by `|`. Wherever a number or a truth value stands, a text with a `${VARIABLE}` may stand, too. All
classes accept extensions, keys that start with `x-`.
"""


def models() -> list[type[BaseModel]]:
    """The public models, the file and the service first."""
    found = [getattr(compose, name) for name in compose.__all__]
    classes = [one for one in found if isinstance(one, type) and issubclass(one, compose.Element)]
    first = (compose.ComposeFile, compose.Service)
    return [*first, *(one for one in classes if one not in {*first, compose.Element})]


def fields_of(model: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """Type and description of each attribute, as the source says them, inherited ones included."""
    found: dict[str, tuple[str, str]] = {}
    for one in reversed(model.__mro__):
        if one.__module__.startswith("nself_sdk.compose."):
            found |= _own_fields(one)
    return {name: found[name] for name in sorted(model.model_fields)}


@cache
def _own_fields(one: type) -> dict[str, tuple[str, str]]:
    definition = next(part for part in _module(one.__module__) if part.name == one.__name__)
    return {
        statement.target.id: (ast.unparse(statement.annotation), _docstring(following))
        for statement, following in zip(definition.body, [*definition.body[1:], None], strict=True)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


@cache
def _module(name: str) -> list[ast.ClassDef]:
    tree = ast.parse(Path(str(sys.modules[name].__file__)).read_text(encoding="utf-8"))
    return [part for part in ast.walk(tree) if isinstance(part, ast.ClassDef)]


def _docstring(statement: ast.stmt | None) -> str:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return inspect.cleandoc(str(statement.value.value)) if is_text else ""  # type: ignore[union-attr]


def readable(annotation: str) -> str:
    """A type in words."""
    return _words(ast.parse(annotation, mode="eval").body).replace("|", "\\|")


def _words(node: ast.expr) -> str:
    match node:
        case ast.BinOp(left, _, right):
            return f"{_words(left)} | {_words(right)}"
        case ast.Subscript(ast.Name("Literal"), values):
            return " | ".join(f"`{word}`" for word in ast.literal_eval(ast.Tuple(_parts(values), ast.Load())))
        case ast.Subscript(ast.Name("Sequence" | "Mapping" | "dict" as kind), inside):
            what = _words(_parts(inside)[-1])
            several = f"({what})" if re.search(r" \| | or ", what) else what
            return f"{'list of' if kind == 'Sequence' else 'mapping of names to'} {several}"
        case ast.Subscript(_, inside):  # Maybe and Annotated
            return _words(_parts(inside)[0])
        case ast.Name(name):
            return _name(name)
        case _:
            return "null"


def _parts(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _name(name: str) -> str:
    """A name that stands for nothing here has no place on the page: a KeyError says so."""
    links = {model.__name__: f"[{model.__name__}](#{model.__name__.lower()})" for model in models()}
    return {**links, **WORDS, **listed_values()}[name]


@cache
def listed_values() -> dict[str, str]:
    """The values of each named list of values, such as ``RestartMode``."""
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("nself_sdk.compose.")]
    lists = {name: value for module in modules for name, value in vars(module).items() if get_origin(value) is Literal}
    return {name: " | ".join(f"`{word}`" for word in get_args(value)) for name, value in lists.items()}


def section_of(model: type[BaseModel]) -> str:
    """A link to the specification, made of the section that the docstring names."""
    match = re.search(r'\(([^(),"]+?)(?: top-level element)?(?:, "(\w+)".*)?\)', inspect.getdoc(model) or "")
    chapter = match[1].strip() if match else "Compose file"
    anchor = f"#{match[2].lower()}" if match and match[2] and chapter != "Jobs" else ""
    return f"[{chapter}{f', {match[2]}' if anchor and match else ''}]({SPECIFICATION}{CHAPTERS[chapter]}{anchor})"


def page() -> str:
    """The whole page."""
    parts = [PREFACE]
    for model in models():
        title = (inspect.getdoc(model) or "").splitlines()[0].replace(" (", ". (").split(". (")[0]
        parts.append(f"## {model.__name__}\n\n{title}. Specification: {section_of(model)}.\n")
        rows = [
            f"| `{name}`{' (required)' if model.model_fields[name].is_required() else ''} | {readable(kind)} | {text} |"
            for name, (kind, text) in fields_of(model).items()
        ]
        parts.append("\n".join(["| attribute | type | meaning |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts).replace("``", "`")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if target:
        target.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
