"""Short syntax, read: what ``"8080:80"`` or ``["KEY=value"]`` mean, while the file keeps what was written.

Text with variables is taken apart where that is certain (``"${PORT:-8080}:80"``) and left whole where it is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nself_sdk.compose.mounts import (
    BindOptions,
    Device,
    EnvFile,
    ServiceConfig,
    ServiceSecret,
    ServiceVolume,
    VolumeOptions,
)
from nself_sdk.compose.networks import ServiceNetwork
from nself_sdk.compose.ports import Port
from nself_sdk.compose.resources import Ulimit
from nself_sdk.compose.tree import scalar_text, split_outside_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nself_sdk.compose.build import ExtraHosts
    from nself_sdk.compose.values import Integer, ListOrMap, Scalar, TextOrNumber

_RANGE = re.compile(r"(\d+)-(\d+)")
_PROPAGATIONS = frozenset({"shared", "slave", "private", "rshared", "rslave", "rprivate"})
_CONSISTENCIES = frozenset({"consistent", "cached", "delegated"})


def value_map(written: ListOrMap | None) -> dict[str, str | None]:
    """Key to value, as text; ``None`` for a key without a value."""
    if written is None:
        return {}
    if isinstance(written, dict):
        pairs: dict[str, Scalar] = written
        return {key: None if value is None else scalar_text(value) for key, value in pairs.items()}
    split = (item.partition("=") for item in written)
    return {key: value if equals else None for key, equals, value in split}


def label_map(written: ListOrMap | None) -> dict[str, str]:
    """Label to value; a label without a value has the empty one."""
    return {key: value or "" for key, value in value_map(written).items()}


def port_mappings(written: Sequence[TextOrNumber | Port] | None) -> list[Port]:
    """One `Port` for each published port; a range of ports becomes many."""
    return [mapping for item in written or () for mapping in _ports(item)]


def _ports(item: TextOrNumber | Port) -> Iterator[Port]:
    if isinstance(item, Port):
        yield item
        return
    address, _, protocol = str(item).partition("/") if "$" not in str(item) else _protocol(str(item))
    host_ip, published, target = _split_address(address)
    for host, container in _pairs(published, target):
        yield Port(published=host, target=container, host_ip=host_ip or None, protocol=protocol or "tcp")


def _protocol(text: str) -> tuple[str, str, str]:
    *head, tail = split_outside_variables(text, "/")
    return ("/".join(head), "/", tail) if head else (tail, "", "")


def _split_address(address: str) -> tuple[str, str, str]:
    if address.startswith("["):
        host_ip, _, rest = address[1:].partition("]:")
        published, _, target = rest.rpartition(":")
        return host_ip, published, target
    *before, target = split_outside_variables(address, ":")
    published = before[-1] if before else ""
    return ":".join(before[:-1]), published, target


def _pairs(published: str, target: str) -> Iterator[tuple[int | str | None, int | str]]:
    containers, hosts = _RANGE.fullmatch(target), _RANGE.fullmatch(published)
    if containers is None:
        yield _number(published), _number(target) or target
        return
    first, last = int(containers[1]), int(containers[2])
    start = int(hosts[1]) if hosts else None
    for offset in range(last - first + 1):
        yield None if start is None else start + offset, first + offset


def _number(text: str) -> int | str | None:
    return int(text) if text.isdecimal() else text or None


def volume_mounts(written: Sequence[str | ServiceVolume] | None) -> list[ServiceVolume]:
    """One `ServiceVolume` for each mount."""
    return [item if isinstance(item, ServiceVolume) else _mount(item) for item in written or ()]


def _mount(text: str) -> ServiceVolume:
    parts = split_outside_variables(text, ":")
    if len(parts) > 1 and re.fullmatch(r"[A-Za-z]", parts[0]) and parts[1][:1] in {"\\", "/"}:
        parts[:2] = [":".join(parts[:2])]  # a Windows drive
    if len(parts) == 1:
        return ServiceVolume(type="volume", target=text)
    source, target, options = parts[0], parts[1], [option for part in parts[2:] for option in part.split(",")]
    if source[:1] in {".", "/", "~", "\\"} or re.match(r"[A-Za-z]:", source):
        return _bind(source, target, options)
    return ServiceVolume(
        type="volume",
        source=source,
        target=target,
        read_only=True if "ro" in options else None,
        volume=VolumeOptions(nocopy=True) if "nocopy" in options else None,
    )


def _bind(source: str, target: str, options: list[str]) -> ServiceVolume:
    return ServiceVolume(
        type="bind",
        source=source,
        target=target,
        read_only=True if "ro" in options else None,
        consistency=next((option for option in options if option in _CONSISTENCIES), None),
        bind=BindOptions(
            create_host_path=True,
            propagation=next((option for option in options if option in _PROPAGATIONS), None),
            selinux="Z" if "Z" in options else "z" if "z" in options else None,
        ),
    )


def config_references(written: Sequence[str | ServiceConfig] | None) -> list[ServiceConfig]:
    """One `ServiceConfig` for each config that is used."""
    return [item if isinstance(item, ServiceConfig) else ServiceConfig(source=item) for item in written or ()]


def secret_references(written: Sequence[str | ServiceSecret] | None) -> list[ServiceSecret]:
    """One `ServiceSecret` for each secret that is used."""
    return [item if isinstance(item, ServiceSecret) else ServiceSecret(source=item) for item in written or ()]


def network_map(
    written: Sequence[str] | Mapping[str, ServiceNetwork | None] | None,
) -> dict[str, ServiceNetwork]:
    """Name of each network that is joined, and how."""
    if isinstance(written, dict):
        joined: dict[str, ServiceNetwork | None] = written
        return {name: how or ServiceNetwork() for name, how in joined.items()}
    return {name: ServiceNetwork() for name in written or ()}


def env_files(written: str | Sequence[str | EnvFile] | None) -> list[EnvFile]:
    """One `EnvFile` for each file of variables."""
    files = [written] if isinstance(written, str) else written or ()
    return [file if isinstance(file, EnvFile) else EnvFile(path=file, required=True) for file in files]


def device_mappings(written: Sequence[str | Device] | None) -> list[Device]:
    """One `Device` for each device."""
    return [item if isinstance(item, Device) else _device(item) for item in written or ()]


def _device(text: str) -> Device:
    source, *rest = split_outside_variables(text, ":")
    return Device(source=source, target=rest[0] if rest else source, permissions=rest[1] if rest[1:] else "rwm")


def ulimit_map(written: Mapping[str, Integer | Ulimit] | None) -> dict[str, Ulimit]:
    """Name of each limit, and both its values."""
    limits = (written or {}).items()
    return {name: limit if isinstance(limit, Ulimit) else Ulimit(soft=limit, hard=limit) for name, limit in limits}


def extra_host_map(written: ExtraHosts | None) -> dict[str, list[str]]:
    """Host name to its addresses."""
    if isinstance(written, dict):
        hosts: dict[str, str | Sequence[str]] = written
        return {host: [value] if isinstance(value, str) else [*value] for host, value in hosts.items()}
    found: dict[str, list[str]] = {}
    for item in written or ():
        host, _, address = item.partition("=" if "=" in item else ":")
        found.setdefault(host, []).append(address.removeprefix("[").removesuffix("]"))
    return found
