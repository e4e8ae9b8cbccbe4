"""A whole Compose file: its sections, its addition, and its services one by one."""

from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any, Self, TypeVar

from pydantic import Field, PrivateAttr, ValidationError

from nself_sdk.compose import addition
from nself_sdk.compose.element import Element, build, plain
from nself_sdk.compose.files import LARGEST_FILE, read_text
from nself_sdk.compose.networks import Network
from nself_sdk.compose.problems import problems_of
from nself_sdk.compose.service import Job, Service
from nself_sdk.compose.storage import Config, Model, Secret, Volume
from nself_sdk.compose.tree import Path, Tag, dotted
from nself_sdk.compose.values import Key, Mapping, Maybe, Sequence, StringOrList
from nself_sdk.errors import DeclarationError, Problem

Name = tuple[str, str]
"""Section and key of an element: ``("services", "web")``."""

FileType = TypeVar("FileType", bound="ComposeFile")

SECTIONS = ("services", "jobs", "networks", "volumes", "configs", "secrets", "models")


class Include(Element):
    """Another Compose application that belongs to this one (Include, long syntax)."""

    path: Maybe[StringOrList] = None
    """Its file, or its files in the order in which they override each other."""
    project_directory: Maybe[str] = None
    """What its relative paths are relative to."""
    env_file: Maybe[StringOrList] = None
    """Files of variables for its interpolation."""


class ComposeFile(Element):
    """A Compose file (Compose file, "The Compose application model")."""

    version: Maybe[str] = None
    """Obsolete; Compose ignores it."""
    name: Maybe[str] = None
    """The name of the project."""
    include: Sequence[str | Include] | None = None
    """Other Compose applications that belong to this one."""
    services: dict[Key, Service] = Field(default_factory=dict[str, Service])
    """What runs."""
    jobs: dict[Key, Job] = Field(default_factory=dict[str, Job])
    """What runs to its end."""
    networks: Mapping[Key, Network | None] = Field(default_factory=dict[str, Network | None])
    """Networks; null is one with all the defaults."""
    volumes: Mapping[Key, Volume | None] = Field(default_factory=dict[str, Volume | None])
    """Named volumes; null is one with all the defaults."""
    configs: dict[Key, Config] = Field(default_factory=dict[str, Config])
    """Texts that services read as files."""
    secrets: dict[Key, Secret] = Field(default_factory=dict[str, Secret])
    """Secrets that services read as files."""
    models: dict[Key, Model] = Field(default_factory=dict[str, Model])
    """Language models that services use."""

    _owners: dict[Name, str] = PrivateAttr(default_factory=dict[Name, str])
    _tags: dict[Path, Tag] = PrivateAttr(default_factory=dict[Path, Tag])

    @classmethod
    def load(
        cls,
        path: str | FilePath,
        *,
        variables: Mapping[str, str] | None = None,
        unknown_keys: bool = False,
        largest: int = LARGEST_FILE,
    ) -> Self:
        """Read a file.

        Args:
            path: where it is.
            variables: fill in ``${NAME}`` from these; without them, values stay as they are written.
            unknown_keys: accept keys that the specification does not know, and keep them.
            largest: bytes that the file may have.

        Raises:
            DeclarationError: it cannot be read, is not YAML, does not follow the specification, or names a variable
                that is not set.
        """
        text = read_text(FilePath(path), largest)
        return cls.loads(text, str(path), variables=variables, unknown_keys=unknown_keys, largest=largest)

    @classmethod
    def loads(
        cls,
        text: str,
        name: str = "",
        *,
        variables: Mapping[str, str] | None = None,
        unknown_keys: bool = False,
        largest: int = LARGEST_FILE,
    ) -> Self:
        """Read the text of a file; ``name`` stands for it in messages. For the rest see `load`."""
        # The YAML library is imported by those who read files only.
        from nself_sdk.compose import source  # noqa: PLC0415 - lazy, see above

        value, tags = source.values(text, name, variables, largest)
        build(cls)
        try:
            file = cls.model_validate(value, context={"unknown_keys": unknown_keys})
        except ValidationError as error:
            raise DeclarationError(problems_of(error, cls, value, source.locator(text, name))) from None
        return _remembering(file, dict.fromkeys(file.declared if name else (), name), tags)

    def interpolated(self, variables: Mapping[str, str], *, blank: bool = False) -> Self:
        """A copy with every ``${NAME}`` filled in, as Compose does before it reads anything else.

        Args:
            variables: name to value.
            blank: take an unset variable for an empty one.

        Raises:
            DeclarationError: with a problem for each value that names a variable which is not set.
        """
        complaints: dict[Path, str] = {}
        from nself_sdk.compose.interpolation import interpolate_tree  # noqa: PLC0415 - lazy, see above

        filled = interpolate_tree(plain(self), variables, complaints, blank=blank)
        if complaints:
            raise DeclarationError([Problem(dotted(path), what) for path, what in complaints.items()])
        build(type(self))
        try:
            file = type(self).model_validate(filled, context={"unknown_keys": True})
        except ValidationError as error:
            raise DeclarationError(problems_of(error, type(self), filled)) from None
        return _remembering(file, self.owners, self.tags)

    def to_yaml(self) -> str:
        """The file's text: deterministic, in the order of the specification, exactly what is declared here."""
        from nself_sdk.compose.writing import to_yaml  # noqa: PLC0415 - lazy, see above

        return to_yaml(self, self.tags)

    def _repr_html_(self) -> str:
        """What a notebook shows: the file's text."""
        from html import escape  # noqa: PLC0415 - only for a notebook

        return f"<pre>{escape(self.to_yaml())}</pre>"

    def owned_by(self, owner: str) -> Self:
        """The same file, whose elements are said to come from ``owner`` where they clash with others."""
        return _remembering(self.replace(), dict.fromkeys(self.declared, owner), {})

    def replace(self, **changes: Any) -> Self:
        """A copy with these sections changed, checked like a new one; ``None`` removes a section."""
        return _remembering(super().replace(**changes), self.owners, self.tags)

    def map_services(self, function: Callable[[str, Service], Service | None]) -> Self:
        """A copy in which each service is what ``function(name, service)`` returns; ``None`` removes it."""
        mapped = {name: function(name, service) for name, service in self.services.items()}
        return self.replace(services={name: service for name, service in mapped.items() if service is not None})

    def __add__(self, other: Self) -> Self:
        """Both files in one; what is equal in both is there once.

        Raises:
            DeclarationError: they say different things under one name; it names both owners.
        """
        owners = addition.Owners(self.owners, other.owners)
        merged, problems = addition.merged(self.written, other.written, owners)
        if problems:
            raise DeclarationError(problems)
        return _remembering(type(self)(**merged), {**other.owners, **self.owners}, {**other.tags, **self.tags})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ComposeFile):
            return NotImplemented
        return self.tags == other.tags and self.written == other.written

    __hash__ = Element.__hash__

    @property
    def owners(self) -> dict[Name, str]:
        """Who declared an element, where that is known; `owned_by` and `load` say it."""
        return self._owners

    @property
    def tags(self) -> dict[Path, Tag]:
        """Every ``!reset`` and ``!override`` that was loaded, by its path."""
        return self._tags

    @property
    def declared(self) -> list[Name]:
        """Section and name of everything that is declared here."""
        return [(section, name) for section in SECTIONS for name in getattr(self, section)]


def _remembering(file: FileType, owners: dict[Name, str], tags: dict[Path, Tag]) -> FileType:
    """The same file, just made, which now knows who declared what, and what is tagged."""
    file.owners.update(owners)
    file.tags.update(tags)
    return file
