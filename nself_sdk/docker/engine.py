"""Is there a Docker engine with Compose here, and how to get one; knows nothing of projects or of remote hosts.

``examine`` only looks. ``repair`` installs what is missing from the distribution's own packages, starts the engine
and tells each step. What to install is decided by pure functions; everything that touches the machine is a method
of ``Machine``.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# `healthcheck.start_interval` needs engine 25 and Compose 2.24: without it every first probe waits a whole interval.
ENGINE_MINIMUM: Final = (25,)
COMPOSE_MINIMUM: Final = (2, 24)
NO_MINIMUM: Final = (0,)

MANUAL: Final = "https://docs.docker.com/engine/install/"
SOURCES_FILE: Final = Path("/etc/apt/sources.list.d/nself-docker.list")
PIN_FILE: Final = Path("/etc/apt/preferences.d/nself-docker")
ENGINE_LOG: Final = Path("/var/log/dockerd.log")
LOCK_FILE: Final = Path("/run/lock/nself-engine.lock")
LOCAL_SOCKETS: Final = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")
START_SECONDS: Final = 60.0

# Debian 13 is the first whose engine and Compose are new enough, and its packages install on Debian 12 too.
NEWER_DEBIAN: Final = {"bookworm": "trixie"}
INDEX_FORMAT: Final = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)"


@dataclass(frozen=True)
class Finding:
    """One thing a deploy needs on this machine: whether it is there, and the command that brings it."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str = ""

    @property
    def last_line(self) -> str:
        """The last line it wrote, where tools put their reason."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit code {self.code}"


@dataclass(frozen=True)
class Distribution:
    """The operating system, as /etc/os-release names it."""

    id: str
    codename: str
    name: str


@dataclass(frozen=True)
class Recipe:
    """What has to be installed: packages, and the newer suite they are taken from where the own one is too old."""

    packages: tuple[str, ...]
    suite: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The packages as ``apt-get install`` wants them."""
        return tuple(
            f"{package}/{self.suite}" if self.suite and package.startswith("docker") else package
            for package in self.packages
        )


# --- pure: what the machine's answers mean ---------------------------------------------------------------------


def parsed_version(text: str) -> tuple[int, ...]:
    """Return the first dotted number in a text: ``(28, 2, 2)`` for ``Docker version 28.2.2, build e6534b4``."""
    found = re.search(r"(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def parsed_distribution(os_release: str) -> Distribution:
    """Read the text of /etc/os-release."""
    pairs = (line.split("=", 1) for line in os_release.splitlines() if "=" in line and not line.startswith("#"))
    facts = {key.strip(): value.strip().strip("\"'") for key, value in pairs}
    return Distribution(
        id=facts.get("ID", "linux"),
        codename=facts.get("VERSION_CODENAME", ""),
        name=facts.get("PRETTY_NAME") or facts.get("NAME") or "this system",
    )


def newer_sources(index_targets: str, codename: str, newer: str) -> tuple[str, ...]:
    """Return the machine's own Debian sources with a newer suite in the place of its own.

    Args:
        index_targets: what ``apt-get indextargets`` prints in ``INDEX_FORMAT`` for targets of Debian's origin.
        codename: the suite family to take over, with its ``-updates`` and ``-security``.
        newer: the suite to put in its place.
    """
    lines: set[str] = set()
    for row in index_targets.splitlines():
        uri, release, component, key = (*row.split("|"), "", "", "")[:4]
        if uri and (release == codename or release.startswith(f"{codename}-")):
            option = f"[signed-by={key}] " if key.startswith("/") else ""
            lines.add(f"deb {option}{uri} {newer}{release.removeprefix(codename)} {component}")
    return tuple(sorted(lines))


def pin(suite: str) -> str:
    """Return an apt preference: nothing comes from the suite unless it is asked for by name."""
    return "".join(
        f"Package: *\nPin: release n={suite}{part}\nPin-Priority: 100\n\n" for part in ("", "-updates", "-security")
    )


def recipe(distribution: Distribution, missing: Iterable[str]) -> Recipe:
    """Return what to install on a distribution so that nothing is missing.

    Raises:
        DriverError: its packages are not known here.
    """
    if distribution.id not in {"debian", "ubuntu"}:
        raise DriverError(
            f"Docker can be installed by itself on Debian and Ubuntu only; this is {distribution.name}.",
            f"Install the engine, the Compose plugin and buildx by hand: {MANUAL}",
        )
    ubuntu = distribution.id == "ubuntu"
    packages = {
        # Debian 13 splits the client off; Ubuntu's docker.io contains it.
        "docker client": ("docker.io",) if ubuntu else ("docker-cli",),
        # Recommended, not required, by Debian's package; without it no container gets a network.
        "docker engine": ("docker.io", "iptables"),
        "docker compose": ("docker-compose-v2",) if ubuntu else ("docker-compose",),
        "docker buildx": ("docker-buildx",),
    }
    wanted = dict.fromkeys(package for name in missing for package in packages[name])
    suite = "" if ubuntu else NEWER_DEBIAN.get(distribution.codename, "")
    return Recipe(tuple(wanted), suite)


# --- effects: everything that touches the machine --------------------------------------------------------------


class Machine:
    """The computer this runs on. A test gives its own."""

    def run(self, *command: str) -> Answer:
        """Run a command to its end with nothing on its stdin; a missing program is exit code 127."""
        environment = os.environ | {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
            )
        except OSError as error:
            return Answer(127, "", f"{command[0]}: {error.strerror}")
        return Answer(done.returncode, done.stdout, done.stderr)

    def is_root(self) -> bool:
        """Whether packages may be installed."""
        return os.geteuid() == 0

    def docker_host(self) -> str:
        """Where ``DOCKER_HOST`` points; empty for the local engine."""
        host = os.environ.get("DOCKER_HOST", "")
        return "" if host in LOCAL_SOCKETS else host

    def has_systemd(self) -> bool:
        """Whether systemd is what started this machine: the program alone may lie about in a container."""
        return Path("/run/systemd/system").is_dir()

    def read(self, path: Path) -> str:
        """Return a file's text, empty where there is none."""
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def write(self, path: Path, text: str) -> None:
        """Write a file readable by all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def start_daemon(self) -> None:
        """Start dockerd by hand, in a session of its own, so that it outlives this process."""
        with ENGINE_LOG.open("ab") as log:
            subprocess.Popen(  # the engine stays behind on purpose
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold a lock of the machine: two repairs at once take turns."""
        with LOCK_FILE.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def examine(machine: Machine | None = None) -> tuple[Finding, ...]:
    """Look whether a docker client, an engine, Compose v2 and buildx are there and new enough; changes nothing."""
    machine = machine or Machine()
    version = "{{.Server.Version}}"
    return (
        _finding(machine, "docker client", NO_MINIMUM, "docker", "--version"),
        _finding(machine, "docker engine", ENGINE_MINIMUM, "docker", "version", "--format", version),
        _finding(machine, "docker compose", COMPOSE_MINIMUM, "docker", "compose", "version", "--short"),
        _finding(machine, "docker buildx", NO_MINIMUM, "docker", "buildx", "version"),
    )


def repair(report: Callable[[str], None], machine: Machine | None = None) -> None:
    """Install and start whatever ``examine`` finds missing; does nothing where nothing is.

    Args:
        report: gets one plain sentence or command per step, as it is taken.
        machine: the computer to work on.

    Raises:
        DriverError: it cannot be done here; the hint holds the commands that can.
    """
    machine = machine or Machine()
    if not _missing(machine):
        report("Nothing to do: client, engine, Compose and buildx are there.")
        return
    _refuse_where_hopeless(machine)
    with machine.alone():
        if not _engine_is_just_stopped(machine):
            _install(machine, report)
        _start(machine, report)
    for finding in examine(machine):
        if not finding.ok:
            raise DriverError(f"{finding.name}: {finding.detail}, even after the installation.", finding.fix)
        report(f"{finding.name}: {finding.detail}")


def _finding(machine: Machine, name: str, minimum: tuple[int, ...], *command: str) -> Finding:
    answer = machine.run(*command)
    fix = "nself-sdk doctor --fix"
    if answer.code != 0:
        if "permission denied" in answer.err:
            fix = 'sudo usermod -aG docker "$USER", then log in again'
        return Finding(name, ok=False, detail=answer.last_line, fix=fix)
    version = parsed_version(answer.out)
    shown = ".".join(map(str, version)) or answer.out.strip()
    if version < minimum:
        needed = ".".join(map(str, minimum))
        return Finding(name, ok=False, detail=f"{shown} is too old, {needed} or newer is needed", fix=fix)
    return Finding(name, ok=True, detail=shown)


def _missing(machine: Machine) -> tuple[str, ...]:
    return tuple(finding.name for finding in examine(machine) if not finding.ok)


def _engine_is_just_stopped(machine: Machine) -> bool:
    """Tell whether only the engine is missing, and that it is installed and new enough: no package is needed then."""
    installed = machine.run("dockerd", "--version")
    new_enough = installed.code == 0 and parsed_version(installed.out) >= ENGINE_MINIMUM
    return _missing(machine) in {(), ("docker engine",)} and new_enough


def _refuse_where_hopeless(machine: Machine) -> None:
    if host := machine.docker_host():
        raise DriverError(
            f"DOCKER_HOST is {host}: an engine elsewhere cannot be repaired from here.",
            "Repair it there, or `unset DOCKER_HOST` to work with an engine of this machine.",
        )
    if not machine.is_root():
        raise DriverError(
            "Installing packages and starting the engine needs root.", "Run: sudo nself-sdk doctor --fix"
        )


def _do(machine: Machine, report: Callable[[str], None], *command: str) -> str:
    report(f"$ {shlex.join(command)}")
    answer = machine.run(*command)
    if answer.code != 0:
        raise DriverError(f"`{shlex.join(command)}` failed: {answer.last_line}", f"Or install Docker by hand: {MANUAL}")
    return answer.out


def _install(machine: Machine, report: Callable[[str], None]) -> None:
    distribution = parsed_distribution(machine.read(Path("/etc/os-release")))
    # An installed but stopped engine is missing too: apt then has nothing to do for it.
    wanted = recipe(distribution, _missing(machine))
    _do(machine, report, "apt-get", "update", "-qq")
    if wanted.suite:
        _add_suite(machine, report, distribution.codename, wanted.suite)
    _do(
        machine, report, "apt-get", "install", "-y", "-qq", "--no-install-recommends",
        "-o", "DPkg::Lock::Timeout=300", *wanted.arguments,
    )  # fmt: skip


def _add_suite(machine: Machine, report: Callable[[str], None], codename: str, suite: str) -> None:
    """Add a newer suite from where the machine already gets its packages, used only where it is asked for."""
    targets = machine.run("apt-get", "indextargets", "--format", INDEX_FORMAT, "Created-By: Packages", "Origin: Debian")
    lines = newer_sources(targets.out, codename, suite)
    if not lines:
        raise DriverError(
            f"apt has no source for {codename} from which one for {suite} could be derived.",
            f"Add a {suite} source to /etc/apt/sources.list.d, or install Docker by hand: {MANUAL}",
        )
    for path, text in ((PIN_FILE, pin(suite)), (SOURCES_FILE, "\n".join(lines) + "\n")):
        report(f"Writing {path}.")
        machine.write(path, text)
    _do(machine, report, "apt-get", "update", "-qq")


def _start(machine: Machine, report: Callable[[str], None]) -> None:
    if _answers(machine):
        return
    if machine.has_systemd():
        _do(machine, report, "systemctl", "enable", "--now", "docker")
    else:
        report(f"Starting dockerd by hand (there is no systemd); its log is {ENGINE_LOG}.")
        machine.start_daemon()
    waited = 0.0
    while not _answers(machine):
        if waited >= START_SECONDS:
            log = "".join(f"\n  | {line}" for line in machine.read(ENGINE_LOG).splitlines()[-12:])
            raise DriverError(f"The Docker engine does not answer after {START_SECONDS:.0f} seconds.{log}")
        machine.pause(0.25)
        waited += 0.25


def _answers(machine: Machine) -> bool:
    return machine.run("docker", "version", "--format", "{{.Server.Version}}").code == 0
