"""RunningStack: what runs of a project on a host, to look at, to talk to and to stop. It deploys nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from nself_sdk import docker
from nself_sdk.compose import ComposeFile, Service
from nself_sdk.deploy import certificates, health, targets
from nself_sdk.deploy.certificates import Certificate
from nself_sdk.deploy.drift import Drift, drift
from nself_sdk.deploy.health import ServiceHealth
from nself_sdk.deploy.progress import Progress, Tell, harmless
from nself_sdk.docker import Container, Driver, ExecResult, Stack, Target
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, DriverError, Problem
from nself_sdk.model import did_you_mean
from nself_sdk.passes import Pass
from nself_sdk.project import Declaration, declared
from nself_sdk.render import render
from nself_sdk.store import ProjectFolder


class RunningStack:
    """The containers of one project, through one connection, which is made at its first use.

    See `nself_sdk.Deployment`, which is one, for what it is made of.
    """

    def __init__(  # noqa: PLR0913 - what, where and from where are positional; the rest by keyword
        self,
        declaration: Declaration,
        environment: Environment | str,
        folder: ProjectFolder | Path | str = ".",
        *,
        passes: Iterable[Pass] = (),
        driver: Driver | None = None,
        tell: Tell = lambda _: None,
    ) -> None:
        self.folder = folder if isinstance(folder, ProjectFolder) else ProjectFolder(folder)
        self.environment = self.folder.environment(environment) if isinstance(environment, str) else environment
        self.project = declared(declaration, self.environment).in_folder(self.folder.path)
        self.context = self.project.context(self.environment)
        self.file = render(self.project, self.environment, passes)
        self._tell = harmless(tell)
        self._given = self._driver = driver
        self._open: ExitStack | None = None

    def __enter__(self) -> Self:
        self._open = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._driver = self._given
        if self._open is not None:
            self._open.close()
        self._open = None

    @property
    def driver(self) -> Driver:
        """The open connection.

        Raises:
            DriverError: Docker or the host refused, or this is outside of ``with``.
        """
        if self._driver is None and self._open is not None:
            self._driver = self._open.enter_context(docker.connect(self.target))
        if self._driver is None:
            raise DriverError("there is no connection yet", "write: with Deployment(...) as deployment:")
        return self._driver

    @property
    def target(self) -> Target:
        """Where the engine is, from the environment's ``server.json``; this machine without one."""
        return targets.target(self.folder, self.environment)

    def down(self, *, timeout: int | None = None) -> None:
        """Stop and remove the containers and networks. Volumes, and so data, stay.

        Args:
            timeout: seconds that a service may take to stop; its own grace period when left out.
        """
        patience = [] if timeout is None else ["--timeout", str(timeout)]
        bare = Stack(project=self.project.name, file=_outline(self.file).to_yaml())
        self.driver.compose(bare, "down", "--remove-orphans", *patience, on_line=self._line("down"))

    def status(self) -> tuple[ServiceHealth, ...]:
        """Every declared service and how it is. Who fetches certificates is well if each host has one."""
        states = health.later(health.judge(self.file, self.driver.containers(self.project.name)), self.file)
        return certificates.judged(states, certificates.fetcher(self.file), self.certificates())

    def certificates(self) -> tuple[Certificate, ...]:
        """Each host's certificate, where they come by ACME; nothing elsewhere."""
        return certificates.certificates(self.driver, self.file, self.project.name)

    def drift(self) -> Drift:
        """What on the host differs from the release that was deployed there last, whatever is declared now.

        Raises:
            DeclarationError: the host keeps no release of the project.
            DriverError: Docker or the host refused.
        """
        return drift(self.driver, self.project.name, self.environment.name)

    def logs(
        self, *services: str, tail: int = 100, follow: bool = False, on_line: Callable[[str], None] = print
    ) -> None:
        """Stream the log lines of the services; of all, if none is named. They are printed, or given to ``on_line``."""
        for service in services:
            self._known(service)
        if follow:
            self.driver.follow_logs(self.project.name, services, tail=tail, on_line=on_line)
            return
        for container in self.driver.containers(self.project.name):
            if not services or container.service in services:
                for line in self.driver.logs(container.id, tail=tail).splitlines():
                    on_line(f"{container.service}  | {line}")

    def exec(self, service: str, command: Sequence[str]) -> ExecResult:
        """Run a command in a service's container."""
        return self.driver.exec(self._running(service).id, command)

    def exec_interactive(self, service: str, command: Sequence[str]) -> int:
        """Run a command in a service's container, on this terminal; its exit code."""
        return self.driver.exec_interactive(self._running(service).id, command)

    def _running(self, service: str) -> Container:
        self._known(service)
        found = [c for c in self.driver.containers(self.project.name) if c.service == service and c.running]
        if not found:
            raise DriverError(f"{service} is not running", f"start it with: nself-sdk up {self.environment.name}")
        return found[0]

    def _known(self, service: str) -> None:
        if service not in self.file.services:
            fix = did_you_mean(service, list(self.file.services))
            raise DeclarationError(Problem("service", f"there is no service {service!r}", fix))

    def _line(self, step: str) -> Callable[[str], None]:
        return lambda line: self._tell(Progress(step, line, raw=True))


def _outline(file: ComposeFile) -> ComposeFile:
    """The services and their networks: what Compose must know to remove them, without any secret."""
    services = {
        name: Service(image=service.image or name, networks=service.networks, network_mode=service.network_mode)
        for name, service in file.services.items()
    }
    return ComposeFile(name=file.name, services=services, networks=file.networks)
