"""A deploy under traffic, on a real engine: what is lost (nothing), what is replaced, and the way back."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from observed import inspect, remains
from rig.shell import docker
from rig.shop import CODE

from nself_sdk import (
    ComposeFile,
    CustomService,
    Deployment,
    DriverError,
    Environment,
    Hasura,
    Postgres,
    Project,
    render,
)
from nself_sdk.deploy import Probe, Request, lock, probing
from nself_sdk.errors import LockedError, UnhealthyServiceError
from nself_sdk.offers import Route
from nself_sdk.plan import replicas
from nself_sdk.store import ProjectFolder
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from nself_sdk.deploy import ProbeReport, Report
    from nself_sdk.docker import Container

pytestmark = pytest.mark.docker

_LOG = logging.getLogger(__name__)
STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
INIT = {"headers": {"Sec-WebSocket-Protocol": "graphql-transport-ws"}, "body": b'{"type":"connection_init"}'}
BUSY_MS = 300
JSON = {"Content-Type": "application/json"}


def project(variables: dict[str, str] | None = None, *routes: Route, level: str = "info", count: int = 1) -> Project:
    shop = (
        Project("shop")
        .add(Postgres(port=None, memory="512m"))
        .add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
        .add(
            CustomService("hello", "fastapi-py", 8001, needs=["postgres"], environment=variables or {}, replicas=count)
        )
    )
    for route in routes:
        shop = shop.add(route)
    return shop


@pytest.fixture(scope="module")
def stack(images_of: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[NselfStack]:
    images_of(render(project(), STAGING))
    folder = tmp_path_factory.mktemp("shop")
    ProjectFolder(folder).scaffold(project())
    add_to_code(folder, CODE)
    with NselfStack(project(), STAGING, folder=folder, passes=[by_two]) as running:
        yield running
    assert remains(running.name) == {}


def by_two(file: ComposeFile, _: Environment) -> ComposeFile:
    """Replicas are replaced two at a time."""
    services = {
        name: service.replace(deploy=service.deploy.replace(update_config={"parallelism": 2}))
        for name, service in file.services.items()
        if service.deploy and replicas(service) > 1
    }
    return file.replace(services={**file.services, **services})


def add_to_code(folder: Path, text: str) -> None:
    code = folder / "services" / "hello" / "app" / "api.py"
    code.write_text(code.read_text(encoding="utf-8") + text, encoding="utf-8")


def ids(stack: NselfStack) -> dict[str, str]:
    """The ids of the running containers and of the finished jobs, by service."""
    states = stack.deployment.status()
    return {state.service: state.container.id for state in states if state.container}


def traffic(stack: NselfStack, rate: float = 30) -> Probe:
    """GET, POST, a request of eight seconds in flight at every moment, and a WebSocket."""
    hello, api = stack.url("hello").rstrip("/"), stack.url("api").rstrip("/")
    return stack.probe(
        Request(f"{hello}/"),
        Request(f"{hello}/echo", "POST", b'{"said": "this"}', JSON),
        Request(f"{api}/healthz"),
        Request(f"{api}/v1/graphql", "POST", b'{"query": "{ __typename }"}', JSON),
        rate=rate,
        slow=(Request(f"{hello}/slow?seconds=8"),),
        sockets=(Request(f"{api}/v1/graphql".replace("https", "wss"), **INIT),),  # type: ignore[arg-type]
    )


def seen_during(probe: Probe, deployment: Deployment, requests: int = 0) -> tuple[Report, ProbeReport]:
    """Deploy while the traffic runs, and on until that many requests were answered; and what became of them."""
    with probing(probe) as running:
        time.sleep(1)
        report = deployment.deploy(drain=30)
        while running.report.requests < requests:
            time.sleep(0.2)
    return report, running.report


@contextmanager
def another_service_asking(stack: NselfStack) -> Generator[list[str]]:
    """The codes that a service of the stack gets which asks hello by its name all the while, past the edge's pins.

    As curl does: if one address refuses, or is silent for half of the time limit, the next.
    """
    nginx, codes = ids(stack)["nginx"], list[str]()
    ask = "curl -s -o /dev/null -m 20 -w '%{http_code} ' http://hello:8001/; sleep 0.05"
    loop = f"rm -f /tmp/enough; while [ ! -e /tmp/enough ]; do {ask}; done"
    with subprocess.Popen(["docker", "exec", nginx, "sh", "-c", loop], stdout=subprocess.PIPE, text=True) as asking:
        try:
            yield codes
        finally:
            docker("exec", nginx, "touch", "/tmp/enough")
            codes += asking.communicate()[0].split()


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_a_deploy_loses_no_request_and_does_not_touch_the_database(stack: NselfStack) -> None:
    with probing(traffic(stack, 100)) as running:
        time.sleep(5)
    steady = running.report
    assert steady.lost == 0, str(steady)

    # A machine that is busy with other tests loses requests without any deploy: what it cannot bear is not asked of it.
    rate = 100 if steady.p99 < BUSY_MS else 20
    before = ids(stack)
    add_to_code(stack.folder.path, "\n# the next version\n")
    deployment = stack.changed(project({"GREETING": "v2"}, Route(name="hi", service="hello", port=8001), level="debug"))
    with another_service_asking(stack) as codes:
        report, seen = seen_during(traffic(stack, rate), deployment, 10_000 if os.environ.get("NSELF_LONG") else 0)

    assert seen.lost == 0, f"{seen}\n{report.plan}"
    assert set(codes) == {"200"}, codes
    assert seen.kept >= 2
    assert changed(before, ids(stack)) == {"hello", "hasura"}
    assert stack.request("GET", "hi").status == 200
    _LOG.info("steady: %s; during: %s; %.1f s: %s", steady, seen, report.seconds, report.services)


def test_a_second_deploy_changes_nothing(stack: NselfStack) -> None:
    before = ids(stack)
    report = stack.deployment.deploy()
    assert report.plan is not None
    assert report.plan.pending == ()
    assert report.release is None
    assert ids(stack) == before


def test_a_changed_route_is_a_reload_of_the_same_container(stack: NselfStack) -> None:
    before = ids(stack)
    deployment = stack.changed(
        project({"GREETING": "v2"}, Route(name="hey", service="hello", port=8001), level="debug")
    )
    report, seen = seen_during(traffic(stack), deployment)
    assert [(c.service, c.kind) for c in report.plan.pending] == [("nginx", "reload")]
    assert seen.lost == 0, str(seen)
    assert stack.request("GET", "hey").status == 200
    with pytest.raises(ssl.SSLError):
        stack.edge.request("GET", stack.environment.host("hi"))
    assert ids(stack) == before


def broken_edge(file: ComposeFile, _: Environment) -> ComposeFile:
    """What a bug in a template would do."""
    return file.replace(
        configs={
            name: config.replace(content=f"{config.content}\nnonsense;\n") if "nginx.conf" in name else config
            for name, config in file.configs.items()
        }
    )


def test_a_conf_that_nginx_does_not_take_never_reaches_it(stack: NselfStack) -> None:
    before, nginx = ids(stack), stack.container("nginx").id
    conf = docker("exec", nginx, "cat", "/etc/nginx/nginx.conf")
    good = stack.deployment
    given = (stack._named, stack.environment, stack.folder)
    broken = Deployment(*given, passes=(*stack._passes(), broken_edge), driver=good.driver)
    with probing(traffic(stack)) as running, pytest.raises(DriverError, match="nonsense"):
        broken.deploy()
    assert running.report.lost == 0, str(running.report)
    assert docker("exec", nginx, "cat", "/etc/nginx/nginx.conf") == conf
    assert docker("exec", nginx, "sh", "-c", "ls /etc/nginx/*.next || true") == ""
    assert ids(stack) == before
    assert good.plan().pending == ()


def test_a_version_that_fails_never_serves_and_the_error_says_why(stack: NselfStack) -> None:
    before, number = ids(stack), stack.deployment.releases()[0].number
    crash = "\nraise RuntimeError('the ledger cannot be opened')\n"
    add_to_code(stack.folder.path, crash)
    deployment = stack.changed()
    with probing(traffic(stack)) as running, pytest.raises(UnhealthyServiceError) as failure:
        deployment.deploy(timeout=60)
    assert running.report.lost == 0, str(running.report)
    assert failure.value.service == "hello"
    assert "the ledger cannot be opened" in failure.value.logs
    assert ids(stack) == before
    assert lock.holder(deployment.driver, stack.name) is None
    assert deployment.releases()[0].number == number
    failed = [c for c in containers(stack, "hello") if not c.running]
    assert len(failed) == 1, "it is kept to be looked at"

    code = stack.folder.path / "services" / "hello" / "app" / "api.py"
    code.write_text(code.read_text(encoding="utf-8").replace(crash, ""), encoding="utf-8")
    again = stack.changed()
    again.deploy()
    assert ids(stack) == before, "what serves is what is declared"
    assert [c.id for c in containers(stack, "hello")] == [before["hello"]]


def test_the_container_that_failed_is_gone_after_the_next_deploy_that_changes_something(stack: NselfStack) -> None:
    doomed = stack.changed(project({"PORT": "1"}, level="debug"))  # nobody may listen there
    with pytest.raises(UnhealthyServiceError):
        doomed.deploy(timeout=60)
    assert len(containers(stack, "hello")) == 2
    stack.changed(project({"GREETING": "v3"}, level="debug")).deploy()
    assert [c.running for c in containers(stack, "hello")] == [True]


def test_a_rollback_restores_the_release_before(stack: NselfStack) -> None:
    releases = stack.deployment.releases()
    with probing(traffic(stack)) as running:
        report = stack.deployment.rollback()
    assert running.report.lost == 0, str(running.report)
    assert report.release is not None
    assert report.release.file == releases[1].file
    assert environment_of(stack, "hello")["GREETING"] == "v2"
    assert [c.running for c in containers(stack, "hello")] == [True]


def test_of_two_deploys_at_once_one_wins_and_the_other_knows_who(stack: NselfStack) -> None:
    outcomes: list[object] = []

    def attempt(message: str) -> None:
        try:
            outcomes.append(stack.deployment.deploy(message=message))
        except LockedError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=attempt, args=(message,)) for message in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [str(outcome) for outcome in outcomes if isinstance(outcome, LockedError)]
    assert len(outcomes) == 2
    assert len(refused) == 1
    assert "is being deployed by" in refused[0]
    assert "(first)" in refused[0] or "(second)" in refused[0]
    assert lock.holder(stack.deployment.driver, stack.name) is None


@pytest.mark.long
def test_four_replicas_roll_two_at_a_time_and_never_fewer_than_four_serve(stack: NselfStack) -> None:
    stack.changed(project({"GREETING": "v4"}, level="debug", count=4)).deploy()
    before = {container.id for container in containers(stack, "hello")}
    deployment = stack.changed(project({"GREETING": "v5"}, level="debug", count=4))
    filters = [f"label=com.docker.compose.{key}" for key in (f"project={stack.name}", "service=hello")]
    healthy = ["ps", "-q", *(f"--filter={one}" for one in (*filters, "health=healthy"))]
    counts, done = list[int](), threading.Event()

    def count() -> None:
        while not done.wait(0.2):
            counts.append(len(docker(*healthy).split()))

    counting = threading.Thread(target=count)
    with probing(stack.probe(Request(stack.url("hello")), rate=30)) as running:
        counting.start()
        deployment.deploy()
    done.set()
    counting.join()
    after = {container.id for container in containers(stack, "hello")}
    assert running.report.lost == 0, str(running.report)
    assert (min(counts), max(counts)) == (4, 6)
    assert len(after) == 4
    assert not before & after


def containers(stack: NselfStack, service: str) -> list[Container]:
    return [c for c in stack.deployment.driver.containers(stack.name) if c.service == service]


def environment_of(stack: NselfStack, service: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in inspect(stack.container(service).id)[0]["Config"]["Env"])
