"""What every part of a Compose file has in common: immutable, exactly what was written, extensions allowed."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    JsonValue,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from nself_sdk.compose.problems import problems_of
from nself_sdk.errors import DeclarationError


def _check_extension(key: str, info: ValidationInfo) -> str:
    if key.startswith("x-") or (info.context and info.context.get("unknown_keys")):
        return key
    raise ValueError("unknown key")


if TYPE_CHECKING:
    _ElementType = type(BaseModel)
else:

    class _ElementType(type(BaseModel)):
        """Gives constructors positional arguments where a class names them, and the SDK's own error.

        Hidden from type checkers, which would lose the signatures of the constructors.
        """

        def __call__(cls, *values: Any, **fields: Any) -> Any:
            """Build one element; every problem with it is in the one error."""
            if values:
                fields = {**dict(zip(cls.positional, values, strict=False)), **fields}
            try:
                return super().__call__(**fields)
            except ValidationError as error:
                raise DeclarationError(problems_of(error, cls, {**fields})) from None


class Element(BaseModel, metaclass=_ElementType):
    """A part of a Compose file.

    It holds what was written and nothing else: an attribute that nobody wrote reads as ``None`` and is not written
    back. Elements do not change; `replace` makes a changed copy.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    if not TYPE_CHECKING:  # a type checker would take it for a field
        __pydantic_extra__: dict[Annotated[str, AfterValidator(_check_extension)], JsonValue]

    positional: ClassVar[tuple[str, ...]] = ()
    octal: ClassVar[frozenset[str]] = frozenset()
    key_order: ClassVar[tuple[str, ...]] = ()
    nullable: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Note the order in which the specification names the attributes, and which of them may be null."""
        cls.key_order = tuple(cls.model_fields)
        cls.nullable = frozenset(
            name for name, field in cls.model_fields.items() if NoneType in get_args(field.annotation)
        )

    @model_validator(mode="before")
    @classmethod
    def _drop_none(cls, data: Any, info: ValidationInfo) -> Any:
        """Let a Python caller write ``image=None`` for "no image"; a file has to say what it means."""
        if info.context is not None or not isinstance(data, dict) or None not in data.values():
            return data
        fields = cls.model_fields
        return {
            key: value
            for key, value in data.items()
            if value is not None or key in cls.nullable or key not in fields
        }

    @property
    def extensions(self) -> dict[str, JsonValue]:
        """The ``x-`` keys, and any other unknown ones that the caller accepted."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def written(self) -> dict[str, Any]:
        """What was written here: key to value, in the order of the specification, extensions last."""
        values, names = self.__dict__, self.__pydantic_fields_set__
        found = {key: values[key] for key in self.key_order if key in names}
        return {**found, **self.__pydantic_extra__} if self.__pydantic_extra__ else found

    def replace(self, **changes: Any) -> Self:
        """A copy with these attributes changed, checked like a new one; ``None`` removes an attribute."""
        return type(self)(**{**self.written, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element) or type(other) is not type(self):
            return NotImplemented
        return self.written == other.written

    def __hash__(self) -> int:
        return hash(tuple(self.written))
