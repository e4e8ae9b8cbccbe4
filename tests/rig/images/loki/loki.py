"""A stand-in for Loki: takes lines, and gives them by label and by words. It keeps nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml
from aiohttp import web

STREAMS: dict[tuple[tuple[str, str], ...], list[list[str]]] = {}


def _selected(query: str) -> list[dict[str, object]]:
    wanted = re.findall(r'(\w+)\s*(=~|=)\s*"([^"]*)"', query.partition("}")[0])
    words = re.findall(r'\|=\s*"([^"]*)"', query)
    found = []
    for key, values in STREAMS.items():
        labels = dict(key)
        if all((labels.get(n, "") == v) if op == "=" else re.fullmatch(v, labels.get(n, "")) for n, op, v in wanted):
            kept = [value for value in values if all(word in value[1] for word in words)]
            found += [{"stream": labels, "values": kept}] if kept else []
    return found


async def _push(request: web.Request) -> web.Response:
    for stream in (await request.json())["streams"]:
        STREAMS.setdefault(tuple(sorted(stream["stream"].items())), []).extend(stream["values"])
    return web.Response(status=204)


async def _query(request: web.Request) -> web.Response:
    result = _selected(request.query.get("query", ""))
    return web.json_response({"status": "success", "data": {"resultType": "streams", "result": result}})


async def _values(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    found = {dict(key)[name] for key in STREAMS if name in dict(key)}
    return web.json_response({"status": "success", "data": sorted(found)})


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ready")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(text="# TYPE loki_ingester_memory_streams gauge\nloki_ingester_memory_streams 1\n")


def main() -> int:
    path = next(word.partition("=")[2] for word in sys.argv if word.startswith("-config.file="))
    settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if settings["compactor"]["retention_enabled"] and not settings["compactor"].get("delete_request_store"):
        print("CONFIG ERROR: compactor.delete-request-store should be configured when retention is enabled")
        return 1
    made = web.Application(client_max_size=2**25)
    made.add_routes(
        [
            web.get("/ready", _ready),
            web.get("/metrics", _metrics),
            web.post("/loki/api/v1/push", _push),
            web.get("/loki/api/v1/query_range", _query),
            web.get("/loki/api/v1/label/{name}/values", _values),
        ]
    )
    web.run_app(made, port=settings["server"]["http_listen_port"], print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
