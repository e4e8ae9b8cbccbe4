"""Jobs: what runs to its end, once for each release that changes it, before what waits for it; and never backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakehost import FakeHost, hurry

from nself_sdk import ComposeFile, CustomService, DeclarationError, Deployment, Environment, Project, render
from nself_sdk.errors import UnhealthyServiceError
from nself_sdk.jobs import jobs, once, ordered, steps, without_waiting

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
MIGRATIONS = {"migrate": ["alembic", "upgrade", "head"], "seed": ["python", "seed.py"]}
STACK = """
services:
  other: {image: "o:1"}
  db: {image: "d:1"}
  setup: {image: "d:1", depends_on: {db: {condition: service_healthy}}}
  api: {image: "a:1", depends_on: {setup: {condition: service_completed_successfully}}}
  late: {image: "l:1", depends_on: {api: {condition: service_healthy}}}
  app:
    image: "p:1"
    depends_on: {migrate: {condition: service_completed_successfully}, other: {condition: service_started}}
  migrate: {image: "p:1", x-nself-once: true, depends_on: {setup: {condition: service_completed_successfully}}}
"""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def deployment(folder: Path, host: FakeHost, version: str = "1", **given: Any) -> Deployment:
    pay = CustomService("pay", "fastapi-py", 8003, needs=["postgres"], environment={"VERSION": version}, **given)
    hello = CustomService("hello", "fastapi-py", 8001)
    return Deployment(Project("shop").add(pay).add(hello), STAGING, folder, driver=host)


def ups(host: FakeHost) -> list[list[str]]:
    """The services that Compose was asked for, one list a call."""
    calls = [call.arguments[1:] for call in host.calls if call.verb == "compose" and call.arguments[1] == "up"]
    return [[word for word in call[1:] if not word.startswith("-") and "=" not in word] for call in calls]


# --- the order --------------------------------------------------------------------------------------------------------


def test_a_migration_and_what_it_needs_come_before_all_else_and_stages_follow() -> None:
    file = ComposeFile.loads(STACK)
    assert (jobs(file), once(file)) == ({"setup", "migrate"}, {"migrate"})
    assert ordered(file) == ["db", "setup", "migrate", "other", "api", "late", "app"]
    assert steps(file, ordered(file)) == [("db",), ("setup",), ("migrate",), ("other", "api", "late", "app")]


def test_under_a_deploy_compose_knows_no_edge_to_a_job_and_every_other_one() -> None:
    loose = without_waiting(ComposeFile.loads(STACK))
    assert {name: sorted(service.depends_on_map) for name, service in loose.services.items()} == {
        "other": [], "db": [], "setup": ["db"], "api": [], "late": ["api"], "app": ["other"], "migrate": [],
    }  # fmt: skip
    assert without_waiting(loose) == loose


# --- declared ---------------------------------------------------------------------------------------------------------


def test_a_job_is_the_service_with_another_command_after_the_one_before() -> None:
    file = render(
        Project("shop").add(CustomService("pay", "fastapi-py", 1, needs=["postgres"], jobs=MIGRATIONS)), "prod"
    )
    pay, migrate, seed = (file.services[name] for name in ("pay", "pay-migrate", "pay-seed"))
    assert (migrate.command, migrate.restart, migrate.healthcheck) == (["alembic", "upgrade", "head"], "no", None)
    assert (migrate.image, migrate.environment, migrate.secrets) == (pay.image, pay.environment, pay.secrets)
    assert sorted(seed.depends_on_map) == ["pay-migrate", "postgres-setup"]
    assert sorted(pay.depends_on_map) == ["pay-migrate", "pay-seed", "postgres-setup"]


def test_jobs_of_a_service_with_replicas_run_in_one_container() -> None:
    file = render(Project("shop").add(CustomService("pay", "fastapi-py", 1, replicas=3, jobs=MIGRATIONS)), "prod")
    assert file.services["pay-migrate"].deploy is not None
    assert file.services["pay-migrate"].deploy.replicas is None


@pytest.mark.parametrize("wrong", [{"Migrate": ["x"]}, {"a b": ["x"]}, {"migrate": "alembic upgrade head"}])
def test_a_wrong_job_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match="jobs"):
        CustomService("pay", "fastapi-py", 1, jobs=wrong)


# --- deployed ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost()
    deployment(tmp_path, made, jobs=MIGRATIONS).deploy()
    return made


def test_each_job_ends_before_what_waits_for_it_is_started(host: FakeHost) -> None:
    assert ups(host) == [["postgres"], ["postgres-setup"], ["pay-migrate"], ["pay-seed"], ["hello", "pay", "nginx"]]


def test_a_deploy_that_does_not_change_it_does_not_run_it_again(host: FakeHost, tmp_path: Path) -> None:
    host.calls = []
    assert deployment(tmp_path, host, jobs=MIGRATIONS).deploy().plan.pending == ()  # type: ignore[union-attr]
    assert ups(host) == []
    (tmp_path / "services" / "hello" / "new.py").write_text("")
    deployment(tmp_path, host, jobs=MIGRATIONS).deploy()
    assert ups(host) == [["hello"]]


def test_a_new_version_runs_its_jobs_first(host: FakeHost, tmp_path: Path) -> None:
    host.calls = []
    deployment(tmp_path, host, "2", jobs=MIGRATIONS).deploy()
    assert ups(host) == [["pay-migrate"], ["pay-seed"], ["pay"]]


def test_a_job_that_fails_stops_the_deploy_and_the_old_serves_on(host: FakeHost, tmp_path: Path) -> None:
    serving = [c.id for c in host.made.values() if c.running]
    host.failing, host.calls = {"pay-migrate"}, []
    host.answer("logs", "ERROR: column 'price' does not exist")
    (tmp_path / "services" / "hello" / "new.py").write_text("")
    with pytest.raises(UnhealthyServiceError, match="pay-migrate: exited with code 1") as failure:
        deployment(tmp_path, host, "2", jobs=MIGRATIONS).deploy()
    assert "column 'price' does not exist" in failure.value.logs
    assert [c.id for c in host.made.values() if c.running] == serving
    assert ups(host) == [["pay-migrate"]]
    assert (len(deployment(tmp_path, host).releases()), host.locks) == (1, {})

    host.failing, host.calls = set(), []
    deployment(tmp_path, host, "2", jobs=MIGRATIONS).deploy()
    assert ups(host) == [["pay-migrate"], ["pay-seed"], ["hello"], ["pay"]]


def test_a_rollback_runs_no_job_of_an_older_release_and_deploying_again_does(host: FakeHost, tmp_path: Path) -> None:
    deployment(tmp_path, host, "2", jobs=MIGRATIONS).deploy()
    host.calls = []
    report = deployment(tmp_path, host, "2", jobs=MIGRATIONS).rollback()
    assert ups(host) == [["pay"]]
    assert [change.service for change in report.plan.pending] == ["pay"]  # type: ignore[union-attr]
    host.calls = []
    deployment(tmp_path, host, "3", jobs=MIGRATIONS).deploy()
    assert ups(host) == [["pay-migrate"], ["pay-seed"], ["pay"]]


def test_a_job_whose_time_is_over_is_stopped(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_ended", lambda _: ("running", None))
    with pytest.raises(UnhealthyServiceError, match="did not become healthy in time"):
        deployment(tmp_path, host, "2", jobs=MIGRATIONS).deploy(timeout=0.1)
    [job] = [c for c in host.made.values() if c.service == "pay-migrate"]
    assert job.state == "exited"
