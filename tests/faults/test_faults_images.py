"""F01, F02, F06, F07, F30: images that crash, never get well, cannot be had, or are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oracles import Kept, Prober, availability, check, convergence, data, error, lock
from registry import Registry
from shop import SITE, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.docker

CRASHES = {"command": ["sh", "-c", "echo cannot open the ledger; exit 3"]}
SICK = {"healthcheck": {"test": ["CMD-SHELL", "echo no ledger; false"], "interval": "1s", "retries": 2,
                        "start_period": "0s", "start_interval": "1s"}}  # fmt: skip
SLOW = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 600}}


def failing(shop: Shop, site: dict[str, Any], *words: str, options: tuple[str, ...] = ()) -> None:
    """The old version serves on, alone; what failed is said; and with the fault gone all is well."""
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        shop.declare(site)
        ended = shop.deploy(*options).end()
        wrong = list(error(shop, ended, *words))
        rows = shop.docker("ps", "--filter", f"name={shop.name}-site-", "--format", "{{.Names}}").split()
        wrong += [] if len(rows) == 1 else [f"orphans: {rows} run"]
        wrong += lock(shop)
        wrong += availability(prober, old)
        new = shop.declare()
        wrong += convergence(shop, new)
    check(wrong, data(shop, before), availability(prober, old, new))


@pytest.mark.long
def test_an_image_that_crashes_never_serves(shop: Shop) -> None:
    failing(shop, CRASHES, "site: ", "cannot open the ledger", "nself-sdk logs site --env staging")


@pytest.mark.long
def test_an_image_that_is_never_healthy_never_serves(shop: Shop) -> None:
    failing(shop, SICK, "site: its health check fails", "no ledger")


@pytest.mark.long
def test_an_image_that_takes_longer_than_it_may_never_serves(shop: Shop) -> None:
    failing(shop, SLOW, "site: did not become healthy in time", options=("--timeout", "6"))


@pytest.mark.long
def test_a_worker_that_crashes_and_has_no_health_check_is_not_taken_for_healthy(shop: Shop) -> None:
    before, old = Kept.of(shop), shop.version

    def working(script: str) -> str:
        worker = {"image": SITE, "init": True, "command": ["sh", "-c", script]}
        return shop.declare({"environment": {"VERSION": old}}, {"worker": worker})

    with Prober(shop) as prober:
        working("sleep 1000")
        assert shop.deploy().end().code == 0
        serving = shop.containers("worker")
        working("sleep 1; echo cannot open the queue; exit 3")
        wrong = list(error(shop, shop.deploy().end(), "worker: ", "cannot open the queue"))
        wrong += [] if serving.items() <= shop.containers("worker").items() else ["the old worker is gone"]
        wrong += lock(shop)
        new = shop.declare()
        wrong += convergence(shop, new)
    check(wrong, data(shop, before), availability(prober, old, new))


def without_image(shop: Shop, image: str, *words: str) -> None:
    """Nothing is stopped for an image that cannot be had."""
    before, old, ids = Kept.of(shop), shop.version, shop.containers()
    with Prober(shop) as prober:
        shop.declare({"image": image})
        ended = shop.deploy().end()
        wrong = list(error(shop, ended, *words))
        wrong += [] if shop.containers() == ids else ["data: containers were replaced"]
    check(wrong, data(shop, before), availability(prober, old), lock(shop))


def test_an_image_that_does_not_exist_stops_nothing(shop: Shop) -> None:
    without_image(shop, "nself-no-such-image:9.9", "nself-no-such-image:9.9")


@pytest.fixture(scope="module")
def registry(deployed: Shop, rig_images: Callable[..., object]) -> Iterator[Registry]:
    with Registry(deployed.host, SITE, rig_images) as found:
        yield found


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "words"), [("500", ("500|Internal",)), ("429", ("pull limit",)), ("off", ("refused",))]
)
def test_a_registry_that_refuses_stops_nothing(shop: Shop, registry: Registry, mode: str, words: tuple[str]) -> None:
    registry.be(mode)
    without_image(shop, registry.fresh(), *words)
    registry.be("well")
    check(convergence(shop, shop.version))


@pytest.mark.long
def test_a_registry_that_dies_in_the_middle_of_a_layer_stops_nothing_and_the_pull_resumes(
    shop: Shop, registry: Registry
) -> None:
    registry.be("dies")
    without_image(shop, registry.fresh(), "could be pulled of 127.0.0.1:5000/site:")
    registry.be("well")
    check(convergence(shop, shop.version))


@pytest.mark.long
def test_one_rollback_after_the_other_goes_back_release_by_release(shop: Shop) -> None:
    before, oldest = Kept.of(shop), shop.version
    wrong = []
    with Prober(shop) as prober:
        versions = [oldest]
        for _ in range(2):
            versions.append(shop.declare())
            assert shop.deploy().end().code == 0
        for version in versions[1::-1]:
            done = shop.run("rollback", "staging", "--drain", "5")
            wrong += [] if done.code == 0 and shop.body() == version else [f"{shop.body()} serves:\n{done.text}"]
        wrong += convergence(shop, shop.version)
    check(wrong, data(shop, before), availability(prober, *versions), lock(shop))
