"""What Docker itself says, past the SDK; knows nothing of stacks."""

from __future__ import annotations

import json
from typing import Any

from rig.shell import docker


def inspect(*names: str) -> list[dict[str, Any]]:
    """Docker's own documents on these objects."""
    return json.loads(docker("inspect", *names))


def remains(project: str) -> dict[str, list[str]]:
    """Everything that Docker still holds of a project, by kind; empty when there is nothing."""
    label = f"label=com.docker.compose.project={project}"
    found = {
        "containers": docker("ps", "-aq", "--filter", label).split(),
        "networks": docker("network", "ls", "-q", "--filter", label).split(),
        "volumes": docker("volume", "ls", "-q", "--filter", label).split(),
        "images": docker("image", "ls", "-q", f"{project}-*").split(),
    }
    return {kind: names for kind, names in found.items() if names}
