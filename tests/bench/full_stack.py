"""How long building the full stack takes, beside ``docker compose config`` on the result; and one service of many."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nself_sdk import CustomService, Project, render, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 7
RENDERS = 3
#: The fewest, among which what every project has alike weighs most, and the most.
FEW, SOME, MANY = 100, 300, 1000


def rows() -> Iterator[tuple[str, float, float]]:
    """Name, measured, target."""
    yield "build prod of the full stack / compose config", build_share(), 3
    each = {number: milliseconds(number) for number in (FEW, SOME, MANY)}
    for number, taken in each.items():
        yield f"render of {number} services: ms per service", taken, 1
    yield f"a service among {MANY} / among {FEW}", each[MANY] / each[FEW], 1.5


def build_share() -> float:
    """How many times longer the whole process takes than Compose: the median of several, measured in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(resources.folder("recipes") / "full_stack.py", folder / "stack.py")
        build = (sys.executable, "-m", "nself_sdk", "-C", name, "build", "prod")
        # What is not given is replaced by nothing, with a warning that nobody reads.
        config = ("docker", "compose", "-f", str(folder / "docker-compose.yml"), "config", "-q")
        for warm in (build, config):
            _run(warm)
        pairs = [(_seconds(lambda: _run(build)), _seconds(lambda: _run(config))) for _ in range(ROUNDS)]
    return statistics.median(one for one, _ in pairs) / statistics.median(other for _, other in pairs)


def milliseconds(services: int) -> float:
    """What each of so many custom services adds to a render, routes, roles, targets and all; the best of some."""
    project = Project("bench")
    for number in range(services):
        project.add(CustomService(f"service-{number}", "fastapi-py", 8000, needs=["postgres", "redis"]))
    return min(_processor(lambda: render(project, "prod")) for _ in range(RENDERS)) * 1000 / services


def _run(command: tuple[str, ...]) -> None:
    """With the bytecode kept, as that of an installed package is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    bytecode = {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-bytecode")}
    subprocess.run(command, check=True, capture_output=True, env={**kept, **bytecode})


def _seconds(what: Callable[[], object]) -> float:
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def _processor(what: Callable[[], object]) -> float:
    """The time that this process computes: others may be busy meanwhile."""
    begin = time.process_time()
    what()
    return time.process_time() - begin
