"""deploy: a project in an environment on a host. Only here are the doors to Docker and to the disk both open."""

from nself_sdk.deploy.deployment import Deployment
from nself_sdk.deploy.progress import Progress, Report, Step
from nself_sdk.deploy.releases import Release

__all__ = ["Deployment", "Progress", "Release", "Report", "Step"]
