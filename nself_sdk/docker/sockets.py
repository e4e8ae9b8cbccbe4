"""Whether a Docker engine answers at a socket; the only place that speaks to one without the docker client."""

from __future__ import annotations

import socket


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
