"""Getting an engine: what is decided from the machine's own words, and what is then done to it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from nself_sdk.docker.engine import (
    PIN_FILE,
    SOURCES_FILE,
    Distribution,
    Finding,
    examine,
    newer_sources,
    packages,
    parsed_distribution,
    parsed_version,
    pin,
    repair,
)
from nself_sdk.docker.machine import Answer, Machine
from nself_sdk.errors import DriverError

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n# a comment\n'
NOBLE = 'PRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\nID=ubuntu\n'
FEDORA = 'PRETTY_NAME="Fedora 42"\nID=fedora\n'
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
TARGETS = f"""\
http://mirror.example/debian/|bookworm|main|{KEY}
http://mirror.example/debian/|bookworm-updates|main|{KEY}
http://security.example/|bookworm-security|main|
http://mirror.example/debian/|sid|main|{KEY}
"""
EVERYTHING = ("docker client", "docker engine", "docker compose", "docker buildx")


class Recorded(Machine):
    """A machine that does nothing: it answers from a table, and remembers what was asked of it."""

    patience = 0.0

    def __init__(self, os_release=BOOKWORM, *, root=True, systemd=False, host="", **installed):
        self.files, self.root, self.systemd, self.host = {"/etc/os-release": os_release}, root, systemd, host
        self.installed = {"client": "", "engine": "", "daemon": "", "compose": "", "buildx": ""} | installed
        self.done: list[str] = []

    def run(self, *command):
        line = " ".join(command)
        asked = {"docker --version": "client", "docker version": "engine", "dockerd --version": "daemon",
                 "docker compose": "compose", "docker buildx": "buildx"}  # fmt: skip
        for words, name in asked.items():
            if line.startswith(words):
                version = self.installed[name]
                return Answer(0, f"version {version}\n") if version else Answer(1, "", "head\nnot here")
        self.done.append(line)
        if line.startswith("apt-get install"):
            self.installed |= {"client": "26.1", "daemon": "26.1", "compose": "2.26.1", "buildx": "0.13.1"}
        elif line.startswith("systemctl"):
            self.installed["engine"] = self.installed["daemon"]
        return Answer(0, TARGETS if "indextargets" in line else "")

    def is_root(self):
        return self.root

    def docker_host(self):
        return self.host

    def has_systemd(self):
        return self.systemd

    def read(self, path):
        return self.files.get(str(path), "")

    def write(self, path, text):
        self.files[str(path)] = text

    def start_daemon(self):
        self.done.append("dockerd")
        self.installed["engine"] = self.installed["daemon"]

    @contextmanager
    def alone(self):
        yield


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Docker version 28.2.2, build e6534b4", (28, 2, 2)),
        ("2.26.1-4\n", (2, 26, 1)),
        ("github.com/docker/buildx 0.13.1+ds1-3", (0, 13, 1)),
        ("dev", ()),
    ],
)
def test_a_version_is_the_first_dotted_number(text, version):
    assert parsed_version(text) == version


def test_the_distribution_is_read_from_os_release():
    assert parsed_distribution(BOOKWORM) == Distribution("debian", "bookworm", "Debian GNU/Linux 12 (bookworm)")
    assert parsed_distribution("") == Distribution("linux", "", "this system")


def test_newer_sources_are_the_machines_own_with_another_suite():
    assert newer_sources(TARGETS, "bookworm", "trixie") == (
        f"deb [signed-by={KEY}] http://mirror.example/debian/ trixie main",
        f"deb [signed-by={KEY}] http://mirror.example/debian/ trixie-updates main",
        "deb http://security.example/ trixie-security main",
    )
    assert newer_sources("", "bookworm", "trixie") == ()


def test_nothing_comes_from_the_newer_suite_unless_asked_by_name():
    assert pin("trixie").count("Pin-Priority: 100\n") == 3


def test_debian_12_takes_docker_and_nothing_else_from_the_newer_suite():
    assert packages(parsed_distribution(BOOKWORM), EVERYTHING) == (
        "docker-cli/trixie", "docker.io/trixie", "iptables", "docker-compose/trixie", "docker-buildx/trixie",
    )  # fmt: skip


def test_ubuntu_takes_its_own_packages():
    wanted = packages(parsed_distribution(NOBLE), EVERYTHING)
    assert wanted == ("docker.io", "iptables", "docker-compose-v2", "docker-buildx")


def test_another_distribution_is_told_what_to_do():
    with pytest.raises(DriverError, match=r"Fedora 42(.|\n)*docs\.docker\.com/engine/install"):
        repair(lambda _: None, Recorded(FEDORA))


def test_what_is_missing_or_too_old_is_found():
    machine = Recorded(client="28.2.2", engine="20.10.24", compose="2.26.1")
    client, engine, compose, buildx = examine(machine)
    assert client == Finding("docker client", ok=True, detail="28.2.2")
    assert engine.detail == "20.10.24 is too old, 25 or newer is needed"
    assert compose.ok
    assert (buildx.ok, buildx.detail, buildx.fix) == (False, "not here", "nself-sdk doctor --fix")


def test_a_bare_debian_12_gets_everything_and_each_step_is_told():
    machine, told = Recorded(), []
    repair(told.append, machine)
    assert machine.done[-2].endswith(
        "docker-cli/trixie docker.io/trixie iptables docker-compose/trixie docker-buildx/trixie"
    )
    assert machine.done[-1] == "dockerd"
    assert "trixie-security" in machine.files[str(SOURCES_FILE)]
    assert "Pin-Priority: 100" in machine.files[str(PIN_FILE)]
    assert [line for line in told if line.startswith("$ ")] == [
        f"$ {line}" for line in machine.done if " " in line and "indextargets" not in line
    ]
    assert told[-1] == "docker buildx: 0.13.1"


def test_a_newer_client_that_is_already_there_stays():
    machine = Recorded(client="28.2.2")
    repair(lambda _: None, machine)
    assert not any("docker-cli" in line for line in machine.done)


def test_a_stopped_engine_is_only_started():
    machine = Recorded(client="28.2.2", daemon="28.2.2", compose="2.40.3", buildx="0.20.0", systemd=True)
    repair(lambda _: None, machine)
    assert machine.done == ["systemctl enable --now docker"]


def test_a_stopped_engine_of_another_source_is_not_replaced():
    machine = Recorded(client="28.2.2", daemon="28.2.2", compose="2.40.3")
    repair(lambda _: None, machine)
    assert machine.done[-2].endswith("DPkg::Lock::Timeout=300 docker-buildx/trixie")


def test_nothing_is_done_where_nothing_is_missing():
    machine, told = Recorded(client="28.1", engine="28.1", compose="2.40.1", buildx="0.20.1", root=False), []
    repair(told.append, machine)
    assert machine.done == []
    assert told == ["Nothing to do: client, engine, Compose and buildx are there."]


def test_without_root_the_command_to_run_is_told():
    with pytest.raises(DriverError, match=r"needs root(.|\n)*sudo .* -m nself_sdk doctor --fix"):
        repair(lambda _: None, Recorded(root=False))


def test_an_engine_elsewhere_is_not_repaired_from_here():
    with pytest.raises(DriverError, match=r"DOCKER_HOST is tcp://far:2375"):
        repair(lambda _: None, Recorded(host="tcp://far:2375"))


def test_an_engine_that_never_answers_shows_the_end_of_its_log():
    class Dead(Recorded):
        def start_daemon(self):
            self.files["/var/log/dockerd.log"] = "first\nfailed to start daemon: no iptables\n"

    with pytest.raises(DriverError, match="no iptables"):
        repair(lambda _: None, Dead())


@pytest.mark.docker
def test_this_machine_has_what_it_needs():
    assert [found for found in examine() if not found.ok] == []
