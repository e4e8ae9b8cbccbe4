"""A stand-in for Tempo: takes OTLP over HTTP as JSON or protobuf, and gives a trace by its id."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
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
    for trace in _traces(await request.read()):
        TRACES.setdefault(trace, []).append({"standin": "protobuf"})
    return web.Response(content_type="application/x-protobuf")


def _traces(body: bytes) -> Iterator[str]:
    """The ids in an ExportTraceServiceRequest: resource_spans 1, scope_spans 2, spans 2, trace_id 1."""
    found = [body]
    for number in (1, 2, 2, 1):
        found = [value for message in found for field, value in _fields(message) if field == number]
    return (value.hex() for value in found)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that have a length: number and content. See protobuf.dev/programming-guides/encoding."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        if key & 7 == 2:
            length, place = _varint(message, place)
            yield key >> 3, message[place : place + length]
            place += length
        elif key & 7 == 0:
            _, place = _varint(message, place)
        else:
            place += 8 if key & 7 == 1 else 4


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[place] & 127) << shift
        shift, place = shift + 7, place + 1
        if message[place - 1] < 128:
            return value, place


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
    path = next(word.partition("=")[2] for word in sys.argv if word.startswith("-config.file="))
    asyncio.run(_serve(yaml.safe_load(Path(path).read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
