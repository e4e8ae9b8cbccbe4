"""Docker's JSON becomes values: what engine 26.1.5 really answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nself_sdk.docker import Mount, PublishedPort, documents
from nself_sdk.docker.redaction import Redaction

CONTAINER: dict[str, Any] = {
    "Id": "03af2bf1a31012fbc6b969d8ba6ccf87134e975b1950ac8dd85c553ae575ed16",
    "Created": "2026-11-23T10:45:35.572701144Z",
    "State": {
        "Status": "running",
        "Running": True,
        "OOMKilled": False,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2026-11-23T10:45:36.143126027Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Health": {"Status": "healthy", "Log": [{"ExitCode": 0, "Output": "as hunter2secret: fine\n"}]},
    },
    "Image": "sha256:5d15f777bff853a15ea6bc22e3045e9a1f10012dce120b664c416a6f23398c7c",
    "Name": "/shop-web-1",
    "RestartCount": 2,
    "Mounts": [
        {"Type": "volume", "Name": "shop_data", "Source": "/var/lib/docker/x", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": "/srv/code", "Destination": "/code", "RW": False},
    ],
    "Config": {
        "Image": "redis:7",
        "Labels": {
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": "web",
        },
    },
    "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18099"}], "81/tcp": None},
        "Networks": {"shop_default": {"IPAddress": "172.18.0.2"}, "shop_old": {"IPAddress": ""}},
    },
}


def test_a_running_container_is_read_whole():
    container = documents.container(CONTAINER, Redaction(["hunter2secret"]))
    assert (container.name, container.project, container.service, container.number) == ("shop-web-1", "shop", "web", 1)
    assert (container.state, container.health, container.running) == ("running", "healthy", True)
    assert container.health_output == "as ***: fine"
    assert (container.exit_code, container.finished_at, container.restart_count) == (None, None, 2)
    assert container.created_at == datetime(2026, 11, 23, 10, 45, 35, 572701, tzinfo=UTC)
    assert container.started_at == datetime(2026, 11, 23, 10, 45, 36, 143126, tzinfo=UTC)
    assert container.addresses == {"shop_default": "172.18.0.2"}
    assert container.ports == (PublishedPort("127.0.0.1", 18099, 80, "tcp"),)
    assert container.mounts == (Mount("bind", "/srv/code", "/code", True), Mount("volume", "shop_data", "/data", False))
    assert str(container.ports[0]) == "127.0.0.1:18099->80/tcp"


def test_a_container_that_was_killed_says_by_what():
    state = CONTAINER["State"] | {
        "Status": "exited", "Running": False, "OOMKilled": True, "ExitCode": 137, "FinishedAt": "2026-11-23T10:46:00Z",
    }  # fmt: skip
    del state["Health"]
    document = CONTAINER | {"State": state, "NetworkSettings": {"Ports": None, "Networks": None}, "Mounts": None}
    container = documents.container(document, Redaction())
    assert (container.exit_code, container.oom_killed, container.health) == (137, True, "none")
    assert (container.addresses, container.ports, container.mounts) == ({}, (), ())


def test_a_container_that_never_started_has_no_exit_code():
    state = CONTAINER["State"] | {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z"}
    container = documents.container(CONTAINER | {"State": state}, Redaction())
    assert (container.exit_code, container.started_at) == (None, None)


def test_the_engine_tells_its_compose_plugin_and_its_clock():
    engine = documents.engine({
        "Name": "vps", "ServerVersion": "26.1.5", "OSType": "linux", "Architecture": "aarch64", "NCPU": 2,
        "MemTotal": 4 << 30, "SystemTime": "2026-11-23T12:00:00.123456789+01:00", "DockerRootDir": "/var/lib/docker",
        "ClientInfo": {"Plugins": [{"Name": "buildx", "Version": "v0.13"}, {"Name": "compose", "Version": "v2.26.1"}]},
    })  # fmt: skip
    assert (engine.platform, engine.compose_version) == ("linux/arm64", "2.26.1")
    assert engine.time == datetime(2026, 11, 23, 11, 0, 0, 123456, tzinfo=UTC)


def test_an_image_and_a_volume_without_labels_have_none():
    image = documents.image({
        "Id": "sha256:1", "RepoTags": ["b:1", "a:1"], "RepoDigests": [], "Os": "linux", "Architecture": "amd64",
        "Size": 5, "Config": {"Labels": None},
    })  # fmt: skip
    assert (image.tags, image.labels) == (("a:1", "b:1"), {})
    assert documents.volume({"Name": "v", "Driver": "local", "CreatedAt": "", "Labels": None}).labels == {}
