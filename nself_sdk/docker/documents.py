"""Docker's JSON documents read into values; pure, and knows nothing of how they were fetched.

Why not python-on-whales' objects: each attribute of a container there may run ``docker inspect`` again, so that 30
services cost dozens of round trips and no two attributes are of one moment. One batched document has neither fault.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nself_sdk.docker.values import Container, Engine, Image, Mount, Network, PublishedPort, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nself_sdk.docker.redaction import Redaction

PROJECT = "com.docker.compose.project"
"""The label by which Compose finds what belongs to a project."""

_SERVICE = "com.docker.compose.service"
_NUMBER = "com.docker.compose.container-number"
_ONE_OFF = "com.docker.compose.oneoff"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_FRACTION = re.compile(r"(\.\d{1,6})\d*")


def engine(document: Mapping[str, Any]) -> Engine:
    """From ``docker info --format '{{json .}}'``: one call, which also tells the version of the Compose plugin."""
    plugins = _all(_map(document.get("ClientInfo")).get("Plugins"))
    compose = next((str(plugin.get("Version", "")) for plugin in plugins if plugin.get("Name") == "compose"), "")
    machine: str = document["Architecture"]
    return Engine(
        name=document["Name"],
        version=document["ServerVersion"],
        compose_version=compose.removeprefix("v"),
        os=document["OSType"],
        architecture=_ARCHITECTURES.get(machine, machine),
        cpus=document["NCPU"],
        memory=document["MemTotal"],
        time=moment(document["SystemTime"]) or datetime.now(UTC),
        root=document["DockerRootDir"],
        containerd_images=["driver-type", "io.containerd.snapshotter.v1"] in _all(document.get("DriverStatus")),
        pools=tuple((pool["Base"], pool["Size"]) for pool in _all(document.get("DefaultAddressPools"))),
    )


def container(document: Mapping[str, Any], redaction: Redaction) -> Container:
    """From one element of ``docker container inspect``."""
    state, settings, host = document["State"], document["Config"], _map(document.get("HostConfig"))
    labels = _map(settings.get("Labels"))
    health = _map(state.get("Health"))
    finished = moment(state["FinishedAt"])
    return Container(
        id=document["Id"],
        name=document["Name"].removeprefix("/"),
        project=labels.get(PROJECT, ""),
        service=labels.get(_SERVICE, ""),
        number=int(labels.get(_NUMBER, "0")),
        image=settings["Image"],
        image_id=document["Image"],
        state=state["Status"],
        health=health.get("Status") or "none",
        exit_code=None if state["Running"] or finished is None else state["ExitCode"],
        created_at=moment(document["Created"]),
        started_at=moment(state["StartedAt"]),
        finished_at=finished,
        restart_count=document["RestartCount"],
        oom_killed=state["OOMKilled"],
        error=redaction(state["Error"]),
        health_output=redaction(_last_output(health)),
        labels=labels,
        addresses=dict(_addresses(document)),
        ports=tuple(sorted(_ports(document))),
        mounts=tuple(sorted(_mounts(document))),
        one_off=labels.get(_ONE_OFF, "").lower() == "true",
        memory=host.get("Memory"),
        restart=_map(host.get("RestartPolicy")).get("Name"),
    )


def image(document: Mapping[str, Any]) -> Image:
    """From one element of ``docker image inspect``."""
    return Image(
        id=document["Id"],
        tags=tuple(sorted(_all(document.get("RepoTags")))),
        digests=tuple(sorted(_all(document.get("RepoDigests")))),
        os=document["Os"],
        architecture=document["Architecture"],
        size=document["Size"],
        labels=_map(_map(document.get("Config")).get("Labels")),
        layers=tuple(_all(_map(document.get("RootFS")).get("Layers"))),
    )


def volume(document: Mapping[str, Any]) -> Volume:
    """From one element of ``docker volume inspect``."""
    return Volume(
        name=document["Name"],
        driver=document["Driver"],
        created_at=moment(document.get("CreatedAt") or ""),
        labels=_map(document.get("Labels")),
    )


def network(document: Mapping[str, Any]) -> Network:
    """From one element of ``docker network inspect``."""
    blocks = _all(_map(document.get("IPAM")).get("Config"))
    subnets = tuple(block["Subnet"] for block in blocks if block.get("Subnet"))
    return Network(name=document["Name"], subnets=subnets, labels=_map(document.get("Labels")))


def moment(text: str) -> datetime | None:
    """A time of Docker's (RFC 3339, up to nanoseconds); None for its zero time, which means never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text))


def _last_output(health: Mapping[str, Any]) -> str:
    log = _all(health.get("Log"))
    return str(log[-1]["Output"]).strip() if log else ""


def _addresses(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, network in sorted(_map(document["NetworkSettings"].get("Networks")).items()):
        if address := network.get("IPAddress") or network.get("GlobalIPv6Address"):
            yield name, address


def _ports(document: Mapping[str, Any]) -> Iterator[PublishedPort]:
    for inside, bindings in _map(document["NetworkSettings"].get("Ports")).items():
        target, _, protocol = inside.partition("/")
        for binding in _all(bindings):
            yield PublishedPort(binding["HostIp"], int(binding["HostPort"]), int(target), protocol)


def _mounts(document: Mapping[str, Any]) -> Iterator[Mount]:
    for mount in _all(document.get("Mounts")):
        source = mount.get("Name") or mount.get("Source") or ""
        yield Mount(mount["Type"], source, mount["Destination"], not mount["RW"])


def _map(value: Any) -> dict[str, Any]:
    """Docker writes null for an empty map."""
    return value or {}


def _all(value: Any) -> list[Any]:
    """Docker writes null for an empty list."""
    return value or []
