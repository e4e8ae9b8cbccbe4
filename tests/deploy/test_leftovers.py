"""What a killed deploy leaves on the host, and what the next one does about it."""

from __future__ import annotations

from fakehost import FakeHost

from nself_sdk.deploy import running
from nself_sdk.docker import Container


def container(name: str, state: str, service: str = "cache") -> Container:
    return Container(
        id=name, name=name, project="shop", service=service, number=1, image="x:1", image_id="", state=state
    )


def test_what_was_never_started_goes_or_compose_would_start_it_under_the_name_of_the_time_between() -> None:
    host = FakeHost()
    between = container("e605cb9b0449_shop-cache-1", "created")
    stopped = container("shop-jobs-1", "exited", "jobs")
    host.made = {one.id: one for one in (between, stopped)}
    running.clear_leftovers(host, "shop")
    assert list(host.made) == ["shop-jobs-1"]


def test_what_failed_and_was_kept_to_be_looked_at_goes_and_what_serves_stays() -> None:
    host = FakeHost()
    serves, failed = container("shop-web-1", "running", "web"), container("shop-web-2", "exited", "web")
    host.made = {one.id: one for one in (serves, failed)}
    running.clear_leftovers(host, "shop")
    assert list(host.made) == ["shop-web-1"]
