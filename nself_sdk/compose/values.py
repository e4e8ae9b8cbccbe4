"""The kinds of value that a Compose file writes, as Python types; knows no attribute of the specification.

Two names differ between the type checker and the run time:

- ``Maybe[T]`` is ``T | None`` to a reader, because an attribute that nobody wrote reads as ``None``. When a file is
  validated it is ``T``: Compose refuses an explicit ``image: null``, and so does the model.
- ``Sequence`` and ``Mapping`` are read-only and covariant to a reader (a ``dict[str, str]`` is a fine environment),
  and plain ``list`` and ``dict`` to pydantic, which checks those at the speed of C.
"""

from typing import TYPE_CHECKING, Annotated, Any, NewType, TypeAlias, TypeVar

from pydantic import AfterValidator, Strict

from nself_sdk.compose import tree, units

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Mapping as Mapping  # noqa: PLC0414 - exported from here
    from collections.abc import Sequence as Sequence  # noqa: PLC0414 - exported from here

    Maybe: TypeAlias = T | None
else:
    Sequence = Annotated[list[T], Strict(strict=False)]  # a tuple is welcome, a string is not
    Mapping = dict

    class Maybe:
        """Absent unless written, and never written as null."""

        def __class_getitem__(cls, written: Any) -> Any:
            return written


def _check_interpolated(text: str) -> str:
    if "$" not in text:
        raise ValueError("is none of them")
    return text


Interpolated = NewType("Interpolated", str)
"""Text with a ``${VARIABLE}`` in a place where only listed values may stand: ``Interpolated("${CONDITION}")``."""

Variable = Annotated[Interpolated, AfterValidator(_check_interpolated)]
"""What a field of listed values accepts beside them; use it through `Interpolated`."""

Scalar = tree.Scalar
"""One value of a mapping such as ``environment``; null has a meaning there."""

Flag = bool | Annotated[str, AfterValidator(units.check_flag)]
"""True, false, or a text that Compose reads as one after interpolation."""

if TYPE_CHECKING:
    Whole: TypeAlias = int
else:
    Whole = int | Annotated[float, AfterValidator(units.whole)]  # ``2.0`` is whole, too

Integer = Whole | Annotated[str, AfterValidator(units.check_whole)]
"""A whole number, or a text that becomes one after interpolation."""

WholeNumber = int | float | Annotated[str, AfterValidator(units.check_whole)]
"""The same, where the specification allows it to be written with a decimal point: ``2.0``."""

Number = int | float | Annotated[str, AfterValidator(units.check_number)]
"""A number, or a text that becomes one after interpolation."""

TextOrNumber = int | float | str
"""A text that is often written as a number, such as a port."""

PublishedPort = Annotated[TextOrNumber, AfterValidator(units.check_port)]
"""A port in short syntax: ``8080:80``, ``127.0.0.1:8080:80/udp``, or the container's alone."""

ByteText = Annotated[str, AfterValidator(units.check_bytes)]
"""Bytes with a unit, such as ``512m``; `byte_size` reads it."""

ByteSize = int | ByteText
"""Bytes, or a text with a unit. Compose drops ``1e9`` and ``1.5`` without a word; here they are refused."""

Duration = Annotated[str, AfterValidator(units.check_duration)]
"""A text such as ``1m30s``; `duration` reads it."""

Key = Annotated[str, AfterValidator(units.check_key)]
"""What something is called in a section."""

FilledText = Annotated[str, AfterValidator(units.check_filled)]
"""A text that is not empty."""

Strings = Sequence[str]
StringOrList = str | Sequence[str]
ListOrMap = Mapping[Annotated[str, AfterValidator(units.check_variable_name)], Scalar] | Sequence[str]
"""``{KEY: value}`` or ``["KEY=value"]``, as it was written."""

Options = Mapping[str, str | int | float]
"""Options that are handed to a driver."""

Command = str | Sequence[str] | None
"""A line for the shell of the image, a list of arguments, or null: the one of the image."""
