"""A stand-in for Typesense: collections of documents behind the key, and a search for words in them."""

from __future__ import annotations

import json
import os
import sys

from aiohttp import web

KEY = os.environ.get("TYPESENSE_API_KEY", "")
COLLECTIONS: dict[str, dict[str, dict[str, object]]] = {}


@web.middleware
async def _guarded(request: web.Request, handler: object) -> web.StreamResponse:
    if request.path != "/health" and request.headers.get("X-TYPESENSE-API-KEY") != KEY:
        return web.json_response(
            {"message": "Forbidden - a valid `x-typesense-api-key` header must be sent."}, status=401
        )
    return await handler(request)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def _create(request: web.Request) -> web.Response:
    body = await request.json()
    COLLECTIONS[body["name"]] = {}
    return web.json_response(body, status=201)


async def _add(request: web.Request) -> web.Response:
    document = await request.json()
    COLLECTIONS[request.match_info["name"]][document["id"]] = document
    return web.json_response(document, status=201)


async def _search(request: web.Request) -> web.Response:
    words = request.query["q"].lower().split()
    found = COLLECTIONS[request.match_info["name"]].values()
    hits = [{"document": one} for one in found if all(word in json.dumps(one).lower() for word in words)]
    return web.json_response({"found": len(hits), "hits": hits})


def main() -> int:
    if not KEY:
        print("Argument `--api-key` is required", file=sys.stderr)
        return 1
    made = web.Application(middlewares=[_guarded])
    made.add_routes(
        [
            web.get("/health", _health),
            web.post("/collections", _create),
            web.post("/collections/{name}/documents", _add),
            web.get("/collections/{name}/documents/search", _search),
        ]
    )
    web.run_app(made, port=8108, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
