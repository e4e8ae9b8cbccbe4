"""The service as its callers see it: no network, no database."""

import gzip
import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from app.logs import JsonLines, request_id
from app.main import create_app
from app.settings import Settings


@pytest.fixture
def app() -> FastAPI:
    return create_app(Settings())


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_it_says_hello(client: TestClient) -> None:
    answer = client.get("/", params={"name": "Ada"})
    assert answer.json() == {"service": Settings().name, "message": "Hello, Ada."}


def test_it_lives(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_it_is_ready_when_it_needs_nothing(client: TestClient) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": {}})


def test_it_lives_but_is_not_ready_without_what_it_needs() -> None:
    nobody = "127.0.0.1:1"
    settings = Settings(
        database_url=f"postgres://me:hidden@{nobody}/db", redis_url=f"redis://:hidden@{nobody}/0"
    )
    with TestClient(create_app(settings)) as client:
        answer = client.get("/ready")
        assert client.get("/health").status_code == 200
    assert answer.status_code == 503
    assert answer.json()["checks"].keys() == {"database", "redis"}
    assert "hidden" not in answer.text


def test_requests_are_measured_by_route(client: TestClient) -> None:
    client.get("/")
    client.get("/nothing/here")
    text = client.get("/metrics").text
    assert 'http_request_duration_seconds_count{method="GET",route="/",status="200"}' in text
    assert 'route="unmatched",status="404"' in text
    assert "/nothing/here" not in text


def test_a_request_keeps_its_id(client: TestClient) -> None:
    assert client.get("/", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"


def test_an_unsafe_id_is_replaced(client: TestClient) -> None:
    unsafe = 'a" onload="'
    assert client.get("/", headers={"X-Request-ID": unsafe}).headers["X-Request-ID"] != unsafe


def test_a_failure_is_answered_and_logged_once(
    app: FastAPI, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("detail for the log alone")

    logging.getLogger().addHandler(caplog.handler)  # the application set its own handlers
    answer = client.get("/broken", headers={"X-Request-ID": "r1"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal Server Error", "request_id": "r1"}
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


def test_a_log_line_is_json_with_the_request_id() -> None:
    record = logging.makeLogRecord({"msg": "paid %s", "args": ("it",), "amount": 3})
    token = request_id.set("r2")
    line = json.loads(JsonLines("shop").format(record))
    request_id.reset(token)
    assert line["message"] == "paid it"
    assert (line["service"], line["request_id"], line["amount"]) == ("shop", "r2", 3)


def test_settings_come_from_the_environment() -> None:
    environment = {"PORT": "9000", "LOG_LEVEL": "warning", "DATABASE_URL": ""}
    settings = Settings.from_environment(environment)
    assert (settings.port, settings.log_level, settings.database_url) == (9000, "WARNING", None)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgres://me:hidden@db/app\n")
    settings = Settings.from_environment({"DATABASE_URL_FILE": str(secret)})
    assert settings.database_url == "postgres://me:hidden@db/app"
    assert "hidden" not in repr(settings)


def test_a_password_goes_into_its_url(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p/w\n")
    environment = {
        "DATABASE_URL": "postgresql://me@db:5432/app",
        "DATABASE_PASSWORD_FILE": str(secret),
        "REDIS_URL": "redis://redis:6379/0",
        "REDIS_PASSWORD": "hush",
    }
    settings = Settings.from_environment(environment)
    assert settings.database_url == "postgresql://me:p%2Fw@db:5432/app"
    assert settings.redis_url == "redis://:hush@redis:6379/0"


def hasura(secret: str | None, path: str, body: object, shown: str) -> Response:
    with TestClient(create_app(Settings(webhook_secret=secret))) as client:
        return client.post(f"/hasura/{path}", json=body, headers={"X-Webhook-Secret": shown})


def test_hasura_is_answered_when_it_shows_the_secret_and_only_then() -> None:
    body = {"input": {"name": "Ada"}}
    refused = hasura("hush", "actions/greet", body, "guess")
    assert (refused.status_code, refused.json()) == (401, {"message": "wrong webhook secret"})
    wrong = hasura("hush", "actions/greet", {"input": {}}, "hush")
    assert (wrong.status_code, wrong.json()) == (400, {"message": "body.input.name: Field required"})
    answer = hasura("hush", "actions/greet", body, "hush")
    assert (answer.status_code, answer.json()) == (200, {"message": "Hello, Ada."})


def test_without_a_webhook_secret_there_is_nothing_for_hasura() -> None:
    assert hasura(None, "actions/greet", {"input": {"name": "Ada"}}, "").status_code == 404


def test_an_event_is_taken() -> None:
    event = {"id": "e1", "event": {"op": "INSERT", "data": {"old": None, "new": {}}}}
    assert hasura("hush", "events/order_created", event, "hush").status_code == 204


def test_spans_go_where_the_endpoint_says_in_the_callers_trace() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    received: list[tuple[str, bytes]] = []

    class Tempo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Tempo)
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}/"
    with TestClient(create_app(Settings(traces_endpoint=endpoint))) as client:
        client.get("/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    server.shutdown()
    (path, body), *_ = received
    assert path == "/v1/traces"
    assert bytes.fromhex(trace) in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
