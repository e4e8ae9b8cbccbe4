"""The Compose Specification as typed, immutable models: load any file, change it, write it back.

::

    file = ComposeFile.load("docker-compose.yml")
    file.services["web"].port_mappings[0].published
    print((file + ComposeFile(services={"cache": Service(image="redis:7")})).to_yaml())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nself_sdk.compose.build import Build
from nself_sdk.compose.container import Container, ServiceModel
from nself_sdk.compose.deploy import (
    Deploy,
    DiscreteResource,
    GenericResource,
    Limits,
    Placement,
    Preference,
    Reservations,
    Resources,
    RestartPolicy,
    RollbackConfig,
    UpdateConfig,
)
from nself_sdk.compose.element import Element
from nself_sdk.compose.file import ComposeFile, Include
from nself_sdk.compose.health import Healthcheck
from nself_sdk.compose.mounts import (
    BindOptions,
    Device,
    EnvFile,
    ImageOptions,
    ServiceConfig,
    ServiceSecret,
    ServiceVolume,
    TmpfsOptions,
    VolumeOptions,
)
from nself_sdk.compose.networks import External, Ipam, IpamConfig, Network, ServiceNetwork
from nself_sdk.compose.ports import Port
from nself_sdk.compose.resources import (
    BlkioConfig,
    BlkioLimit,
    BlkioWeight,
    CredentialSpec,
    DeviceReservation,
    Gpu,
    Logging,
    Ulimit,
)
from nself_sdk.compose.service import (
    DependsOn,
    Develop,
    Extends,
    Hook,
    InitContainer,
    Job,
    Provider,
    Schedule,
    Service,
    Triggers,
    Watch,
    Workload,
)
from nself_sdk.compose.storage import Config, Model, Secret, Volume
from nself_sdk.compose.units import byte_size, duration
from nself_sdk.compose.values import Interpolated

if TYPE_CHECKING:
    from nself_sdk.compose.envfile import load_env, loads_env
    from nself_sdk.compose.interpolation import interpolate
    from nself_sdk.compose.python_source import names_in, to_python
    from nself_sdk.compose.resolution import config_arguments, resolved

# What only reading and converting files needs: looked up on first use, so that declaring a project stays quick.
_PLACES = {
    "config_arguments": "resolution",
    "interpolate": "interpolation",
    "load_env": "envfile",
    "loads_env": "envfile",
    "names_in": "python_source",
    "resolved": "resolution",
    "to_python": "python_source",
}

__all__ = [
    "BindOptions",
    "BlkioConfig",
    "BlkioLimit",
    "BlkioWeight",
    "Build",
    "ComposeFile",
    "Config",
    "Container",
    "CredentialSpec",
    "DependsOn",
    "Deploy",
    "Develop",
    "Device",
    "DeviceReservation",
    "DiscreteResource",
    "Element",
    "EnvFile",
    "Extends",
    "External",
    "GenericResource",
    "Gpu",
    "Healthcheck",
    "Hook",
    "ImageOptions",
    "Include",
    "InitContainer",
    "Interpolated",
    "Ipam",
    "IpamConfig",
    "Job",
    "Limits",
    "Logging",
    "Model",
    "Network",
    "Placement",
    "Port",
    "Preference",
    "Provider",
    "Reservations",
    "Resources",
    "RestartPolicy",
    "RollbackConfig",
    "Schedule",
    "Secret",
    "Service",
    "ServiceConfig",
    "ServiceModel",
    "ServiceNetwork",
    "ServiceSecret",
    "ServiceVolume",
    "TmpfsOptions",
    "Triggers",
    "Ulimit",
    "UpdateConfig",
    "Volume",
    "VolumeOptions",
    "Watch",
    "Workload",
    "byte_size",
    "config_arguments",
    "duration",
    "interpolate",
    "load_env",
    "loads_env",
    "names_in",
    "resolved",
    "to_python",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
