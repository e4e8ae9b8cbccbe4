"""How the command lines of docker and Compose begin, from python-on-whales; runs nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nself_sdk.errors import HostUnreachableError

if TYPE_CHECKING:
    from nself_sdk.docker.protocol import Stack


def docker_command(address: str) -> tuple[str, ...]:
    """The docker client, told to use this engine and no other."""
    if shutil.which("docker") is None:
        hint = "run nself-sdk doctor --fix, which installs it"
        raise HostUnreachableError("the docker command is not installed on this machine", hint)
    from python_on_whales import DockerClient  # noqa: PLC0415 - a quarter of a second, paid where it is used

    return tuple(map(str, DockerClient(host=address).docker_cmd))


def compose_command(address: str, stack: Stack, file: Path) -> tuple[str, ...]:
    """``docker compose`` for this stack and engine. ``/dev/null`` keeps any ``.env`` lying around out of it."""
    from python_on_whales import DockerClient  # noqa: PLC0415 - see above

    client = DockerClient(
        host=address,
        compose_files=[file],
        compose_project_name=stack.project,
        compose_project_directory=stack.directory.absolute() if stack.directory else file.parent,
        compose_env_files=[os.devnull],
    )
    return (*map(str, client.compose.docker_compose_cmd), "--ansi", "never", "--progress", "plain")
