"""Looks without a docker client: what is asked, and when the client is asked instead."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from nself_sdk.docker import glances

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Engine(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, object]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = unquote(urlsplit(self.path).path)
        status, body = (200, json.dumps(self.answers[path])) if path in self.answers else (404, "{}")
        if body == '"broken"':
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    Engine.asked, Engine.answers = [], {}
    server = ThreadingUnixStreamServer(str(tmp_path / "s"), Engine)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"unix://{tmp_path / 's'}"
    server.shutdown()
    server.server_close()


def test_documents_are_of_those_that_exist(address: str) -> None:
    Engine.answers = {"/images/ghcr.io/shop/api:1@sha256:0/json": {"Id": "one"}, "/images/b/json": {"Id": "two"}}
    names = ["ghcr.io/shop/api:1@sha256:0", "gone:1", "b"]
    assert glances.documents(address, "image", names) == [{"Id": "one"}, {"Id": "two"}]


def test_filters_of_one_kind_are_asked_together(address: str) -> None:
    Engine.answers = {"/containers/json": [{"Id": "a"}, {"Id": "b"}]}
    assert glances.containers(address, ["publish=80", "publish=443", "label=a=b"]) == ["a", "b"]
    query = parse_qs(urlsplit(Engine.asked[0]).query)
    assert query["all"] == ["1"]
    assert json.loads(query["filters"][0]) == {"publish": ["80", "443"], "label": ["a=b"]}


@pytest.mark.parametrize(("label", "filters"), [("", {}), ("a=b", {"label": ["a=b"]})])
def test_images_are_all_or_those_with_a_label(address: str, label: str, filters: dict[str, list[str]]) -> None:
    Engine.answers = {"/images/json": [{"Id": "a"}]}
    assert glances.images(address, label) == ["a"]
    assert json.loads(parse_qs(urlsplit(Engine.asked[0]).query)["filters"][0]) == filters


def test_an_engine_that_says_something_else_is_left_to_the_client(address: str, tmp_path: Path) -> None:
    Engine.answers = {"/networks/a": "broken"}
    assert glances.documents(address, "network", ["a"]) is None
    assert glances.containers(address, []) is None
    assert glances.images(f"unix://{tmp_path}/nobody", "") is None
