"""The rig's host is a real one: reached over SSH alone, with its own engine, and nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request

import pytest

from rig.shell import RigError, docker
from rig.vps import vps as host

pytestmark = pytest.mark.docker
NGINX = "nginx:1.30.6-alpine"


def test_one_ssh_counts_as_one_connection(vps):
    before = vps.connections()
    assert vps.ssh("docker", "version", "--format", "{{.Server.Version}}").strip()
    assert vps.connections() == before + 1
    assert vps.ssh("id", "-un").strip() == "deploy"


def test_a_wrong_host_key_is_refused(vps, tmp_path):
    other = tmp_path / "known_hosts"
    other.write_text(f"[{vps.host}]:{vps.port} ssh-ed25519 {'A' * 68}\n")
    with pytest.raises(RigError, match="Host key verification failed"):
        type(vps)(**(vars(vps) | {"folder": _with_hosts(vps, tmp_path)})).ssh("true")


def test_a_forwarded_socket_drives_its_engine_and_its_ports_answer(vps, rig_images, tmp_path):
    rig_images(NGINX)
    vps.load(NGINX)
    before, forwarded = vps.connections(), tmp_path / "docker.sock"
    command = [
        "ssh", "-F", "none", "-N", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ControlMaster=no",
        "-o", f"UserKnownHostsFile={vps.known_hosts}", "-o", "ExitOnForwardFailure=yes", "-i", str(vps.identity_file),
        "-p", str(vps.port), "-L", f"{forwarded}:/var/run/docker.sock", f"{vps.user}@{vps.host}",
    ]  # fmt: skip
    with vps.sshd(MaxSessions=1), subprocess.Popen(command) as forward:
        try:
            _until(forwarded.exists)
            remote = os.environ | {"DOCKER_HOST": f"unix://{forwarded}"}
            for arguments in (["run", "-d", "--name", "web", "-p", "80:80", NGINX], ["inspect", "web"]):
                subprocess.run(["docker", *arguments], env=remote, check=True, capture_output=True)
            _until(lambda: _status(vps.http_port) == 200)
            subprocess.run(["docker", "rm", "-fv", "web"], env=remote, check=True, capture_output=True)
        finally:
            forward.terminate()
    assert vps.connections() == before + 1


def test_it_comes_back_after_a_power_failure_with_its_data(vps):
    vps.docker("volume", "create", "kept")
    vps.stop(kill=True)
    with pytest.raises(RigError):
        vps.ssh("true")
    vps.start()
    assert vps.docker("volume", "ls", "-q").split() == ["kept"]
    vps.docker("volume", "rm", "kept")
    vps.ssh("true")


def test_nothing_is_left_of_a_host():
    volumes = set(docker("volume", "ls", "-q").split())
    with host(MaxStartups="2:100:2") as made:
        assert "maxstartups 2:100:2" in made.exec("sshd", "-T")
        name = made.name
        mine = set(docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", name).split())
    assert name not in docker("ps", "-a", "--format", "{{.Names}}").split()
    assert mine
    assert not mine & set(docker("volume", "ls", "-q").split()) - volumes


def _with_hosts(vps, folder):
    for name in ("id_ed25519", "id_ed25519.pub"):
        (folder / name).write_bytes((vps.folder / name).read_bytes())
        (folder / name).chmod(0o600)
    return folder


def _until(what, seconds=30):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def _status(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return answer.status
    except OSError:
        return None
