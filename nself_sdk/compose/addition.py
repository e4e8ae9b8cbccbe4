"""Adding two Compose files: what is equal merges, what differs is a problem that names both owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nself_sdk.compose.element import Element
from nself_sdk.compose.tree import is_list, is_mapping
from nself_sdk.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


class Owners(NamedTuple):
    """Who declared an element, by section and name, on either side."""

    left: Mapping[tuple[str, str], str]
    right: Mapping[tuple[str, str], str]

    def of(self, section: str, name: str) -> tuple[str, str]:
        """The names of both owners."""
        left = self.left.get((section, name), "one part")
        return left, self.right.get((section, name), "another part")


def merged(left: Mapping[str, Any], right: Mapping[str, Any], owners: Owners) -> tuple[dict[str, Any], list[Problem]]:
    """What both sides say together, and every place in which they contradict each other."""
    together, problems = dict(left), list[Problem]()
    for key, value in right.items():
        if key not in left or left[key] == value:
            together[key] = value
        elif is_mapping(value) and is_mapping(left[key]):
            together[key], clashes = _merged_section(key, left[key], value, owners)
            problems += clashes
        elif is_list(value) and is_list(left[key]):
            together[key] = [*left[key], *(item for item in value if item not in left[key])]
        else:
            problems.append(Problem(key, f"{left[key]!r} in one part, {value!r} in another", "keep one of them"))
    return together, problems


def _merged_section(
    section: str, left: Mapping[str, Any], right: Mapping[str, Any], owners: Owners
) -> tuple[dict[str, Any], list[Problem]]:
    together, problems = dict(left), list[Problem]()
    for name, value in right.items():
        if together.setdefault(name, value) != value:
            one, other = owners.of(section, name)
            what = f"declared by {one!r} and differently by {other!r}{_difference(left[name], value)}"
            problems.append(Problem(f"{section}.{name}", what, "give one of the two another name"))
    return together, problems


def _difference(left: object, right: object) -> str:
    if not isinstance(left, Element) or not isinstance(right, Element):
        return ""
    one, other = left.written, right.written
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key) or (key in one) != (key in other)]
    return f" (they differ in {', '.join(keys)})"
