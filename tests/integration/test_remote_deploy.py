"""A deploy to a host that has nothing but Docker and sshd, through the command line, over real SSH."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nself_sdk.store import ProjectFolder
from nself_sdk.testing.edge import Edge

pytestmark = pytest.mark.docker

CHECKOUT = Path(__file__).resolve().parents[2]


def nself(folder, *arguments):
    command = [sys.executable, "-m", "nself_sdk", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def vps(engine):
    """A host of its own: what is deployed there stays there until the end."""
    from rig.vps import vps as host

    with host() as found:
        yield found


@pytest.fixture(scope="module")
def folder(vps, rig_images, tmp_path_factory):
    """The quickstart, with a staging environment on that host."""
    path = tmp_path_factory.mktemp("shop") / "shop"
    staging = path / ".environments" / "staging"
    staging.mkdir(parents=True)
    shutil.copy(CHECKOUT / "recipes" / "quickstart.py", path / "stack.py")
    (staging / ".env").write_text("BASE_DOMAIN=staging.example.com\nTLS=local-ca\n")
    server = {"host": vps.url, "identity_file": str(vps.identity_file), "known_hosts": str(vps.known_hosts)}
    (staging / "server.json").write_text(json.dumps(server))
    images = {s.image for s in _rendered(path).services.values() if s.build is None}
    rig_images(*sorted(images), "python:3.13.15-slim-trixie")
    return path


def _rendered(folder):
    from nself_sdk import render

    project_folder = ProjectFolder(folder)
    environment = project_folder.environment("staging")
    return render(project_folder.project(environment), environment)


@pytest.fixture(scope="module")
def deployed(folder, vps):
    """The first deploy, and how many SSH connections it made."""
    before = vps.connections()
    done = nself(folder, "deploy", "staging")
    assert done.returncode == 0, done.stdout + done.stderr
    return done, vps.connections() - before


def test_a_deploy_makes_exactly_one_ssh_connection(deployed):
    assert deployed[1] == 1


@pytest.mark.parametrize(("route", "path"), [("api", "/healthz"), ("auth", "/healthz"), ("hello", "/ready")])
def test_requests_through_that_hosts_nginx_are_answered_over_verified_tls(deployed, vps, route, path):
    answer = Edge(vps.https_port).request("GET", f"{route}.staging.example.com", path)
    assert answer.status == 200, answer.text


def test_configs_and_secrets_are_in_the_containers(deployed, folder, vps):
    config = vps.docker("exec", "shop-nginx-1", "cat", "/etc/nginx/nginx.conf")
    assert "server_name api.staging.example.com" in config
    assert "$host" in config
    secrets = (folder / ".environments" / "staging" / ".env.secrets").read_text()
    password = next(line for line in secrets.splitlines() if line.startswith("POSTGRES_PASSWORD=")).split("'")[1]
    assert vps.docker("exec", "shop-postgres-1", "cat", "/run/secrets/POSTGRES_PASSWORD").strip() == password


def test_only_nginx_is_published_on_the_host(deployed, vps):
    rows = vps.docker("ps", "--format", "{{.Names}} {{.Ports}}").splitlines()
    assert [row.split()[0] for row in rows if "->" in row] == ["shop-nginx-1"]


def test_nothing_is_left_on_the_host_outside_docker(deployed, folder, vps):
    def files():
        found = vps.exec("find", "/root", "/home", "/tmp", "/srv", "/opt", "/etc", "-xdev", "-type", "f").split()
        return [path for path in found if "/runc-process" not in path]  # of a health check that begins just now

    before = files()
    assert nself(folder, "deploy", "staging").returncode == 0
    assert files() == before


def test_a_second_deploy_replaces_nothing(deployed, folder, vps):
    ids = vps.docker("ps", "-q", "--no-trunc")
    again = nself(folder, "deploy", "staging")
    assert again.returncode == 0, again.stderr
    assert vps.docker("ps", "-q", "--no-trunc") == ids


def test_status_and_logs_come_from_that_host(deployed, folder):
    states = json.loads(nself(folder, "status", "staging", "--json").stdout)
    assert {state["verdict"] for state in states} == {"healthy"}
    assert "listening" in nself(folder, "logs", "postgres", "--env", "staging").stdout


def test_a_changed_secret_replaces_its_users_and_not_the_database(deployed, folder, vps):
    def ids():
        rows = vps.docker("ps", "--no-trunc", "--format", "{{.Label `com.docker.compose.service`}} {{.ID}}")
        return dict(row.split() for row in rows.splitlines())

    before = ids()
    path = folder / ".environments" / "staging" / ".env.secrets"
    lines = path.read_text().splitlines()
    changed = ["HELLO_DB_PASSWORD='another-password-that-is-long'" if x.startswith("HELLO_DB_") else x for x in lines]
    path.write_text("\n".join(changed) + "\n")
    done = nself(folder, "deploy", "staging")
    assert done.returncode == 0, done.stderr
    replaced = {name for name, one in ids().items() if before[name] != one}
    assert "hello" in replaced
    assert not {"postgres", "redis", "nginx"} & replaced


def test_a_changed_superuser_password_restarts_no_database_and_counts_at_once(deployed, folder, vps):
    def database():
        return vps.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "shop-postgres-1")

    def login(password):
        ask = ["exec", "-e", f"PGPASSWORD={password}", "shop-postgres-1", "sh", "-c"]
        return vps.docker(*ask, "psql -w -X -At -h postgres -U postgres -c 'SELECT 1' 2>&1 || true")

    before, path = database(), folder / ".environments" / "staging" / ".env.secrets"
    old = re.search("POSTGRES_PASSWORD='(.*)'", path.read_text())[1]
    path.write_text(path.read_text().replace(old, "another-password-of-the-superuser"))
    assert (
        "reload   postgres\n             /run/secrets/POSTGRES_PASSWORD changed"
        in nself(folder, "plan", "staging").stdout
    )
    done = nself(folder, "deploy", "staging")
    assert done.returncode == 0, done.stderr
    assert database() == before
    assert login("another-password-of-the-superuser") == "1"
    assert "password authentication failed" in login(old)
    assert "another-password" not in vps.docker("logs", "shop-postgres-1")
