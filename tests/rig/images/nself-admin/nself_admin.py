"""A stand-in for nself-admin: a page and its health."""

from __future__ import annotations

from aiohttp import web


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "healthy", "standin": True})


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<title>nself admin</title>stand-in", content_type="text/html")


if __name__ == "__main__":
    made = web.Application()
    made.add_routes([web.get("/api/health", _health), web.get("/", _page)])
    web.run_app(made, port=3021, print=None)
