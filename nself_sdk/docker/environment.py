"""The environment that docker, docker compose and ssh get to see: a list of what may pass, not of what may not.

Ambient ``DOCKER_HOST``, ``DOCKER_CONTEXT``, ``COMPOSE_*``, ``BUILDX_*`` and the like cannot redirect a deploy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PASSED = re.compile(
    "PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|TMPDIR"
    "|DOCKER_CONFIG|SSL_CERT_FILE|SSL_CERT_DIR"
    "|(HTTP|HTTPS|ALL|NO|FTP)_PROXY|(http|https|all|no|ftp)_proxy"
    # what docker's credential helpers need to unlock a registry password
    "|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME"
)
_FIXED = {
    "TERM": "dumb",
    "BUILDKIT_PROGRESS": "plain",
    "BUILDX_BUILDER": "default",  # the engine's own builder: an image must end up where it is to run
    "COMPOSE_ANSI": "never",
    "COMPOSE_MENU": "false",
    "DOCKER_CLI_HINTS": "false",
}


def scrubbed(ambient: Mapping[str, str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a docker process sees: the harmless part of `ambient`, our fixed settings, and what is `given`."""
    passed = {name: value for name, value in ambient.items() if _PASSED.fullmatch(name)}
    return {**passed, **_FIXED, **(given or {})}
