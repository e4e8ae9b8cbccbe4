"""F21, F32: two deploys at once, and a host that somebody else changes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from oracles import Kept, Prober, availability, check, convergence, data, error, lock, quiet
from shop import BARE, Shop

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker


def races(shop: Shop, times: int) -> None:
    before, old, wrong = Kept.of(shop), shop.version, []
    versions = {old}
    with Prober(shop) as prober:
        for _ in range(times):
            versions.add(shop.declare())
            one = shop.deploy("--message", "one")
            time.sleep(0.05)
            two = shop.deploy("--message", "two")
            won, lost = sorted((one.end(), two.end()), key=lambda ended: ended.code)
            wrong += [] if won.code == 0 else [f"nobody won:\n{won.text}"]
            wrong += error(shop, lost, r"is being deployed by \S+@\S+, for \d+ s \((one|two)\)", "--lock-wait SECONDS")
            wrong += [*quiet(shop, won), *lock(shop)]
            wrong += [] if shop.body() == shop.version else [f"{shop.body()} serves"]
        wrong += convergence(shop, shop.version)
    check(wrong, data(shop, before), availability(prober, *versions))


def test_of_two_deploys_at_once_exactly_one_wins(shop: Shop) -> None:
    races(shop, 2)


@pytest.mark.long
def test_of_two_deploys_at_once_exactly_one_wins_fifty_times(shop: Shop) -> None:
    races(shop, 50)


@pytest.mark.long
def test_two_projects_at_once_both_succeed(shop: Shop, tmp_path: Path) -> None:
    with shop.beside(tmp_path, "other", BARE) as other:
        for _ in range(3):
            shop.declare()
            other.declare()
            runs = [shop.deploy(), other.deploy()]
            ended = [run.end() for run in runs]
            assert [one.code for one in ended] == [0, 0], "\n".join(one.text for one in ended)
        check(convergence(shop, shop.version), lock(other))


@pytest.mark.long
def test_a_plan_that_the_host_has_outrun_is_refused(shop: Shop, tmp_path: Path) -> None:
    before = Kept.of(shop)
    new = shop.declare()
    plan = str(tmp_path / "plan")
    assert shop.run("plan", "staging", "--out", plan).code == 2
    shop.docker("rm", "-f", f"{shop.name}-redis-1")
    ids = shop.containers()
    ended = shop.deploy("--plan", plan).end()
    wrong = list(error(shop, ended, "the host changed since this plan was made", code=2))
    wrong += [] if shop.containers() == ids else ["the stale plan was carried out"]
    shown = shop.run("plan", "staging")
    wrong += error(shop, shown, r"create +redis", "it does not run yet", code=2)
    check(wrong, lock(shop), convergence(shop, new), data(shop, before))
