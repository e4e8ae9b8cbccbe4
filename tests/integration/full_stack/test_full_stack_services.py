"""The four custom services of the full stack: built, routed, orderly to the end; and who is told when they are gone."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from rig.shell import docker

from full_stack.asking import asked, eventually

if TYPE_CHECKING:
    from nself_sdk.testing import NselfStack, Response

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

PORTS = {"order-api": 8001, "webhooks": 8002, "payments": 8003, "ml-inference": 8004}
every_service = pytest.mark.parametrize("name", list(PORTS))
#: Secrets that each may see, and no others.
SECRETS = {
    "order-api": {
        "ORDER_API_DB_PASSWORD",
        "ORDER_API_WEBHOOK_SECRET",
        "REDIS_PASSWORD",
        "HASURA_GRAPHQL_ADMIN_SECRET",
    },
    "webhooks": {"WEBHOOKS_DB_PASSWORD", "REDIS_PASSWORD"},
    "payments": {"PAYMENTS_DB_PASSWORD", "REDIS_PASSWORD"},
    "ml-inference": set(),
}
SLOW_SECONDS = 3


def inspected(stack: NselfStack, name: str) -> dict[str, Any]:
    return json.loads(docker("inspect", stack.container(name).id))[0]


def containers(stack: NselfStack, name: str) -> list[str]:
    labels = (f"com.docker.compose.project={stack.name}", f"com.docker.compose.service={name}")
    return docker("ps", "-q", *(f"--filter=label={label}" for label in labels)).split()


@every_service
def test_it_answers_at_its_route_over_verified_tls(stack: NselfStack, name: str) -> None:
    answer = stack.request("GET", name, "/health")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    assert name in stack.request("GET", name, "/").text


@every_service
def test_it_reaches_what_it_declared(stack: NselfStack, name: str) -> None:
    wanted = {"database": "ok", "redis": "ok"} if name != "ml-inference" else {}
    answer = stack.request("GET", name, "/ready")
    assert (answer.status, answer.json()) == (200, {"status": "ready", "checks": wanted})


@every_service
def test_it_sees_the_secrets_that_it_declared_and_no_others(stack: NselfStack, name: str) -> None:
    listed = stack.exec(name, ["sh", "-c", "ls /run/secrets 2>/dev/null || true"]).stdout.split()
    assert set(listed) == SECRETS[name]
    values = [stack.secret(secret) for secret in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "HASURA_GRAPHQL_ADMIN_SECRET")]
    assert not any(value in json.dumps(inspected(stack, name)) for value in values)


@every_service
def test_its_metrics_are_for_the_inside_alone(stack: NselfStack, name: str) -> None:
    assert stack.request("GET", name, "/metrics").status == 404
    inside = stack.exec("nginx", ["curl", "-fsS", f"http://{name}:{PORTS[name]}/metrics"]).stdout
    assert "http_request_duration_seconds_count" in inside


@every_service
def test_it_is_nobody_in_its_container(stack: NselfStack, name: str) -> None:
    assert stack.exec(name, ["id", "-u"]).stdout.strip() == "10001"
    assert stack.exec(name, ["sh", "-c", "touch /srv/x"]).exit_code != 0


@every_service
def test_its_log_lines_are_json_with_the_id_of_the_request_at_the_edge(stack: NselfStack, name: str) -> None:
    sent = stack.request("GET", name, "/").headers["X-Request-ID"]

    def lines() -> list[dict[str, Any]]:
        logs = "".join(docker("logs", each) + "\n" for each in containers(stack, name))
        return [json.loads(line) for line in logs.splitlines() if line]

    # The line is written when the answer has gone out.
    assert eventually(lambda: sent in {line.get("request_id") for line in lines()}, 5)
    assert {line["service"] for line in lines()} == {name}


# From here on they are stopped.


def test_on_sigterm_each_ends_the_request_in_flight_and_exits_with_0(stack: NselfStack) -> None:
    ids = {name: containers(stack, name) for name in PORTS}

    def ask(name: str) -> Response:
        return stack.request("GET", name, "/slow")

    with ThreadPoolExecutor() as pool:
        requests = {name: pool.submit(ask, name) for name in PORTS}
        time.sleep(1)  # until they are in flight
        started = time.monotonic()
        docker("stop", *(each for found in ids.values() for each in found))
        took = time.monotonic() - started
    for name, request in requests.items():
        assert (request.result().status, request.result().json()) == (200, "done"), name
        assert {docker("inspect", "--format", "{{.State.ExitCode}}", each) for each in ids[name]} == {"0"}, name
    assert took < SLOW_SECONDS + 15  # not its whole drain time, which is for connections that do not end


def test_a_service_that_is_gone_is_told_to_the_operator_by_mail(stack: NselfStack) -> None:
    def mailed() -> set[str]:
        found = asked(stack, "GET", "mail", "/api/v1/search?query=ServiceDown").json()["messages"]
        return {name for name in PORTS for one in found if one["Subject"].endswith(f"ServiceDown {name}")}

    assert eventually(lambda: mailed() == set(PORTS)), mailed()
