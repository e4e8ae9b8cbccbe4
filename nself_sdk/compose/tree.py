"""Plain data as YAML holds it, and the few steps through it that readers and writers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Keys and positions from the top of a file to one value."""

Scalar: TypeAlias = str | int | float | bool | None
"""What is no mapping and no list."""

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | Scalar"
"""What a YAML file holds."""


class Tag(NamedTuple):
    """A ``!reset`` or ``!override`` of Compose, and on what it stands (Merge, "Reset value", "Replace value")."""

    name: str
    value: Tree

    @property
    def is_reset(self) -> bool:
        """Whether the value does not count."""
        return self.name == "!reset"


def without(tree: object, path: Path) -> Any:
    """A copy of a tree without what is at this path; the tree itself if there is nothing, or if it is a list's."""
    mapping = mapping_in(tree)
    if mapping is None or not path or path[0] not in mapping:
        return tree
    if len(path) == 1:
        return {key: value for key, value in mapping.items() if key != path[0]}
    return {key: without(value, path[1:]) if key == path[0] else value for key, value in mapping.items()}


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is a mapping."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether it is a list, or a tuple in its place."""
    return isinstance(value, list | tuple)


def is_plain(value: object) -> bool:
    """Whether it is what a YAML file can hold."""
    if is_mapping(value):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if is_list(value):
        return all(is_plain(item) for item in value)
    return value is None or isinstance(value, str | int | float)


def mapping_in(value: object) -> dict[str, Any] | None:
    """The value itself if it is a mapping."""
    return value if is_mapping(value) else None


def list_in(value: object) -> list[Any] | None:
    """The value itself if it is a list."""
    return value if is_list(value) else None


def dotted(path: Iterable[str | int]) -> str:
    """``("services", "web", "ports", 0)`` as ``services.web.ports[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def has(tree: object, step: str | int) -> bool:
    """Whether there is something one step further into a tree of mappings, lists and elements."""
    if isinstance(step, int):
        return len(list_in(tree) or ()) > step
    mapping = mapping_in(tree)
    return step in mapping if mapping is not None else step in getattr(tree, "__pydantic_fields_set__", ())


def step_into(tree: object, step: str | int) -> Any:
    """What is one step further; `has` tells whether there is something."""
    if isinstance(step, int):
        return (list_in(tree) or [])[step]
    mapping = mapping_in(tree)
    return mapping[step] if mapping is not None else getattr(tree, step)


def scalar_text(value: Scalar) -> str:
    """The text that Compose makes of a value where it wants a text: ``true``, ``8080``, ``1.5``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:  # noqa: PLR2004 - Go's limit
        return str(int(value))
    return str(value)


def split_outside_variables(text: str, separator: str) -> list[str]:
    """Split at a separator, but not inside ``${...}``."""
    if "${" not in text:
        return text.split(separator)
    parts: list[str] = []
    depth = start = 0
    for index, character in enumerate(text):
        if character == "{" and index and text[index - 1] == "$":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == separator and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
