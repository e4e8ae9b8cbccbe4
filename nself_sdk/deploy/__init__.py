"""deploy: a project in an environment on a host. Only here are the doors to Docker and to the disk both open."""

from nself_sdk.deploy.deployment import Deployment
from nself_sdk.deploy.progress import Progress, Report, Step

__all__ = ["Deployment", "Progress", "Report", "Step"]
