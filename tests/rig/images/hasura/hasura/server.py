"""The HTTP surface: health, version, GraphQL, SQL, metadata, console; settings from Hasura's own variables."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import asyncpg
from aiohttp import WSCloseCode, web

from hasura import VERSION, sockets
from hasura.engine import Engine, prepare
from hasura.errors import Refused
from hasura.metadata import Metadata
from hasura.session import Gate, gate_from_environment

APIS = {"/v1/graphql": "graphql", "/v1/metadata": "metadata", "/v2/query": "metadata", "/v1alpha1/config": "config"}
DRAIN_SECONDS = 60


def setting(name: str, default: str = "") -> str:
    """Return one HASURA_GRAPHQL_* variable."""
    return os.environ.get(f"HASURA_GRAPHQL_{name}", "") or default


def is_on(name: str) -> bool:
    """Return one switch in any of the spellings that Hasura takes."""
    return setting(name).lower() in {"true", "t", "yes", "y", "1"}


class Surface:
    """The routes, over one engine and one gate."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self.engine, self.gate = engine, gate

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=32 * 2**20)
        app["sockets"] = set()
        app.on_shutdown.append(_close_sockets)
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/v1/version", self.version)
        app.router.add_get("/v1alpha1/config", self.config)
        app.router.add_route("*", "/v1/graphql", self.graphql)
        app.router.add_post("/v2/query", self.admin(self.engine.run_sql))
        app.router.add_post("/v1/metadata", self.admin(self.engine.change))
        app.router.add_get("/", self.console)
        app.router.add_get("/console{tail:.*}", self.console)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Switch APIs off, answer refusals in Hasura's form, and allow the origins of CORS_DOMAIN."""
        enabled = setting("ENABLED_APIS", "metadata,graphql,pgdump,config").split(",")
        if APIS.get(request.path, enabled[0]) not in enabled:
            return web.json_response({"path": "$", "error": "resource does not exist", "code": "not-found"}, status=404)
        try:
            response = await (_preflight() if request.method == "OPTIONS" else handler(request))
        except Refused as refused:
            response = web.json_response(refused.as_api(), status=refused.status)
        origin, allowed = request.headers.get("Origin", ""), setting("CORS_DOMAIN", "*").replace(" ", "").split(",")
        if origin and not is_on("DISABLE_CORS") and ("*" in allowed or origin in allowed) and not response.prepared:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
        return response

    async def health(self, _: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(5):
                await self.engine.source.fetchval("select 1")
                await self.engine.metadata.pool.fetchval("select 1 from hdb_catalog.hdb_metadata")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return web.Response(text="ERROR", status=500)
        return web.Response(text="OK")

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"server_type": "ce", "version": VERSION})

    async def config(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "version": VERSION,
                "is_admin_secret_set": bool(self.gate.secret),
                "is_jwt_set": bool(self.gate.jwt),
                "console_assets_dir": None,
            }
        )

    async def graphql(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await sockets.serve(request, self.engine, self.gate)
        if request.method != "POST":
            raise web.HTTPMethodNotAllowed(request.method, ["POST"])
        try:
            session = self.gate.session(request.headers)
        except Refused as refused:
            return web.json_response(refused.as_graphql())  # status 200, as Hasura answers
        return web.json_response(await self.engine.graphql(await _body(request), session))

    def admin(self, command: Any) -> Any:
        async def handler(request: web.Request) -> web.Response:
            if self.gate.session(request.headers).role != "admin":
                raise Refused("restricted access : admin only", "access-denied")
            return web.json_response(await command(await _body(request)))

        return handler

    async def console(self, _: web.Request) -> web.Response:
        if not is_on("ENABLE_CONSOLE"):
            raise Refused("resource does not exist", "not-found", 404)
        return web.Response(text="<!DOCTYPE html><title>Hasura Console (stand-in)</title>", content_type="text/html")


async def _body(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise Refused(f"invalid JSON: {error}", "invalid-json") from error


async def _preflight() -> web.Response:
    allowed = {"Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS", "Access-Control-Max-Age": "1728000"}
    return web.Response(status=204, headers=allowed | {"Access-Control-Allow-Headers": "*"})


async def _close_sockets(app: web.Application) -> None:
    for socket in set(app["sockets"]):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"shutting down")


async def start() -> web.Application:
    """Connect, prepare both databases, and return the application."""
    source_url = setting("DATABASE_URL") or setting("METADATA_DATABASE_URL")
    metadata_url = setting("METADATA_DATABASE_URL") or source_url
    if not source_url:
        raise SystemExit("Fatal Error: Required: HASURA_GRAPHQL_DATABASE_URL or HASURA_GRAPHQL_METADATA_DATABASE_URL")
    source = await asyncpg.create_pool(source_url, min_size=1, max_size=10, timeout=5, server_settings={"jit": "off"})
    same = metadata_url == source_url
    stored = source if same else await asyncpg.create_pool(metadata_url, min_size=1, max_size=2, timeout=5)
    for pool in (source,) if same else (source, stored):
        await prepare(pool)
    engine = Engine(source, Metadata(stored))
    await engine.metadata.load()
    await engine.reload()
    return Surface(engine, gate_from_environment()).app()


def main() -> None:
    """Serve until SIGTERM, then finish what is in flight."""
    host, port = setting("SERVER_HOST", "0.0.0.0"), int(setting("SERVER_PORT", "8080"))  # noqa: S104 (a container)
    gate_from_environment()
    log = {"type": "startup", "level": "info", "detail": {"kind": "server_configuration", "info": {"version": VERSION}}}
    sys.stdout.write(json.dumps(log) + "\n")
    try:
        web.run_app(start(), host=host, port=port, access_log=None, shutdown_timeout=DRAIN_SECONDS, print=None)
    except (OSError, asyncpg.PostgresError) as error:
        raise SystemExit(f"Fatal Error: connection error: {error}") from None
