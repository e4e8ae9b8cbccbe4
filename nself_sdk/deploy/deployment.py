"""Deployment: a project in an environment on a host, as a context manager that holds the one connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Self

from nself_sdk import docker
from nself_sdk.checks import check
from nself_sdk.compose import ComposeFile, Service
from nself_sdk.deploy import health, images
from nself_sdk.deploy.health import ServiceHealth
from nself_sdk.deploy.progress import Progress, Report
from nself_sdk.docker import Container, Driver, ExecResult, Stack, Target
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, DriverError, Problem, UnhealthyServiceError
from nself_sdk.model import did_you_mean
from nself_sdk.passes import Pass, fingerprint_variable
from nself_sdk.project import Declaration, declared
from nself_sdk.render import render
from nself_sdk.store import ProjectFolder
from nself_sdk.store.folder import fingerprints

_POLL_SECONDS = 0.5
_LOG_LINES = 20


class Deployment:
    """A project in an environment on a host.

    ``with Deployment(project, "staging") as staging: staging.deploy()``. What is declared is rendered and checked
    before anything is connected, so that a mistake touches nothing.

    Args:
        declaration: a project, or a function of the environment that makes one.
        environment: a value, or a name whose facts are read from the folder.
        folder: the project folder: env files, secrets, ``server.json`` and build contexts.
        passes: the caller's own, over the rendered file and before the checks.
        driver: an engine to use instead of the one that the folder names; it is not closed.
        tell: is called with everything that happens.

    Raises:
        DeclarationError: the project or the folder is wrong; all problems at once.
    """

    def __init__(  # noqa: PLR0913 - what, where and from where are positional; the rest by keyword
        self,
        declaration: Declaration,
        environment: Environment | str,
        folder: ProjectFolder | Path | str = ".",
        *,
        passes: Iterable[Pass] = (),
        driver: Driver | None = None,
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.folder = folder if isinstance(folder, ProjectFolder) else ProjectFolder(folder)
        self.environment = self.folder.environment(environment) if isinstance(environment, str) else environment
        self.project = declared(declaration, self.environment).in_folder(self.folder.path)
        self.context = self.project.context(self.environment)
        self.file = render(self.project, self.environment, passes)
        check(self.file, self.environment)
        self._tell = tell
        self._driver = driver
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._driver is None:
            self._driver = self._open.enter_context(docker.connect(self.target))
        return self

    def __exit__(self, *_: object) -> None:
        self._driver = None
        self._open.close()

    @property
    def target(self) -> Target:
        """Where the engine is, from the environment's ``server.json``; this machine without one."""
        server = self.folder.server(self.environment.name)
        if server is None:
            return Target()
        return Target.parse(
            server.url,
            identity_file=server.identity_file,
            known_hosts=server.known_hosts,
            jump=server.jump,
            socket=server.socket,
        )

    @property
    def driver(self) -> Driver:
        """The open connection."""
        if self._driver is None:
            raise DriverError("there is no connection yet", "write: with Deployment(...) as deployment:")
        return self._driver

    def deploy(self, *, timeout: float = 300) -> Report:
        """Bring the target to what is declared, and wait until every service is healthy.

        Args:
            timeout: seconds that the services may take to become healthy, after their images are there.

        Raises:
            SecretError: a secret is missing or weak; nothing was touched.
            UnhealthyServiceError: a service did not become healthy; its last lines are in the error.
            DriverError: Docker or the host refused.
        """
        report = Report()
        with report.step("secrets", self._tell):
            self.folder.scaffold(self.project)
            stack = self.stack()
        with report.step("images", self._tell):
            self._provide_images(stack)
        with report.step("start", self._tell), self._watched(report):
            self._up(stack)
            self._wait(time.monotonic() + timeout)
        return report

    def stack(self) -> Stack:
        """What Docker is given: the file, and the secrets' values in the process that runs Compose alone."""
        secrets = self.folder.secrets(self.context)
        marks = {fingerprint_variable(name): mark for name, mark in fingerprints(secrets).items()}
        file = self.file.to_yaml()
        return Stack(project=self.project.name, file=file, directory=self.folder.path, secrets=secrets, variables=marks)

    def down(self, *, timeout: int | None = None) -> None:
        """Stop and remove the containers and networks. Volumes, and so data, stay.

        Args:
            timeout: seconds that a service may take to stop; its own grace period when left out.
        """
        patience = [] if timeout is None else ["--timeout", str(timeout)]
        bare = Stack(project=self.project.name, file=_outline(self.file).to_yaml())
        self.driver.compose(bare, "down", "--remove-orphans", *patience, on_line=self._line("down"))

    def status(self) -> tuple[ServiceHealth, ...]:
        """Every declared service and how it is."""
        return health.judge(self.file, self.driver.containers(self.project.name))

    def logs(self, *services: str, tail: int = 100, follow: bool = False, on_line: Callable[[str], None]) -> None:
        """Stream the log lines of the services; of all, if none is named."""
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
            raise DriverError(f"{service} is not running", "start it with: nself-sdk up")
        return found[0]

    def _known(self, service: str) -> None:
        if service not in self.file.services:
            fix = did_you_mean(service, list(self.file.services))
            raise DeclarationError(Problem("service", f"there is no service {service!r}", fix))

    def _provide_images(self, stack: Stack) -> None:
        wanted = images.Wanted.of(self.file)
        with ExitStack() as opened:
            here = None
            if self.environment.remote:
                try:
                    here = opened.enter_context(docker.connect(Target()))
                except DriverError:
                    what = "no engine on this machine: images are built and pulled on the host"
                    self._tell(Progress("images", what))
            images.provide(self.driver, stack, wanted, here, self._tell)

    def _up(self, stack: Stack) -> None:
        """Let Compose create and start; what it calls a failed dependency is told as the service that failed."""
        try:
            self.driver.compose(stack, "up", "--detach", "--no-build", "--remove-orphans", on_line=self._line("start"))
        except DriverError as error:
            self._raise_failed(error)
            raise

    def _wait(self, deadline: float) -> None:
        """Ask until all are healthy, one failed, or the time is over."""
        while waiting := [state for state in self.status() if state.verdict != "healthy"]:
            self._raise_failed()
            if time.monotonic() > deadline:
                raise self._failure(waiting[0], "did not become healthy in time")
            time.sleep(_POLL_SECONDS)

    def _raise_failed(self, cause: DriverError | None = None) -> None:
        for state in self.status():
            if state.verdict == "failed":
                raise self._failure(state, state.reason) from cause

    def _failure(self, state: ServiceHealth, reason: str) -> UnhealthyServiceError:
        """The error that a tired person reads at night: the service, why, its last lines, the next command."""
        logs = ""
        if state.container is not None:
            logs = self.driver.logs(state.container.id, tail=_LOG_LINES).rstrip()
            if state.container.health_output:
                logs += f"\nhealth check: {state.container.health_output.strip()}"
        name = self.environment.name
        hint = f"see more with: nself-sdk logs {state.service} --env {name}; correct it and deploy again"
        return UnhealthyServiceError(state.service, reason, logs, hint)

    @contextmanager
    def _watched(self, report: Report) -> Iterator[None]:
        """Tell of every change of a service's state while the body runs."""
        done = Event()
        watcher = Thread(target=self._watch, args=(report, done, time.monotonic()), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _watch(self, report: Report, done: Event, begin: float) -> None:
        last: dict[str, str] = {}
        while True:
            finished = done.wait(_POLL_SECONDS)
            try:
                states = self.status()
            except DriverError:
                return  # the connection is gone; the main thread meets the same error and reports it
            for state in states:
                if last.get(state.service) != state.reason:
                    last[state.service] = state.reason
                    self._tell(Progress("start", state.reason, state.service))
                if state.verdict == "healthy":
                    report.services.setdefault(state.service, round(time.monotonic() - begin, 1))
            if finished:
                return

    def _line(self, step: str) -> Callable[[str], None]:
        return lambda line: self._tell(Progress(step, line, raw=True))


def _outline(file: ComposeFile) -> ComposeFile:
    """The services and their networks: what Compose must know to remove them, without any secret."""
    services = {
        name: Service(image=service.image or name, networks=service.networks, network_mode=service.network_mode)
        for name, service in file.services.items()
    }
    return ComposeFile(name=file.name, services=services, networks=file.networks)
