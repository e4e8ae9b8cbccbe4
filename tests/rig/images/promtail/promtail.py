"""A stand-in for Promtail: tails log files through the pipeline of its configuration, for the stages that we use."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientError, ClientSession, web

COUNTERS: dict[str, Counter[tuple[tuple[str, str], ...]]] = defaultdict(Counter)
BUCKETS: dict[str, dict[tuple[tuple[str, str], ...], list[float]]] = defaultdict(lambda: defaultdict(list))
BOUNDS: dict[str, list[float]] = {}
CHUNK = 1 << 20


class Entry:
    """One line on its way through the stages."""

    def __init__(self, line: str, labels: dict[str, str]) -> None:
        self.line, self.labels, self.dropped = line, dict(labels), False
        self.found: dict[str, Any] = dict(labels)

    def run(self, stages: list[dict[str, Any]]) -> None:
        for stage in stages:
            ((kind, settings),) = stage.items()
            getattr(self, f"_{kind}")(settings)
            if self.dropped:
                return

    def _json(self, settings: dict[str, Any]) -> None:
        try:
            document = json.loads(self.found.get(settings["source"], "") if "source" in settings else self.line)
        except ValueError:
            return
        if isinstance(document, dict):
            for name, path in settings["expressions"].items():
                value: Any = document
                for part in re.findall(r'"([^"]+)"|([^."]+)', path):
                    value = value.get(part[0] or part[1]) if isinstance(value, dict) else None
                if value is not None:
                    self.found[name] = value

    def _regex(self, settings: dict[str, str]) -> None:
        if matched := re.search(settings["expression"], str(self.found.get(settings["source"], ""))):
            self.found.update(matched.groupdict())

    def _labels(self, settings: dict[str, Any]) -> None:
        for name in settings:
            if name in self.found:
                self.labels[name] = str(self.found[name])

    def _match(self, settings: dict[str, Any]) -> None:
        name, operator, value = re.findall(r'(\w+)(!=|=)"([^"]*)"', settings["selector"])[0]
        if (self.labels.get(name, "") == value) is (operator == "="):
            if settings.get("action") == "drop":
                self.dropped = True
            else:
                self.run(settings["stages"])

    def _metrics(self, settings: dict[str, Any]) -> None:
        labels = tuple(sorted(self.labels.items()))
        for name, metric in settings.items():
            full = metric["prefix"] + name
            if "source" in metric and metric["source"] not in self.found:
                continue
            if metric["type"] == "Counter":
                COUNTERS[full][labels] += 1
            else:
                BOUNDS[full] = metric["config"]["buckets"]
                BUCKETS[full][labels].append(float(self.found[metric["source"]]))

    def _labeldrop(self, names: list[str]) -> None:
        for name in names:
            self.labels.pop(name, None)

    def _timestamp(self, _: object) -> None:
        """Lines are sent with the time at which they were read."""

    def _output(self, settings: dict[str, str]) -> None:
        self.line = str(self.found.get(settings["source"], self.line))


def _shown(labels: tuple[tuple[str, str], ...], *more: tuple[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in (*labels, *more)) + "}"


async def _metrics(_: web.Request) -> web.Response:
    lines = []
    for name, values in COUNTERS.items():
        lines.append(f"# TYPE {name} counter")
        lines += [f"{name}{_shown(labels)} {count}" for labels, count in values.items()]
    for name, series in BUCKETS.items():
        lines.append(f"# TYPE {name} histogram")
        for labels, values in series.items():
            for bound in [*BOUNDS[name], float("inf")]:
                le = "+Inf" if bound == float("inf") else str(bound)
                lines.append(f"{name}_bucket{_shown(labels, ('le', le))} {sum(value <= bound for value in values)}")
            lines += [f"{name}_sum{_shown(labels)} {sum(values)}", f"{name}_count{_shown(labels)} {len(values)}"]
    return web.Response(text="\n".join(lines) + "\n")


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="Ready")


def _read(positions: dict[str, int], path: str) -> list[str]:
    size, start = Path(path).stat().st_size, positions.get(path, 0)
    if size < start:
        start = 0
    with Path(path).open("rb") as file:
        file.seek(start)
        chunk = file.read(CHUNK)
    whole = chunk[: chunk.rfind(b"\n") + 1]
    positions[path] = start + len(whole)
    return whole.decode(errors="replace").splitlines()


def _files(pattern: str) -> list[str]:
    return [str(path) for path in Path("/").glob(pattern.lstrip("/"))]


async def _tail(settings: dict[str, Any]) -> None:
    positions: dict[str, int] = {}
    async with ClientSession() as session:
        while True:
            streams: dict[tuple[tuple[str, str], ...], list[list[str]]] = defaultdict(list)
            for job in settings["scrape_configs"]:
                labels = dict(job["static_configs"][0]["labels"])
                for path in _files(labels.pop("__path__")):
                    for line in _read(positions, path):
                        entry = Entry(line, {**labels, "filename": path})
                        entry.run(job["pipeline_stages"])
                        if not entry.dropped:
                            streams[tuple(sorted(entry.labels.items()))].append([str(time.time_ns()), entry.line])
            body = {"streams": [{"stream": dict(key), "values": values} for key, values in streams.items()]}
            for client in settings["clients"] if streams else []:
                try:
                    await (await session.post(client["url"], json=body)).release()
                except ClientError as error:
                    print(f"push: {error}", file=sys.stderr)
            await asyncio.sleep(0.5)


async def _serve(settings: dict[str, Any]) -> None:
    made = web.Application()
    made.add_routes([web.get("/ready", _ready), web.get("/metrics", _metrics)])
    runner = web.AppRunner(made)
    await runner.setup()
    await web.TCPSite(runner, port=settings["server"]["http_listen_port"]).start()
    await _tail(settings)


if __name__ == "__main__":
    given = next(word.partition("=")[2] for word in sys.argv if word.startswith("-config.file="))
    os.umask(0o077)
    asyncio.run(_serve(yaml.safe_load(Path(given).read_text(encoding="utf-8"))))
