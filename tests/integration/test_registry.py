"""Images by a registry that wants a password: built here once, pushed, and pulled by the host."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rig.vps import Vps

pytestmark = pytest.mark.docker

REGISTRY = "registry:2.8.3"
NAME = f"nself-registry-{uuid.uuid4().hex[:8]}"
PASSWORD = secrets.token_urlsafe(16)
#: One service, built from code.
STACK = """\
from nself_sdk import ComposeFile, Project
site = {"build": "site", "image": "shop-site", "restart": "always", "stop_grace_period": "1s"}
project = Project("shop").add(ComposeFile.model_validate({"services": {"site": site}}))
"""


def docker(*arguments: str) -> str:
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(["docker", *arguments], text=True, check=True, **both).stdout.strip()


@pytest.fixture(scope="module")
def host(engine: None) -> Iterator[Vps]:
    from rig.vps import vps

    with vps() as made:
        yield made


@pytest.fixture(scope="module")
def address(host: Vps, rig_images: Callable[..., object]) -> Iterator[str]:
    """Where it answers for this machine's engine and for the host's: engines want no TLS of 127.0.0.1 alone."""
    from rig.proxy import Proxy

    rig_images(REGISTRY)
    with Proxy(host.address, 0) as here:
        here.target = (host.address, here.port)
        settings = "/etc/docker/registry/config.yml"
        start = f"htpasswd -Bbn deploy {PASSWORD} >/htpasswd && exec docker-registry serve {settings}"
        says = {
            "HTTP_ADDR": f":{here.port}",
            "AUTH": "htpasswd",
            "AUTH_HTPASSWD_REALM": "test",
            "AUTH_HTPASSWD_PATH": "/htpasswd",
        }
        options = [word for key, value in says.items() for word in ("--env", f"REGISTRY_{key}={value}")]
        network = ["--network", f"container:{host.name}"]
        docker("run", "-d", "--name", NAME, *network, *options, "--entrypoint", "sh", REGISTRY, "-c", start)
        until = time.monotonic() + 30
        while "listening on" not in (log := docker("logs", NAME)):
            assert time.monotonic() < until, log
            time.sleep(0.2)
        yield f"127.0.0.1:{here.port}"
        docker("rm", "-fv", NAME)


@pytest.fixture(scope="module")
def folder(host: Vps, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with code and an environment, and docker's own file with the password."""
    from rig.images import ensure_recipes
    from rig.recipes import recipe

    ensure_recipes(("versioned",))
    path = tmp_path_factory.mktemp("shop")
    place = path / ".environments" / "staging"
    for made in (place, path / "site", path / "docker"):
        made.mkdir(parents=True)
    (path / "stack.py").write_text(STACK)
    (path / "site" / "Dockerfile").write_text(f"FROM {recipe('versioned').tag}\nCOPY version /www/version\n")
    server = {"host": host.url, "identity_file": str(host.identity_file), "known_hosts": str(host.known_hosts)}
    (place / "server.json").write_text(json.dumps(server))
    settings = f"BASE_DOMAIN=shop.example.com\nTLS=local-ca\nIMAGE_REGISTRY={address}/acme\n"
    (place / ".env").write_text(settings)
    log_in(path, address, PASSWORD)
    yield path
    for image in docker("images", "-q", f"{address}/acme/shop-site").split():
        docker("rmi", "-f", image)


def log_in(folder: Path, address: str, password: str) -> None:
    """What ``docker login`` leaves."""
    token = base64.b64encode(f"deploy:{password}".encode()).decode()
    (folder / "docker" / "config.json").write_text(json.dumps({"auths": {address: {"auth": token}}}))


def deploy(folder: Path, version: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "site" / "version").write_text(version)
    return subprocess.run(
        [sys.executable, "-m", "nself_sdk", "-C", str(folder), "deploy", "staging"],
        env={**os.environ, "DOCKER_CONFIG": str(folder / "docker"), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def runs(host: Vps) -> str:
    """What the host's service says that it is."""
    return host.docker("exec", host.docker("ps", "--quiet"), "cat", "/www/version")


def test_what_is_built_here_is_pushed_and_pulled_by_the_host(host: Vps, folder: Path, address: str) -> None:
    done = deploy(folder, "one")
    assert done.returncode == 0, done.stderr
    assert runs(host) == "one"
    form = "{{.Repository}} {{.Digest}}"
    [image] = host.docker("images", "--digests", "--format", form, f"{address}/*/*").splitlines()
    assert image.startswith(f"{address}/acme/shop-site sha256:"), "it came by the registry"
    assert "carrying" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_what_the_registry_has_is_not_built_again(host: Vps, folder: Path, address: str) -> None:
    """As on another machine, or for another host."""
    repository = f"{address}/acme/shop-site"
    host.docker("rm", "-f", "shop-site-1")
    for image in host.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if "shop" in image:
            host.docker("rmi", "-f", image)
    for image in docker("images", "-q", repository).split():
        docker("rmi", "-f", image)
    done = deploy(folder, "one")
    assert done.returncode == 0, done.stderr
    assert runs(host) == "one"
    assert docker("images", "-q", repository) == ""


def test_where_this_machine_has_no_engine_the_host_builds_and_pushes(host: Vps, folder: Path, address: str) -> None:
    from rig.recipes import recipe

    host.load(recipe("versioned").tag)
    done = deploy(folder, "built there", DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 0, done.stderr
    assert "no engine on this machine" in done.stderr
    assert f"pushing to {address}/acme" in done.stderr
    assert runs(host) == "built there"


def test_a_registry_that_does_not_let_us_in_stops_nothing(host: Vps, folder: Path, address: str) -> None:
    before = runs(host)
    log_in(folder, address, "wrong")
    done = deploy(folder, "two")
    assert done.returncode == 4
    assert f"{address}/acme/shop-site:" in done.stderr
    assert "docker login" in done.stderr, done.stderr
    assert runs(host) == before
    log_in(folder, address, PASSWORD)
    assert deploy(folder, "two").returncode == 0
    assert runs(host) == "two"
