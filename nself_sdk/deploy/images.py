"""Getting every image onto the target before anything is touched there: built, pushed, carried over, or pulled."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nself_sdk.compose import ComposeFile, Service
from nself_sdk.deploy.observing import image_of
from nself_sdk.deploy.progress import Progress, Tell
from nself_sdk.docker import Driver, Stack, copy_images
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, DriverError
from nself_sdk.store import contents


def tagged(file: ComposeFile, folder: Path, registry: str = "") -> ComposeFile:
    """The file, with each image that is built from the user's code named after that code and how it is built.

    So an unchanged service is neither built nor replaced, and a release names exactly what it ran. An image with a tag
    of the user's own keeps its name; the others get that of the registry before theirs.
    """
    prefix = f"{registry}/" if registry else ""

    def named(name: str, service: Service) -> Service:
        image, digest = image_of(file, name), contents.digest(service, folder)
        has_tag = ":" in image.rpartition("/")[2]
        return service if has_tag or not digest else service.replace(image=f"{prefix}{image}:{digest}")

    return file.map_services(named)


def registry_of(environment: Environment) -> str:
    """The registry of images of the user's code there; dev, whose images are this machine's alone, uses none."""
    return "" if environment.profile == "dev" else environment.registry


def is_shared(reference: str, service: Service, registry: str) -> bool:
    """Whether the image is built from the user's code, and gets to hosts by that registry."""
    return bool(registry) and service.build is not None and reference.startswith(f"{registry}/")


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The images of a file, and the engines that they are moved between.

    Attributes:
        target: the engine that will run them.
        stack: the file, for ``build``, ``push`` and ``pull``.
        file: the same, to look into.
        tell: is told of what happens.
        here: this machine's engine, if it is another one than the target and answers: what it has is built and
            carried over, so that a host without a registry or a compiler can run it.
        registry: what is built is pushed to it, unless it is there already, and pulled from it by the target.
    """

    target: Driver
    stack: Stack
    file: ComposeFile
    tell: Tell
    here: Driver | None = None
    registry: str = ""

    def provide(self) -> None:
        """Make sure that the target holds every image.

        Raises:
            DeclarationError: there is nothing to build one from.
            DriverError: one cannot be built, pushed or pulled.
        """
        missing = self._missing()
        # A service and its jobs share an image: it is handled once.
        shared = {r: name for name, r in missing.items() if is_shared(r, self.file.services[name], self.registry)}
        if shared:  # whoever deployed this code before has pushed it; what is wrong otherwise, pushing will tell
            self._say(f"asking {self.registry} for {', '.join(shared)}")
            self._compose(self.target, "pull", "--quiet", "--ignore-pull-failures", *shared.values())
            missing = self._missing()
        built = {reference: name for name, reference in missing.items() if self.file.services[name].build is not None}
        self._build(built)
        self._push({reference: name for reference, name in built.items() if reference in shared})
        self._carry(set(missing.values()) - shared.keys())
        if missing:
            self._pull(self._missing())

    def _missing(self) -> dict[str, str]:
        references = {name: image_of(self.file, name) for name in self.file.services}
        held = self.target.held(references.values())
        return {name: reference for name, reference in references.items() if reference not in held}

    def _build(self, built: Mapping[str, str]) -> None:
        code = self.file.replace(services={name: self.file.services[name] for name in built.values()})
        if nothing_there := list(contents.missing(code, self.stack.directory or Path())):
            raise DeclarationError(nothing_there)
        if absent := [name for reference, name in built.items() if self._builder.image(reference) is None]:
            self._compose(self._builder, "build", *absent)

    def _push(self, built: Mapping[str, str]) -> None:
        if built:
            self._say(f"pushing to {self.registry}")
            with _naming("pushed", built):
                self._compose(self._builder, "push", *built.values())

    def _carry(self, references: Iterable[str]) -> None:
        """Copy what this machine has of these images."""
        if self.here and (present := [each for each in sorted(references) if self.here.image(each) is not None]):
            copy_images(self.here, self.target, present, on_line=self._say)

    def _pull(self, missing: Mapping[str, str]) -> None:
        if missing:
            with _naming("pulled", missing.values()):
                self._compose(self.target, "pull", *missing)

    @property
    def _builder(self) -> Driver:
        return self.here or self.target

    def _compose(self, engine: Driver, *arguments: str) -> None:
        engine.compose(self.stack, *arguments, on_line=lambda text: self.tell(Progress("images", text, raw=True)))

    def _say(self, what: str) -> None:
        self.tell(Progress("images", what))


@contextmanager
def _naming(done: str, references: Iterable[str]) -> Generator[None]:
    """Say which images it was that could not be pushed or pulled."""
    try:
        yield
    except DriverError as error:
        what = ", ".join(sorted(set(references)))
        raise type(error)(f"not all could be {done} of {what}: {error.message}", error.hint) from error
