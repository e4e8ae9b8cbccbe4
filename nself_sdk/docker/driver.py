"""The real driver: the docker command line on one engine; knows no project, only stacks and containers.

python-on-whales knows how the command lines are spelt and where the client is; what they run in is our own runner
(`runner` says why), and what they print becomes values (`documents` says why). What only looks is cheaper (`glances`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nself_sdk.docker import documents, glances, host, stackfile, streams
from nself_sdk.docker.commands import compose_command, docker_command
from nself_sdk.docker.environment import scrubbed
from nself_sdk.docker.failures import failure
from nself_sdk.docker.redaction import Redaction
from nself_sdk.docker.runner import Completed, interact, run
from nself_sdk.docker.target import LOCAL, Target
from nself_sdk.docker.transport import Line, open_line
from nself_sdk.docker.values import ExecResult
from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from nself_sdk.docker.protocol import Driver, OnLine, Stack
    from nself_sdk.docker.values import Container, Engine, Host, Image, Network, Volume

_LOOK = 120.0  # seconds that a call which only looks may take: the slowest host answers, a hung engine does not
_GLANCE = 20.0  # the same for the host under the engine, which is not needed as much
_DAEMON = ("Error response from daemon:", "Error: No such container", "Cannot connect to the Docker daemon")


@contextmanager
def connect(target: Target = LOCAL, *, secrets: Iterable[str] = ()) -> Generator[Driver]:
    """Open the door to the engine at `target` and close it again, whatever happens.

    Over ssh this is one connection, for every call. `secrets` are hidden in every text that comes back, as
    are those of each stack.

    Raises:
        HostUnreachableError: no engine answers there; it says why, and what to do.
        DeclarationError: the identity file cannot be used.
    """
    with open_line(target, os.environ) as line:
        driver = EngineDriver(target, line, Redaction(secrets))  # imports a lot, while ssh connects
        line.ready()
        yield driver


class EngineDriver:
    """`Driver` on an engine whose socket is on this machine: its own, or the near end of a forward."""

    def __init__(self, target: Target, line: Line, redaction: Redaction) -> None:
        self._target = target
        self._line = line
        self._redaction = redaction
        self._docker = docker_command(line.address)
        self._environment = scrubbed(os.environ)

    @property
    def target(self) -> Target:
        """Where this engine is."""
        return self._target

    def info(self) -> Engine:
        """See `Driver.info`."""
        asked = datetime.now(UTC)
        text = self._look("info", "--format", "{{json .}}")
        engine = documents.engine(json.loads(text))
        return replace(engine, skew=(engine.time - asked - (datetime.now(UTC) - asked) / 2).total_seconds())

    def compose(
        self, stack: Stack, *arguments: str, on_line: OnLine | None = None, timeout: float | None = None
    ) -> str:
        """See `Driver.compose`."""
        self._redaction = self._redaction.also(stack.secrets.values())
        given = {**stack.variables, **stack.secrets}
        with stackfile.written(stack.file) as path:
            command = [*compose_command(self._line.address, stack, path), *arguments]
            done = run(
                command,
                environment=scrubbed(os.environ, given),
                redaction=self._redaction,
                on_line=on_line,
                timeout=timeout,
            )
        return self._checked(done, f"docker compose {arguments[0] if arguments else ''}".strip()).stdout

    def containers(self, project: str) -> tuple[Container, ...]:
        """See `Driver.containers`."""
        found = self._containers(f"label={documents.PROJECT}={project}")
        return tuple(sorted(found, key=lambda one: (one.service, one.number, one.name)))

    def logs(self, container: str, *, tail: int | None = None, since: str | None = None) -> str:
        """See `Driver.logs`."""
        options = [] if tail is None else ["--tail", str(tail)]
        options += [] if since is None else ["--since", since]
        return self._look("logs", *options, "--", container, merged=True, redaction=self._redaction)

    def follow_logs(self, project: str, services: Sequence[str] = (), *, tail: int = 100, on_line: OnLine) -> None:
        """See `Driver.follow_logs`."""
        options = ("--project-name", project, "--ansi", "never", "logs", "--follow", "--tail", str(tail))
        done = run(
            [*self._docker, "compose", *options, "--", *services],
            environment=self._environment,
            redaction=self._redaction,
            # Compose 2.26 erases the terminal's line before each, also where it was told that there is none.
            on_line=lambda line: on_line(line.removeprefix("\x1b[2K")),
            patient=False,
            grace=1.0,
        )
        self._checked(done, "docker compose logs")

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
        """See `Driver.exec`."""
        given = environment or {}
        options = [*_user(user), *(f"--env={name}" for name in given), *(["--interactive"] if stdin else [])]
        options += ["--privileged"] if privileged else []
        done = run(
            [*self._docker, "exec", *options, "--", container, *command],
            environment={**self._environment, **given},
            redaction=self._redaction.also(given.values()),
            stdin=stdin,
        )
        if done.exit_code != 0 and done.stderr.startswith(_DAEMON):
            self._checked(done, "docker exec")
        return ExecResult(exit_code=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    def exec_interactive(self, container: str, command: Sequence[str], *, user: str | None = None) -> int:
        """See `Driver.exec_interactive`."""
        options = [*_user(user), "--interactive", *(["--tty"] if sys.stdin.isatty() else [])]
        environment = {**self._environment, "TERM": os.environ.get("TERM", "dumb")}
        return interact([*self._docker, "exec", *options, "--", container, *command], environment)

    def host(self, root: str) -> Host:
        """See `Driver.host`."""
        try:
            text = self._line.shell(host.script(root), _GLANCE).stdout
        except DriverError:  # a disk that hangs, for one: what cannot be seen must not stop anything
            text = ""
        return host.parsed(text, self._line.peer)

    def networks(self) -> tuple[Network, ...]:
        """See `Driver.networks`."""
        return tuple(map(documents.network, self._inspect("network", self._look("network", "ls", "--quiet"))))

    def held(self, references: Iterable[str]) -> Mapping[str, Image]:
        """See `Driver.held`. One call for those that are there under just that name, and one for each other."""
        wanted = sorted(set(references))
        found = map(documents.image, self._inspect("image", " ".join(wanted)))
        named = {name: one for one in found for name in (*one.tags, *one.digests, one.id)}
        return {name: one for name in wanted if (one := named.get(name) or self.image(name))}

    def image(self, reference: str) -> Image | None:
        """See `Driver.image`."""
        found = self._inspect("image", reference)
        return documents.image(found[0]) if found else None

    def images(self, label: str = "") -> tuple[Image, ...]:
        """See `Driver.images`."""
        chosen = ["--filter", f"label={label}"] if label else []
        found = glances.images(self._line.address, label)
        if found is None:
            found = self._look("image", "ls", "--quiet", "--no-trunc", *chosen).split()
        ids = " ".join(dict.fromkeys(found))
        return tuple(sorted(map(documents.image, self._inspect("image", ids)), key=lambda one: one.id))

    def tag(self, image: str, reference: str) -> None:
        """See `Driver.tag`."""
        self._look("image", "tag", image, reference)

    def remove_image(self, reference: str) -> None:
        """See `Driver.remove_image`."""
        self._look("image", "rm", "--", reference)

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """See `Driver.save`."""
        command = [*self._docker, "image", "save", "--", *references]
        return streams.produce(command, self._environment, self._failed("docker image save"))

    def load(self, chunks: Iterable[bytes]) -> None:
        """See `Driver.load`."""
        command = [*self._docker, "image", "load", "--quiet"]
        streams.consume(command, self._environment, chunks, self._failed("docker image load"))

    def marked(self, label: str) -> tuple[Container, ...]:
        """See `Driver.marked`."""
        found = self._containers(f"label={label}")
        return tuple(sorted(found, key=lambda one: (one.created_at is not None, one.created_at, one.id)))

    def publishing(self, ports: Iterable[int]) -> tuple[Container, ...]:
        """See `Driver.publishing`."""
        wanted = sorted(set(ports))
        return self._containers(*(f"publish={port}" for port in wanted)) if wanted else ()

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> bool:
        """See `Driver.create`."""
        options = [f"--label={key}={value}" for key, value in labels.items()]
        command = [*self._docker, "create", "--pull=never", f"--name={name}", *options, "--", image, "never-started"]
        done = run(command, environment=self._environment, timeout=_LOOK)
        if done.exit_code != 0 and "is already in use" in done.stderr:
            return False
        self._checked(done, "docker create")
        return True

    def stop(self, container: str, seconds: int) -> None:
        """See `Driver.stop`."""
        command = [*self._docker, "stop", "-t", str(seconds), "--", container]
        done = run(command, environment=self._environment, timeout=_LOOK + seconds)
        if "no such container" not in done.stderr.lower():
            self._checked(done, "docker stop")

    def remove(self, container: str) -> None:
        """See `Driver.remove`."""
        done = run([*self._docker, "rm", "--force", "--", container], environment=self._environment, timeout=_LOOK)
        if "no such container" not in done.stderr.lower():
            self._checked(done, "docker rm")

    def volumes(self, project: str) -> tuple[Volume, ...]:
        """See `Driver.volumes`."""
        found = self._look("volume", "ls", "--quiet", "--filter", f"label={documents.PROJECT}={project}")
        volumes = map(documents.volume, self._inspect("volume", found))
        return tuple(sorted(volumes, key=lambda one: one.name))

    def remove_volumes(self, names: Sequence[str]) -> None:
        """See `Driver.remove_volumes`."""
        if names:
            self._look("volume", "rm", "--", *names)

    def _containers(self, *filters: str) -> tuple[Container, ...]:
        """Two questions: the ids, and one inspection of them all."""
        found = glances.containers(self._line.address, filters)
        if found is None:
            found = self._look("ps", "-aq", "--no-trunc", *(f"--filter={one}" for one in filters)).split()
        return tuple(documents.container(one, self._redaction) for one in self._inspect("container", " ".join(found)))

    def _look(self, *arguments: str, merged: bool = False, redaction: Redaction | None = None) -> str:
        """The output of a short docker call. JSON is not redacted as a text: its values are, once they are read."""
        command = [*self._docker, *arguments]
        done = run(
            command,
            environment=self._environment,
            redaction=redaction or Redaction(),
            timeout=_LOOK,
            merged=merged,
        )
        return self._checked(done, f"docker {' '.join(arguments[:1])}").stdout

    def _inspect(self, kind: str, names: str) -> list[dict[str, Any]]:
        """The documents of those that exist: one that has gone meanwhile, or never was, is absent."""
        if not names.split():
            return []
        if (seen := glances.documents(self._line.address, kind, names.split())) is not None:
            return seen
        command = [*self._docker, kind, "inspect", "--", *names.split()]
        done = run(command, environment=self._environment, timeout=_LOOK)
        if done.exit_code != 0 and not all("no such" in line.lower() for line in done.stderr.splitlines()):
            self._checked(done, f"docker {kind} inspect")
        return list(json.loads(done.stdout or "[]"))

    def _checked(self, done: Completed, what: str) -> Completed:
        if done.exit_code != 0:
            raise self._failed(what)(f"{done.stdout}\n{done.stderr}")
        return done

    def _failed(self, what: str) -> Callable[[str], DriverError]:
        """Makes the error out of what a command wrote; a connection that broke is the cause of everything else."""

        def tell(text: str) -> DriverError:
            error = failure(f"{what} on {self._target}", self._redaction(text))
            return self._line.lost() or error

        return tell


def _user(user: str | None) -> list[str]:
    return [] if user is None else [f"--user={user}"]
