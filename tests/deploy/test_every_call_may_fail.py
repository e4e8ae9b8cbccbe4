"""Each single call of a deploy fails once: data and lock are safe, it is no success, and the next run ends well."""

from __future__ import annotations

import runpy
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakehost import FakeHost, hurry

from nself_sdk import CustomService, Deployment, Environment, Hasura, Project, cli, docker
from nself_sdk.deploy import images
from nself_sdk.errors import DriverError, HostUnreachableError
from nself_sdk.store import ProjectFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
#: Tidying up images that nobody needs any more, and what a job wrote that ended well: these may fail.
MAY_FAIL = {"remove_image", "logs"}


#: What the process ends with, by what failed.
CODES = {DriverError: 4, HostUnreachableError: 4, KeyboardInterrupt: 130}
#: Hasura start-first, Postgres stop-first, a job of a new version, the edge reloaded, and hooks around it all.
SECOND = """
from nself_sdk import CustomService, Hasura, Postgres, Project
from nself_sdk.offers import Route

hooks = {moment: lambda facts: None for moment in ("pre-deploy", "post-deploy", "on-failure")}
project = (
    Project("shop", hooks=hooks)
    .add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": "debug"}))
    .add(Postgres(memory="2g"))
    .add(CustomService("pay", "fastapi-py", 8003, needs=["postgres"], jobs={"migrate": ["migrate", "2"]}))
    .add(Route(name="graph", service="hasura", port=8080))
)
"""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    hurry(monkeypatch)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in handlers.items():  # the command line has set its own
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    path = tmp_path_factory.mktemp("shop")
    (path / "stack.py").write_text(SECOND)
    (path / ".env").write_text("BASE_DOMAIN=shop.example.com\nTLS=local-ca\n")
    return ProjectFolder(path)


def first(folder: ProjectFolder, host: FakeHost) -> Deployment:
    pay = CustomService("pay", "fastapi-py", 8003, needs=["postgres"], jobs={"migrate": ["migrate", "1"]})
    return Deployment(Project("shop").add(Hasura()).add(pay), STAGING, folder, driver=host)


def second(folder: ProjectFolder, host: FakeHost) -> Deployment:
    return Deployment(runpy.run_path(str(folder.path / "stack.py"))["project"], STAGING, folder, driver=host)


@pytest.fixture(scope="module")
def begun(folder: ProjectFolder) -> FakeHost:
    """A host on which the first deploy is done."""
    host = FakeHost()
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        first(folder, host).deploy()
    return host


def like(begun: FakeHost) -> FakeHost:
    """Another host in the same state, on which nothing was called yet."""
    host = FakeHost()
    host.made, host.kept, host.files = dict(begun.made), dict(begun.kept), dict(begun.files)
    return host


def exit_code(folder: ProjectFolder, host: FakeHost, *arguments: str) -> object:
    """What the process of a command ends with, on that host."""

    @contextmanager
    def connect(*_: Any) -> Iterator[FakeHost]:
        yield host

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docker, "connect", connect)
        patch.setattr(sys, "argv", ["nself-sdk", "-C", str(folder.path), *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code


@pytest.fixture(scope="module")
def verbs(folder: ProjectFolder, begun: FakeHost) -> list[str]:
    """What a deploy calls when nothing fails."""
    host = like(begun)
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        second(folder, host).deploy()
    return list(host.verbs)


def wrong(folder: ProjectFolder, host: FakeHost, k: int, verb: str, failure: type[BaseException]) -> list[str]:
    """What is not as it must be after the k-th call failed."""
    host.fail_at, host.failure = k, failure("cut")
    code = exit_code(folder, host, "deploy", "staging")
    found = [f"{c.verb} was called" for c in host.calls if c.verb == "remove_volumes"]
    found += [f"the lock stays: {name}" for name in host.locks]
    found += [f"it ends with {code}"] if code != CODES[failure] else []
    serving = {c.service for c in host.made.values() if c.running}
    found += [f"{name} does not run" for name in sorted({"hasura", "nginx", "pay", "postgres"} - serving)]
    return [f"call {k}, {verb}, {failure.__name__}: {what}" for what in found]


@pytest.mark.parametrize("failure", [DriverError, HostUnreachableError, KeyboardInterrupt])
def test_no_single_failure_hurts(
    folder: ProjectFolder, begun: FakeHost, verbs: list[str], failure: type[BaseException]
) -> None:
    assert len(verbs) > 40
    calls = [k for k, verb in enumerate(verbs, 1) if verb not in MAY_FAIL]
    assert [line for k in calls for line in wrong(folder, like(begun), k, verbs[k - 1], failure)] == []


def test_the_next_run_after_any_failure_ends_well_and_the_one_after_it_changes_nothing(
    folder: ProjectFolder, begun: FakeHost, verbs: list[str]
) -> None:
    wanted = images.tagged(second(folder, begun).file, folder.path).to_yaml()
    unfinished = []
    for k in range(1, len(verbs) + 1):
        host = like(begun)
        host.fail_at, host.failure = k, DriverError("cut")
        try:
            second(folder, host).deploy()
        except DriverError:
            host.locks.clear()  # a lock that could not be released is taken over when its holder is dead
        second(folder, host).deploy()
        again = second(folder, host).deploy()
        if again.plan is None or again.plan.pending:
            unfinished.append(f"call {k}: {again.plan}")
        if second(folder, host).releases()[0].file != wanted:
            unfinished.append(f"call {k}: what runs is no release")
        if len([c for c in host.made.values() if c.service == "hasura"]) != 1:
            unfinished.append(f"call {k}: {list(host.made)}")
    assert unfinished == []
