"""The service as its callers see it: no network but this machine's, no database."""

import asyncio
import gzip
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from app.greeter import Greeter
from app.logs import JsonLines, request_id
from app.main import Ports, running
from app.protocol.greeter_pb2 import GreetEachRequest, GreetRequest, GreetResponse
from app.protocol.greeter_pb2_grpc import GreeterServiceStub
from app.settings import Settings

HERE = Path(__file__).parents[1]
ANY = Settings(port=0, probes_port=0)


class Served:
    """A service that runs in a thread of its own, and a channel to it."""

    def __init__(self, settings: Settings) -> None:
        self.loop = asyncio.new_event_loop()
        Thread(target=self.loop.run_forever, daemon=True).start()
        self.service = running(settings)
        self.ports: Ports = self.wait(self.service.__aenter__())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.ports.service}")
        self.greeter = GreeterServiceStub(self.channel)

    def wait(self, done: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(done, self.loop).result(10)

    def stop(self) -> None:
        self.wait(self.service.__aexit__(None, None, None))

    def get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.ports.probes, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@contextmanager
def serving(settings: Settings = ANY) -> Iterator[Served]:
    served = Served(settings)
    try:
        yield served
    finally:
        served.channel.close()
        served.stop()


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with serving() as served:
        yield served


def test_it_says_hello(service: Served) -> None:
    assert service.greeter.Greet(GreetRequest(name="Ada"), timeout=5).message == "Hello, Ada."


def test_it_greets_each_name_of_a_stream_as_it_comes(service: Served) -> None:
    names: SimpleQueue[GreetEachRequest | None] = SimpleQueue()
    answers = service.greeter.GreetEach(iter(names.get, None), timeout=5)
    for name in ("Ada", "Grace"):
        names.put(GreetEachRequest(name=name))
        assert next(answers).message == f"Hello, {name}."
    names.put(None)
    assert list(answers) == []


def test_a_refusal_says_whose_fault_it_is(service: Served) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        service.greeter.Greet(GreetRequest(), timeout=5)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "a name is needed",
    )


def test_it_says_of_itself_that_it_serves(service: Served) -> None:
    health = HealthStub(service.channel)
    for name in ("", "greeter.v1.GreeterService"):
        answer = health.Check(HealthCheckRequest(service=name), timeout=5)
        assert answer.status == HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(HealthCheckRequest(service="other"), timeout=5)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_it_lives_and_is_ready_when_it_needs_nothing(service: Served) -> None:
    assert service.get("/health") == (200, '{"status": "ok"}')
    status, text = service.get("/ready")
    assert (status, json.loads(text)) == (200, {"status": "ready", "checks": {"grpc": "ok"}})


def test_it_lives_but_is_not_ready_without_what_it_needs() -> None:
    nobody = "127.0.0.1:1"
    urls = {"database_url": f"postgres://me:hidden@{nobody}/db", "redis_url": f"redis://:hidden@{nobody}/0"}
    with serving(replace(ANY, **urls)) as served:
        status, text = served.get("/ready")
        assert served.get("/health")[0] == 200
    assert status == 503
    assert json.loads(text)["checks"].keys() == {"grpc", "database", "redis"}
    assert "hidden" not in text


def test_calls_are_measured_by_method(service: Served) -> None:
    service.greeter.Greet(GreetRequest(name="Ada"), timeout=5)
    text = service.get("/metrics")[1]
    labels = 'grpc_method="Greet",grpc_service="greeter.v1.GreeterService"}'
    assert "grpc_server_handling_seconds_count{" + labels in text
    assert 'grpc_server_handled_total{grpc_code="OK",' + labels in text


def called(service: Served, identity: str) -> str:
    _, call = service.greeter.Greet.with_call(
        GreetRequest(name="Ada"), metadata=(("x-request-id", identity),), timeout=5
    )
    return dict(call.trailing_metadata())["x-request-id"]


def test_a_call_keeps_its_id_and_an_unsafe_one_is_replaced(service: Served) -> None:
    assert called(service, "abc-1") == "abc-1"
    assert called(service, 'a" onload="') != 'a" onload="'


def test_a_failure_is_answered_without_its_details_and_logged_once(
    service: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> GreetResponse:
        raise RuntimeError("detail for the log alone")

    monkeypatch.setattr(Greeter, "Greet", broken)
    with serving() as failing:
        logging.getLogger().addHandler(caplog.handler)  # the service set its own handlers
        with pytest.raises(grpc.RpcError) as caught:
            failing.greeter.Greet(GreetRequest(name="Ada"), timeout=5)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


def test_when_it_stops_the_call_in_flight_ends_and_no_other_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object) -> GreetResponse:
        await asyncio.sleep(0.5)
        return GreetResponse(message="done")

    monkeypatch.setattr(Greeter, "Greet", slow)
    served = Served(ANY)
    call = served.greeter.Greet.future(GreetRequest(name="Ada"), timeout=5)
    served.wait(asyncio.sleep(0.2))  # until it is in flight
    started = monotonic()
    served.stop()
    assert call.result().message == "done"
    assert monotonic() - started < 3
    with pytest.raises(grpc.RpcError) as caught:
        served.greeter.Greet(GreetRequest(name="Ada"), timeout=2)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    served.channel.close()


def test_a_log_line_is_json_with_the_request_id() -> None:
    record = logging.makeLogRecord({"msg": "paid %s", "args": ("it",), "amount": 3})
    token = request_id.set("r2")
    line = json.loads(JsonLines("shop").format(record))
    request_id.reset(token)
    assert line["message"] == "paid it"
    assert (line["service"], line["request_id"], line["amount"]) == ("shop", "r2", 3)


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({"PORT": "9000", "LOG_LEVEL": "warning", "DATABASE_URL": ""})
    assert (settings.port, settings.log_level, settings.database_url) == (9000, "WARNING", None)


def test_a_password_goes_into_its_url_and_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p/w\n")
    environment = {"DATABASE_URL": "postgresql://me@db:5432/app", "DATABASE_PASSWORD_FILE": str(secret)}
    settings = Settings.from_environment(environment)
    assert settings.database_url == "postgresql://me:p%2Fw@db:5432/app"
    assert "p%2Fw" not in repr(settings)


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
    with serving(replace(ANY, traces_endpoint=f"http://127.0.0.1:{server.server_port}/")) as served:
        parent = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
        served.greeter.Greet(GreetRequest(name="Ada"), metadata=parent, timeout=5)
    server.shutdown()
    (path, body), *_ = received
    assert path == "/v1/traces"
    assert bytes.fromhex(trace) in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


def test_the_generated_code_is_what_the_proto_says(tmp_path: Path) -> None:
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outs, "app/protocol/greeter.proto"]
    # protoc finds its plugins there, also in an environment that nobody activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, cwd=HERE, check=True, capture_output=True, env={**os.environ, "PATH": path})
    made = {path.name: path.read_text() for path in (tmp_path / "app" / "protocol").iterdir()}
    assert len(made) == 4
    assert made == {name: (HERE / "app" / "protocol" / name).read_text() for name in made}
