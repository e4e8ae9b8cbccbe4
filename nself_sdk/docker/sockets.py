"""Whether a Docker engine answers at a socket, and JSON that it has there; knows no kind of thing."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import Any

_OK, _NOT_FOUND = 200, 404


def ping(path: str, timeout: float) -> bool:
    """Whether a Docker engine answers ``GET /_ping`` at this socket.

    Raises:
        OSError: nobody listens there, or not for us, or not in time (seconds).
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.")


def read(path: str, resources: Iterable[str], timeout: float) -> list[Any]:
    """The JSON of these resources, over one connection; what is not there is left out.

    Raises:
        OSError: nobody listens there, or not for us, or not in time (seconds).
        ValueError: it answers something else.
        http.client.HTTPException: it broke off.
    """
    found: list[Any] = []
    with contextlib.closing(_Connection(path, timeout)) as connection:
        for resource in resources:
            connection.request("GET", resource)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == _OK:
                found.append(json.loads(body))
            elif answer.status != _NOT_FOUND:
                raise ValueError(f"{resource}: status {answer.status}")
    return found


class _Connection(HTTPConnection):
    """HTTP over a socket of this machine."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
