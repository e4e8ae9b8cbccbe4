"""Requests through an edge: here a small TLS server of this process stands for Nginx."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from nself_sdk.store import certificates
from nself_sdk.testing import Edge

if TYPE_CHECKING:
    from collections.abc import Iterator


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = {"host": self.headers["Host"], "path": self.path, "type": self.headers["Content-Type"], "body": body}
        self.send_response(201)
        self.send_header("X-Kind", "echo")
        self.end_headers()
        self.wfile.write(json.dumps(asked).encode())

    do_GET = do_POST  # noqa: N815 - http.server's own name

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        certificates.ensure_local(folder / "tls", ["api.localhost"])
        authority = certificates.authority_certificate()
    secure, plain = (ThreadingHTTPServer(("127.0.0.1", 0), Echo) for _ in range(2))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls" / "fullchain.pem", folder / "tls" / "privkey.pem")
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    for server in (secure, plain):
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield Edge(secure.server_port, http_port=plain.server_port, authority=authority, timeout=5)
    for server in (secure, plain):
        server.shutdown()
        server.server_close()


def test_json_goes_out_and_comes_back_under_the_routes_own_name(edge: Edge) -> None:
    answer = edge.request("POST", "api.localhost", "/v1?x=1", json={"a": 1})
    assert (answer.status, answer.headers["x-kind"]) == (201, "echo")
    asked = {"host": f"api.localhost:{edge.port}", "path": "/v1?x=1", "type": "application/json", "body": '{"a": 1}'}
    assert answer.json() == asked
    assert json.loads(answer.text) == asked


def test_headers_that_are_given_win(edge: Edge) -> None:
    given = {"Host": "other.localhost", "Content-Type": "application/graphql"}
    asked = edge.request("POST", "api.localhost", json=None, data=b"{ a }", headers=given).json()
    assert asked == {"host": "other.localhost", "path": "/", "type": "application/graphql", "body": "{ a }"}


def test_plain_http_is_asked_on_its_own_port(edge: Edge) -> None:
    asked = edge.request("GET", "api.localhost", tls=False).json()
    assert asked["host"] == f"api.localhost:{edge.http_port}"


def test_a_certificate_for_another_name_is_refused(edge: Edge) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        edge.request("GET", "auth.localhost")


def test_a_certificate_of_an_unknown_ca_is_refused(edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        certificates.ensure_local(folder / "tls", ["api.localhost"])
        stranger = Edge(edge.port)  # trusts this user's own CA, which is the one of this folder
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.request("GET", "api.localhost")


def test_where_nobody_listens_there_is_an_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        Edge(http_port=1).request("GET", "api.localhost", tls=False)
