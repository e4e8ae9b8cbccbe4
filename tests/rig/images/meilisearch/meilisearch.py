"""A stand-in for Meilisearch: indexes of documents behind the master key, and a search for words in them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from aiohttp import web

KEY = os.environ.get("MEILI_MASTER_KEY", "")
FILE = Path(os.environ.get("MEILI_DB_PATH", "/meili_data/data.ms")) / "standin.json"
SHORTEST_KEY = 16


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"message": message, "code": code, "type": "auth", "link": ""}, status=status)


@web.middleware
async def _guarded(request: web.Request, handler: object) -> web.StreamResponse:
    given = request.headers.get("Authorization", "")
    if request.path != "/health" and KEY:
        if not given.startswith("Bearer "):
            return _refusal(401, "missing_authorization_header", "The Authorization header is missing.")
        if given != f"Bearer {KEY}":
            return _refusal(403, "invalid_api_key", "The provided API key is invalid.")
    return await handler(request)


class Indexes:
    def __init__(self) -> None:
        self.documents: dict[str, dict[str, dict[str, object]]] = {}
        if FILE.is_file():
            self.documents = json.loads(FILE.read_text(encoding="utf-8"))

    def save(self) -> None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(json.dumps(self.documents), encoding="utf-8")

    async def add(self, request: web.Request) -> web.Response:
        index = request.match_info["index"]
        for document in await request.json():
            self.documents.setdefault(index, {})[str(document["id"])] = document
        self.save()
        return web.json_response({"taskUid": 0, "indexUid": index, "status": "enqueued"}, status=202)

    async def search(self, request: web.Request) -> web.Response:
        found = self.documents.get(request.match_info["index"])
        if found is None:
            return _refusal(404, "index_not_found", "Index not found.")
        words = str((await request.json()).get("q", "")).lower().split()
        hits = [one for one in found.values() if all(word in json.dumps(one).lower() for word in words)]
        return web.json_response({"hits": hits, "estimatedTotalHits": len(hits)})


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "available"})


async def _version(_: web.Request) -> web.Response:
    return web.json_response({"pkgVersion": "0.0.0-standin"})


def main() -> int:
    if os.environ.get("MEILI_ENV") == "production" and len(KEY) < SHORTEST_KEY:
        print("in production mode, MEILI_MASTER_KEY must be at least 16 bytes", file=sys.stderr)
        return 1
    indexes = Indexes()
    indexes.save()
    made = web.Application(middlewares=[_guarded])
    made.add_routes(
        [
            web.get("/health", _health),
            web.get("/version", _version),
            web.post("/indexes/{index}/documents", indexes.add),
            web.post("/indexes/{index}/search", indexes.search),
        ]
    )
    web.run_app(made, port=7700, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
