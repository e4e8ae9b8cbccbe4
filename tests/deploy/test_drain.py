"""Draining: the edge's own table of connections says when the old containers have none left."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from threading import Timer
from typing import TYPE_CHECKING, cast

import pytest

from nself_sdk.deploy import edge
from nself_sdk.docker import Container, Driver, ExecResult

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc/net/tcp")

ADDRESS = "127.0.77.5"


class Here:
    """This machine, in the place of the edge's container."""

    def __init__(self) -> None:
        self.scripts: list[str] = []

    def exec(self, _: str, command: Sequence[str], **__: object) -> ExecResult:
        self.scripts.append(command[-1])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return ExecResult(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def container(**addresses: str) -> Container:
    return Container(
        id="hello", name="shop-hello-1", project="shop", service="hello", number=1, image="x", image_id="i",
        state="running", addresses=addresses,
    )  # fmt: skip


@pytest.fixture
def here() -> Here:
    return Here()


@contextmanager
def connected() -> Generator[socket.socket]:
    """A connection from the edge to the old container, which each side may close."""
    with (
        closing(socket.create_server((ADDRESS, 0))) as server,
        closing(socket.create_connection(server.getsockname())) as one,
        closing(server.accept()[0]),
    ):
        yield one


def drained(container: Container, seconds: float, here: Here) -> tuple[int, float]:
    """How many connections are left, and after how many seconds."""
    begin = time.monotonic()
    left = edge.Edge(cast("Driver", here), container, "/tmp", {}).drain([container], seconds)
    return left, time.monotonic() - begin


def test_it_ends_when_the_time_is_over_and_says_how_many_connections_are_left(here: Here) -> None:
    with connected(), connected():
        left, seconds = drained(container(default=ADDRESS), 0.3, here)
    assert left == 2
    assert 0.2 < seconds < 3


def test_a_long_wait_is_a_few_calls(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_PATIENCE", 0.5)
    with connected():
        assert drained(container(default=ADDRESS), 1, here)[0] == 1
    assert len(here.scripts) <= 3


def test_it_ends_with_the_last_connection(here: Here) -> None:
    with connected() as one:
        Timer(0.3, one.close).start()
        left, seconds = drained(container(default=ADDRESS), 30, here)
    assert left == 0
    assert 0.2 < seconds < 5


@pytest.mark.parametrize("addresses", [{"default": "127.0.77.6"}, {"default": "fd00::5"}, {}])
def test_connections_to_others_are_not_waited_for(here: Here, addresses: dict[str, str]) -> None:
    with connected():
        assert drained(container(**addresses), 30, here)[0] == 0
    assert len(here.scripts) == 1
