"""What a container may use up: ulimits, block IO, GPUs, logging."""

from typing import Literal

from nself_sdk.compose.element import Element
from nself_sdk.compose.values import ByteSize, Integer, ListOrMap, Mapping, Maybe, Scalar, Sequence, Strings


class Ulimit(Element):
    """A soft and a hard limit (Services, "ulimits")."""

    soft: Integer
    """The limit that holds."""
    hard: Integer
    """How far the process may raise it."""


class BlkioLimit(Element):
    """A rate limit for one device (Services, "blkio_config")."""

    path: Maybe[str] = None
    """The device, such as ``/dev/sda``."""
    rate: Maybe[ByteSize] = None
    """Bytes per second, with or without unit, or operations per second."""


class BlkioWeight(Element):
    """A share of one device's bandwidth (Services, "blkio_config", "weight_device")."""

    path: Maybe[str] = None
    """The device, such as ``/dev/sda``."""
    weight: Maybe[Integer] = None
    """Share between 10 and 1000."""


class BlkioConfig(Element):
    """Limits on block IO (Services, "blkio_config")."""

    device_read_bps: Maybe[Sequence[BlkioLimit]] = None
    """Bytes per second that are read from a device."""
    device_read_iops: Maybe[Sequence[BlkioLimit]] = None
    """Read operations per second on a device."""
    device_write_bps: Maybe[Sequence[BlkioLimit]] = None
    """Bytes per second that are written to a device."""
    device_write_iops: Maybe[Sequence[BlkioLimit]] = None
    """Write operations per second on a device."""
    weight: Maybe[Integer] = None
    """Share of the bandwidth, between 10 and 1000; the default of the engine is 500."""
    weight_device: Maybe[Sequence[BlkioWeight]] = None
    """Share of the bandwidth per device."""


class Gpu(Element):
    """A request for GPUs (Services, "gpus")."""

    capabilities: Maybe[Strings] = None
    """What the device must be able to do, such as ``compute``."""
    count: Maybe[Integer | Literal["all"]] = None
    """How many, or ``all``."""
    device_ids: Maybe[Strings] = None
    """Which ones."""
    driver: Maybe[str] = None
    """Whose driver, such as ``nvidia``."""
    options: Maybe[ListOrMap] = None
    """Options for the driver."""


class DeviceReservation(Element):
    """A device that must be there (Deploy, "devices")."""

    capabilities: Strings
    """What the device must be able to do, such as ``gpu``."""
    count: Maybe[Integer | Literal["all"]] = None
    """How many, or ``all``."""
    device_ids: Maybe[Strings] = None
    """Which ones."""
    driver: Maybe[str] = None
    """Whose driver, such as ``nvidia``."""
    options: Maybe[ListOrMap] = None
    """Options for the driver."""


class Logging(Element):
    """Where the output of a container goes (Services, "logging")."""

    driver: Maybe[str] = None
    """Such as ``json-file``, ``local``, ``syslog`` or ``none``."""
    options: Maybe[Mapping[str, Scalar]] = None
    """Options of the driver, such as ``max-size``."""


class CredentialSpec(Element):
    """Credentials of a managed Windows service account (Services, "credential_spec")."""

    config: Maybe[str] = None
    """Name of a config that holds it."""
    file: Maybe[str] = None
    """Name of a file below Docker's credential directory."""
    registry: Maybe[str] = None
    """Name of a value in the Windows registry."""
