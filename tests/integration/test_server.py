"""Hosts before a deploy: what preflight sees of a real one, what it refuses, and a fresh one that is prepared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nself_sdk import docker
from nself_sdk.docker import Target

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from rig.vps import Vps

pytestmark = pytest.mark.docker

STACK = """
from nself_sdk import Hasura, Project

def project(env):
    return Project("shop").add(Hasura())
"""


def nself(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nself_sdk", "-C", str(folder), *arguments]
    nobody = subprocess.DEVNULL
    return subprocess.run(command, stdin=nobody, capture_output=True, text=True, timeout=300, check=False)


def project_folder(path: Path, **server: object) -> Path:
    staging = path / ".environments" / "staging"
    staging.mkdir(parents=True)
    (path / "stack.py").write_text(STACK)
    (staging / ".env").write_text("BASE_DOMAIN=staging.example.com\nTLS=local-ca\n")
    (staging / "server.json").write_text(json.dumps({name: str(value) for name, value in server.items()}))
    return path


@pytest.fixture
def folder(vps: Vps, tmp_path: Path) -> Path:
    return project_folder(tmp_path, host=vps.url, identity_file=vps.identity_file, known_hosts=vps.known_hosts)


def checked(folder: Path) -> dict[str, dict[str, Any]]:
    done = nself(folder, "server", "check", "staging", "--json")
    rows = {row["check"]: row for row in json.loads(done.stdout)}
    refused = any(row["verdict"] == "refusal" for row in rows.values())
    assert done.returncode == (4 if refused else 0), done.stderr
    return rows


def state(vps: Vps) -> list[str]:
    """All that a deploy could leave behind."""
    return [
        vps.docker(*words) for words in (("ps", "-aq"), ("images", "-q"), ("volume", "ls"), ("network", "ls", "-q"))
    ]


def test_server_check_sees_the_host_over_one_connection(vps: Vps, folder: Path):
    connections, before = vps.connections(), state(vps)
    rows = checked(folder)
    assert vps.connections() - connections == 1
    assert state(vps) == before
    assert {name: row["verdict"] for name, row in rows.items()} == {
        **dict.fromkeys(("host", "engine", "compose", "clock", "sshd", "images", "disk", "memory"), "ok"),
        **dict.fromkeys(("networks", "ports", "pins", "git"), "ok"),
        "dns": "warning",
    }
    assert "80, 443 free or ours" in rows["ports"]["what"]


def test_server_check_prints_a_line_for_each(vps: Vps, folder: Path):
    lines = nself(folder, "server", "check", "staging").stdout.splitlines()
    assert lines[0] == f"ok      host      {vps.url} answers"
    assert any(line.startswith("warn    dns       no such name: api.staging.example.com") for line in lines)


def test_a_host_that_opens_no_session_is_seen_as_far_as_its_engine_goes(vps: Vps, folder: Path):
    before = vps.attempts()
    with vps.sshd(MaxSessions=0):
        rows = checked(folder)
    assert [rows[name]["verdict"] for name in ("engine", "disk", "ports")] == ["ok", "unseen", "unseen"]
    assert vps.attempts() - before <= 3  # ours, and two of the rig's own while sshd takes its configuration


def test_a_host_that_forwards_nothing_says_how_to_mend_it(vps: Vps, folder: Path):
    with vps.sshd(AllowStreamLocalForwarding="no"):
        rows = checked(folder)
    assert "does not allow the forwarding of sockets" in rows["host"]["what"]
    assert "AllowStreamLocalForwarding yes" in rows["host"]["fix"]


def test_a_host_whose_key_is_not_known_is_a_finding_beside_the_others(vps: Vps, tmp_path: Path):
    (tmp_path / "nothing").touch()
    strange = project_folder(
        tmp_path / "shop", host=vps.url, identity_file=vps.identity_file, known_hosts=tmp_path / "nothing"
    )
    rows = checked(strange)
    assert rows["host"]["what"].startswith(f"{vps.url}: the host key of")
    assert set(rows) == {"host", "dns", "pins", "git"}


@pytest.fixture
def taken(vps: Vps) -> Iterator[str]:
    """A container of somebody else's on port 443 of that host."""
    from rig.recipes import recipe

    image = recipe("base").tag
    vps.load(image)
    vps.docker("run", "-d", "--init", "--name", "blog", "-p", "443:443", image, "sleep", "600")
    yield "blog"
    vps.docker("rm", "-f", "blog")
    vps.docker("rmi", image)


def test_a_deploy_is_refused_while_somebody_else_has_the_port_and_nothing_is_touched(
    vps: Vps, folder: Path, taken: str
):
    before, connections = state(vps), vps.connections()
    done = nself(folder, "deploy", "staging")
    assert done.returncode == 4
    assert "the deploy cannot begin, and nothing was touched" in done.stderr
    assert f"ports: 443 is used by the container {taken}; " in done.stderr
    assert "warning: dns: no such name" in done.stderr
    assert state(vps) == before
    assert vps.connections() - connections == 1


def test_a_disk_that_is_too_small_is_seen_and_refused(vps: Vps, folder: Path):
    """The engine's own root becomes a file system of 100 MB."""
    vps.exec("sh", "-c", "mkdir -p /small && mount -t tmpfs -o size=100m,nr_inodes=4000 small /small")
    vps.exec("sh", "-c", 'mkdir -p /etc/docker && echo \'{"data-root": "/small"}\' >/etc/docker/daemon.json')
    try:
        vps.stop_engine()
        vps.start_engine()
        rows = checked(folder)
        deploy = nself(folder, "deploy", "staging")
        assert vps.docker("images", "-q") == vps.docker("ps", "-aq") == ""
    finally:
        vps.exec("rm", "/etc/docker/daemon.json")
        vps.stop_engine()
        vps.start_engine()
        vps.exec("umount", "-l", "/small")
    assert [rows[name]["verdict"] for name in ("disk", "inodes")] == ["refusal", "refusal"]
    assert deploy.returncode == 4
    assert "MB free at /small, " in deploy.stderr


@contextmanager
def fresh_host(path: Path, image: str, *options: str) -> Generator[tuple[str, Path]]:
    """A host with sshd and sudo and nothing else: its container's name, and a project folder that names it."""
    from rig.images import ensure_recipes
    from rig.recipes import recipe
    from rig.shell import docker as engine_here
    from rig.vps import _free_ports

    ensure_recipes((image,), print)
    name, [port] = f"nself-fresh-{uuid.uuid4().hex[:8]}", _free_ports(1)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path / "key"], check=True)
    engine_here("run", "--detach", "--privileged", "--name", name, "--label", "dev.nself.rig=vps",
                "--label", f"dev.nself.rig.pid={os.getpid()}", f"--publish=127.0.0.1:{port}:2222",
                "--env", f"AUTHORIZED_KEY={(path / 'key.pub').read_text()}", *options, recipe(image).tag)  # fmt: skip
    try:
        ready = "until pgrep -x sshd >/dev/null; do sleep 0.1; done; cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub"
        (path / "pins").write_text(f"[127.0.0.1]:{port} {engine_here('exec', name, 'sh', '-c', ready)}\n")
        url = f"ssh://deploy@127.0.0.1:{port}"
        yield name, project_folder(path / "shop", host=url, identity_file=path / "key", known_hosts=path / "pins")
    finally:
        engine_here("rm", "-fv", name)


@pytest.fixture(scope="module")
def fresh(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with fresh_host(tmp_path_factory.mktemp("fresh"), "fresh-host", "--init") as made:
        yield made


def on(name: str, script: str) -> str:
    return subprocess.run(
        ["docker", "exec", name, "sh", "-c", script], capture_output=True, text=True, check=True
    ).stdout


def test_what_is_to_be_done_is_shown_and_nothing_is_done_unasked(fresh: tuple[str, Path]):
    name, folder = fresh
    asked = nself(folder, "server", "init", "staging")
    assert asked.returncode == 2
    assert "      ufw allow 2222/tcp\n" in asked.stdout
    assert "nothing was done" in asked.stdout
    assert on(name, "command -v docker ufw || ls -A /etc/docker || echo nothing").strip() == "nothing"


def test_a_command_that_fails_ends_it_and_what_was_done_before_is_told(fresh: tuple[str, Path]):
    name, folder = fresh
    on(
        name,
        "printf '#!/bin/sh\\necho no network; exit 100' >/usr/local/sbin/apt-get; chmod +x /usr/local/sbin/apt-get",
    )
    failed = nself(folder, "server", "init", "staging", "--yes")
    on(name, "rm /usr/local/sbin/apt-get")
    assert failed.returncode == 4
    assert "this failed: Docker's engine and Compose are installed\n  | no network\n  done: Logs of" in failed.stderr
    assert on(name, "command -v ufw || echo no firewall").strip() == "no firewall"


@pytest.mark.long
def test_a_fresh_host_is_prepared_and_never_locked(fresh: tuple[str, Path]):
    """Docker, the updates and the firewall are installed for real; then once more, and nothing is left to do."""
    name, folder = fresh
    # A firewall that keeps new connections out is switched off again over the one that is open.
    on(name, f"cat >/usr/local/sbin/ufw <<'EOF'\n{LOCKING_UFW}EOF\nchmod +x /usr/local/sbin/ufw")
    locked = nself(folder, "server", "init", "staging", "--yes")
    assert locked.returncode == 4, locked.stderr
    assert "no new ssh connection got through after this: The firewall is on" in locked.stderr
    assert "inactive" in on(name, "/usr/sbin/ufw status")
    on(name, "rm /usr/local/sbin/ufw")

    done = nself(folder, "server", "init", "staging", "--yes")
    assert done.returncode == 0, done.stderr
    assert "1/1  The firewall is on" in done.stdout
    assert "Status: active" in on(name, "ufw status")
    again = nself(folder, "server", "init", "staging")
    assert (again.returncode, "to be done" in again.stdout) == (0, False)
    assert checked(folder)["host"]["verdict"] == "ok"
    assert json.loads(on(name, "cat /etc/docker/daemon.json"))["log-opts"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.long
def test_a_host_with_systemd_is_prepared_and_is_so_after_a_reboot(engine: None, tmp_path: Path):
    old = Path("/sys/fs/cgroup/systemd").exists()  # version 1 of cgroups, which systemd must see as the machine's
    cgroups = ["--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup"] if old else ["--cgroupns=private"]
    with fresh_host(tmp_path, "fresh-host-systemd", "--tmpfs=/run", "--tmpfs=/run/lock", *cgroups) as (name, folder):
        done = nself(folder, "server", "init", "staging", "--yes")
        assert done.returncode == 0, done.stderr
        assert "      systemctl enable --now docker\n" in done.stdout
        subprocess.run(["docker", "restart", name], capture_output=True, check=True)
        on(name, "until systemctl is-system-running --wait | grep -E 'running|degraded'; do sleep 0.2; done")
        assert on(name, "systemctl is-active docker ssh ufw").split() == ["active"] * 3
        assert "Status: active" in on(name, "ufw status")
        assert checked(folder)["engine"]["verdict"] == "ok"
        again = nself(folder, "server", "init", "staging")
        assert (again.returncode, "to be done" in again.stdout) == (0, False)


# Stands before the real one: where it is switched on, new connections to sshd are turned away.
LOCKING_UFW = """#!/bin/sh
rule="INPUT -p tcp --dport 2222 -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset"
case "$*" in
  *enable) /usr/sbin/ufw "$@" && iptables -I $rule ;;
  *disable) iptables -D $rule; exec /usr/sbin/ufw "$@" ;;
  *) exec /usr/sbin/ufw "$@" ;;
esac
"""


def test_who_may_not_become_root_is_told(fresh: tuple[str, Path], tmp_path: Path):
    _, folder = fresh
    server = json.loads((folder / ".environments" / "staging" / "server.json").read_text())
    guest = project_folder(tmp_path, **{**server, "host": server["host"].replace("deploy@", "guest@")})
    done = nself(guest, "server", "init", "staging", "--yes")
    assert done.returncode == 4
    assert "preparing a host needs root there" in done.stderr


def test_this_machine_is_not_prepared_by_server_init(tmp_path: Path):
    here = project_folder(tmp_path, host="local")
    done = nself(here, "server", "init", "staging", "--yes")
    assert done.returncode == 2
    assert "nself-sdk doctor --fix" in done.stderr


def test_the_driver_tells_of_the_host_under_a_remote_engine(vps: Vps):
    target = Target.parse(vps.url, identity_file=vps.identity_file, known_hosts=vps.known_hosts)
    with docker.connect(target) as driver:
        seen = driver.host("/var/lib/docker")
    assert seen.disk_free
    assert (seen.addresses[0], vps.address in seen.addresses) == ("127.0.0.1", True)
    assert 22 in {port for _, port in seen.listening or ()}
