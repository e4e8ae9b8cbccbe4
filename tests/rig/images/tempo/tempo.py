"""A stand-in for Tempo: takes OTLP over HTTP as JSON or protobuf, and gives a trace sent as JSON by its id."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from pathlib import Path

import yaml
from aiohttp import web

TRACES: dict[str, list[object]] = {}
TAKEN = {"batches": 0}


async def _take(request: web.Request) -> web.Response:
    TAKEN["batches"] += 1
    if request.content_type == "application/json":
        for batch in (await request.json())["resourceSpans"]:
            for scope in batch["scopeSpans"]:
                for span in scope["spans"]:
                    TRACES.setdefault(span["traceId"], []).append(batch)
        return web.json_response({})
    await request.read()
    return web.Response(content_type="application/x-protobuf")


async def _trace(request: web.Request) -> web.Response:
    found = TRACES.get(request.match_info["id"])
    return web.json_response({"batches": found}) if found else web.Response(status=404)


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ready")


async def _metrics(_: web.Request) -> web.Response:
    count = f"tempo_distributor_push_requests_total {TAKEN['batches']}\n"
    return web.Response(text=f"# TYPE tempo_distributor_push_requests_total counter\n{count}")


async def _serve(settings: dict[str, dict[str, object]]) -> None:
    pages, otlp = web.Application(), web.Application(client_max_size=2**25)
    pages.add_routes([web.get("/ready", _ready), web.get("/metrics", _metrics), web.get("/api/traces/{id}", _trace)])
    otlp.add_routes([web.post("/v1/traces", _take)])
    endpoint = settings["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    host, _, port = endpoint.rpartition(":")
    places = ((pages, "0.0.0.0", settings["server"]["http_listen_port"]), (otlp, host, int(port)))  # noqa: S104
    for application, *address in places:
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, *address).start()
    await asyncio.Event().wait()


def main() -> int:
    if "-health" in sys.argv:
        urllib.request.urlopen("http://127.0.0.1:3200/ready", timeout=5)
        return 0
    path = next(word.partition("=")[2] for word in sys.argv if word.startswith("-config.file="))
    asyncio.run(_serve(yaml.safe_load(Path(path).read_text(encoding="utf-8"))))
    return 0
