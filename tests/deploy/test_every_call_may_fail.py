"""Each single call of a deploy fails once: data and lock are safe, it is no success, and the next run ends well."""

from __future__ import annotations

import pytest
from fakehost import FakeHost

from nself_sdk import Deployment, Environment, Hasura, Postgres, Project
from nself_sdk.deploy import lock, rollout, running
from nself_sdk.errors import DriverError, HostUnreachableError
from nself_sdk.offers import Route
from nself_sdk.store import ProjectFolder

pytestmark = pytest.mark.slow

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
#: Tidying up images that nobody needs any more, and what a job wrote that ended well: these may fail.
MAY_FAIL = {"remove_image", "logs"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting, and no calls of the threads that watch."""
    monkeypatch.setattr(rollout, "_POLL", 0)
    monkeypatch.setattr(running, "_POLL_SECONDS", 60)
    monkeypatch.setattr(lock, "_BEAT", 60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    return ProjectFolder(tmp_path_factory.mktemp("shop"))


def first(folder: ProjectFolder, host: FakeHost) -> Deployment:
    return Deployment(Project("shop").add(Hasura()), STAGING, folder, driver=host)


def second(folder: ProjectFolder, host: FakeHost) -> Deployment:
    """Hasura start-first, Postgres stop-first, the edge reloaded."""
    shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": "debug"})).add(Postgres(memory="2g"))
    return Deployment(shop.add(Route(name="graph", service="hasura", port=8080)), STAGING, folder, driver=host)


def ready(folder: ProjectFolder) -> FakeHost:
    """A host on which the first deploy is done."""
    host = FakeHost()
    first(folder, host).deploy()
    host.count, host.calls, host.verbs = 0, [], []
    return host


@pytest.fixture(scope="module")
def verbs(folder: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a deploy calls when nothing fails."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in ((running, "_POLL_SECONDS", 60), (lock, "_BEAT", 60)):
            patch.setattr(module, name, value)
        host = ready(folder)
        second(folder, host).deploy()
    return list(host.verbs)


def wrong(folder: ProjectFolder, k: int, verb: str, failure: type[BaseException]) -> list[str]:
    """What is not as it must be after the k-th call failed."""
    host = ready(folder)
    host.fail_at, host.failure = k, failure("cut")
    succeeded = False
    try:
        second(folder, host).deploy()
        succeeded = True
    except failure:
        pass
    found = [f"{c.verb} was called" for c in host.calls if c.verb == "remove_volumes"]
    found += [f"the lock stays: {name}" for name in host.locks]
    found += ["it counts as a success"] if succeeded else []
    serving = {c.service for c in host.made.values() if c.running}
    found += [f"{name} does not run" for name in sorted({"hasura", "nginx", "postgres"} - serving)]
    return [f"call {k}, {verb}, {failure.__name__}: {what}" for what in found]


@pytest.mark.parametrize("failure", [DriverError, HostUnreachableError, KeyboardInterrupt])
def test_no_single_failure_hurts(folder: ProjectFolder, verbs: list[str], failure: type[BaseException]) -> None:
    assert len(verbs) > 40
    calls = [k for k, verb in enumerate(verbs, 1) if verb not in MAY_FAIL]
    assert [line for k in calls for line in wrong(folder, k, verbs[k - 1], failure)] == []


def test_the_next_run_after_any_failure_ends_well_and_the_one_after_it_changes_nothing(
    folder: ProjectFolder, verbs: list[str]
) -> None:
    unfinished = []
    for k in range(1, len(verbs) + 1):
        host = ready(folder)
        host.fail_at, host.failure = k, DriverError("cut")
        try:
            second(folder, host).deploy()
        except DriverError:
            host.locks.clear()  # a lock that could not be released is taken over when its holder is dead
        second(folder, host).deploy()
        again = second(folder, host).deploy()
        newest = second(folder, host).releases()[0]
        if again.plan is None or again.plan.pending:
            unfinished.append(f"call {k}: {again.plan}")
        if newest.references != {name: str(s.image) for name, s in second(folder, host).file.services.items()}:
            unfinished.append(f"call {k}: what runs is no release")
        if len([c for c in host.made.values() if c.service == "hasura"]) != 1:
            unfinished.append(f"call {k}: {list(host.made)}")
    assert unfinished == []
