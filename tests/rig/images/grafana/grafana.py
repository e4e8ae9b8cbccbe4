"""A stand-in for Grafana: reads its provisioning and refuses a broken one; behind its login it asks sources."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientSession, web

PROVISIONING = Path("/etc/grafana/provisioning")
LOGIN = (
    os.environ.get("GF_SECURITY_ADMIN_USER", "admin"),
    Path(os.environ["GF_SECURITY_ADMIN_PASSWORD__FILE"]).read_text(encoding="utf-8").strip(),
)


def _provisioned(kind: str) -> list[dict[str, Any]]:
    key = {"datasources": "datasources", "dashboards": "providers"}[kind]
    files = sorted((PROVISIONING / kind).glob("*.yml"))
    return [one for file in files for one in yaml.safe_load(file.read_text(encoding="utf-8"))[key]]


SOURCES = {source["uid"]: source for source in _provisioned("datasources")}
BOARDS = {
    board["uid"]: board
    for provider in _provisioned("dashboards")
    for file in sorted(Path(provider["options"]["path"]).glob("*.json"))
    for board in [json.loads(file.read_text(encoding="utf-8"))]
}


@web.middleware
async def _guarded(request: web.Request, handler: Any) -> web.StreamResponse:
    given = request.headers.get("Authorization", "").removeprefix("Basic ")
    is_open = request.path in {"/api/health", "/login", "/metrics"}
    if is_open or given == base64.b64encode(":".join(LOGIN).encode()).decode():
        return await handler(request)
    if request.path.startswith("/api/"):
        return web.json_response({"message": "Unauthorized"}, status=401)
    raise web.HTTPFound("/login")


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"database": "ok", "version": "0.0.0-standin"})


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(text="# TYPE grafana_stat_totals_dashboard gauge\ngrafana_stat_totals_dashboard 6\n")


async def _sources(_: web.Request) -> web.Response:
    return web.json_response(list(SOURCES.values()))


async def _search(_: web.Request) -> web.Response:
    return web.json_response(
        [{"uid": uid, "title": board["title"], "type": "dash-db"} for uid, board in BOARDS.items()]
    )


async def _board(request: web.Request) -> web.Response:
    return web.json_response({"dashboard": BOARDS[request.match_info["uid"]]})


async def _proxy(request: web.Request) -> web.Response:
    address = SOURCES[request.match_info["uid"]]["url"] + "/" + request.match_info["path"]
    async with ClientSession() as session, session.get(address, params=request.query) as answer:
        return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<title>Grafana</title>stand-in", content_type="text/html")


if __name__ == "__main__":
    if sum(bool(source.get("isDefault")) for source in SOURCES.values()) != 1:
        sys.exit("Datasource provisioning error: exactly one data source is the default")
    made = web.Application(middlewares=[_guarded])
    made.add_routes(
        [
            web.get("/api/health", _health),
            web.get("/metrics", _metrics),
            web.get("/api/datasources", _sources),
            web.get("/api/search", _search),
            web.get("/api/dashboards/uid/{uid}", _board),
            web.get("/api/datasources/proxy/uid/{uid}/{path:.*}", _proxy),
            web.get("/login", _page),
            web.get("/", _page),
        ]
    )
    web.run_app(made, port=3000, print=None)
