"""A whole Compose file: its sections, its addition, and its services one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PrivateAttr, ValidationError

from nself_sdk.compose import addition
from nself_sdk.compose.element import Element
from nself_sdk.compose.networks import Network
from nself_sdk.compose.problems import dotted, problems_of
from nself_sdk.compose.service import Job, Service
from nself_sdk.compose.storage import Config, Model, Secret, Volume
from nself_sdk.compose.values import Mapping, Maybe, Sequence, StringOrList
from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

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
    include: Maybe[Sequence[str | Include]] = None
    """Other Compose applications that belong to this one."""
    services: dict[str, Service] = Field(default_factory=dict)
    """What runs."""
    jobs: dict[str, Job] = Field(default_factory=dict)
    """What runs to its end."""
    networks: Mapping[str, Network | None] = Field(default_factory=dict)
    """Networks; null is one with all the defaults."""
    volumes: Mapping[str, Volume | None] = Field(default_factory=dict)
    """Named volumes; null is one with all the defaults."""
    configs: dict[str, Config] = Field(default_factory=dict)
    """Texts that services read as files."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Secrets that services read as files."""
    models: dict[str, Model] = Field(default_factory=dict)
    """Language models that services use."""

    _owners: dict[tuple[str, str], str] = PrivateAttr(default_factory=dict)
    _tags: dict[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path, *, unknown_keys: bool = False) -> Self:
        """Read a file.

        Args:
            path: where it is.
            unknown_keys: accept keys that the specification does not know, and keep them.

        Raises:
            DeclarationError: it cannot be read, is not YAML, or does not follow the specification.
        """
        from nself_sdk.compose.files import read_text

        return cls.loads(read_text(Path(path)), name=str(path), unknown_keys=unknown_keys)

    @classmethod
    def loads(cls, text: str, *, name: str = "", unknown_keys: bool = False) -> Self:
        """Read the text of a file; ``name`` stands for it in messages, see `load`."""
        from nself_sdk.compose.reading import read

        document = read(text, name)
        if not isinstance(document.value, dict):
            raise DeclarationError(
                Problem(name, "expected a mapping with 'services'", "write at least one service")
            )
        try:
            file = cls.model_validate(document.value, context={"unknown_keys": unknown_keys})
        except ValidationError as error:
            raise DeclarationError(problems_of(error, cls, document.value, _locator(text, name))) from None
        file._tags.update((tag.path, tag.tag) for tag in document.tags)
        return file.owned_by(name) if name else file

    def to_yaml(self) -> str:
        """The file's text: deterministic, in the order of the specification, exactly what is declared here."""
        from nself_sdk.compose.writing import to_yaml

        return to_yaml(self, self._tags)

    def owned_by(self, owner: str) -> Self:
        """The same file, whose elements are said to come from ``owner`` where they clash with others."""
        owned = self.replace()
        owned._owners.update(
            {(section, name): owner for section in SECTIONS for name in getattr(self, section)}
        )
        return owned

    def replace(self, **changes: Any) -> Self:
        """A copy with these sections changed, checked like a new one; ``None`` removes a section."""
        copy = super().replace(**changes)
        copy._owners.update(self._owners)
        copy._tags.update(self._tags)
        return copy

    def map_services(self, function: Callable[[str, Service], Service | None]) -> Self:
        """A copy in which each service is what ``function(name, service)`` returns; ``None`` removes it."""
        mapped = {name: function(name, service) for name, service in self.services.items()}
        return self.replace(
            services={name: service for name, service in mapped.items() if service is not None}
        )

    def __add__(self, other: ComposeFile) -> Self:
        """Both files in one.

        Raises:
            DeclarationError: they say different things under one name; it names both owners.
        """
        merged, problems = addition.merged(
            self.written, other.written, addition.Owners(self._owners, other._owners)
        )
        if problems:
            raise DeclarationError(problems)
        total = type(self)(**merged)
        total._owners.update({**other._owners, **self._owners})
        total._tags.update({**other._tags, **self._tags})
        return total


def _locator(text: str, name: str) -> Callable[[tuple[str | int, ...]], str]:
    from nself_sdk.compose.positions import positions

    known = positions(text)

    def locate(path: tuple[str | int, ...]) -> str:
        while path and path not in known:
            path = path[:-1]
        line, column = known.get(path, (1, 1))
        return f"{name or '<text>'}:{line}:{column}: "

    return locate


__all__ = ["SECTIONS", "ComposeFile", "Include", "dotted"]
