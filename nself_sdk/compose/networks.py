"""Networks: the top-level section, and how one service joins one."""

from nself_sdk.compose.element import Element
from nself_sdk.compose.values import Flag, ListOrMap, Mapping, Maybe, Options, Sequence, Strings


class External(Element):
    """The old way to name something that exists already, beside ``external`` itself (Networks, "external")."""

    name: Maybe[str] = None
    """Its name; today it is written beside ``external: true``."""


class IpamConfig(Element):
    """One block of addresses (Networks, "ipam", "config")."""

    subnet: Maybe[str] = None
    """The network in CIDR notation."""
    ip_range: Maybe[str] = None
    """The part of it that containers get their addresses from."""
    gateway: Maybe[str] = None
    """The address of the gateway."""
    aux_addresses: Maybe[Mapping[str, str]] = None
    """Addresses that other hosts have taken."""


class Ipam(Element):
    """How addresses are managed (Networks, "ipam")."""

    driver: Maybe[str] = None
    """Another driver than the default."""
    config: Maybe[Sequence[IpamConfig]] = None
    """Blocks of addresses."""
    options: Maybe[Mapping[str, str]] = None
    """Options for the driver."""


class Network(Element):
    """A network that services can join (Networks top-level element)."""

    name: Maybe[str] = None
    """Its name in Docker; the key with the project's name before it if absent."""
    attachable: Maybe[Flag] = None
    """Whether standalone containers may join."""
    driver: Maybe[str] = None
    """Such as ``bridge`` or ``overlay``."""
    driver_opts: Maybe[Options] = None
    """Options for the driver."""
    enable_ipv4: Maybe[Flag] = None
    """Whether it has IPv4 addresses."""
    enable_ipv6: Maybe[Flag] = None
    """Whether it has IPv6 addresses."""
    external: Maybe[Flag | External] = None
    """It exists already, and Compose neither creates nor removes it."""
    internal: Maybe[Flag] = None
    """It has no way out."""
    ipam: Maybe[Ipam] = None
    """Its addresses."""
    labels: Maybe[ListOrMap] = None
    """Its labels."""


class ServiceNetwork(Element):
    """How a service joins a network (Services, "networks")."""

    aliases: Maybe[Strings] = None
    """Other host names of the service there."""
    interface_name: Maybe[str] = None
    """Name of the interface in the container."""
    ipv4_address: Maybe[str] = None
    """A fixed IPv4 address."""
    ipv6_address: Maybe[str] = None
    """A fixed IPv6 address."""
    link_local_ips: Maybe[Strings] = None
    """Link-local addresses."""
    mac_address: Maybe[str] = None
    """The MAC address there."""
    driver_opts: Maybe[Options] = None
    """Options for the network's driver."""
    gw_priority: Maybe[int | float] = None
    """The network with the highest one is the default gateway."""
    priority: Maybe[int | float] = None
    """Networks with a higher one are joined first."""
    use_service_name_alias: Maybe[Flag] = None
    """Whether the service's own name is an alias there."""
