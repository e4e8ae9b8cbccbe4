"""What every container can be told, whether it serves, does a job, or prepares one that does."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from nself_sdk.compose import views
from nself_sdk.compose.build import ExtraHosts
from nself_sdk.compose.element import Element
from nself_sdk.compose.mounts import Device, EnvFile, ServiceConfig, ServiceSecret, ServiceVolume
from nself_sdk.compose.networks import ServiceNetwork
from nself_sdk.compose.resources import BlkioConfig, CredentialSpec, Gpu, Logging, Ulimit
from nself_sdk.compose.units import check_pull_policy, check_unique
from nself_sdk.compose.values import (
    ByteSize,
    Command,
    Duration,
    FilledText,
    Flag,
    Integer,
    Key,
    ListOrMap,
    Mapping,
    Maybe,
    Number,
    Scalar,
    Sequence,
    StringOrList,
    Strings,
    TextOrNumber,
    Variable,
    WholeNumber,
)

IpcMode = Literal["shareable", "host", "private"]
NetworkMode = Literal["none", "host", "bridge"]
PullPolicy = Literal["always", "never", "missing", "if_not_present", "build", "daily", "weekly"]


class ServiceModel(Element):
    """How a service learns about a model (Services, "models")."""

    endpoint_var: Maybe[str] = None
    """The environment variable that gets the address."""
    model_var: Maybe[str] = None
    """The environment variable that gets the name."""


class Container(Element):
    """The attributes that services, jobs and init containers share (Services, "Attributes")."""

    octal: ClassVar[frozenset[str]] = frozenset({"umask"})

    annotations: Maybe[ListOrMap] = None
    """Annotations of the container."""
    blkio_config: Maybe[BlkioConfig] = None
    """Limits on block IO."""
    cap_add: Maybe[Strings] = None
    """Linux capabilities to add."""
    cap_drop: Maybe[Strings] = None
    """Linux capabilities to take away."""
    cgroup: Maybe[Literal["host", "private"] | Variable] = None
    """Which cgroup namespace to join."""
    cgroup_parent: Maybe[str] = None
    """The parent cgroup."""
    command: Command = None
    """What runs, instead of the image's ``CMD``."""
    configs: Maybe[Sequence[str | ServiceConfig]] = None
    """Configs that the container reads as files."""
    cpu_count: Maybe[Integer] = None
    """Number of usable CPUs."""
    cpu_percent: Maybe[Number] = None
    """Usable part of the CPUs, in percent."""
    cpu_period: Maybe[WholeNumber] = None
    """Period of the CFS scheduler, in microseconds."""
    cpu_quota: Maybe[WholeNumber] = None
    """Quota of the CFS scheduler, in microseconds."""
    cpu_rt_period: Maybe[Number | Duration] = None
    """Period of the real-time scheduler, in microseconds or as a duration."""
    cpu_rt_runtime: Maybe[Number | Duration] = None
    """Runtime of the real-time scheduler, in microseconds or as a duration."""
    cpu_shares: Maybe[WholeNumber] = None
    """Weight relative to other containers."""
    cpus: Maybe[Number] = None
    """Number of CPU cores, fractions allowed."""
    cpuset: Maybe[str] = None
    """Which CPUs: ``0-3`` or ``0,1``."""
    credential_spec: Maybe[CredentialSpec] = None
    """Credentials of a managed Windows service account."""
    device_cgroup_rules: Maybe[Strings] = None
    """Rules for the device cgroup."""
    devices: Maybe[Sequence[str | Device]] = None
    """Devices of the host that the container sees."""
    dns: Maybe[StringOrList] = None
    """DNS servers."""
    dns_opt: Maybe[Strings] = None
    """Options of the resolver."""
    dns_search: Maybe[StringOrList] = None
    """DNS search domains."""
    domainname: Maybe[str] = None
    """The domain name of the container."""
    entrypoint: Command = None
    """What starts, instead of the image's ``ENTRYPOINT``."""
    env_file: Maybe[str | Sequence[str | EnvFile]] = None
    """Files of environment variables."""
    environment: Maybe[ListOrMap] = None
    """Environment variables; null takes the value from where Compose runs."""
    extra_hosts: Maybe[ExtraHosts] = None
    """Host names to add to ``/etc/hosts``."""
    gpus: Maybe[Literal["all"] | Variable | Sequence[Gpu]] = None
    """GPUs that the container may use."""
    group_add: Maybe[Annotated[Sequence[TextOrNumber], AfterValidator(check_unique)]] = None
    """More groups for the user in the container."""
    hostname: Maybe[str] = None
    """The host name of the container."""
    image: Maybe[str] = None
    """The image, with tag or digest."""
    init: Maybe[Flag] = None
    """Run an init process that reaps children and passes on signals."""
    ipc: Maybe[IpcMode | str] = None
    """The IPC namespace; also ``service:NAME``."""
    isolation: Maybe[str] = None
    """The isolation technology; depends on the platform."""
    label_file: Maybe[StringOrList] = None
    """Files of labels."""
    labels: Maybe[ListOrMap] = None
    """Labels of the container."""
    logging: Maybe[Logging] = None
    """Where its output goes."""
    mac_address: Maybe[str] = None
    """The MAC address of the container."""
    mem_limit: Maybe[ByteSize] = None
    """Memory at most."""
    mem_reservation: Maybe[ByteSize] = None
    """Memory that is kept for it."""
    mem_swappiness: Maybe[ByteSize] = None
    """How readily the kernel swaps its memory out, 0 to 100."""
    memswap_limit: Maybe[ByteSize] = None
    """Memory and swap together at most; -1 for no limit."""
    models: Maybe[Strings | Mapping[Key, ServiceModel | None]] = None
    """Language models that it uses."""
    network_mode: Maybe[NetworkMode | str] = None
    """The network namespace; also ``service:NAME`` and ``container:NAME``."""
    networks: Maybe[Strings | Mapping[Key, ServiceNetwork | None]] = None
    """Networks that it joins."""
    oom_kill_disable: Maybe[Flag] = None
    """Do not kill it when memory runs out."""
    oom_score_adj: Maybe[Integer] = None
    """Which processes are killed first when memory runs out: -1000 to 1000."""
    pid: str | None = None
    """The PID namespace: ``host``, or ``service:NAME``."""
    pids_limit: Maybe[WholeNumber] = None
    """Number of processes at most; -1 for no limit."""
    platform: Maybe[str] = None
    """Operating system and architecture: ``linux/arm64``."""
    privileged: Maybe[Flag] = None
    """Run with the rights of the host."""
    pull_policy: Maybe[PullPolicy | Annotated[str, AfterValidator(check_pull_policy)]] = None
    """When the image is pulled; also ``every_12h`` and the like."""
    pull_refresh_after: Maybe[Duration] = None
    """When a pulled image is old, with ``pull_policy: refresh``."""
    read_only: Maybe[Flag] = None
    """Make the root file system read-only."""
    runtime: Maybe[str] = None
    """Which OCI runtime runs it."""
    secrets: Maybe[Sequence[str | ServiceSecret]] = None
    """Secrets that the container reads as files."""
    security_opt: Maybe[Strings] = None
    """Security options, such as ``no-new-privileges:true``."""
    shm_size: Maybe[ByteSize] = None
    """Size of ``/dev/shm``."""
    stop_grace_period: Maybe[Duration] = None
    """How long after the stop signal the container is killed; Docker's default is 10s."""
    stop_signal: Maybe[str] = None
    """Which signal asks it to stop; Docker's default is SIGTERM."""
    storage_opt: Maybe[Mapping[str, Scalar]] = None
    """Options of the storage driver."""
    sysctls: Maybe[ListOrMap] = None
    """Kernel parameters in the container."""
    tmpfs: Maybe[StringOrList] = None
    """Where temporary file systems are mounted."""
    ulimits: Maybe[Mapping[str, Integer | Ulimit]] = None
    """Limits of the processes."""
    umask: WholeNumber | None = None
    """The first umask of the container's process, as an octal number: ``0o027``."""
    use_api_socket: Maybe[bool] = None
    """Give the container the socket of the engine and its credentials."""
    user: Maybe[str] = None
    """As which user it runs."""
    userns_mode: Maybe[str] = None
    """The user namespace."""
    uts: Maybe[str] = None
    """The UTS namespace."""
    volumes: Maybe[Sequence[FilledText | ServiceVolume]] = None
    """What is mounted."""
    volumes_from: Maybe[Strings] = None
    """Services and containers whose mounts are taken over."""
    working_dir: Maybe[str] = None
    """The directory in which it starts."""

    @property
    def environment_map(self) -> dict[str, str | None]:
        """Its environment: variable to value; ``None`` takes the value from where Compose runs."""
        return views.value_map(self.environment)

    @property
    def label_map(self) -> dict[str, str]:
        """Its labels."""
        return views.label_map(self.labels)

    @property
    def env_files(self) -> list[EnvFile]:
        """Its files of variables, each in long syntax."""
        return views.env_files(self.env_file)

    @property
    def extra_host_map(self) -> dict[str, list[str]]:
        """Host name to its addresses, for all that is added to ``/etc/hosts``."""
        return views.extra_host_map(self.extra_hosts)

    @property
    def device_mappings(self) -> list[Device]:
        """The devices that it sees, each in long syntax."""
        return views.device_mappings(self.devices)

    @property
    def ulimit_map(self) -> dict[str, Ulimit]:
        """Name of each of its limits, and both values."""
        return views.ulimit_map(self.ulimits)

    @property
    def volume_mounts(self) -> list[ServiceVolume]:
        """What it mounts, each in long syntax."""
        return views.volume_mounts(self.volumes)

    @property
    def config_references(self) -> list[ServiceConfig]:
        """The configs it reads, each in long syntax."""
        return views.config_references(self.configs)

    @property
    def secret_references(self) -> list[ServiceSecret]:
        """The secrets it reads, each in long syntax."""
        return views.secret_references(self.secrets)

    @property
    def network_map(self) -> dict[str, ServiceNetwork]:
        """Name of each network that it is said to join, and how."""
        return views.network_map(self.networks)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Order attributes by name across the parent classes, as the specification lists them."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.key_order = tuple(sorted(cls.model_fields))
