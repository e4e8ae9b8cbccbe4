"""The one door to Docker: a protocol of few verbs, and a driver for an engine here or behind ssh.

Knows Compose files as text and containers as values; has never heard of projects, environments or releases.
"""

from nself_sdk.docker.driver import connect
from nself_sdk.docker.images import copy_images
from nself_sdk.docker.protocol import Driver, OnLine, Stack
from nself_sdk.docker.target import LOCAL, Target
from nself_sdk.docker.values import (
    Container,
    Engine,
    ExecResult,
    Health,
    Host,
    Image,
    Mount,
    Network,
    PublishedPort,
    State,
    Volume,
)

__all__ = [
    "LOCAL",
    "Container",
    "Driver",
    "Engine",
    "ExecResult",
    "Health",
    "Host",
    "Image",
    "Mount",
    "Network",
    "OnLine",
    "PublishedPort",
    "Stack",
    "State",
    "Target",
    "Volume",
    "connect",
    "copy_images",
]
