"""What is mounted into a container: volumes, configs, secrets, devices and files of variables."""

from typing import ClassVar, Literal

from nself_sdk.compose.element import Element
from nself_sdk.compose.values import ByteSize, Flag, ListOrMap, Maybe, Variable, WholeNumber

MountType = Literal["bind", "volume", "tmpfs", "cluster", "npipe", "image"]
EnvFormat = Literal["raw"]
Propagation = Literal["shared", "slave", "private", "rshared", "rslave", "rprivate"]


class BindOptions(Element):
    """Options of a mount of ``type: bind`` (Services, "volumes", long syntax)."""

    propagation: Maybe[Propagation | str] = None
    """How mounts made later travel between host and container."""
    create_host_path: Maybe[Flag] = None
    """Create the source as a directory where it does not exist."""
    selinux: Maybe[Literal["z", "Z"] | Variable] = None
    """Relabel the source: ``z`` for shared content, ``Z`` for private content."""
    recursive: Maybe[Literal["enabled", "disabled", "writable", "readonly"] | Variable] = None
    """Whether mounts below the source come along."""


class VolumeOptions(Element):
    """Options of a mount of ``type: volume`` (Services, "volumes", long syntax)."""

    nocopy: Maybe[Flag] = None
    """Do not fill a new volume from the image."""
    subpath: Maybe[str] = None
    """A path inside the volume to mount instead of its root."""
    labels: Maybe[ListOrMap] = None
    """Labels of the volume."""


class TmpfsOptions(Element):
    """Options of a mount of ``type: tmpfs`` (Services, "volumes", long syntax)."""

    octal: ClassVar[frozenset[str]] = frozenset({"mode"})

    size: Maybe[ByteSize] = None
    """Largest size, in bytes or with a unit."""
    mode: Maybe[WholeNumber] = None
    """File permissions as an octal number: ``0o1777``."""


class ImageOptions(Element):
    """Options of a mount of ``type: image`` (Services, "volumes", long syntax)."""

    subpath: Maybe[str] = None
    """A path inside the image to mount instead of its root."""


class ServiceVolume(Element):
    """One mount of a service in long syntax (Services, "volumes")."""

    type: MountType | Variable
    """What kind of thing is mounted."""
    source: Maybe[str] = None
    """A path of the host, the name of a volume, or an image."""
    target: Maybe[str] = None
    """The path in the container."""
    read_only: Maybe[Flag] = None
    """Mount it so that the container cannot write to it."""
    consistency: Maybe[str] = None
    """How exactly both sides must agree; depends on the platform."""
    bind: Maybe[BindOptions] = None
    """Options of a bind mount."""
    volume: Maybe[VolumeOptions] = None
    """Options of a volume mount."""
    tmpfs: Maybe[TmpfsOptions] = None
    """Options of a temporary file system."""
    image: Maybe[ImageOptions] = None
    """Options of an image mount."""


class _FileReference(Element):
    """A config or secret as one container sees it."""

    octal: ClassVar[frozenset[str]] = frozenset({"mode"})

    source: Maybe[str] = None
    """Its name in the top-level section."""
    target: Maybe[str] = None
    """Where the file appears in the container."""
    uid: Maybe[str] = None
    """Numeric owner of the file, as text."""
    gid: Maybe[str] = None
    """Numeric group of the file, as text."""
    mode: Maybe[WholeNumber] = None
    """File permissions as an octal number: ``0o440``."""


class ServiceConfig(_FileReference):
    """A config that a service reads, in long syntax (Services, "configs")."""


class ServiceSecret(_FileReference):
    """A secret that a service or a build reads, in long syntax (Services, "secrets")."""


class Device(Element):
    """A device of the host that the container sees, in long syntax (Services, "devices")."""

    source: str
    """Path on the host."""
    target: Maybe[str] = None
    """Path in the container."""
    permissions: Maybe[str] = None
    """Any of ``r``, ``w`` and ``m``."""


class EnvFile(Element):
    """A file of variables, in long syntax (Services, "env_file")."""

    path: str
    """Where the file is, relative to the Compose file."""
    required: Maybe[Flag] = None
    """Whether its absence is an error."""
    format: Maybe[EnvFormat | str] = None
    """``raw`` takes values as they stand, without quotes and interpolation."""
