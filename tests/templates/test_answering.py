"""The scaffolds that are no plain HTTP services, on the engine behind the edge: a worker with its queue, and gRPC."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from rig.needed import needed

from nself_sdk import CustomService, Project, render
from nself_sdk.store.certificates import authority_certificate
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A client of the service, in its own container, which has one; the edge is reached as from outside, over TLS.
CALLS = """
import sys, grpc
from queue import SimpleQueue
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from app.protocol.greeter_pb2 import GreetEachRequest, GreetRequest
from app.protocol.greeter_pb2_grpc import GreeterServiceStub
trusted, host = grpc.ssl_channel_credentials(sys.argv[1].encode()), sys.argv[2]
names = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
with grpc.secure_channel("nginx:443", trusted, names) as channel:
    print(HealthStub(channel).Check(HealthCheckRequest(service="greeter.v1.GreeterService"), timeout=9).status)
    greeter, sent = GreeterServiceStub(channel), SimpleQueue()
    answer, call = greeter.Greet.with_call(GreetRequest(name="Ada"), timeout=9)
    print(answer.message, len(dict(call.trailing_metadata())["x-request-id"]))
    answers = greeter.GreetEach(iter(sent.get, None), timeout=9)
    for name in ("Ada", "Grace"):
        sent.put(GreetEachRequest(name=name))
        print(next(answers).message)
    sent.put(None)
    try:
        greeter.Greet(GreetRequest(), timeout=9)
    except grpc.RpcError as refused:
        print(refused.code().name, refused.details())
"""
ASKS = """
const [url, body] = process.argv.slice(1);
const answer = await fetch(url, body && { method: "POST", body, headers: { "Content-Type": "application/json" } });
console.log(JSON.stringify([answer.status, await answer.json()]));
"""


def project() -> Project:
    made = Project("shop").add(CustomService("rpc", "grpc", 8003))
    return made.add(CustomService("jobs", "bullmq-js", 8002, replicas=2, environment={"QUEUE_NAME": "demo-jobs"}))


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., object]) -> Iterator[NselfStack]:
    rig_images(*needed(render(project(), "prod")))
    with NselfStack(project(), "prod") as running:
        yield running


def asked(stack: NselfStack, path: str, body: object = None) -> tuple[int, Any]:
    """The status and the answer of the worker, asked from inside."""
    given = [] if body is None else [json.dumps(body)]
    command = ["node", "--input-type=module", "-e", ASKS, f"http://jobs:8002{path}", *given]
    status, answer = json.loads(stack.exec("jobs", command).stdout)
    return status, answer


@pytest.mark.docker
def test_a_job_is_worked_off_by_one_of_the_replicas(stack: NselfStack) -> None:
    taken, job = asked(stack, "/jobs", {"name": "greet", "data": {"name": "Ada"}})
    assert taken == 202
    deadline = time.monotonic() + 20
    while (found := asked(stack, f"/jobs/{job['id']}"))[1]["state"] != "completed":
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert found[1]["result"] == {"message": "Hello, Ada."}


@pytest.mark.docker
def test_from_outside_a_worker_answers_that_it_is_well_and_takes_no_job(stack: NselfStack) -> None:
    assert stack.request("GET", "jobs", "/health").json() == {"status": "ok"}
    assert stack.request("GET", "jobs", "/ready").json() == {"status": "ready", "checks": {"redis": "ok"}}
    body = {"name": "greet", "data": {"name": "Ada"}}
    assert stack.request("POST", "jobs", "/jobs", json=body).status == 404
    assert stack.request("GET", "jobs", "/jobs/1").status == 404
    assert stack.request("GET", "jobs", "/metrics").status == 404


@pytest.mark.docker
def test_a_worker_gets_redis_without_being_told_and_nothing_else(stack: NselfStack) -> None:
    service = stack.deployment.file.services["jobs"]
    assert {each.source for each in service.secret_references} == {"REDIS_PASSWORD"}
    assert stack.deployment.file.services["rpc"].secret_references == []


@pytest.mark.docker
def test_grpc_calls_and_streams_go_through_the_edge(stack: NselfStack) -> None:
    certificate = authority_certificate().read_text(encoding="utf-8")
    host = stack.environment.host("rpc")
    told = stack.exec("rpc", ["python", "-c", CALLS, certificate, host])
    assert told.stdout.splitlines() == [
        "1",
        "Hello, Ada. 32",
        "Hello, Ada.",
        "Hello, Grace.",
        "INVALID_ARGUMENT a name is needed",
    ], told.stderr


@pytest.mark.docker
def test_what_is_no_grpc_is_told_so_by_the_edge(stack: NselfStack) -> None:
    assert stack.request("GET", "rpc", "/").status == 415


@pytest.mark.docker
def test_a_new_version_of_a_grpc_service_is_asked_before_it_serves(stack: NselfStack) -> None:
    changed = project()
    changed.services["rpc"] = CustomService("rpc", "grpc", 8003, environment={"DRAIN_SECONDS": "5"})
    report = stack.changed(changed).deploy()
    assert report.plan is not None
    assert [(change.service, change.order) for change in report.plan.pending] == [("rpc", "start-first")]
    assert report.flaws == []
