"""A stand-in for nself-admin: a page and its health."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

HAS_SOCKET = Path("/var/run/docker.sock").exists()


async def _health(_: web.Request) -> web.Response:
    """As the program does: unwell wherever Docker cannot be asked."""
    word, status = ("healthy", 200) if HAS_SOCKET else ("unhealthy", 503)
    return web.json_response({"status": word, "standin": True}, status=status)


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<title>nself admin</title>stand-in", content_type="text/html")


if __name__ == "__main__":
    made = web.Application()
    made.add_routes([web.get("/api/health", _health), web.get("/", _page), web.get("/login", _page)])
    web.run_app(made, port=3021, print=None)
