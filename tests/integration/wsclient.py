"""As much of a websocket client (RFC 6455) as a test needs: short text messages over an open connection."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socket import socket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _LONG = 0x81, 126


class WebSocket:
    """An upgraded connection."""

    def __init__(self, connection: socket, host: str, path: str, protocol: str) -> None:
        key = b64encode(os.urandom(16))
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key.decode()}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {protocol}",
        )
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        self._socket = connection
        self._file = connection.makefile("rb")
        status, *headers = iter(lambda: self._file.readline().decode().strip(), "")
        assert status.split()[1] == "101", status
        accepted = b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        assert any(header.endswith(accepted) for header in headers), headers

    def send(self, message: dict[str, Any]) -> None:
        """Send one message as JSON."""
        payload, mask = json.dumps(message).encode(), os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < _LONG else b"\xfe" + len(payload).to_bytes(2, "big")
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(bytes([_TEXT]) + size + mask + masked)

    def receive(self) -> dict[str, Any]:
        """The next text message, whatever pings come before it."""
        while True:
            kind, size = self._file.read(2)
            length = int.from_bytes(self._file.read(2), "big") if size == _LONG else size
            payload = self._file.read(length)
            if kind == _TEXT:
                return json.loads(payload)
