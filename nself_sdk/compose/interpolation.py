"""``${VARIABLE}`` in values (Compose file, "Interpolation"): every operator, nested, with ``$$`` for a dollar.

What a variable is called and what it is worth comes from the caller; nothing here reads the environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nself_sdk.compose.tree import is_list, is_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nself_sdk.compose.tree import Path, Tree

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-+?]")
_BRACE = re.compile(r"[{}]")
_DEEPEST = 32


def interpolate(text: str, variables: Mapping[str, str], *, blank: bool = False) -> str:
    """The text with its variables filled in.

    Args:
        text: may hold ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${NAME-default}``, ``${NAME:?message}``,
            ``${NAME?message}``, ``${NAME:+other}``, ``${NAME+other}`` and ``$$``.
        variables: name to value.
        blank: take an unset variable for an empty one, as Compose does after a warning.

    Raises:
        ValueError: a variable is not set and has no default, or a ``${`` begins no variable.
    """
    if "$" not in text:
        return text
    filling = _Filling(variables)
    filled = filling.fill(text)
    if filling.unset and not blank:
        names = ", ".join(repr(name) for name in filling.unset)
        raise ValueError(
            f"variable {names} is not set" if len(filling.unset) == 1 else f"variables {names} are not set"
        )
    return filled


def interpolate_tree(
    tree: Tree, variables: Mapping[str, str], complaints: dict[Path, str], *, blank: bool = False, path: Path = ()
) -> Tree:
    """A tree with the variables of all its values filled in; keys stay. What went wrong is added to ``complaints``."""
    if is_mapping(tree):
        return {
            key: interpolate_tree(value, variables, complaints, blank=blank, path=(*path, key))
            for key, value in tree.items()
        }
    if is_list(tree):
        return [
            interpolate_tree(value, variables, complaints, blank=blank, path=(*path, index))
            for index, value in enumerate(tree)
        ]
    if isinstance(tree, str):
        try:
            return interpolate(tree, variables, blank=blank)
        except ValueError as error:
            complaints[path] = str(error)
    return tree


class _Filling:
    """One text being filled in, and the variables that turned out to be unset."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.unset: dict[str, None] = {}
        self.depth = 0

    def fill(self, text: str) -> str:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError(f"variables nested deeper than {_DEEPEST} levels")
        parts: list[str] = []
        position = 0
        while (start := text.find("$", position)) >= 0:
            parts.append(text[position:start])
            filled, position = self.variable(text, start)
            parts.append(filled)
        self.depth -= 1
        return "".join(parts) + text[position:]

    def variable(self, text: str, start: int) -> tuple[str, int]:
        """What stands for the ``$`` at ``start``, and where the text goes on."""
        following = text[start + 1 : start + 2]
        if following == "$":
            return "$", start + 2
        if following == "{":
            end = _closing_brace(text, start + 1)
            return self.braced(text[start + 2 : end]), end + 1
        name = _NAME.match(text, start + 1)
        return (self.value(name[0]), name.end()) if name else ("$", start + 1)

    def value(self, name: str) -> str:
        if name not in self.variables:
            self.unset[name] = None
        return self.variables.get(name, "")

    def braced(self, content: str) -> str:
        name = _NAME.match(content)
        if name and name.end() == len(content):
            return self.value(content)
        operator = _OPERATOR.match(content, name.end()) if name else None
        if name is None or operator is None:
            raise ValueError(f"'${{{content}}}' is no variable; write '$$' for a dollar")
        return self.operation(name[0], operator[0], content[operator.end() :])

    def operation(self, name: str, operator: str, argument: str) -> str:
        """``NAME:-argument`` and its like; a colon makes an empty variable count as unset."""
        value = self.variables.get(name)
        is_set = value is not None and (value != "" or operator[0] != ":")
        if operator[-1] == "+":
            return self.fill(argument) if is_set else ""
        if is_set:
            return value or ""
        if operator[-1] == "-":
            return self.fill(argument)
        message = self.fill(argument)
        raise ValueError(f"variable {name!r} is required" + (f": {message}" if message else ""))


def _closing_brace(text: str, opening: int) -> int:
    """Where the brace at ``opening`` is closed, by the rule of Compose's own parser.

    It looks at one line only, counts every brace but one right behind an opening one, and takes the last closing one
    if the count does not come out.
    """
    line_end = text.find("\n", opening)
    line_end = len(text) if line_end < 0 else line_end
    depth = 0
    skipped = -1
    for brace in _BRACE.finditer(text, opening, line_end):
        if brace.start() == skipped:
            continue
        if brace[0] == "{":
            depth += 1
            skipped = brace.end()
        else:
            depth -= 1
            if not depth:
                return brace.start()
    last = text.rfind("}", opening, line_end)
    if last < 0:
        raise ValueError(f"'{text[opening - 1 : opening + 40]}' is not closed; write '$$' for a dollar")
    return last
