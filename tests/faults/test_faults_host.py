"""F08, F13, F23, F34: the host's disk is full, it reboots, clocks differ, its addresses are used up."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

import pytest
from oracles import Kept, Prober, availability, check, convergence, data, error, lock, locks, plant
from rig.shell import RigError, need
from shop import BARE, IMAGES, Run, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.long]


@pytest.fixture(scope="module")
def small(deployed: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop on a host whose engine has a disk of two gigabytes."""
    from rig.vps import vps as host

    with host() as found:
        found.stop_engine()
        found.exec("mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", "/var/lib/docker")
        found.start_engine()
        found.load(*IMAGES)
        shop = Shop(tmp_path_factory.mktemp("small"), found, deployed.scratch)
        shop.write()
        shop.declare()
        done = shop.deploy().end()
        assert done.code == 0, done.text
        plant(shop)
        yield shop


@pytest.mark.parametrize("line", [None, r"site: replacing"])
def test_a_full_disk_stops_a_deploy_and_nothing_else(small: Shop, line: str | None) -> None:
    before, old = Kept.of(small), small.version
    with Prober(small) as prober:
        new = small.declare()
        run = None
        if line:
            run = small.deploy()
            run.until(line)
        with contextlib.suppress(RigError):  # it ends with: no space left
            small.host.exec("sh", "-c", "cat /dev/zero >/var/lib/docker/fill")
        ended = (run or small.deploy()).end()
        wrong = list(error(small, ended, "disk")) if ended.code else []
        wrong += [] if line or ended.code else ["error: it deployed on a full disk"]
        wrong += [] if small.sql("SELECT 1") == "1" else ["data: Postgres is gone"]
        small.host.exec("rm", "/var/lib/docker/fill")
        wrong += convergence(small, new, "--lock-wait", "90")
        logs = small.logs("postgres")
        wrong += ["data: Postgres panicked"] if "PANIC" in logs else []
        wrong += [] if "ready to accept connections" in logs else ["its log cannot be read"]
    check(wrong, data(small, before), availability(prober, old, new), lock(small))


def healthy(shop: Shop) -> bool:
    try:
        told = json.loads(shop.run("status", "staging", "--json").text)
    except ValueError:
        return False
    return all(row["verdict"] == "healthy" for row in told)


def test_after_a_power_failure_everything_is_healthy_again_by_itself(shop: Shop) -> None:
    before = Kept.of(shop)
    shop.host.stop(kill=True)
    shop.host.start()
    begin = time.monotonic()
    while not healthy(shop):
        assert time.monotonic() - begin < 60, shop.run("status", "staging").text
    assert shop.body() == shop.version
    check(data(shop, before), convergence(shop, shop.version))


@pytest.mark.parametrize("line", [r"redis: replacing", r"site: replacing", r"site: draining"])
def test_a_power_failure_in_the_middle_of_a_deploy_is_told_and_mended_by_the_next(shop: Shop, line: str) -> None:
    before = Kept.of(shop)
    new = shop.change_much()
    run = shop.deploy()
    run.until(line)
    shop.host.stop(kill=True)
    ended = run.end()
    shop.host.start()
    check(
        error(shop, ended, "ssh://deploy@", "run the same command again"),
        convergence(shop, new, "--lock-wait", "90"),
        data(shop, before),
        lock(shop),
    )


def skewed(shop: Shop, skew: str, *arguments: str) -> Run:
    """A command line of a machine whose clock is wrong."""
    need("faketime", "faketime")
    command = ["faketime", "-f", skew, *shop.command(*arguments)]
    return Run(command, {}, shop.scratch)


@pytest.mark.parametrize("skew", ["-1d", "-1h", "+1h", "+1d"])
def test_a_clock_that_is_far_off_stops_a_deploy_before_it_begins(shop: Shop, skew: str) -> None:
    before, old, ids = Kept.of(shop), shop.version, shop.containers()
    with Prober(shop) as prober:
        shop.declare()
        ended = skewed(shop, skew, "deploy", "staging").end()
        wrong = list(error(shop, ended, "clock: is .* (ahead of|behind) this machine's", "set-ntp"))
        wrong += [] if shop.containers() == ids else ["containers were replaced"]
        wrong += lock(shop)
    check(wrong, data(shop, before), availability(prober, old), convergence(shop, shop.version))


@pytest.mark.parametrize("skew", ["-100s", "+100s"])
def test_a_clock_that_is_a_little_off_is_told_and_breaks_nothing(shop: Shop, skew: str) -> None:
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        # A new route needs a new certificate, which must hold by true clocks.
        new = shop.change_much()
        first = skewed(shop, skew, "deploy", "staging")
        first.until(r"site: replacing")
        second = skewed(shop, skew, "deploy", "staging").end()
        wrong = list(error(shop, second, r"is being deployed by \S+@\S+, for [1-5]?\d s"))
        done = first.end()
        wrong += [] if done.code == 0 and "clock: is" in done.text else [done.text]
        wrong += convergence(shop, new)
    check(wrong, data(shop, before), availability(prober, old, new), lock(shop))


def test_a_host_without_free_addresses_says_so_and_how_to_mend_it(shop: Shop, tmp_path: Path) -> None:
    before, old = Kept.of(shop), shop.version
    made = []
    with shop.beside(tmp_path, "other", BARE) as other, Prober(shop) as prober:
        other.declare()
        with contextlib.suppress(RigError):
            for number in range(100):
                shop.docker("network", "create", f"filler-{number}")
                made.append(f"filler-{number}")
        assert len(made) < 100
        wrong = list(error(other, other.deploy().end(), "addresses for 0 more networks", "docker network prune"))
        wrong += [f"lock: {name}" for name in locks(other)]
        shop.docker("network", "rm", *made)
        done = other.deploy().end()
        wrong += [] if done.code == 0 else [done.text]
    check(wrong, data(shop, before), availability(prober, old))
