"""The reaper of testcontainers, Ryuk: it removes what carries its labels after the process that made it has died.

It knows nothing of stacks. Where its container cannot run, tests go on without it.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib.metadata import version

_LOG = logging.getLogger(__name__)


def labels() -> dict[str, str]:
    """The labels by which Ryuk finds what belongs to this process."""
    from testcontainers.core import labels as names  # noqa: PLC0415 - docker-py with it: a fifth of a second

    return {
        names.LABEL_TESTCONTAINERS: "true",
        names.LABEL_SESSION_ID: names.SESSION_ID,
        names.LABEL_LANG: "python",
        names.LABEL_VERSION: version("testcontainers"),
    }


@cache
def watch_over() -> None:
    """Start Ryuk, once in a process; it reaps ten seconds after this process has ended."""
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - see above
    from testcontainers.core.container import Reaper  # noqa: PLC0415 - see above

    if testcontainers_config.ryuk_disabled:
        return
    ambient = os.environ.get("DOCKER_HOST")
    try:
        Reaper.get_instance()
    except Exception as error:  # noqa: BLE001 - docker-py, urllib3 and the reaper itself fail in many ways
        _LOG.info("Ryuk does not run, so a killed test run leaves its stack behind: %s", error)
    finally:
        # testcontainers writes the engine it found into this process's environment.
        if ambient is None:
            os.environ.pop("DOCKER_HOST", None)
