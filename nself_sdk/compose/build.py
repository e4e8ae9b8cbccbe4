"""How an image is built: the ``build`` attribute."""

from nself_sdk.compose.element import Element
from nself_sdk.compose.mounts import ServiceSecret
from nself_sdk.compose.resources import Ulimit
from nself_sdk.compose.values import (
    ByteSize,
    Flag,
    Integer,
    ListOrMap,
    Mapping,
    Maybe,
    Sequence,
    StringOrList,
    Strings,
)

ExtraHosts = Mapping[str, str | Sequence[str]] | Sequence[str]
"""``{host: address}``, ``{host: [addresses]}`` or ``["host=address"]``, as it was written."""


class Build(Element):
    """How the image of a service is built (Compose Build Specification, "Attributes")."""

    additional_contexts: Maybe[ListOrMap] = None
    """Named contexts beside the main one: a path, a Git URL, an image or a service."""
    args: Maybe[ListOrMap] = None
    """Values for the ``ARG`` of the Dockerfile; null takes the value from the environment."""
    cache_from: Maybe[Strings] = None
    """Where the builder looks for cached layers."""
    cache_to: Maybe[Strings] = None
    """Where the builder keeps its cache."""
    context: Maybe[str] = None
    """Directory with the Dockerfile, or the URL of a Git repository."""
    dockerfile: Maybe[str] = None
    """Another Dockerfile than ``Dockerfile``, relative to the context."""
    dockerfile_inline: Maybe[str] = None
    """The text of the Dockerfile itself."""
    entitlements: Maybe[Strings] = None
    """Extra privileges of the build, such as ``network.host``."""
    extra_hosts: Maybe[ExtraHosts] = None
    """Host names to add while building."""
    isolation: Maybe[str] = None
    """The isolation technology of the build container; depends on the platform."""
    labels: Maybe[ListOrMap] = None
    """Labels of the built image."""
    network: Maybe[str] = None
    """The network of ``RUN`` instructions."""
    no_cache: Maybe[Flag] = None
    """Build every layer anew."""
    no_cache_filter: Maybe[StringOrList] = None
    """Stages that are built anew."""
    platforms: Maybe[Strings] = None
    """Target platforms, such as ``linux/arm64``."""
    privileged: Maybe[Flag] = None
    """Build with elevated privileges."""
    provenance: Maybe[bool | str] = None
    """Add a provenance attestation."""
    pull: Maybe[Flag] = None
    """Pull base images even if they are there."""
    sbom: Maybe[bool | str] = None
    """Add a software bill of materials."""
    secrets: Maybe[Sequence[str | ServiceSecret]] = None
    """Secrets that the build may read."""
    shm_size: Maybe[ByteSize] = None
    """Size of ``/dev/shm`` while building."""
    ssh: Maybe[ListOrMap] = None
    """SSH agents and keys for the build: ``default``, or ``id=path``."""
    tags: Maybe[Strings] = None
    """More names for the built image."""
    target: Maybe[str] = None
    """The stage to build."""
    ulimits: Maybe[Mapping[str, Integer | Ulimit]] = None
    """Limits of the build container."""
