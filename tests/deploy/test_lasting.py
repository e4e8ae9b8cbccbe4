"""A container without a health check is believed to be well when it has run for a while, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from nself_sdk.deploy import health
from nself_sdk.docker import Container

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKER = Container(
    id="w", name="shop-worker-1", project="shop", service="worker", number=1, image="x:1", image_id="",
    state="running", started_at=START,
)  # fmt: skip


def believed(*moments: tuple[float, Container]) -> list[bool]:
    seen: health.Runs = {}
    answers = []
    for now, container in moments:
        health.note([container], seen, now)
        answers.append(health.lasting([container], seen, now))
    return answers


def test_it_is_believed_after_three_seconds() -> None:
    assert believed((10, WORKER), (12.9, WORKER), (13, WORKER)) == [False, False, True]


def test_each_restart_begins_anew() -> None:
    again = replace(WORKER, started_at=START + timedelta(seconds=2), restart_count=1)
    assert believed((10, WORKER), (12.5, again), (14, again), (15.5, again)) == [False, False, False, True]


def test_with_a_health_check_its_own_word_is_enough() -> None:
    assert believed((10, replace(WORKER, health="healthy"))) == [True]


def test_a_job_that_is_done_is_not_waited_for() -> None:
    assert believed((10, replace(WORKER, state="exited", exit_code=0))) == [True]
