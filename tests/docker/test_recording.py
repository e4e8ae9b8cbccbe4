"""The recording driver is a `Driver`: it remembers, replays and fails as it was told."""

from __future__ import annotations

import inspect

import pytest

from nself_sdk.docker import Driver, Image, Stack, Target, copy_images
from nself_sdk.docker.driver import EngineDriver
from nself_sdk.errors import DriverError
from nself_sdk.testing.recording import Call, RecordingDriver

STACK = Stack(project="shop", file="services: {}")
REDIS = Image(id="sha256:1", os="linux", architecture="amd64", size=1_000_000)


@pytest.mark.parametrize("driver", [RecordingDriver, EngineDriver])
def test_every_driver_has_the_verbs_of_the_protocol_and_no_others(driver):
    def verbs(of: type) -> dict[str, object]:
        public = {name: value for name, value in vars(of).items() if not name.startswith("_")}
        return {name: inspect.signature(value) if callable(value) else "property" for name, value in public.items()}

    assert {name: sign for name, sign in verbs(driver).items() if name != "answer"} == verbs(Driver)


def test_calls_are_kept_as_data():
    driver = RecordingDriver()
    driver.compose(STACK, "up", "--detach")
    driver.logs("abc", tail=5)
    driver.exec("abc", ["nginx", "-t"])
    assert driver.calls == [
        Call("compose", (STACK, "up", "--detach")),
        Call("logs", ("abc",), {"tail": 5}),
        Call("exec", ("abc", ("nginx", "-t"))),
    ]


def test_answers_are_replayed_in_order_and_the_last_one_stays():
    driver = RecordingDriver()
    driver.answer("logs", "one", DriverError("gone"), lambda container: f"of {container}")
    assert driver.logs("a") == "one"
    with pytest.raises(DriverError, match="gone"):
        driver.logs("a")
    assert (driver.logs("b"), driver.logs("c")) == ("of b", "of c")


def test_lines_are_streamed():
    driver, lines = RecordingDriver(), []
    driver.answer("compose", "one\ntwo\n")
    driver.compose(STACK, "up", on_line=lines.append)
    assert lines == ["one", "two"]


def test_call_k_fails_and_only_that_one():
    driver = RecordingDriver(fail_at=2)
    driver.info()
    with pytest.raises(DriverError, match="call 2"):
        driver.volumes("shop")
    assert driver.volumes("shop") == ()
    assert [call.verb for call in driver.calls] == ["info", "volumes", "volumes"]


def test_only_images_that_are_not_there_are_carried():
    here, there = RecordingDriver(), RecordingDriver(Target(host="vps"))
    here.answer("image", REDIS)
    here.answer("save", b"tar")
    there.answer("image", REDIS, None)
    lines: list[str] = []
    assert copy_images(here, there, ["redis:7", "redis:8"], on_line=lines.append) == ("redis:8",)
    assert Call("save", (("redis:8",),)) in here.calls
    assert there.calls[-1] == Call("load", (b"tar",))
    assert lines == ["carrying redis:8 to ssh://vps (1 MB)"]


def test_nothing_is_carried_when_all_is_there():
    here, there = RecordingDriver(), RecordingDriver()
    here.answer("image", REDIS)
    there.answer("image", REDIS)
    assert copy_images(here, there, ["redis:7"]) == ()
    assert "load" not in {call.verb for call in there.calls}


def test_all_missing_images_are_named_before_anything_is_sent():
    there = RecordingDriver()
    with pytest.raises(DriverError, match="holds no image a:1, b:1"):
        copy_images(RecordingDriver(), there, ["a:1", "b:1"])
    assert there.calls == []
