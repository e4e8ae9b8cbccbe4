"""The verbs of Docker that the SDK needs, and nothing about who answers them.

`Driver` is the only door: the real one is `nself_sdk.docker.connect`, the double for tests is
`nself_sdk.testing.RecordingDriver`. What is not a verb here cannot be done to a host. The verbs are Docker's
own words and take plain values, so that every call can be written down, compared and refused in a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nself_sdk.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nself_sdk.docker.target import Target
    from nself_sdk.docker.values import Container, Engine, ExecResult, Host, Image, Network, Volume

OnLine = Callable[[str], None]
"""Called with each line as it is written, without its newline and with secrets hidden."""

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = re.compile(r"(DOCKER|COMPOSE|BUILDX|BUILDKIT|SSH|LD|LC)_.*|PATH|HOME|USER|LANG|TERM|TMPDIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A Compose project that is ready to be given to Docker.

    Attributes:
        project: its name on the engine, as Compose accepts names.
        file: the text of the Compose file, complete: nothing else is read.
        directory: what relative paths in the file (build contexts) start from; None where it has none.
        secrets: values for ``${NAME}`` and for ``environment:`` secrets. They travel in the environment of
            the Compose process alone, never in an argument or a file, and are hidden in all that comes back.
        variables: the same for values that may be seen.

    Raises:
        DeclarationError: a name that Compose would not take, or that would redirect Docker.
    """

    project: str
    file: str = field(repr=False)
    directory: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise DeclarationError(problems)

    def _problems(self) -> Iterator[Problem]:
        if not _PROJECT.fullmatch(self.project):
            fix = "use lower-case letters, digits, '-' and '_', and start with a letter or a digit"
            yield Problem("project", f"{self.project!r} is not a Compose project name", fix)
        for name, value in [*self.secrets.items(), *self.variables.items()]:
            if not _VARIABLE.fullmatch(name):
                yield Problem(name, "is not a variable name", "use letters, digits and '_'")
            elif _RESERVED.fullmatch(name):
                yield Problem(name, "would change how Docker itself runs", "give the variable another name")
            elif "\0" in value:
                yield Problem(name, "holds a NUL character, which no environment can carry", "remove it")


class Driver(Protocol):
    """One engine, for as long as the connection is open.

    Every verb raises `DriverError` when Docker refuses and `HostUnreachableError` when nobody answers. Verbs
    that only look are safe to repeat. No verb removes data but `remove_volumes`.
    """

    @property
    def target(self) -> Target:
        """Where this engine is."""
        ...

    def info(self) -> Engine:
        """The engine, its host and the host's clock."""
        ...

    def host(self, root: str) -> Host:
        """What the host itself says, past Docker; `root` is `Engine.root`. What cannot be seen there is None."""
        ...

    def networks(self) -> tuple[Network, ...]:
        """All networks of the engine."""
        ...

    def compose(
        self, stack: Stack, *arguments: str, on_line: OnLine | None = None, timeout: float | None = None
    ) -> str:
        """Run ``docker compose <arguments>`` for `stack`; its standard output.

        After `timeout` seconds it is stopped, and DriverError says so.

        With `on_line`, both outputs are streamed while it runs. The first Ctrl-C lets the step finish before
        KeyboardInterrupt is raised; the second stops it.
        """
        ...

    def containers(self, project: str) -> tuple[Container, ...]:
        """All containers of a Compose project, stopped ones too, by service, replica and name."""
        ...

    def logs(self, container: str, *, tail: int | None = None, since: str | None = None) -> str:
        """What a container wrote, both outputs together.

        `tail` counts lines from the end; `since` is a time or an age as Docker reads it (``10m``).
        """
        ...

    def follow_logs(self, project: str, services: Sequence[str] = (), *, tail: int = 100, on_line: OnLine) -> None:
        """Stream the logs of services (all, if none is named), each line prefixed by its container.

        Ends when the containers do, or at the first Ctrl-C, which raises KeyboardInterrupt.
        """
        ...

    def exec(  # noqa: PLR0913 - the options of docker exec
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
        privileged: bool = False,
    ) -> ExecResult:
        """Run a command inside a running container, without a terminal.

        The values of `environment` are secrets: they are not put in an argument, and are hidden in errors.
        A `privileged` command has every capability, also those that the container dropped.
        """
        ...

    def exec_interactive(self, container: str, command: Sequence[str], *, user: str | None = None) -> int:
        """Run a command inside a running container on this process's own terminal; its exit code."""
        ...

    def image(self, reference: str) -> Image | None:
        """The image that the engine holds under a name, digest or id; None if it holds none."""
        ...

    def held(self, references: Iterable[str]) -> Mapping[str, Image]:
        """The same for many at once; what the engine does not hold is absent."""
        ...

    def images(self, label: str = "") -> tuple[Image, ...]:
        """The images that carry a label (``name`` or ``name=value``); all, if none is named. By id."""
        ...

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more name, taking it from the image that had it."""
        ...

    def remove_image(self, reference: str) -> None:
        """Take a name from an image; the image goes with its last name, unless a container uses it."""
        ...

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Images as the chunks of one tar stream (``docker save``), never held whole."""
        ...

    def load(self, chunks: Iterable[bytes]) -> None:
        """Take images from the chunks of a tar stream (``docker load``)."""
        ...

    def marked(self, label: str) -> tuple[Container, ...]:
        """The containers that carry a label (``name`` or ``name=value``), stopped ones too, oldest first."""
        ...

    def publishing(self, ports: Iterable[int]) -> tuple[Container, ...]:
        """The containers, of whatever project, that publish one of these ports of the host."""
        ...

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> bool:
        """Create a container that is never started; False, and nothing done, where the name is taken.

        The engine gives a name only once: this is how something is claimed for oneself.
        """
        ...

    def stop(self, container: str, seconds: int) -> None:
        """Stop a container: its stop signal, and SIGKILL after `seconds`."""
        ...

    def remove(self, container: str) -> None:
        """Remove a container, running or not. Named volumes stay; one that has gone already is fine."""
        ...

    def volumes(self, project: str) -> tuple[Volume, ...]:
        """The named volumes of a Compose project, by name."""
        ...

    def remove_volumes(self, names: Sequence[str]) -> None:
        """Destroy data, for ever: only after a human typed these names, or in a test's own project."""
        ...
