"""The file that one call of Compose reads, on disk for as long as the call takes; knows nothing of what is in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "nself-stack-"
#: Seconds after which a folder that nobody holds was left by a process that was killed.
_OLD = 5.0


@contextmanager
def written(text: str) -> Generator[Path]:
    """The text as a file that nobody else can read. What a killed process left of such files goes too."""
    _sweep()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder, _held(Path(folder)):
        path = Path(folder) / "docker-compose.yml"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        yield path


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Somebody else's, or still in use, or gone meanwhile: left alone.
        with contextlib.suppress(OSError), _held(folder):
            if time.time() - folder.stat().st_mtime > _OLD:
                shutil.rmtree(folder)


@contextmanager
def _held(folder: Path) -> Generator[None]:
    """Hold it as long as the body runs, or this process lives; OSError while another one does."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
