"""What services share by name: the top-level volumes, configs, secrets and models."""

from typing import Self

from nself_sdk.compose.element import Element
from nself_sdk.compose.networks import External
from nself_sdk.compose.values import Flag, ListOrMap, Maybe, Options, Strings


class Volume(Element):
    """A named volume (Volumes top-level element)."""

    name: Maybe[str] = None
    """Its name in Docker; the key with the project's name before it if absent."""
    driver: Maybe[str] = None
    """Such as ``local``."""
    driver_opts: Maybe[Options] = None
    """Options for the driver."""
    external: Maybe[Flag | External] = None
    """It exists already, and Compose neither creates nor removes it."""
    labels: Maybe[ListOrMap] = None
    """Its labels."""


class Config(Element):
    """A text that services read as a file (Configs top-level element)."""

    name: Maybe[str] = None
    """Its name in Docker; the key with the project's name before it if absent."""
    content: Maybe[str] = None
    """The text itself; Compose interpolates it, see `inline`."""
    environment: Maybe[str] = None
    """Name of the environment variable that holds the text."""
    file: Maybe[str] = None
    """A file that holds the text."""
    external: Maybe[Flag | External] = None
    """It exists already, and Compose neither creates nor removes it."""
    labels: Maybe[ListOrMap] = None
    """Its labels."""
    template_driver: Maybe[str] = None
    """Which engine fills in templates; Swarm only."""

    @classmethod
    def inline(cls, text: str, *, name: str | None = None) -> Self:
        """A config with exactly this text: every ``$`` is doubled, so Compose leaves it alone."""
        return cls(name=name, content=text.replace("$", "$$"))

    @property
    def text(self) -> str | None:
        """The inline content as the container sees it, if no variable has to be filled in; the inverse of `inline`."""
        return None if self.content is None else self.content.replace("$$", "$")


class Secret(Element):
    """A secret that services read as a file (Secrets top-level element)."""

    name: Maybe[str] = None
    """Its name in Docker; the key with the project's name before it if absent."""
    environment: Maybe[str] = None
    """Name of the environment variable that holds the value."""
    file: Maybe[str] = None
    """A file that holds the value."""
    external: Maybe[Flag | External] = None
    """It exists already, and Compose neither creates nor removes it."""
    labels: Maybe[ListOrMap] = None
    """Its labels."""
    driver: Maybe[str] = None
    """Which driver keeps it; Swarm only."""
    driver_opts: Maybe[Options] = None
    """Options for the driver."""
    template_driver: Maybe[str] = None
    """Which engine fills in templates; Swarm only."""


class Model(Element):
    """A language model that services use (Models top-level element)."""

    name: Maybe[str] = None
    """A name for it."""
    model: str
    """The OCI artifact that holds it."""
    context_size: Maybe[int] = None
    """Largest number of tokens of a context."""
    runtime_flags: Maybe[Strings] = None
    """Flags for the inference engine."""
