"""WebSockets at /v1/graphql, in both protocols: live queries are asked again every second, as Hasura does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from hasura.engine import Engine
from hasura.errors import Refused
from hasura.session import Gate, Session

NEW, OLD = "graphql-transport-ws", "graphql-ws"
REFETCH_SECONDS = 1.0
WORDS = {NEW: ("subscribe", "next", "complete"), OLD: ("start", "data", "stop")}


async def serve(request: web.Request, engine: Engine, gate: Gate) -> web.WebSocketResponse:
    """Talk to one client until it leaves."""
    socket = web.WebSocketResponse(protocols=(NEW, OLD), heartbeat=5)
    await socket.prepare(request)
    talk = _Talk(socket, engine)
    request.app["sockets"].add(socket)
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await talk.hear(json.loads(message.data), gate, dict(request.headers))
    finally:
        request.app["sockets"].discard(socket)
        talk.end()
    return socket


class _Talk:
    def __init__(self, socket: web.WebSocketResponse, engine: Engine) -> None:
        self.socket, self.engine = socket, engine
        self.start, self.item, self.stop = WORDS[socket.ws_protocol or OLD]
        self.session: Session | None = None
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def hear(self, message: dict[str, Any], gate: Gate, headers: dict[str, str]) -> None:
        kind, name = message.get("type"), str(message.get("id", ""))
        if kind == "connection_init":
            await self._begin(gate, headers | ((message.get("payload") or {}).get("headers") or {}))
        elif kind == "ping":
            await self.socket.send_json({"type": "pong"})
        elif kind == self.start and self.session:
            self.tasks[name] = asyncio.create_task(self._answer(name, message["payload"], self.session))
        elif kind == self.start:
            await self.socket.close(code=4401, message=b"Unauthorized")
        elif kind in {self.stop, "connection_terminate"} and name in self.tasks:
            self.tasks.pop(name).cancel()

    def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()

    async def _begin(self, gate: Gate, headers: dict[str, str]) -> None:
        try:
            self.session = gate.session(headers)
        except Refused as refused:
            if self.socket.ws_protocol == NEW:
                await self.socket.close(code=4403, message=b"Forbidden")
            else:
                await self.socket.send_json({"type": "connection_error", "payload": refused.message})
        else:
            await self.socket.send_json({"type": "connection_ack"})

    async def _answer(self, name: str, request: dict[str, Any], session: Session) -> None:
        last, live = None, request.get("query", "").lstrip().startswith("subscription")
        while True:
            result = await self.engine.graphql(request, session)
            if "data" not in result:
                await self.socket.send_json({"type": "error", "id": name, "payload": result["errors"]})
                return
            if result != last:
                await self.socket.send_json({"type": self.item, "id": name, "payload": result})
            if not live:
                await self.socket.send_json({"type": "complete", "id": name})
                return
            last = result
            await asyncio.sleep(REFETCH_SECONDS)
