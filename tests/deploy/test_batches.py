"""Batches: which containers start and which go, step by step."""

from __future__ import annotations

import pytest

from nself_sdk.compose import Service
from nself_sdk.deploy.batches import Batch, batches, monitored
from nself_sdk.docker import Container


def container(name: str) -> Container:
    return Container(
        id=name, name=name, project="shop", service="hello", number=1, image="", image_id="", state="running"
    )


def service(replicas: int, parallelism: int | None = None) -> Service:
    update = {} if parallelism is None else {"update_config": {"parallelism": parallelism}}
    return Service.model_validate({"image": "hello:1", "deploy": {"replicas": replicas, **update}})


def test_a_delay_lies_between_batches_and_before_the_first_there_is_none() -> None:
    update = {"parallelism": 2, "delay": "1m30s", "monitor": "5s"}
    asked = Service.model_validate({"image": "hello:1", "deploy": {"replicas": 5, "update_config": update}})
    assert [batch.delay for batch in batches(asked, [], [container(n) for n in "abcde"])] == [0, 90, 90]
    assert (monitored(asked), monitored(service(2))) == (5, 0)


def steps(made: list[Batch]) -> list[tuple[int, str]]:
    return [(batch.start, "".join(one.id for one in batch.stop)) for batch in made]


@pytest.mark.parametrize(
    ("wanted", "fresh", "stale", "expected"),
    [
        (service(1), "", "a", [(1, "a")]),
        (service(3), "", "abc", [(1, "a"), (1, "b"), (1, "c")]),
        (service(4, 2), "", "abcd", [(2, "ab"), (2, "cd")]),
        (service(5, 2), "", "abcde", [(2, "ab"), (2, "cd"), (1, "e")]),
        (service(4, 0), "", "abcd", [(4, "abcd")]),
        (service(4, 9), "", "abcd", [(4, "abcd")]),
        (service(4, 2), "xy", "cd", [(2, "cd")]),  # an earlier deploy was cut off after its first batch
        (service(4, 2), "wxyz", "cd", [(0, "cd")]),  # the same, before it stopped the old ones
        (service(4, 2), "", "ab", [(2, "ab"), (2, "")]),  # more are wanted now
        (service(2), "", "abcd", [(1, "a"), (1, "bcd")]),  # fewer
        (service(2), "wxyz", "", [(0, "yz")]),
        (service(3), "wx", "", [(1, "")]),
    ],
)
def test_what_serves_never_gets_fewer(wanted: Service, fresh: str, stale: str, expected: list[tuple[int, str]]) -> None:
    made = batches(wanted, [container(n) for n in fresh], [container(n) for n in stale])
    assert steps(made) == expected
    count = len(fresh) + len(stale)
    for start, stop in expected:
        assert count - len(stop) + start >= min(len(fresh) + len(stale), wanted.deploy.replicas)  # type: ignore[union-attr]
        count += start - len(stop)
    assert count == wanted.deploy.replicas  # type: ignore[union-attr]
