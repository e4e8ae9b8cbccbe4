"""A host to deploy to: a container with its own Docker engine and sshd, reached over real SSH with a verified key."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.images import ensure_recipes
from rig.recipes import recipe
from rig.shell import RigError, alone, docker, need, run

ANSWERS_SECONDS = 60
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


@dataclass(frozen=True)
class Vps:
    """One such host.

    Attributes:
        name: of its container.
        host, port, user: where sshd answers; `user` may use Docker and nothing else.
        identity_file: the private key that opens it, for `user` and for root.
        known_hosts: its real host key, learned from inside the container and not over the network.
        http_port, https_port: where its ports 80 and 443 are reached from here.
    """

    name: str
    folder: Path
    port: int
    http_port: int
    https_port: int
    host: str = "127.0.0.1"
    user: str = "deploy"

    @property
    def identity_file(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def url(self) -> str:
        """The address for DOCKER_HOST."""
        return f"ssh://{self.user}@{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """Its own IP address, where 80 and 443 are themselves; it may change when it is stopped and started."""
        return docker("inspect", "--format", ADDRESS, self.name)

    def exec(self, *command: str) -> str:
        """Run a command on it as root, past SSH."""
        return docker("exec", self.name, *command)

    def docker(self, *arguments: str) -> str:
        """Run its docker client on it, past SSH."""
        return self.exec("docker", *arguments)

    def ssh(self, *command: str) -> str:
        """Run a command over one SSH connection, as a user would."""
        return run(
            "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
            "-o", f"UserKnownHostsFile={self.known_hosts}", "-i", str(self.identity_file), "-o", "IdentitiesOnly=yes",
            "-p", str(self.port), f"{self.user}@{self.host}", "--", *command, timeout=60,
        )  # fmt: skip

    def connections(self) -> int:
        """Return how many SSH connections it has accepted since it was made."""
        return self._logged("Accepted publickey")

    def attempts(self) -> int:
        """Return how many SSH connections reached its sshd, accepted or not."""
        return self._logged("Connection from")

    def load(self, *references: str) -> None:
        """Carry images of the engine here into its engine, past SSH."""
        with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as save:
            into = ["docker", "exec", "-i", self.name, "docker", "load", "-q"]
            done = subprocess.run(into, stdin=save.stdout, capture_output=True, text=True, check=False)
        if done.returncode or save.returncode:
            raise RigError(f"images could not be carried to {self.name}: {done.stderr.strip()}")

    @contextmanager
    def sshd(self, **options: object) -> Iterator[None]:
        """Run sshd with other options for a while: `with vps.sshd(MaxSessions=1, MaxStartups="2:100:2")`."""
        self._configure("".join(f"{name} {value}\n" for name, value in options.items()))
        try:
            yield
        finally:
            self._configure("")

    def stop_engine(self, *, kill: bool = False) -> None:
        """Stop its Docker engine, in order or with SIGKILL."""
        self.exec("engine", "kill" if kill else "stop")

    def start_engine(self) -> None:
        """Start its Docker engine and wait until it answers."""
        docker("exec", self.name, "engine", "start")
        self.wait()

    def cut(self) -> None:
        """Cut every SSH connection that is open now; new ones are accepted."""
        # The listener is the oldest; every other process of sshd serves a connection.
        self.exec("sh", "-c", "kill -9 $(pgrep sshd | grep -vx $(pgrep -o -x sshd)) 2>/dev/null || true")

    def freeze(self) -> None:
        """Stop answering without closing anything, as a host whose network is gone."""
        docker("pause", self.name)

    def thaw(self) -> None:
        """Undo `freeze`."""
        docker("unpause", self.name)

    def stop(self, *, kill: bool = False) -> None:
        """Switch the host off, in order or as if the power failed."""
        docker("kill", self.name) if kill else docker("stop", "-t", "30", self.name)

    def start(self) -> None:
        """Switch it on again and wait until it answers."""
        docker("start", self.name)
        self.wait()

    def reboot(self) -> None:
        """Stop and start it; its containers come back by their restart policies."""
        self.stop()
        self.start()

    def wait(self) -> None:
        """Wait until its engine and its sshd answer."""
        until = time.monotonic() + ANSWERS_SECONDS
        while not self._answers():
            if time.monotonic() > until:
                log = docker("exec", self.name, "tail", "-n", "15", "/var/log/dockerd.log")
                raise RigError(f"{self.name} does not answer after {ANSWERS_SECONDS} s:\n{log}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.exec("docker", "version", "--format", "{{.Server.Version}}")
            with socket.create_connection((self.host, self.port), timeout=5) as line:
                return line.recv(4) == b"SSH-"
        except (OSError, RigError):
            return False

    def _logged(self, words: str) -> int:
        return len(re.findall(words, self.exec("cat", "/var/log/sshd.log")))

    def _configure(self, text: str) -> None:
        docker("exec", "-i", self.name, "sh", "-c",
               "cat >/etc/ssh/rig/test.conf && sshd -t && kill -HUP $(pgrep -o -x sshd)", text=text)  # fmt: skip
        self.wait()


@contextmanager
def vps(report: Callable[[str], None] = print, **sshd: object) -> Iterator[Vps]:
    """Make such a host, and remove it with all its data at the end.

    Args:
        report: gets a line of progress for each step that takes time.
        sshd: options of sshd that hold from the start, such as ``MaxSessions=1``.
    """
    need("ssh", "openssh-client")
    with alone("images"):
        ensure_recipes(("vps",), report)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nself-vps-") as scratch:
        made = _create(Path(scratch))
        try:
            made.wait()
            key = made.exec("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
            made.known_hosts.write_text(f"[{made.host}]:{made.port} {' '.join(key)}\n", encoding="utf-8")
            if sshd:
                made._configure("".join(f"{name} {value}\n" for name, value in sshd.items()))
            report(f"{time.monotonic() - started:5.1f} s  started {made.name}")
            yield made
        finally:
            docker("rm", "-fv", made.name)


def _create(folder: Path) -> Vps:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "nself-rig", "-f", str(folder / "id_ed25519"))
    key = (folder / "id_ed25519.pub").read_text(encoding="utf-8").strip()
    for attempt in range(5):
        # Chosen here, not by Docker: Docker would choose others each time the container is started again.
        ports = _free_ports(3)
        made = Vps(f"nself-vps-{uuid.uuid4().hex[:8]}", folder, *ports)
        published = [f"--publish=127.0.0.1:{here}:{there}" for here, there in zip(ports, (22, 80, 443), strict=True)]
        try:
            docker("run", "--detach", "--privileged", "--init", "--name", made.name, "--hostname", made.name,
                   "--label", "dev.nself.rig=vps", "--label", f"dev.nself.rig.pid={os.getpid()}",
                   "--env", f"AUTHORIZED_KEY={key}", *published, recipe("vps").tag)  # fmt: skip
        except RigError:
            docker("rm", "-fv", made.name)
            # Somebody else took one of the ports in between, or the engine was too busy to start it.
            if attempt == 4:
                raise
        else:
            return made
    raise AssertionError("unreachable")


def _free_ports(count: int) -> tuple[int, ...]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = tuple(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return ports


def clean(report: Callable[[str], None] = print) -> None:
    """Remove the hosts of runs that are dead: whoever kills a test run with SIGKILL leaves one behind."""
    rows = docker(
        "ps", "-a", "--filter", "label=dev.nself.rig=vps", "--format", '{{.Names}} {{.Label "dev.nself.rig.pid"}}'
    )
    for name, pid in (row.split() for row in rows.splitlines()):
        if not Path(f"/proc/{pid}").exists():
            docker("rm", "-fv", name)
            report(f"removed {name}")
