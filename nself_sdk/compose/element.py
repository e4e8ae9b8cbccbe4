"""What every part of a Compose file has in common: immutable, exactly what was written, extensions allowed."""

from threading import Lock
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import core_schema

from nself_sdk.compose.problems import UNKNOWN_KEY, problems_of
from nself_sdk.compose.tree import is_list, is_mapping, is_plain, mapping_in
from nself_sdk.errors import DeclarationError


def _check_extension(key: str, info: ValidationInfo) -> str:
    if key.startswith("x-") or (info.context and info.context.get("unknown_keys")):
        return key
    raise ValueError(UNKNOWN_KEY)


def _check_plain(value: Any) -> Any:
    if is_plain(value):
        return value
    raise ValueError("an extension holds texts, numbers, true, false, null, lists and mappings of these")


_BUILDING = Lock()
_under_way: type[BaseModel] | None = None


def build(model: type[BaseModel]) -> None:
    """Let pydantic make the validator of a model at its first use: making all of them would slow every start.

    Pydantic itself does not lock this, and two threads may come at once.
    """
    if not model.__pydantic_complete__:
        model.model_rebuild()


if TYPE_CHECKING:
    from pydantic import JsonValue

    class _Model(BaseModel):
        """Pydantic's own, so that type checkers see the signatures of the constructors."""

else:

    class _ModelType(type(BaseModel)):
        """Gives constructors positional arguments where a class names them, and the SDK's own error."""

        def __call__(cls, *values: Any, **fields: Any) -> Any:
            """Build one element; every problem with it is in the one error."""
            build(cls)
            if values:
                fields = {**dict(zip(cls.positional, values, strict=False)), **fields}
            try:
                return super().__call__(**fields)
            except ValidationError as error:
                raise DeclarationError(problems_of(error, cls, fields)) from None

    class _Model(BaseModel, metaclass=_ModelType):
        __pydantic_extra__: dict[
            Annotated[str, AfterValidator(_check_extension)], Annotated[Any, AfterValidator(_check_plain)]
        ]

        positional: ClassVar[tuple[str, ...]] = ()

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            """Inside another model it is one call of its own validator, which is made only if something needs it."""
            if cls is _under_way:
                return handler(source)
            return core_schema.with_info_plain_validator_function(cls._validated)

        @classmethod
        def model_rebuild(cls, **options: Any) -> bool | None:
            """Build the validator, also where pydantic asks for it: at a first ``model_validate``."""
            global _under_way  # noqa: PLW0603 - pydantic's hook cannot be told otherwise what it is called for
            with _BUILDING:
                _under_way = cls
                try:
                    return super().model_rebuild(**options)
                finally:
                    _under_way = None

        @classmethod
        def _validated(cls, value: Any, info: ValidationInfo) -> Any:
            build(cls)
            return cls.__pydantic_validator__.validate_python(value, context=info.context)


class Element(_Model):
    """A part of a Compose file.

    It holds what was written and nothing else: an attribute that nobody wrote reads as ``None`` and is not written
    back. Elements do not change; `replace` makes a changed copy.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, defer_build=True)

    positional: ClassVar[tuple[str, ...]] = ()
    octal: ClassVar[frozenset[str]] = frozenset()
    key_order: ClassVar[tuple[str, ...]] = ()
    nullable: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Note the order in which the specification names the attributes, and which of them may be null."""
        cls.key_order = tuple(cls.model_fields)
        fields = cls.model_fields.items()
        cls.nullable = frozenset(name for name, field in fields if NoneType in get_args(field.annotation))

    @model_validator(mode="before")
    @classmethod
    def _drop_none(cls, data: object, info: ValidationInfo) -> object:
        """Let a Python caller write ``image=None`` for "no image"; a file has to say what it means."""
        if info.context is not None:
            return data
        mapping = mapping_in(data)
        if mapping is None or None not in mapping.values():
            return data
        absent = cls.model_fields.keys() - cls.nullable
        return {key: value for key, value in mapping.items() if value is not None or key not in absent}

    @property
    def extensions(self) -> dict[str, "JsonValue"]:
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

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return [*self.written.items()]


def plain(value: Any) -> Any:
    """Elements as the mappings that a file would hold, all the way down."""
    if isinstance(value, Element):
        return {key: plain(item) for key, item in value.written.items()}
    if is_mapping(value):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if is_list(value) else value
