"""Edge: requests through a stack's Nginx as a browser makes them, but without DNS. It knows no Docker, no project."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from http.client import HTTPConnection
from json import dumps, loads
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Response:
    """What came back. ``headers`` finds a name however it is spelt."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body, read as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The value that the body holds as JSON."""
        return loads(self.body)


class Edge:
    """The edge of one stack, at an address and two ports of it.

    The name of a route goes into SNI and into the Host header, so no resolver has to know it, and the server's
    certificate is verified for that name.

    Args:
        port: where it answers https.
        http_port: where it answers plain http.
        address: of the host that publishes these ports.
        authority: the PEM file of the CA to trust; this user's own local CA when left out.
        timeout: seconds without a byte after which a request fails.
    """

    def __init__(
        self,
        port: int = 443,
        *,
        http_port: int = 80,
        address: str = "127.0.0.1",
        authority: Path | None = None,
        timeout: float = 30,
    ) -> None:
        self.port = port
        self.http_port = http_port
        self.address = address
        self.timeout = timeout
        self._authority = authority

    @property
    def authority(self) -> Path:
        """The PEM file of the CA whose certificates are accepted, and no others."""
        if self._authority is None:
            from nself_sdk.store import certificates  # noqa: PLC0415 - costs as much as a whole command

            return certificates.authority_certificate()
        return self._authority

    def request(  # noqa: PLR0913 - method, host and path read as in HTTP; the rest by keyword
        self,
        method: str,
        host: str,
        path: str = "/",
        *,
        json: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        tls: bool = True,
    ) -> Response:
        """One request, on a connection of its own. Redirects are not followed.

        Args:
            method: such as ``GET``.
            host: the host name of a route, such as ``api.localhost``.
            path: with its query.
            json: a value to send as JSON, if it is not None.
            data: bytes to send as they are.
            headers: over those that are sent anyway.
            tls: False asks over plain http.

        Raises:
            ssl.SSLError: the edge does not know that host, or its certificate is not to be trusted.
            OSError: nothing answers there, or not in time.
            http.client.HTTPException: the connection was closed without an answer.
        """
        body = data if json is None else dumps(json).encode()
        sent = {"Host": self._named(host, tls=tls)}
        sent |= {} if json is None else {"Content-Type": "application/json"}
        connection = HTTPConnection(host)
        connection.sock = self.connect(host, tls=tls)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def connect(self, host: str, *, tls: bool = True) -> socket.socket:
        """An open connection to the edge for that host, for what is no plain request: websockets, long downloads.

        Raises:
            ssl.SSLError: the edge does not know that host, or its certificate is not to be trusted.
            OSError: nothing answers there.
        """
        plain = socket.create_connection((self.address, self.port if tls else self.http_port), self.timeout)
        if not tls:
            return plain
        try:
            return self._trust.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def _named(self, host: str, *, tls: bool) -> str:
        """The host as a browser sends it: with the port, unless it is the scheme's own."""
        port, usual = (self.port, 443) if tls else (self.http_port, 80)
        return host if port == usual else f"{host}:{port}"
