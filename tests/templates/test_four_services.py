"""The four custom services of the architecture document, on a real engine: built, routed, orderly to the end."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from rig.shell import docker

from nself_sdk import CustomService, Project, render, resources
from nself_sdk.store import ProjectFolder
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nself_sdk.testing import Response

pytestmark = pytest.mark.docker

SERVICES = (
    CustomService("order-api", "express-js", 8001, needs=["postgres", "redis", "hasura"]),
    CustomService("webhooks", "nestjs", 8002, needs=["postgres", "redis"], replicas=2),
    CustomService("payments", "fastapi-py", 8003, needs=["postgres", "redis"]),
    CustomService("ml-inference", "fastapi-py", 8004),
)
NAMES = [service.name for service in SERVICES]
every_service = pytest.mark.parametrize("name", NAMES)
#: Secrets that each may see, and no others.
SECRETS = {
    "order-api": {"ORDER_API_DB_PASSWORD", "REDIS_PASSWORD", "HASURA_GRAPHQL_ADMIN_SECRET"},
    "webhooks": {"WEBHOOKS_DB_PASSWORD", "REDIS_PASSWORD"},
    "payments": {"PAYMENTS_DB_PASSWORD", "REDIS_PASSWORD"},
    "ml-inference": set(),
}
SLOW_SECONDS = 3

# How each template is given a route that takes its time: the file, the text before which it goes, the route.
SLOW = {
    "express-js": (
        "src/api.js",
        "  return router;",
        """
  router.get("/slow", (_, response) => {
    setTimeout(() => response.json("done"), 3000);
  });
""",
    ),
    "nestjs": (
        "src/hello.controller.ts",
        '  @Get("/")',
        """
  @Get("/slow")
  async slow(): Promise<string> {
    await new Promise((done) => setTimeout(done, 3000));
    return JSON.stringify("done");
  }
""",
    ),
    "fastapi-py": (
        "app/api.py",
        '@router.get("/")',
        """
@router.get("/slow")
async def slow() -> str:
    import asyncio
    await asyncio.sleep(3)
    return "done"
""",
    ),
}


def project() -> Project:
    declared = Project("shop")
    for service in SERVICES:
        declared.add(service)
    return declared


def base_images() -> set[str]:
    dockerfiles = (resources.folder("templates") / name / "Dockerfile.j2" for name in resources.template_names())
    return {
        image for path in dockerfiles for image in re.findall(r"^ARG \w+_IMAGE=(\S+)", path.read_text(), re.MULTILINE)
    }


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[NselfStack]:
    folder = tmp_path_factory.mktemp("four")
    ProjectFolder(folder).scaffold(project())
    for service in SERVICES:
        slow(folder / "services" / service.name, service.template)
    named = {service.image for service in render(project(), "dev").services.values() if service.build is None}
    rig_images(*sorted(base_images() | {image for image in named if image}))
    with NselfStack(project(), folder=folder) as running:
        yield running


def slow(folder: Path, template: str) -> None:
    place, before, route = SLOW[template]
    text = (folder / place).read_text(encoding="utf-8")
    assert text.count(before) == 1
    (folder / place).write_text(text.replace(before, route + before), encoding="utf-8")


def inspected(stack: NselfStack, name: str) -> dict[str, Any]:
    return json.loads(docker("inspect", stack.container(name).id))[0]


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
    port = next(service.port for service in SERVICES if service.name == name)
    inside = stack.exec("nginx", ["curl", "-fsS", f"http://{name}:{port}/metrics"]).stdout
    assert "http_request_duration_seconds_count" in inside


@every_service
def test_it_is_nobody_in_its_container(stack: NselfStack, name: str) -> None:
    assert stack.exec(name, ["id", "-u"]).stdout.strip() == "10001"
    assert stack.exec(name, ["sh", "-c", "touch /srv/x"]).exit_code != 0


@every_service
def test_its_log_lines_are_json_with_the_id_of_the_request_at_the_edge(stack: NselfStack, name: str) -> None:
    asked = stack.request("GET", name, "/").headers["X-Request-ID"]
    # The line is written when the answer has gone out.
    for _ in range(20):
        logs = "".join(docker("logs", each) + "\n" for each in containers(stack, name))
        lines = [json.loads(line) for line in logs.splitlines() if line]
        if asked in {line.get("request_id") for line in lines}:
            break
        time.sleep(0.2)
    assert asked in {line.get("request_id") for line in lines}
    assert {line["service"] for line in lines} == {name}


def containers(stack: NselfStack, name: str) -> list[str]:
    labels = (f"com.docker.compose.project={stack.name}", f"com.docker.compose.service={name}")
    return docker("ps", "-q", *(f"--filter=label={label}" for label in labels)).split()


@every_service
def test_on_sigterm_it_ends_the_request_in_flight_and_exits_with_0(stack: NselfStack, name: str) -> None:
    ids = containers(stack, name)

    def ask() -> Response:
        return stack.request("GET", name, "/slow")

    with ThreadPoolExecutor() as pool:
        request = pool.submit(ask)
        time.sleep(1)  # until it is in flight
        started = time.monotonic()
        docker("stop", *ids)
        took = time.monotonic() - started
    assert (request.result().status, request.result().json()) == (200, "done")
    assert [docker("inspect", "--format", "{{.State.ExitCode}}", each) for each in ids] == ["0"] * len(ids)
    assert took < SLOW_SECONDS + 15  # not its whole drain time, which is for connections that do not end
