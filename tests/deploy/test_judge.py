"""Whether a service is healthy: a table of what Docker says and what that means."""

from __future__ import annotations

from typing import Any

import pytest

from nself_sdk.compose import ComposeFile, DependsOn, Service
from nself_sdk.deploy.health import ended, jobs, judge, later
from nself_sdk.docker import Container

COMPLETED = {"job": DependsOn(condition="service_completed_successfully")}
FILE = ComposeFile(services={"job": Service(image="j:1"), "web": Service(image="w:1", depends_on=COMPLETED)})


def container(service: str, **said: Any) -> Container:
    return Container(
        **{
            "id": "0" * 64,
            "name": f"shop-{service}-1",
            "project": "shop",
            "service": service,
            "number": 1,
            "image": "x",
            "image_id": "sha256:0",
            "state": "running",
            **said,
        }
    )


# What Docker says of a container, the verdict, and words of the reason.
SERVERS = [
    ({"health": "healthy"}, "healthy", "healthy"),
    ({"health": "none"}, "healthy", "running"),
    ({"health": "starting"}, "waiting", "starting"),
    ({"health": "unhealthy"}, "failed", "its health check fails"),
    ({"state": "created"}, "waiting", "created"),
    ({"state": "paused"}, "waiting", "paused"),
    ({"state": "restarting", "restart_count": 1}, "waiting", "restarting"),
    ({"state": "restarting", "restart_count": 3, "exit_code": 1}, "failed", "restarted 3 times; exited with code 1"),
    ({"restart_count": 5, "health": "healthy"}, "healthy", "healthy"),
    ({"restart_count": 2, "health": "unhealthy"}, "failed", "its health check fails after 2 restarts"),
    ({"restart_count": 5, "health": "starting", "exit_code": 2}, "failed", "restarted 5 times"),
    ({"state": "exited", "exit_code": 0}, "failed", "exited with code 0"),
    ({"state": "exited", "exit_code": 137, "oom_killed": True}, "failed", "more memory than its limit"),
    ({"state": "exited", "exit_code": 127, "error": "no such file"}, "failed", "could not start: no such file"),
    ({"state": "dead", "exit_code": 1}, "failed", "exited with code 1"),
]
JOBS = [
    ({"state": "running"}, "waiting", "running"),
    ({"state": "exited", "exit_code": 0}, "healthy", "completed"),
    ({"state": "exited", "exit_code": 3}, "failed", "exited with code 3"),
]


def verdict(service: str, *containers: Container) -> tuple[str, str]:
    [found] = [health for health in judge(FILE, containers) if health.service == service]
    return found.verdict, found.reason


@pytest.mark.parametrize(("said", "expected", "reason"), SERVERS, ids=str)
def test_a_server_is_judged_by_what_docker_says(said: dict[str, Any], expected: str, reason: str) -> None:
    found = verdict("web", container("web", **said))
    assert found[0] == expected
    assert reason in found[1]


def test_what_runs_again_has_no_exit_code_to_tell() -> None:
    again = container("web", restart_count=3, health="starting", exit_code=None)
    assert verdict("web", again) == ("failed", "restarted 3 times")


def test_a_job_without_a_container_is_nothing_that_status_waits_for() -> None:
    def verdicts(*containers: Container) -> dict[str, str]:
        return {state.service: state.verdict for state in later(judge(FILE, containers), FILE)}

    assert verdicts(container("web")) == {"job": "healthy", "web": "healthy"}
    assert verdicts() == {"job": "healthy", "web": "waiting"}
    assert verdicts(container("job", state="exited", exit_code=1), container("web"))["job"] == "failed"


@pytest.mark.parametrize(("said", "expected", "reason"), JOBS, ids=str)
def test_a_job_is_judged_by_how_it_ended(said: dict[str, Any], expected: str, reason: str) -> None:
    assert verdict("job", container("job", **said)) == (expected, reason)


def test_what_is_not_there_yet_is_waited_for() -> None:
    assert verdict("web") == ("waiting", "not created yet")


def test_the_worst_of_running_replicas_counts() -> None:
    replicas = [container("web", number=1, health="healthy"), container("web", number=2, health="unhealthy")]
    assert verdict("web", *replicas)[0] == "failed"
    assert verdict("web", *reversed(replicas))[0] == "failed"


def test_a_one_off_run_says_nothing_about_its_service() -> None:
    assert verdict("web", container("web", one_off=True, state="exited", exit_code=1)) == ("waiting", "not created yet")


def test_every_service_of_the_file_is_judged_and_no_other() -> None:
    assert [health.service for health in judge(FILE, [container("stranger")])] == ["job", "web"]


def test_a_job_is_what_another_service_waits_to_complete() -> None:
    assert jobs(FILE) == {"job"}


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ({"state": "exited", "exit_code": 1}, "web"),
        ({"state": "restarting", "restart_count": 9}, None),
        ({"health": "unhealthy"}, None),
        ({"health": "healthy"}, None),
    ],
)
def test_only_what_nothing_starts_again_ends_the_wait_for_the_others(said: dict[str, Any], who: str | None) -> None:
    done = container("job", state="exited", exit_code=0)
    found = ended(FILE, [done, container("web", **said)], ["job", "web"])
    assert (found.service if found else None) == who
    assert ended(FILE, [done, container("web", **said)], ["job"]) is None
