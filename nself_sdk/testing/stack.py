"""NselfStack: a project running for a test suite, apart from all others, gone at the end. It knows no test runner."""

from __future__ import annotations

import logging
import os
import re
import secrets as randomness
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from pathlib import Path
from typing import Any, Self

from nself_sdk import docker
from nself_sdk.deploy import Deployment, Probe, Request
from nself_sdk.deploy.progress import Tell
from nself_sdk.docker import Driver, ExecResult
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, DriverError, Problem
from nself_sdk.passes import Pass
from nself_sdk.project import Declaration, Project, declared
from nself_sdk.store import ProjectFolder, envfiles
from nself_sdk.testing import reaper
from nself_sdk.testing.container import StackContainer
from nself_sdk.testing.edge import Edge, Response
from nself_sdk.testing.passes import labelled, published

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5
_PATIENCE = 5
_PORT_TAKEN = "is already in use on the host"
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
#: What of a project's folder is no input of its stack, is too big to copy, or belongs to its real environments.
_LEFT_OUT = (".git", ".venv", "node_modules", "__pycache__", ".env.local", ".env.secrets", "server.json", "tls")


class NselfStack:
    """A project, brought up for tests under a name of its own, and removed without a trace.

    ``with NselfStack(project) as stack: stack.request("GET", "hello", "/health")``. It has free ports for http and
    https on 127.0.0.1, publishes nothing else, and keeps its secrets and code in a temporary folder. Where Ryuk can
    run, the stack is removed even after the process was killed.

    Args:
        declaration: a project, or a function of the environment that makes one.
        environment: a value, or a name whose facts are read from the folder.
        folder: a project folder whose env files and code are used (copies of them); without one, custom services are
            what their templates say.
        publish: ports to reach from this host besides the edge's, by service: ``{"postgres": 5432}``. See `container`.
        secrets: values of secrets that must be given.
        passes: changes of the rendered file for the tests alone, after the SDK's own: shorter intervals, say.
        driver: an engine to use instead of this machine's; it is not closed.
        timeout: seconds that the services may take to become healthy.
        keep: leave everything there at the end, for a look at it.
        tell: is called with everything that happens.
    """

    def __init__(  # noqa: PLR0913 - one positional idea, the rest by keyword
        self,
        declaration: Declaration,
        environment: Environment | str = "dev",
        *,
        folder: Path | str | None = None,
        publish: Mapping[str, int] | None = None,
        secrets: Mapping[str, str] | None = None,
        passes: Iterable[Pass] = (),
        driver: Driver | None = None,
        timeout: float = 300,
        keep: bool = False,
        tell: Tell = lambda progress: _LOG.debug("%s", progress),
    ) -> None:
        worker = re.sub(r"[^a-z0-9]", "", os.environ.get("PYTEST_XDIST_WORKER", ""))
        self.name = "-".join(filter(None, ("nself-test", worker, randomness.token_hex(4))))
        self.keep = keep
        self._declaration = declaration
        self._environment = environment
        self._source = None if folder is None else ProjectFolder(folder)
        self._publish = dict(publish or {})
        self._given = dict(secrets or {})
        self._user_passes = tuple(passes)
        self._driver = driver
        self._timeout = timeout
        self._tell = tell
        self._deployment: Deployment | None = None
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Bring it up.

        Raises:
            DeclarationError: the project is wrong; nothing was touched.
            UnhealthyServiceError: a service did not become healthy; its last lines are in the error.
            DriverError: Docker refused.
        """
        with self._undo as undo:
            self.folder = ProjectFolder(self._made_folder(undo))
            place = self._place()
            self._write_given(place)
            self._prepared(place, self._driver)  # a wrong project is told before any engine is looked for
            driver = self._driver or undo.enter_context(docker.connect())
            if self.keep:
                _LOG.warning("will be kept: %s, and its folder %s", self.name, self.folder.path)
            else:
                reaper.watch_over()
                undo.callback(self._remove, driver)
            self._deployed(place, driver)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def deployment(self) -> Deployment:
        """What runs underneath: deploy again, ask for its status, read its rendered file."""
        if self._deployment is None:
            raise DriverError(f"{self.name} is not up", "write: with NselfStack(...) as stack:")
        return self._deployment

    @property
    def environment(self) -> Environment:
        """The environment with the facts of this stack: its ports above all."""
        return self.deployment.environment

    @property
    def edge(self) -> Edge:
        """Requests through the stack's Nginx, by full host names."""
        facts = self.environment
        return Edge(facts.https_port, http_port=facts.http_port, address=facts.bind)

    def url(self, route: str, path: str = "/") -> str:
        """The public URL of a route. Only a client that resolves its host to 127.0.0.1 can use it; see `request`."""
        return self.environment.url(route, path)

    def request(self, method: str, route: str, path: str = "/", **given: Any) -> Response:
        """One request to a route, over verified TLS; see `Edge.request` for what can be given.

        Raises:
            DeclarationError: there is no such route; `edge` asks for any host.
        """
        host = self.environment.host(route)
        _known("route", host, self.deployment.context.hosts)
        return self.edge.request(method, host, path, **given)

    def exec(self, service: str, command: Sequence[str]) -> ExecResult:
        """Run a command in a service's container."""
        return self.deployment.exec(service, command)

    def logs(self, service: str, *, tail: int | None = None) -> str:
        """What the service wrote."""
        return self.deployment.driver.logs(self.container(service).id, tail=tail)

    def changed(self, declaration: Declaration | None = None) -> Deployment:
        """The same stack as it is declared now, or as another declaration says: what a next deploy would bring.

        ``stack.changed(project).deploy()``. Its name, its folder and its ports stay.
        """
        self._declaration = self._declaration if declaration is None else declaration
        self._deployment = self._prepared(self.environment, self.deployment.driver)
        return self._deployment

    def probe(self, *requests: Request, **given: Any) -> Probe:
        """Traffic to this stack's edge, for `nself_sdk.deploy.probing`; see `nself_sdk.deploy.Probe`."""
        return Probe(requests, address=self.edge.address, authority=self.edge.authority, **given)

    def secret(self, name: str) -> str:
        """The value of a secret of this stack."""
        values = self.folder.secrets(self.deployment.context)
        _known("secret", name, values)
        return values[name]

    def container(self, service: str) -> StackContainer:
        """A service's container, for the wait strategies of testcontainers and for its address."""
        return StackContainer(self.deployment.driver, self.name, service)

    def _made_folder(self, undo: ExitStack) -> Path:
        """A folder of the stack's own, with what its real one has."""
        path = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        if not self.keep:
            undo.callback(shutil.rmtree, path, ignore_errors=True)
        if self._source is not None:
            ignore = shutil.ignore_patterns(*_LEFT_OUT)
            shutil.copytree(self._source.path, path, ignore=ignore, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(path / "hooks", ignore_errors=True)
        return path

    def _place(self) -> Environment:
        """The environment, on this machine, with nothing but the edge published."""
        named = self._environment
        environment = self.folder.environment(named) if isinstance(named, str) else named
        return environment.replace(
            bind="127.0.0.1",
            published=("nginx",),
            tls="local-ca",
            hot_reload=False,
            remote=False,
            monitoring_required=False,
            real_mail_required=False,
        )

    def _write_given(self, place: Environment) -> None:
        """The secrets that were given, where those that must be given are looked for."""
        quoted = {name: value.replace("\\", r"\\").replace("'", r"\'") for name, value in self._given.items()}
        path = self.folder.path / ".environments" / place.name / ".env.secrets"
        envfiles.write_private(path, "".join(f"{name}='{value}'\n" for name, value in quoted.items()))

    def _deployed(self, place: Environment, driver: Driver) -> None:
        """Deploy; again with other ports when somebody took one of ours between choosing and using it."""
        for attempt in range(_ATTEMPTS):
            http, https = free_ports(2)
            self._deployment = self._prepared(place.replace(http_port=http, https_port=https), driver)
            try:
                self._deployment.deploy(timeout=self._timeout)
            except DriverError as error:
                if _PORT_TAKEN not in str(error) or attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return

    def _prepared(self, facts: Environment, driver: Driver | None) -> Deployment:
        """What is declared now, rendered and checked; nothing runs yet."""
        return Deployment(self._named, facts, self.folder, passes=self._passes(), driver=driver, tell=self._tell)

    def _passes(self) -> tuple[Pass, ...]:
        return (*self._user_passes, published(self._publish), labelled({} if self.keep else reaper.labels()))

    def _named(self, environment: Environment) -> Project:
        """The user's project under our name; his own value stays as it is."""
        project = copy(declared(self._declaration, environment))
        project.name, project.is_named = self.name, True
        project.hooks = {}  # a test announces no deploy
        return project

    def _remove(self, driver: Driver) -> None:
        """Remove the containers, networks, volumes and built images of exactly this project."""
        if self._deployment is None:
            return
        containers = driver.containers(self.name)
        mounted = (mount.source for container in containers for mount in container.mounts if mount.type == "volume")
        anonymous = {source for source in mounted if _ANONYMOUS.fullmatch(source)}
        self._deployment.down(timeout=_PATIENCE)
        self._deployment.forget()
        driver.remove_volumes(sorted({volume.name for volume in driver.volumes(self.name)} | anonymous))


def _known(what: str, wanted: str, there: Collection[str]) -> None:
    if wanted not in there:
        raise DeclarationError(Problem(what, f"this stack has no {wanted}", f"known: {', '.join(sorted(there))}"))


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now. Somebody else may take one before it is used."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
