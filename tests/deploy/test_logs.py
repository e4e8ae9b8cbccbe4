"""The logs of a deployment: printed, or given to whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from nself_sdk import DeclarationError, Deployment, Project, Redis
from nself_sdk.docker import Container
from nself_sdk.testing import RecordingDriver

REDIS = Container(
    id="1", name="shop-redis-1", project="shop", service="redis", number=1, image="r", image_id="i", state="running"
)


@pytest.fixture
def shop(tmp_path: Path) -> Deployment:
    driver = RecordingDriver()
    driver.answer("containers", (REDIS,))
    driver.answer("logs", "one\ntwo\n")
    return Deployment(Project("shop").add(Redis()), "dev", tmp_path, driver=driver)


def test_they_are_printed(shop: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    with shop:
        shop.logs("redis")
    assert capsys.readouterr().out == "redis  | one\nredis  | two\n"


def test_they_are_given_to_whoever_asks(shop: Deployment) -> None:
    lines: list[str] = []
    with shop:
        shop.logs(on_line=lines.append)
    assert lines == ["redis  | one", "redis  | two"]


def test_a_service_that_is_none_is_told(shop: Deployment) -> None:
    with shop, pytest.raises(DeclarationError, match="there is no service 'redsi'; did you mean 'redis'"):
        shop.logs("redsi")
