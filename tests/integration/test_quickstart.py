"""The quickstart, running: what a user, a browser and an intruder meet at its edge, and where its secrets are not."""

from __future__ import annotations

import ssl
import time
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any

import pytest
from observed import inspect
from rig.shell import docker
from testcontainers.core.wait_strategies import (
    ExecWaitStrategy,
    HealthcheckWaitStrategy,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
    PortWaitStrategy,
)
from wsclient import WebSocket

from nself_sdk import render
from nself_sdk.store import certificates
from nself_sdk.testing import Edge, NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testcontainers.core.wait_strategies import WaitStrategy

    from nself_sdk.project import Declaration

pytestmark = pytest.mark.docker

ANSWERS = {"api": ("/healthz", "OK"), "auth": ("/healthz", '"OK"'), "hello": ("/health", '{"status":"ok"}')}
ADMIN = "HASURA_GRAPHQL_ADMIN_SECRET"


@pytest.fixture(scope="module")
def stack(quickstart: Declaration, images_of: Callable[..., None]) -> Iterator[NselfStack]:
    images_of(render(quickstart, "dev"))
    with NselfStack(quickstart, publish={"postgres": 5432}) as running:
        yield running


@pytest.fixture(scope="module")
def notes(stack: NselfStack) -> str:
    """A table that Hasura knows, with one row; users may read it. Its name."""
    sql = "create table public.notes (id serial primary key, text text not null)"
    graphql_admin(stack, "/v2/query", {"type": "run_sql", "args": {"source": "default", "sql": sql}})
    table = {"source": "default", "table": {"schema": "public", "name": "notes"}}
    graphql_admin(stack, "/v1/metadata", {"type": "pg_track_table", "args": table})
    permission = {"columns": "*", "filter": {}}
    readable = {**table, "role": "user", "permission": permission}
    graphql_admin(stack, "/v1/metadata", {"type": "pg_create_select_permission", "args": readable})
    insert = 'mutation { insert_notes_one(object: {text: "kept"}) { id } }'
    graphql_admin(stack, "/v1/graphql", {"query": insert})
    return "notes"


def graphql_admin(stack: NselfStack, path: str, body: dict[str, Any]) -> Any:
    answer = stack.request("POST", "api", path, json=body, headers={"x-hasura-admin-secret": stack.secret(ADMIN)})
    assert answer.status == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return answer.json()


def graphql(stack: NselfStack, query: str, **headers: str) -> dict[str, Any]:
    return stack.request("POST", "api", "/v1/graphql", json={"query": query}, headers=headers).json()


# --- the edge -----------------------------------------------------------------------------------------------------


def test_every_route_has_an_answer_here(stack: NselfStack) -> None:
    assert {route.name for route in stack.deployment.context.routes} == set(ANSWERS)


@pytest.mark.parametrize("route", sorted(ANSWERS))
def test_each_route_answers_over_verified_tls(stack: NselfStack, route: str) -> None:
    path, text = ANSWERS[route]
    answer = stack.request("GET", route, path)
    assert (answer.status, answer.text.strip()) == (200, text)


def test_the_certificate_is_refused_by_who_trusts_another_ca(
    stack: NselfStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    certificates.ensure_local(tmp_path / "tls", ["api.localhost"])
    stranger = Edge(stack.edge.port, authority=certificates.authority_certificate())
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "api.localhost", "/healthz")


def test_http_is_redirected_to_https_with_its_path_and_port(stack: NselfStack) -> None:
    answer = stack.request("GET", "api", "/v1/version?x=1", tls=False)
    assert (answer.status, answer.headers["location"]) == (308, stack.url("api", "/v1/version?x=1"))


def test_an_unknown_host_gets_no_certificate_and_no_page(stack: NselfStack) -> None:
    with pytest.raises(ssl.SSLError):
        stack.edge.request("GET", "unknown.localhost")
    with pytest.raises(RemoteDisconnected):
        stack.edge.request("GET", "unknown.localhost", tls=False)
    with pytest.raises(RemoteDisconnected):
        stack.edge.request("GET", "api.localhost", headers={"Host": "unknown.localhost"})


@pytest.mark.parametrize("route", sorted(ANSWERS))
def test_every_answer_carries_the_security_headers_once(stack: NselfStack, route: str) -> None:
    headers = stack.request("GET", route, "/no-such-page").headers
    expected = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "strict-origin-when-cross-origin",
    }
    assert {name: headers.get_all(name) for name in expected} == {name: [value] for name, value in expected.items()}
    assert headers["server"] == "nginx"


def test_a_websocket_reaches_hasura_through_the_edge(stack: NselfStack, notes: str) -> None:
    host = stack.environment.host("api")
    with stack.edge.connect(host) as connection:
        socket = WebSocket(connection, host, "/v1/graphql", "graphql-transport-ws")
        socket.send({"type": "connection_init", "payload": {"headers": {"x-hasura-admin-secret": stack.secret(ADMIN)}}})
        assert socket.receive()["type"] == "connection_ack"
        socket.send({"type": "subscribe", "id": "1", "payload": {"query": f"subscription {{ {notes} {{ text }} }}"}})
        assert socket.receive()["payload"] == {"data": {notes: [{"text": "kept"}]}}


# --- the services together ----------------------------------------------------------------------------------------


def test_a_graphql_query_is_answered_from_postgres(stack: NselfStack, notes: str) -> None:
    assert graphql_admin(stack, "/v1/graphql", {"query": f"{{ {notes} {{ text }} }}"}) == {
        "data": {"notes": [{"text": "kept"}]}
    }
    sql = ["psql", "-U", "postgres", "-d", stack.name.replace("-", "_"), "-Atc", "select text from notes"]
    assert stack.exec("postgres", sql).stdout == "kept\n"


def test_a_signed_up_user_reads_with_the_token_that_auth_issued(stack: NselfStack, notes: str) -> None:
    query = f"{{ {notes} {{ text }} }}"
    person = {"email": "ada@example.com", "password": "correct horse battery"}
    session = stack.request("POST", "auth", "/signup/email-password", json=person).json()["session"]
    allowed = graphql(stack, query, Authorization=f"Bearer {session['accessToken']}")
    assert allowed == {"data": {"notes": [{"text": "kept"}]}}
    assert "errors" in graphql(stack, query), "nobody reads without a token"
    assert "errors" in graphql(stack, query, Authorization=f"Bearer {session['accessToken'][:-4]}AAAA")


def test_the_custom_service_reaches_its_database_and_redis(stack: NselfStack) -> None:
    answer = stack.request("GET", "hello", "/ready")
    assert (answer.status, answer.json()["checks"]) == (200, {"database": "ok", "redis": "ok"})


def test_the_edge_finds_a_service_that_came_back_with_another_address(stack: NselfStack) -> None:
    hello, edge = stack.container("hello"), stack.container("nginx")
    before, network = hello.get_container_host_ip(), f"{stack.name}_default"
    docker("stop", "--time", "5", hello.id)
    squatter = docker("run", "--detach", "--rm", "--network", network, "redis:7.2.16-alpine3.21")
    try:
        assert stack.request("GET", "hello", "/health").status in {502, 504}
        assert stack.request("GET", "api", "/healthz").status == 200, "the others do not suffer"
        docker("start", hello.id)
        hello.reload()
        assert hello.get_container_host_ip() != before
        seconds_until(lambda: is_healthy(hello.id), 60)
        assert seconds_until(lambda: stack.request("GET", "hello", "/health").status == 200) < 8
    finally:
        docker("rm", "--force", squatter)
    assert stack.container("nginx").id == edge.id


def is_healthy(container: str) -> bool:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container).strip() == "healthy"


def seconds_until(condition: Callable[[], bool], limit: float = 15) -> float:
    begin = time.monotonic()
    while not condition() and time.monotonic() - begin < limit:
        time.sleep(0.2)
    return time.monotonic() - begin


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secrets(stack: NselfStack) -> dict[str, str]:
    """Every secret value, and of the private key a line from its middle."""
    context = stack.deployment.context
    values = {s.name: stack.secret(s.name) for s in context.secrets if s.source != "certificate"}
    assert len(values) > 5
    return {name: value.splitlines()[len(value.splitlines()) // 2] for name, value in values.items()}


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, value in secrets.items() if value in text]


def test_no_secret_is_in_the_rendered_file(stack: NselfStack, secrets: dict[str, str]) -> None:
    assert not found_in(stack.deployment.file.to_yaml(), secrets)


@pytest.mark.parametrize("service", ["postgres", "postgres-setup", "redis", "nginx"])
def test_no_secret_is_in_the_container_s_description(stack: NselfStack, secrets: dict[str, str], service: str) -> None:
    assert not found_in(docker("inspect", stack.container(service).id), secrets)


def test_no_secret_is_an_argument_of_any_process(stack: NselfStack, secrets: dict[str, str]) -> None:
    running = [state.container.id for state in stack.deployment.status() if state.container and state.container.running]
    arguments = "\n".join(docker("top", container, "-eo", "pid,args") for container in running)
    assert "nginx: master process" in arguments
    assert not found_in(arguments, secrets)


def test_no_secret_is_in_any_log(stack: NselfStack, secrets: dict[str, str]) -> None:
    ids = [state.container.id for state in stack.deployment.status() if state.container]
    assert not found_in("\n".join(docker("logs", container) for container in ids), secrets)


# --- again, and nothing else --------------------------------------------------------------------------------------


def test_a_second_deploy_replaces_nothing(stack: NselfStack) -> None:
    def state() -> list[tuple[str, str]]:
        found = [status.container for status in stack.deployment.status() if status.container]
        return [
            (one.id, "" if one.service == "postgres-setup" else inspect(one.id)[0]["State"]["StartedAt"])
            for one in found
        ]

    before = state()
    stack.deployment.deploy()
    assert state() == before
    assert len(before) == 7


def test_nothing_but_the_edge_and_what_was_asked_for_is_published(stack: NselfStack) -> None:
    containers = stack.deployment.driver.containers(stack.name)
    ports = {one.service: {(port.address, port.target) for port in one.ports} for one in containers if one.ports}
    assert ports == {"nginx": {("127.0.0.1", 80), ("127.0.0.1", 443)}, "postgres": {("127.0.0.1", 5432)}}


def test_no_service_has_a_nameless_volume(stack: NselfStack) -> None:
    containers = stack.deployment.driver.containers(stack.name)
    volumes = {mount.source for one in containers for mount in one.mounts if mount.type == "volume"}
    assert volumes == {f"{stack.name}_postgres-data", f"{stack.name}_redis-data"}


# --- testcontainers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "strategy"),
    [
        ("postgres", PortWaitStrategy(5432)),  # published on this host
        ("redis", PortWaitStrategy(6379)),  # only inside the stack's network
        ("hello", HttpWaitStrategy(8001, "/health").for_status_code(200)),
        ("nginx", PortWaitStrategy(443)),
        ("hasura", HealthcheckWaitStrategy()),
        ("postgres", LogMessageWaitStrategy("database system is ready to accept connections")),
        ("postgres", ExecWaitStrategy(["pg_isready", "-q", "-h", "127.0.0.1"])),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_wait_strategies_of_testcontainers_reach_the_real_address(
    stack: NselfStack, service: str, strategy: WaitStrategy
) -> None:
    strategy.with_startup_timeout(5).with_poll_interval(0.2).wait_until_ready(stack.container(service))


def test_everything_carries_the_labels_by_which_ryuk_reaps(stack: NselfStack) -> None:
    from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID

    every = f"label=com.docker.compose.project={stack.name}"
    reaped = f"label={LABEL_SESSION_ID}={SESSION_ID}"
    for listing in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
        everything = docker(*listing, "--quiet", "--filter", every)
        assert everything
        assert everything == docker(*listing, "--quiet", "--filter", every, "--filter", reaped)
