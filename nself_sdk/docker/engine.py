"""Is there a Docker engine with Compose here, and how to get one; knows nothing of projects or of remote hosts.

``examine`` only looks. ``repair`` installs what is missing from the distribution's own packages, starts the engine
and tells each step. What to do is decided by pure functions; ``Machine`` does it.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nself_sdk.docker.machine import ENGINE_LOG, Machine
from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# `healthcheck.start_interval` needs engine 25 and Compose 2.24: without it every first probe waits a whole interval.
ENGINE_MINIMUM: Final = (25,)
COMPOSE_MINIMUM: Final = (2, 24)
NO_MINIMUM: Final = (0,)

MANUAL: Final = "https://docs.docker.com/engine/install/"
SOURCES_FILE: Final = Path("/etc/apt/sources.list.d/nself-docker.list")
PIN_FILE: Final = Path("/etc/apt/preferences.d/nself-docker")

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
class Distribution:
    """The operating system, as /etc/os-release names it."""

    id: str
    codename: str
    name: str

    @property
    def newer_suite(self) -> str:
        """The suite to take Docker from where the own one is too old; empty where it is not."""
        return NEWER_DEBIAN.get(self.codename, "") if self.id == "debian" else ""


def parsed_version(text: str) -> tuple[int, ...]:
    """Return the first dotted number in a text: ``(28, 2, 2)`` for ``Docker version 28.2.2, build e6534b4``."""
    found = re.search(r"(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def parsed_distribution(os_release: str) -> Distribution:
    """Read the text of /etc/os-release."""
    lines = (line.partition("=") for line in os_release.splitlines() if not line.startswith("#"))
    facts = {key.strip(): value.strip().strip("\"'") for key, _, value in lines}
    return Distribution(
        id=facts.get("ID", "linux"),
        codename=facts.get("VERSION_CODENAME", ""),
        name=facts.get("PRETTY_NAME", "this system"),
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


def packages(distribution: Distribution, missing: Iterable[str]) -> tuple[str, ...]:
    """Return what to give ``apt-get install`` so that nothing is missing.

    Raises:
        DriverError: the distribution's packages are not known here.
    """
    if distribution.id not in {"debian", "ubuntu"}:
        raise DriverError(
            f"Docker can be installed by itself on Debian and Ubuntu only; this is {distribution.name}.",
            f"Install the engine, the Compose plugin and buildx by hand: {MANUAL}",
        )
    ubuntu = distribution.id == "ubuntu"
    suite = f"/{distribution.newer_suite}" if distribution.newer_suite else ""
    carriers = {
        # Debian splits the client off; Ubuntu's docker.io contains it.
        "docker client": ("docker.io",) if ubuntu else (f"docker-cli{suite}",),
        # iptables is only recommended by some of the packages, and without it no container gets a network.
        "docker engine": (f"docker.io{suite}", "iptables"),
        "docker compose": ("docker-compose-v2",) if ubuntu else (f"docker-compose{suite}",),
        "docker buildx": (f"docker-buildx{suite}",),
    }
    return tuple(dict.fromkeys(package for name in missing for package in carriers[name]))


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
        if missing := _uninstalled(machine):
            _install(machine, report, missing)
        _start(machine, report)
    for finding in examine(machine):
        if not finding.ok:
            raise DriverError(f"{finding.name}: {finding.detail}, even after the installation.", f"By hand: {MANUAL}")
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


def _uninstalled(machine: Machine) -> tuple[str, ...]:
    """Return what needs packages: not an engine that is merely stopped, which may come from another source."""
    installed = machine.run("dockerd", "--version")
    stopped = installed.code == 0 and parsed_version(installed.out) >= ENGINE_MINIMUM
    return tuple(name for name in _missing(machine) if not (stopped and name == "docker engine"))


def _refuse_where_hopeless(machine: Machine) -> None:
    if host := machine.docker_host():
        raise DriverError(
            f"DOCKER_HOST is {host}: an engine elsewhere cannot be repaired from here.",
            "Repair it there, or `unset DOCKER_HOST` to work with an engine of this machine.",
        )
    if not machine.is_root():
        again = f"sudo {shlex.quote(sys.executable)} -m nself_sdk doctor --fix"
        raise DriverError("Installing packages and starting the engine needs root.", f"Run: {again}")


def _do(machine: Machine, report: Callable[[str], None], *command: str) -> str:
    report(f"$ {shlex.join(command)}")
    answer = machine.run(*command)
    if answer.code != 0:
        raise DriverError(f"`{shlex.join(command)}` failed: {answer.last_line}", f"Or install Docker by hand: {MANUAL}")
    return answer.out


def _install(machine: Machine, report: Callable[[str], None], missing: Iterable[str]) -> None:
    distribution = parsed_distribution(machine.read(Path("/etc/os-release")))
    wanted = packages(distribution, missing)
    _do(machine, report, "apt-get", "update", "-qq")
    if distribution.newer_suite:
        _add_suite(machine, report, distribution.codename, distribution.newer_suite)
    quiet = ("-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
    _do(machine, report, "apt-get", "install", *quiet, *wanted)


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
    until = time.monotonic() + machine.patience
    while not _answers(machine):
        if time.monotonic() > until:
            log = "".join(f"\n  | {line}" for line in machine.read(ENGINE_LOG).splitlines()[-12:])
            raise DriverError(f"The Docker engine does not answer after {machine.patience:.0f} seconds.{log}")
        time.sleep(0.25)


def _answers(machine: Machine) -> bool:
    return machine.run("docker", "version", "--format", "{{.Server.Version}}").code == 0
