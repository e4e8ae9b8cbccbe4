"""A stand-in for cAdvisor: what containers use, read from the host's control groups, version 1 or 2."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from aiohttp import web

GROUPS = Path("/sys/fs/cgroup")
UNBOUNDED = 2**60


def _containers() -> dict[str, Path]:
    roots = [GROUPS / "memory" / "docker", GROUPS / "docker", GROUPS / "system.slice"]
    found = {}
    for root in roots:
        for path in sorted(root.iterdir()) if root.is_dir() else []:
            if path.is_dir() and re.search("[0-9a-f]{64}", path.name):
                found[f"/{path.relative_to(GROUPS)}".removeprefix("/memory")] = path
    return found


def _number(*candidates: Path) -> float:
    for path in candidates:
        try:
            return float(path.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError):
            continue
    return 0


async def _metrics(_: web.Request) -> web.Response:
    rows: dict[str, list[str]] = {}
    for name, path in _containers().items():
        limit = _number(path / "memory.limit_in_bytes", path / "memory.max")
        cpu = GROUPS / "cpuacct" / path.relative_to(GROUPS / "memory") if "memory" in path.parts else path
        values = {
            "container_memory_working_set_bytes": _number(path / "memory.usage_in_bytes", path / "memory.current"),
            "container_spec_memory_limit_bytes": 0 if limit > UNBOUNDED else limit,
            "container_cpu_usage_seconds_total": _number(cpu / "cpuacct.usage") / 1e9,
            "container_start_time_seconds": int(path.stat().st_ctime),
        }
        for metric, value in values.items():
            rows.setdefault(metric, []).append(f'{metric}{{id="{name}"}} {value}')
    lines = [line for metric, found in rows.items() for line in (f"# TYPE {metric} gauge", *found)]
    return web.Response(text="\n".join(lines) + "\n")


async def _health(_: web.Request) -> web.Response:
    return web.Response(text="ok")


if __name__ == "__main__":
    if not any(word.startswith("--raw_cgroup_prefix_whitelist=") for word in sys.argv):
        sys.exit("without a Docker socket only control groups that are listed are watched")
    made = web.Application()
    made.add_routes([web.get("/metrics", _metrics), web.get("/healthz", _health)])
    web.run_app(made, port=8080, print=None)
