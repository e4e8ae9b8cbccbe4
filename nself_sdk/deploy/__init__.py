"""deploy: a project in an environment on a host. Only here are the doors to Docker and to the disk both open."""

from nself_sdk.deploy.deployment import Deployment
from nself_sdk.deploy.probe import Probe, ProbeReport, probing
from nself_sdk.deploy.progress import Progress, Report, Step
from nself_sdk.deploy.releases import Release
from nself_sdk.deploy.wire import Request

__all__ = ["Deployment", "Probe", "ProbeReport", "Progress", "Release", "Report", "Request", "Step", "probing"]
