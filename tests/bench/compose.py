"""How long the Compose models take, beside ``docker compose config`` on the same file.

    python tests/bench/compose.py

Each function returns one number; the budgets are in `BUDGETS`.
"""

# ruff: noqa: T201 - a script that prints its findings
from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nself_sdk.compose import (
    ComposeFile,
    Config,
    DependsOn,
    Deploy,
    Healthcheck,
    Limits,
    Logging,
    Network,
    Port,
    Resources,
    Service,
    ServiceConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
BUDGETS = {
    "in_process_share": 0.25,
    "whole_process_share": 1.6,
    "cost_of_1000": 1.5,
}
_ONCE = "import sys; from nself_sdk.compose import ComposeFile; ComposeFile.load(sys.argv[1]).to_yaml()"


def stack(services: int) -> ComposeFile:
    """A realistic project of this many services."""
    return ComposeFile(
        name="bench",
        services={f"service{number}": _service(number) for number in range(services)},
        networks={"back": Network(internal=True), "front": None},
        volumes={f"data{number}": None for number in range(services)},
        configs={f"settings{number}": Config.inline("[server]\nport = 80\n" * 8) for number in range(services)},
    )


def _service(number: int) -> Service:
    return Service(
        image=f"registry.example.com/team/service{number}:1.{number}.0",
        command=["serve", "--port", "8080", "--log-level", "info"],
        environment={f"SETTING_{index}": f"value {index} of {number}" for index in range(20)},
        labels={f"org.example.label{index}": f"value{index}" for index in range(6)},
        ports=[f"127.0.0.1:{10000 + number}:8080", Port(20000 + number, target=9090, protocol="tcp")],
        volumes=[f"data{number}:/var/lib/service", "./static:/srv/static:ro"],
        configs=[ServiceConfig(source=f"settings{number}", target="/etc/service.ini", mode=0o444)],
        networks=["back", "front"],
        depends_on={"service0": DependsOn(condition="service_healthy")} if number else None,
        healthcheck=Healthcheck.http("/healthz", 8080, interval="10s", timeout="3s", retries=5),
        deploy=Deploy(resources=Resources(limits=Limits(cpus="0.5", memory="256M"))),
        logging=Logging(driver="json-file", options={"max-size": "10m", "max-file": "3"}),
        restart="unless-stopped",
        stop_grace_period="30s",
    )


def in_process(services: int) -> float:
    """Seconds for load, validate and dump of a file of this many services, models imported; the best of some."""
    text = stack(services).to_yaml()
    return min(_timed(lambda: ComposeFile.loads(text, largest=len(text)).to_yaml()) for _ in range(ROUNDS))


def whole_processes(path: Path) -> tuple[float, float]:
    """Seconds for the same as a process of its own, Python's start included, and for ``docker compose config``.

    The median of some, which take turns: a machine that gets slower for a while does so for both.
    """
    ours = (sys.executable, "-c", _ONCE, str(path))
    theirs = ("docker", "compose", "-f", str(path), "config", "-q")
    _run(ours)  # so that the bytecode is there, as for any installed package
    pairs = [(_timed(lambda: _run(ours)), _timed(lambda: _run(theirs))) for _ in range(2 * ROUNDS)]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)


def _run(command: tuple[str, ...]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-bytecode")}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measurements() -> dict[str, float]:
    """Every measured ratio, by the name of its budget."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compose.yml"
        path.write_text(stack(30).to_yaml(), encoding="utf-8")
        whole, compose = whole_processes(path)
        return {
            "in_process_share": in_process(30) / compose,
            "whole_process_share": whole / compose,
            "cost_of_1000": in_process(1000) / in_process(100) / 10,
        }


def main() -> int:
    """Print each measurement beside its budget; 1 if one is over it."""
    found = measurements()
    for name, value in found.items():
        print(f"{name:20} {value:6.3f}  (at most {BUDGETS[name]})")
    return int(any(value > BUDGETS[name] for name, value in found.items()))


if __name__ == "__main__":
    sys.exit(main())
