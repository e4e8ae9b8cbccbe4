"""The small stack that faults are injected into, deployed as a user does: by the command line, over real SSH."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.recipes import recipe

from nself_sdk.testing.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rig.vps import Vps

POSTGRES, REDIS, NGINX = "postgres:16.15-alpine3.24", "redis:7.2.16-alpine3.21", "nginx:1.30.6-alpine"
SITE = recipe("versioned").tag
IMAGES = (POSTGRES, REDIS, NGINX, SITE)
DOMAIN = "staging.example.com"
#: Services that a deploy may be asked to change; Postgres is changed only where a test says so.
STACK = """\
from pathlib import Path
from nself_sdk import ComposeFile, Nginx, Postgres, Project, Redis, Route
here = Path(__file__).parent
project = Project({name!r}).add(Postgres(port=None, **{postgres!r})).add(Redis(port=None, memory={redis!r}))
project = project.add(Nginx()).add(ComposeFile.load(here / "site.yml"))
for route in {routes!r}:
    project = project.add(Route(name=route, service="site", port=8000))
"""
#: One service of a Compose file and nothing else, for a second project on the same host.
BARE = """\
from pathlib import Path
from nself_sdk import ComposeFile, Project
project = Project({name!r}).add(ComposeFile.load(Path(__file__).parent / "site.yml"))
"""
#: A command line whose locks die in seconds, for tests that cannot wait for as long as people can.
HURRIED = "from nself_sdk.deploy import lock; lock._BEAT, lock._DEAD = 1, 10; from nself_sdk.cli import main; main()"


@dataclass
class Ended:
    """How a command line ended, and everything that it printed."""

    code: int
    text: str
    seconds: float


@dataclass
class Run:
    """A command line that runs: its lines as they come."""

    command: Sequence[str]
    environment: dict[str, str]
    scratch: Path
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.environment, "TMPDIR": str(self.scratch), "PYTHONUNBUFFERED": "1"},
        )
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._came:
                self.lines.append(line)
                self._came.notify_all()
        with self._came:
            self.lines.append("")
            self._came.notify_all()

    def until(self, pattern: str, seconds: float = 120) -> str:
        """Wait for a line like that."""
        end = time.monotonic() + seconds
        with self._came:
            while not (found := [line for line in self.lines if re.search(pattern, line)]):
                assert self._came.wait(end - time.monotonic()), f"{pattern!r} never came:\n{''.join(self.lines)}"
                assert self.lines[-1:] != [""], f"it ended before {pattern!r}:\n{''.join(self.lines)}"
        return found[0]

    def end(self, seconds: float = 300) -> Ended:
        """Wait for its end."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it hung:\n{''.join(self.lines)}") from None
        taken = time.monotonic() - self.begin
        self._reader.join(10)
        return Ended(code, "".join(self.lines), taken)


@dataclass
class Shop:
    """A project folder with a staging environment, and the host that it names; None is this machine."""

    folder: Path
    host: Vps
    #: Where its command lines put temporary files.
    scratch: Path
    name: str = "faulty"
    counter: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    stack: str = STACK
    #: Seconds between signs of life and until a lock is dead are those of people, or of a test in a hurry.
    hurried: bool = False
    #: What was declared last is deployed, and nothing is left over.
    at_rest: bool = False

    @property
    def home(self) -> Path:
        return self.folder / ".environments" / "staging"

    def write(self) -> None:
        """The environment's files."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / ".env").write_text(f"BASE_DOMAIN={DOMAIN}\nTLS=local-ca\n")
        self.serve_at()

    def serve_at(self, port: int = 0, **changed: Any) -> None:
        """Say where the host is."""
        server = {
            "host": f"ssh://{self.host.user}@{self.host.host}:{port or self.host.port}",
            "identity_file": str(self.host.identity_file),
            "known_hosts": str(self.host.known_hosts),
        }
        (self.home / "server.json").write_text(json.dumps(server | changed))

    def declare(self, site: dict[str, Any] | None = None, others: dict[str, Any] | None = None, **changed: Any) -> str:
        """Declare the next version of the site, with these changes; the version's name."""
        self.counter += 1
        self.at_rest = False
        self.facts |= changed
        service = {
            "image": SITE,
            "init": True,
            "environment": {"VERSION": self.version},
            "healthcheck": {"test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"]},
            **(site or {}),
        }
        (self.folder / "site.yml").write_text(json.dumps({"services": {"site": service, **(others or {})}}))
        facts = {"name": self.name, "postgres": {}, "redis": "128m", "routes": ["site"], **self.facts}
        (self.folder / "stack.py").write_text(self.stack.format(**facts))
        return self.version

    def change_much(self) -> str:
        """The next version of everything but Postgres: Redis stop-first, the site start-first, the edge reloaded."""
        return self.declare(redis=f"{128 + self.counter}m", routes=["site", f"also{self.counter}"])

    @contextmanager
    def beside(self, folder: Path, name: str, stack: str) -> Iterator[Shop]:
        """Another project on the same host, removed at the end."""
        other = Shop(folder, self.host, self.scratch, name, stack=stack)
        other.write()
        try:
            yield other
        finally:
            done = other.run("down", "staging")
            assert done.code == 0, done.text

    def start(self, *arguments: str, **environment: str) -> Run:
        """Start a command of the command line."""
        return Run(self.command(*arguments), environment, self.scratch)

    def command(self, *arguments: str) -> list[str]:
        """What a user would type."""
        how = ["-c", HURRIED] if self.hurried else ["-m", "nself_sdk"]
        return [sys.executable, *how, "-C", str(self.folder), *arguments]

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Run a command of the command line to its end."""
        return self.start(*arguments, **environment).end()

    def deploy(self, *options: str) -> Run:
        """Start a deploy."""
        return self.start("deploy", "staging", "--drain", "5", *options)

    @property
    def version(self) -> str:
        """The version that was declared last."""
        return f"v{self.counter}"

    def secrets(self) -> list[str]:
        """Every secret's value."""
        path = self.home / ".env.secrets"
        text = path.read_text() if path.exists() else ""
        return re.findall(r"^\w+='([^']{8,})'", text, re.MULTILINE)

    def docker(self, *arguments: str) -> str:
        """What Docker on the host says."""
        return self.host.docker(*arguments)

    def containers(self, service: str = "") -> dict[str, str]:
        """The ids of the project's containers by name, also of stopped ones."""
        filters = [f"label=com.docker.compose.project={self.name}"]
        filters += [f"label=com.docker.compose.service={service}"] if service else []
        options = [part for one in filters for part in ("--filter", one)]
        rows = self.docker("ps", "-a", "--no-trunc", *options, "--format", "{{.Names}} {{.ID}}")
        return dict(row.split() for row in rows.splitlines())

    def running(self, service: str) -> str:
        """The name of the service's running container."""
        labels = [f"label=com.docker.compose.project={self.name}", f"label=com.docker.compose.service={service}"]
        rows = self.docker("ps", "--filter", labels[0], "--filter", labels[1], "--format", "{{.Names}}").split()
        return rows[0] if rows else f"{self.name}-{service}-1"

    def logs(self, service: str) -> str:
        """Both outputs of the service's running container."""
        return self.host.exec("sh", "-c", f"docker logs {self.running(service)} 2>&1")

    def sql(self, text: str) -> str:
        """What psql in the database's container answers."""
        return self.docker("exec", self.running("postgres"), "psql", "-XAtqU", "postgres", "-d", self.name, "-c", text)

    def redis(self, *command: str) -> str:
        """What redis-cli in the cache's container answers."""
        script = 'REDISCLI_AUTH="$(cat /run/secrets/REDIS_PASSWORD)" exec redis-cli "$@"'
        return self.docker("exec", self.running("redis"), "sh", "-c", script, "sh", *command)

    def body(self, path: str = "/", route: str = "site") -> str:
        """What the site answers, through the edge and over verified TLS."""
        answer = Edge(self.host.https_port, timeout=30).request("GET", f"{route}.{DOMAIN}", path)
        return answer.text if answer.status == 200 else f"status {answer.status}"
