"""As much of HTTP/1.1 and of WebSockets (RFC 6455) as a probe needs, over connections that ask no DNS if told so.

A body that was cut short is told apart from one that is complete, which is the point of not using a browser here.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
#: Seconds between two pings of a WebSocket.
_BEAT = 1.0
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA  # RFC 6455, 5.2
_FINAL, _MASKED, _OPCODE, _LENGTH = 0x80, 0x80, 0x0F, 0x7F
_SHORT, _LONG = 126, 127
_SWITCHED = 101

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Request:
    """One request. ``url`` holds scheme, host, port and path."""

    url: str
    method: str = "GET"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Answer:
    """Its status, and whether the body came to its end."""

    status: int
    complete: bool


async def answer(request: Request, address: str, trust: ssl.SSLContext | None) -> Answer:
    """Send the request on a connection of its own.

    Args:
        request: what to ask.
        address: where to connect to; empty asks DNS.
        trust: for TLS; None speaks in the clear.

    Raises:
        OSError: nobody answers, or the connection broke.
        EOFError: it was closed without an answer.
        ValueError: what came is no HTTP.
    """
    async with _connected(request, address, trust) as (reader, writer):
        headers = {"Connection": "close", **request.headers}
        if request.body or request.method not in {"GET", "HEAD"}:
            headers["Content-Length"] = str(len(request.body))
        writer.write(_head(request, headers) + request.body)
        status, received = await _answered(reader)
        body = await reader.read(-1)
        return Answer(status, _is_complete(request, status, received, body))


async def hold(
    request: Request, address: str, trust: ssl.SSLContext | None, done: Callable[[], bool], patience: float
) -> None:
    """Keep a WebSocket open until ``done()``: a ping every second, which must be answered within ``patience`` seconds.

    A body is sent as the first message.

    Raises:
        OSError: nobody answers, or the connection broke, or a ping stays without an answer.
        EOFError: it was closed.
        ValueError: it was no WebSocket.
    """
    async with _connected(request, address, trust) as (reader, writer):
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        upgrade |= {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
        writer.write(_head(request, {**upgrade, **request.headers}))
        status, _ = await asyncio.wait_for(_answered(reader), patience)
        if status != _SWITCHED:
            raise ValueError(f"status {status} instead of a WebSocket")
        if request.body:
            writer.write(_frame(_TEXT, request.body))
        while not done():
            writer.write(_frame(_PING))
            await asyncio.wait_for(_pong(reader), patience)
            await asyncio.sleep(_BEAT)
        writer.write(_frame(_CLOSE))


@asynccontextmanager
async def _connected(request: Request, address: str, trust: ssl.SSLContext | None) -> AsyncGenerator[Streams]:
    parts = urlsplit(request.url)
    port = parts.port or _PORTS[parts.scheme]
    name = parts.hostname if trust else None
    reader, writer = await asyncio.open_connection(address or parts.hostname, port, ssl=trust, server_hostname=name)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _head(request: Request, headers: Mapping[str, str]) -> bytes:
    parts = urlsplit(request.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{request.method} {path} HTTP/1.1", f"Host: {parts.netloc}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


async def _answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The status, and the headers by their names in lower case."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"no HTTP: {first[:80]!r}")
    named = (line.partition(":") for line in lines)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in named}


def _is_complete(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> bool:
    if request.method == "HEAD" or status in {204, 304}:
        return True
    if "content-length" in headers:
        return len(body) == int(headers["content-length"])
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return True


def _frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame from a client, masked as the protocol wants it. Its payload is at most 65,535 bytes."""
    is_short, mask = len(payload) < _SHORT, os.urandom(4)
    size = bytes([_MASKED | len(payload)]) if is_short else bytes([_MASKED | _SHORT]) + len(payload).to_bytes(2, "big")
    return bytes([_FINAL | kind]) + size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


async def _pong(reader: asyncio.StreamReader) -> None:
    """Read until the answer to a ping; whatever else the server says on the way is left unread.

    Raises:
        EOFError: the server closed.
    """
    while True:
        first, second = await reader.readexactly(2)
        length = second & _LENGTH
        if length >= _SHORT:
            length = int.from_bytes(await reader.readexactly(8 if length == _LONG else 2), "big")
        payload = await reader.readexactly(length)
        if first & _OPCODE == _CLOSE:
            raise EOFError(f"closed by the server, code {int.from_bytes(payload[:2], 'big')}")
        if first & _OPCODE == _PONG:
            return
