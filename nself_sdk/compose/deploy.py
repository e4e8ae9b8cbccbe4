"""How a service is deployed and scaled: the ``deploy`` attribute (Compose Deploy Specification)."""

from typing import Literal

from nself_sdk.compose.element import Element
from nself_sdk.compose.resources import DeviceReservation
from nself_sdk.compose.values import ByteText, Duration, Integer, ListOrMap, Maybe, Number, Sequence, Strings, Variable

DeployMode = Literal["replicated", "global", "replicated-job", "global-job"]
EndpointMode = Literal["vip", "dnsrr"]
RestartCondition = Literal["none", "on-failure", "any"]
UpdateFailureAction = Literal["continue", "rollback", "pause"]
RollbackFailureAction = Literal["continue", "pause"]
UpdateOrder = Literal["stop-first", "start-first"]


class Limits(Element):
    """What a container may use at most (Deploy, "resources", "limits")."""

    cpus: Maybe[Number] = None
    """Number of CPU cores, fractions allowed."""
    memory: Maybe[ByteText] = None
    """Memory with a unit, such as ``512m``."""
    pids: Maybe[Integer] = None
    """Number of processes."""


class DiscreteResource(Element):
    """A countable resource (Deploy, "resources", "generic_resources")."""

    kind: Maybe[str] = None
    """What it is called on the node, such as ``gpu``."""
    value: Maybe[Number] = None
    """How many are needed."""


class GenericResource(Element):
    """A resource that the user defined on the nodes (Deploy, "resources", "generic_resources")."""

    discrete_resource_spec: Maybe[DiscreteResource] = None
    """What, and how many."""


class Reservations(Element):
    """What the platform must guarantee (Deploy, "resources", "reservations")."""

    cpus: Maybe[Number] = None
    """Number of CPU cores, fractions allowed."""
    memory: Maybe[ByteText] = None
    """Memory with a unit, such as ``512m``."""
    generic_resources: Maybe[Sequence[GenericResource]] = None
    """Resources that the user defined."""
    devices: Maybe[Sequence[DeviceReservation]] = None
    """Devices of the host."""


class Resources(Element):
    """Physical constraints (Deploy, "resources")."""

    limits: Maybe[Limits] = None
    """What a container may use at most."""
    reservations: Maybe[Reservations] = None
    """What the platform must guarantee."""


class RestartPolicy(Element):
    """Whether and how containers are restarted when they exit (Deploy, "restart_policy")."""

    condition: Maybe[RestartCondition | str] = None
    """When to restart."""
    delay: Maybe[Duration] = None
    """How long to wait between attempts."""
    max_attempts: Maybe[Integer] = None
    """After how many failures to give up."""
    window: Maybe[Duration] = None
    """How long a container must run for its restart to have succeeded."""


class UpdateConfig(Element):
    """How a service is updated (Deploy, "update_config")."""

    parallelism: Maybe[Integer] = None
    """How many containers at a time; 0 means all."""
    delay: Maybe[Duration] = None
    """How long to wait between two groups."""
    failure_action: Maybe[UpdateFailureAction | str] = None
    """What to do when it fails."""
    monitor: Maybe[Duration] = None
    """How long each task is watched for a failure."""
    max_failure_ratio: Maybe[Number] = None
    """Which part may fail, between 0 and 1."""
    order: Maybe[UpdateOrder | Variable] = None
    """Whether the old task stops first, or the new one starts first."""


class RollbackConfig(Element):
    """How a failed update is taken back (Deploy, "rollback_config")."""

    parallelism: Maybe[Integer] = None
    """How many containers at a time; 0 means all."""
    delay: Maybe[Duration] = None
    """How long to wait between two groups."""
    failure_action: Maybe[RollbackFailureAction | str] = None
    """What to do when it fails."""
    monitor: Maybe[Duration] = None
    """How long each task is watched for a failure."""
    max_failure_ratio: Maybe[Number] = None
    """Which part may fail, between 0 and 1."""
    order: Maybe[UpdateOrder | Variable] = None
    """Whether the old task stops first, or the new one starts first."""


class Preference(Element):
    """A wish about where tasks run (Deploy, "placement", "preferences")."""

    spread: Maybe[str] = None
    """Spread evenly over the values of this node label."""


class Placement(Element):
    """On which nodes tasks run (Deploy, "placement")."""

    constraints: Maybe[Strings] = None
    """What a node must fulfil, such as ``node.role==manager``."""
    preferences: Maybe[Sequence[Preference]] = None
    """What a node should fulfil."""
    max_replicas_per_node: Maybe[Integer] = None
    """How many tasks one node may run."""


class Deploy(Element):
    """How a service is deployed (Compose Deploy Specification, "Attributes")."""

    endpoint_mode: Maybe[EndpointMode | str] = None
    """How clients find the tasks: one virtual address, or round robin in DNS."""
    labels: Maybe[ListOrMap] = None
    """Labels of the service, not of its containers."""
    mode: Maybe[DeployMode | str] = None
    """A number of tasks, or one on each node."""
    placement: Maybe[Placement] = None
    """On which nodes."""
    replicas: Maybe[Integer] = None
    """How many containers run."""
    resources: Maybe[Resources] = None
    """Limits and reservations."""
    restart_policy: Maybe[RestartPolicy] = None
    """When containers are restarted."""
    rollback_config: Maybe[RollbackConfig] = None
    """How a failed update is taken back."""
    update_config: Maybe[UpdateConfig] = None
    """How an update proceeds."""
