"""What Docker says, as frozen values; knows nothing of how it was asked.

Field names are Docker's. Times are on the clock of the host where the engine runs, always with a time zone.
Source of every field: the Engine API's ``inspect`` documents (https://docs.docker.com/reference/api/engine/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
Health = Literal["none", "starting", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A Docker engine and the machine that it runs on, from ``docker info``.

    Attributes:
        name: the host's name.
        version: the engine's version, ``26.1.5``.
        compose_version: the version of the Compose plugin on *this* machine; empty where it is not installed.
        os: ``linux``.
        architecture: as image platforms spell it: ``amd64``, ``arm64``.
        cpus: number of logical processors.
        memory: bytes of RAM.
        time: the host's clock when it answered; the only clock that a lock or a release may be dated by.
        skew: seconds that the host's clock is ahead of this machine's, to half the time that the answer took.
        root: the folder on the host that holds images and volumes, for disk checks and messages.
        containerd_images: whether it keeps images in containerd's store, not in the classic one.
        pools: where the addresses of new networks come from, as (block, prefix length of one network); empty: Docker's
            own choice.
    """

    name: str
    version: str
    compose_version: str
    os: str
    architecture: str
    cpus: int
    memory: int
    time: datetime
    root: str
    containerd_images: bool = False
    skew: float = 0.0
    pools: tuple[tuple[str, int], ...] = ()

    @property
    def platform(self) -> str:
        """``linux/amd64``: what an image must be built for to run here."""
        return f"{self.os}/{self.architecture}"


@dataclass(frozen=True, slots=True, order=True)
class PublishedPort:
    """A port of a container that answers on the host: ``127.0.0.1:8080 -> 80/tcp``."""

    address: str
    published: int
    target: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.address}:{self.published}->{self.target}/{self.protocol}"


@dataclass(frozen=True, slots=True, order=True)
class Mount:
    """Something mounted in a container.

    Attributes:
        type: ``volume``, ``bind`` or ``tmpfs``.
        source: the volume's name, or a path on the host; empty for a tmpfs.
        target: the path inside the container.
        read_only: whether the container may write there.
    """

    type: str
    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a Compose project, as it was at one moment.

    Attributes:
        id: 64 hexadecimal digits.
        name: without the leading slash.
        project: the Compose project, from the label ``com.docker.compose.project``.
        service: its service, from the label ``com.docker.compose.service``.
        number: which replica of the service, from 1; 0 where Compose did not number it.
        image: the reference it was created from, as written in the Compose file.
        image_id: the image itself, ``sha256:...``.
        state: Docker's word.
        health: ``none`` where the container has no health check.
        exit_code: of the last run; None while it runs or before its first start.
        created_at: when it was made.
        started_at: of the last start; None before the first.
        finished_at: of the last exit; None before the first.
        restart_count: restarts by the engine under the restart policy, since creation.
        oom_killed: whether the last run was ended by the memory limit (exit code 137 alone does not say so).
        error: why the engine could not start it, in the engine's words; empty if it could.
        health_output: what the last health check printed.
        labels: all labels, Compose's own included.
        addresses: network name to IPv4 address (IPv6 where there is only that), where it has one.
        ports: what is published on the host.
        mounts: volumes, binds and tmpfs.
        one_off: True for ``docker compose run``.
        memory: the most bytes that it may use, 0 without a limit; None where it was not asked.
        restart: the name of its restart policy, such as ``always``; None where it was not asked.
    """

    id: str
    name: str
    project: str
    service: str
    number: int
    image: str
    image_id: str
    state: State
    health: Health = "none"
    exit_code: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restart_count: int = 0
    oom_killed: bool = False
    error: str = ""
    health_output: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: tuple[PublishedPort, ...] = ()
    mounts: tuple[Mount, ...] = ()
    one_off: bool = False
    memory: int | None = None
    restart: str | None = None

    @property
    def running(self) -> bool:
        """Whether its process runs now (a paused or restarting container does not)."""
        return self.state == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that an engine holds.

    Attributes:
        id: ``sha256:...``, the same on every engine of the same image store.
        tags: every ``name:tag`` that names it on that engine.
        digests: ``name@sha256:...`` of the registries that it came from; empty for one built or loaded here.
        os: ``linux``.
        architecture: ``amd64``, ``arm64``.
        size: bytes on disk, all layers.
        labels: of the image's own configuration.
        layers: the digests of its layers, unpacked, from the lowest.
    """

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    os: str
    architecture: str
    size: int
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named volume: data that outlives every container.

    Attributes:
        name: as the engine knows it.
        driver: ``local`` unless a plugin holds it.
        created_at: when it was made.
        labels: Compose's own included; ``com.docker.compose.volume`` is its key in the Compose file.
    """

    name: str
    driver: str
    created_at: datetime | None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network on an engine.

    Attributes:
        name: as the engine knows it.
        subnets: its blocks of addresses, in CIDR notation.
        labels: Compose's own included.
    """

    name: str
    subnets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the machine under an engine says of itself, past Docker. None: it could not be seen.

    Attributes:
        disk_free: bytes that are free for images and volumes.
        inodes_free: files that can still be made there; None also where the file system does not count them.
        listening: address and TCP port of every socket that waits for connections.
        routes: the blocks of addresses that it has IPv4 routes to, in CIDR notation, without the default route.
        addresses: the one that ssh connected to, and those that it has itself.
        sshd: the limits in sshd's configuration that were found, by option in lower case.
    """

    disk_free: int | None = None
    inodes_free: int | None = None
    listening: tuple[tuple[str, int], ...] | None = None
    routes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    sshd: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a command inside a container ended; a non-zero exit code is an answer, not an error."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""
