"""A file's text to the values that the models are made of: read, variables filled in, what is reset left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nself_sdk.compose.interpolation import interpolate_tree
from nself_sdk.compose.positions import locator
from nself_sdk.compose.reading import read
from nself_sdk.compose.tree import dotted, is_mapping, without
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nself_sdk.compose.tree import Path, Tag, Tree

__all__ = ["locator", "values"]


def values(
    text: str, name: str, variables: Mapping[str, str] | None, largest: int
) -> tuple[dict[str, Tree], dict[Path, Tag]]:
    """The values of a file, and its tags; for the arguments see `ComposeFile.load`.

    Raises:
        DeclarationError: it is no YAML, no mapping, beyond a limit, or names a variable that is not set.
    """
    value, tags = read(text, name, largest)
    if not is_mapping(value):
        raise DeclarationError(Problem(name, "expected a mapping with 'services'", "write at least one service"))
    for path in (path for path, tag in tags.items() if tag.is_reset):
        value = without(value, path)
    return (value if variables is None else _filled(value, variables, text, name)), tags


def _filled(value: dict[str, Tree], variables: Mapping[str, str], text: str, name: str) -> dict[str, Tree]:
    complaints: dict[Path, str] = {}
    filled = {key: interpolate_tree(item, variables, complaints, path=(key,)) for key, item in value.items()}
    if complaints:
        locate = locator(text, name)
        raise DeclarationError([Problem(locate(path) + dotted(path), what) for path, what in complaints.items()])
    return filled
