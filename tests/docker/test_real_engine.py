"""The door opened for real: on this machine's engine, and over one ssh connection on another's."""

from __future__ import annotations

import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from rig.shell import docker

from nself_sdk.docker import Stack, Target, connect, copy_images
from nself_sdk.errors import DeclarationError, DriverError, HostUnreachableError

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

REDIS = "redis:7.2.16-alpine3.21"
FILE = """
services:
  cache:
    image: redis:7.2.16-alpine3.21
    command: ["sh", "-c", "echo hello $$GREETING; echo to-stderr >&2; exec redis-server"]
    environment: {GREETING: "${GREETING:?}"}
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 500ms, retries: 20}
    volumes: ["data:/data"]
    stop_grace_period: 1s
volumes: {data: }
"""


@pytest.fixture
def stack():
    return Stack(project=f"door-{uuid.uuid4().hex[:8]}", file=FILE, secrets={"GREETING": "s3cret-greeting"})


@pytest.fixture
def target(vps):
    return Target.parse(vps.url, identity_file=vps.identity_file, known_hosts=vps.known_hosts)


def healthy(driver, project):
    for _ in range(200):
        (found,) = driver.containers(project)
        if found.health == "healthy":
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_stack_is_brought_up_looked_at_and_taken_down(rig_images, stack, monkeypatch, tmp_path):
    rig_images(REDIS)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:1")  # ambient settings that must not count
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    monkeypatch.setenv("COMPOSE_FILE", "/nowhere.yml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("GREETING=ambient\nCOMPOSE_PROJECT_NAME=other\n")
    lines: list[str] = []
    with connect() as driver:
        try:
            driver.compose(stack, "up", "--detach", on_line=lines.append)
            found = healthy(driver, stack.project)
            assert (found.service, found.image, found.running) == ("cache", REDIS, True)
            assert found.health_output == "PONG"
            assert found.mounts[0].source == f"{stack.project}_data"
            assert any("Started" in line for line in lines)
            assert {"hello ***", "to-stderr"} <= set(driver.logs(found.id, tail=200).splitlines())
            assert driver.logs(found.id, tail=1).count("\n") == 1
            assert driver.exec(found.id, ["cat"], stdin="x" * 100_000).stdout == "x" * 100_000
            told = driver.exec(found.id, ["sh", "-c", "echo ${#PIN}; exit 3"], environment={"PIN": "12345"})
            assert (told.exit_code, told.stdout) == (3, "5\n")
            assert driver.exec(found.id, ["id", "-un"], user="redis").stdout == "redis\n"
            assert driver.exec_interactive(found.id, ["true"]) == 0
            with pytest.raises(DriverError, match="No such container"):
                driver.exec("no-such", ["true"])
        finally:
            driver.compose(stack, "down", "--timeout", "1")
        assert driver.containers(stack.project) == ()
        (volume,) = driver.volumes(stack.project)  # down keeps data
        driver.remove_volumes([volume.name])
        assert driver.volumes(stack.project) == ()


def test_logs_are_followed_until_the_containers_end(rig_images, stack):
    rig_images(REDIS)
    short = Stack(
        project=stack.project, file=f"services: {{job: {{image: '{REDIS}', command: [sh, -c, 'sleep 1; echo done']}}}}"
    )
    lines: list[str] = []
    with connect() as driver:
        try:
            driver.compose(short, "up", "--detach")
            driver.follow_logs(short.project, on_line=lines.append)
        finally:
            driver.compose(short, "down")
    assert [line.split("|")[1].strip() for line in lines if "done" in line] == ["done"]
    assert lines[0].startswith("job-1")


def test_a_file_that_compose_refuses_and_a_broken_build_are_told(rig_images, stack, tmp_path):
    rig_images(REDIS)
    (tmp_path / "Dockerfile").write_text(f"FROM {REDIS}\nRUN echo before && exit 3\n")
    with connect() as driver:
        with pytest.raises(DriverError, match="Compose refuses the file"):
            driver.compose(Stack(project=stack.project, file="services: {a: {imagee: x}}"), "config", "-q")
        with pytest.raises(DriverError, match=r"the build failed at \[pay 2/2\] RUN echo before && exit 3"):
            driver.compose(
                Stack(project=stack.project, file="services: {pay: {build: .}}", directory=tmp_path), "build"
            )
        assert driver.image("no-such-image:1") is None
        with pytest.raises(DriverError, match="docker image load"):
            driver.load([b"this is no tar" * 1000])


def test_no_engine_at_the_socket_is_told(tmp_path):
    with (
        pytest.raises(HostUnreachableError, match="no Docker engine runs at") as caught,
        connect(Target(socket="/run/none.sock")),
    ):
        pass
    assert caught.value.hint.startswith("correct DOCKER_HOST or server.json;")


def test_a_whole_session_is_one_ssh_connection(vps, target, rig_images, stack):
    rig_images(REDIS)
    with vps.sshd(MaxSessions=1, MaxStartups="2:100:2", PerSourcePenalties="no"):
        before = vps.connections()
        with connect() as here, connect(target) as there:
            assert copy_images(here, there, [REDIS]) == (REDIS,)
            assert copy_images(here, there, [REDIS]) == ()
            assert there.info().name == vps.name
            try:
                there.compose(stack, "up", "--detach")
                found = healthy(there, stack.project)
                assert "hello ***" in there.logs(found.id)
                assert there.exec(found.id, ["redis-cli", "ping"]).stdout == "PONG\n"
                with ThreadPoolExecutor(20) as pool:
                    seen = list(pool.map(lambda _: there.containers(stack.project), range(40)))
                assert {snapshot[0].id for snapshot in seen} == {found.id}
            finally:
                there.compose(stack, "down", "--timeout", "1")
                there.remove_volumes([volume.name for volume in there.volumes(stack.project)])
        assert vps.connections() == before + 1


def test_of_a_changed_image_only_the_changed_layer_travels(vps, target, rig_images, tmp_path):
    rig_images(REDIS)
    name = f"nself-layers-{uuid.uuid4().hex[:8]}"
    (tmp_path / "Dockerfile").write_text(f"FROM {REDIS}\nCOPY version /version\n")
    lines = []
    try:
        with connect() as here, connect(target) as there:
            for version in ("1", "2"):
                (tmp_path / "version").write_text(version)
                docker("build", "-q", "-t", f"{name}:{version}", str(tmp_path))
                assert copy_images(here, there, [f"{name}:{version}"], on_line=lines.append) == (f"{name}:{version}",)
            size = here.image(f"{name}:2").size
        assert vps.docker("run", "--rm", "--entrypoint", "cat", f"{name}:2", "/version") == "2"
        sent = float(re.match(r"sent ([0-9.]+) MB", lines[-1])[1]) * 1e6
        assert sent < 100_000 < size / 100
    finally:
        docker("image", "rm", f"{name}:1", f"{name}:2")


def refused(target):
    with pytest.raises(HostUnreachableError) as caught, connect(target):
        pass
    return caught.value.message


def test_an_unknown_host_key_is_never_accepted(vps, tmp_path):
    (tmp_path / "empty").touch()
    target = Target.parse(vps.url, identity_file=vps.identity_file, known_hosts=tmp_path / "empty")
    with vps.sshd(PerSourcePenalties="no"):
        assert f"the host key of [{vps.host}]:{vps.port} is not known; it showed ssh-ed25519 SHA256:" in refused(target)
    assert (tmp_path / "empty").read_text() == ""


def test_an_sshd_that_forwards_nothing_is_told(vps, target):
    with vps.sshd(AllowStreamLocalForwarding="no", PerSourcePenalties="no"):
        assert "does not allow the forwarding of sockets" in refused(target)


def test_an_engine_that_is_stopped_is_told(vps, target):
    vps.stop_engine()
    try:
        assert "no engine runs" in refused(target)
    finally:
        vps.start_engine()


def test_a_connection_that_breaks_is_told_as_that(vps, target):
    with connect(target) as driver:
        vps.cut()
        time.sleep(1)
        with pytest.raises(HostUnreachableError, match="the connection broke"):
            driver.containers("any")


def test_a_jump_host_is_gone_through(vps, tmp_path):
    pins = tmp_path / "known_hosts"
    key = vps.known_hosts.read_text().split(maxsplit=1)[1]
    pins.write_text(f"[{vps.host}]:{vps.port} {key}127.0.0.1 {key}")
    through = f"{vps.user}@{vps.host}:{vps.port}"
    target = Target.parse(
        f"ssh://{vps.user}@127.0.0.1:22", identity_file=vps.identity_file, known_hosts=pins, jump=through
    )
    with connect(target) as driver:
        assert driver.info().name == vps.name


def test_a_public_key_is_no_identity(vps):
    public = vps.identity_file.with_suffix(".pub")
    with pytest.raises(DeclarationError, match="is a public key"), connect(Target.parse(vps.url, identity_file=public)):
        pass
