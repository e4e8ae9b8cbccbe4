"""What a Compose file needs of a host: disk, networks, ports; and what a host has left of them. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network

from nself_sdk.compose import ComposeFile, Network
from nself_sdk.compose.networks import Ipam

#: Files that an image of an interpreted language easily has.
INODES = 10_000
_MB = 2**20
_MARGIN = 512 * _MB
_COMFORT = 2048 * _MB
_UNKNOWN = 400 * _MB

#: Where an engine that was not told otherwise takes addresses from
#: (https://github.com/moby/moby, daemon/libnetwork/ipamutils/utils.go, localScopeDefaultNetworks).
DEFAULT_POOLS = (
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)


@dataclass(frozen=True)
class Need:
    """Bytes: with less than `least` a deploy cannot end well, with less than `wanted` it may not."""

    least: int
    wanted: int


def disk(carried: int, unknown: int, *, holds_some: bool) -> Need:
    """What images need on the host: of `carried` the bytes are known, `unknown` counts those of unknown size.

    A stream of images is unpacked beside its own copy, so what is carried counts twice. Of a host that holds some of
    the file's images nobody knows how many layers it lacks: then that is only wanted. Databases, logs and the
    containers' own files need a margin at any time.
    """
    least = _MARGIN + (0 if holds_some else 2 * carried)
    return Need(least, 2 * carried + unknown * _UNKNOWN + _COMFORT)


def networks(file: ComposeFile) -> set[str]:
    """The names of the networks that Compose takes addresses for: not those with a subnet of their own."""
    joined = {key for service in file.services.values() for key in service.network_map}
    alone = any(not service.network_map and not service.network_mode for service in file.services.values())
    keys = {*joined, *(["default"] if alone else [])}
    wanted = {key: file.networks.get(key) or Network() for key in keys}
    return {network.name or f"{file.name}_{key}" for key, network in wanted.items() if _takes_addresses(network)}


def _takes_addresses(network: Network) -> bool:
    ipam = network.ipam or Ipam()
    return not network.external and not any(block.subnet for block in ipam.config or ())


def free_networks(pools: Iterable[tuple[str, int]], used: Iterable[str]) -> int:
    """How many networks an engine can still give addresses to, beside those blocks that are used."""
    blocks = [block for block in map(ip_network, used) if isinstance(block, IPv4Network)]
    chosen = [(block, size) for text, size in pools if isinstance(block := ip_network(text), IPv4Network)]
    return sum(_free(base, size, blocks) for base, size in chosen or _defaults())


def _defaults() -> list[tuple[IPv4Network, int]]:
    return [(IPv4Network(text), size) for text, size in DEFAULT_POOLS]


def _free(base: IPv4Network, size: int, used: Iterable[IPv4Network]) -> int:
    """By numbers, not one by one: a pool may hold tens of thousands."""
    step = 32 - size
    start = int(base.network_address) >> step
    count = 1 << (size - base.prefixlen)
    taken: set[int] = set()
    for block in used:
        if block.overlaps(base):
            first = max(int(block.network_address) >> step, start)
            last = min(int(block.broadcast_address) >> step, start + count - 1)
            taken.update(range(first, last + 1))
    return count - len(taken)


def ports(file: ComposeFile) -> tuple[tuple[str, int], ...]:
    """Address and number of each TCP port that the file publishes under a number of its own."""
    mappings = [port for service in file.services.values() for port in service.port_mappings]
    tcp = [port for port in mappings if (port.protocol or "tcp") == "tcp" and str(port.published or "").isdigit()]
    return tuple(sorted({(port.host_ip or "", int(str(port.published))) for port in tcp}))


def publisher(file: ComposeFile, port: int) -> str:
    """The service that publishes that port."""
    mappings = (
        (name, str(each.published)) for name, service in file.services.items() for each in service.port_mappings
    )
    return next((name for name, published in mappings if published == str(port)), "")


def overlap(one: str, other: str) -> bool:
    """Whether two programs cannot listen at these addresses under the same port."""
    return one == other or not {"", "0.0.0.0", "::"}.isdisjoint({one, other})  # noqa: S104 - compared, not bound
