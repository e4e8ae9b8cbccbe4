"""deploy: a project in an environment on a host. Only here are the doors to Docker and to the disk both open."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nself_sdk.deploy.deployment import Deployment
    from nself_sdk.deploy.probe import Probe, ProbeReport, probing
    from nself_sdk.deploy.progress import Progress, Report, Step
    from nself_sdk.deploy.releases import Release
    from nself_sdk.deploy.wire import Request

# Where each name is. Looked up on first use: a probe's own process needs no more than the probe.
_PLACES = {
    "Deployment": "deployment",
    "Probe": "probe",
    "ProbeReport": "probe",
    "Progress": "progress",
    "Release": "releases",
    "Report": "progress",
    "Request": "wire",
    "Step": "progress",
    "probing": "probe",
}

__all__ = ["Deployment", "Probe", "ProbeReport", "Progress", "Release", "Report", "Request", "Step", "probing"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
