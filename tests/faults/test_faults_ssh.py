"""F15, F17 to F20: the connection is cut, or goes silent; sshd's limits; host keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from oracles import Kept, Prober, availability, check, connections, convergence, data, error, lock
from rig.proxy import Proxy
from shop import BARE, SITE, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.docker

CUTS = [r"images: \.\.\.", r"redis: replacing", r"site: replacing", r"site: draining", r"start: done"]


@pytest.fixture
def proxied(shop: Shop, tmp_path: Path) -> Iterator[Proxy]:
    """What goes to the shop's host goes through this."""
    with Proxy(shop.host.host, shop.host.port) as proxy:
        known = tmp_path / "known_hosts"
        known.write_text(shop.host.known_hosts.read_text().replace(f":{shop.host.port}", f":{proxy.port}"))
        shop.serve_at(proxy.port, known_hosts=str(known))
        yield proxy
        shop.serve_at()


def cut(shop: Shop, proxied: Proxy, line: str) -> None:
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        new = shop.change_much()
        run = shop.deploy()
        run.until(line)
        proxied.reset()
        begin = time.monotonic()
        ended = run.end(60)
        wrong = list(error(shop, ended, "ssh://deploy@", "the connection broke", "run the same command again"))
        wrong += [] if time.monotonic() - begin < 30 else ["error: it took long to notice"]
        wrong += convergence(shop, new, "--lock-wait", "90")
    check(wrong, data(shop, before), availability(prober, old, new), lock(shop))


@pytest.mark.long
@pytest.mark.parametrize("line", CUTS)
def test_a_connection_that_is_cut_at_any_phase_hurts_nothing(shop: Shop, proxied: Proxy, line: str) -> None:
    shop.hurried = True
    cut(shop, proxied, line)


@pytest.mark.long
@pytest.mark.parametrize("line", [r"plan: \.\.\.", r"site: replacing", r"site: draining"])
def test_a_network_that_goes_silent_is_noticed_within_45_seconds(shop: Shop, proxied: Proxy, line: str) -> None:
    shop.hurried = True
    before, old = Kept.of(shop), shop.version
    with Prober(shop) as prober:
        new = shop.change_much()
        run = shop.deploy()
        run.until(line)
        proxied.swallow()
        begin = time.monotonic()
        ended = run.end(120)
        seconds = time.monotonic() - begin
        wrong = list(error(shop, ended, "the connection broke", "run the same command again"))
        wrong += [] if seconds <= 45 else [f"error: noticed after {seconds:.0f} s"]
        shop.serve_at()
        wrong += convergence(shop, new, "--lock-wait", "90")
    check(wrong, data(shop, before), availability(prober, old, new), lock(shop))


@pytest.mark.long
def test_twenty_five_services_pass_through_the_narrowest_sshd(shop: Shop, tmp_path: Path) -> None:
    with shop.beside(tmp_path, "wide", BARE) as wide, shop.host.sshd(MaxSessions=1, MaxStartups="2:100:2"):
        others = {f"site{number}": {"image": SITE, "init": True} for number in range(24)}
        wide.declare(others=others)
        before = shop.host.connections()
        ended = wide.deploy().end()
        assert ended.code == 0, ended.text
        assert len(wide.containers()) == 25
        assert shop.host.connections() == before + 1
        wide.declare(others={**others, "site1": {**others["site1"], "labels": ["again"]}})
        again = wide.deploy().end()
        assert again.code == 0, again.text
        assert shop.host.connections() == before + 2


def refused(shop: Shop, *words: str) -> None:
    """Nothing was touched, and it says why within seconds."""
    before, old, ids = Kept.of(shop), shop.version, shop.containers()
    with Prober(shop) as prober:
        shop.declare()
        ended = shop.deploy().end()
    wrong = [] if shop.containers() == ids else ["data: containers were replaced"]
    wrong += [] if ended.seconds < 30 else [f"error: it took {ended.seconds:.0f} s"]
    check(
        wrong, error(shop, ended, *words), data(shop, before), availability(prober, old), lock(shop),
        [f"orphans: {line}" for line in connections(shop)],
    )  # fmt: skip


@pytest.mark.long
def test_a_sshd_that_forwards_no_sockets_is_told(shop: Shop) -> None:
    with shop.host.sshd(AllowStreamLocalForwarding="no"):
        refused(shop, "AllowStreamLocalForwarding")


@pytest.mark.long
def test_a_changed_host_key_stops_everything(shop: Shop, tmp_path: Path) -> None:
    real = shop.host.known_hosts.read_text()
    name, kind, key = real.split()
    other = tmp_path / "known_hosts"
    other.write_text(f"{name} {kind} {key[:40]}{'B' if key[40] != 'B' else 'C'}{key[41:]}\n")
    before = shop.host.connections()
    shop.serve_at(known_hosts=str(other))
    try:
        refused(shop, "SHA256:.*SHA256:", "Nothing was sent")
    finally:
        shop.serve_at()
    assert shop.host.connections() == before


@pytest.mark.long
def test_an_unknown_host_key_is_never_accepted(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    before = shop.host.connections()
    shop.serve_at(known_hosts=str(tmp_path / "known_hosts"))
    try:
        refused(shop, "the host key of .* is not known", "SHA256:")
    finally:
        shop.serve_at()
    assert shop.host.connections() == before
    assert (tmp_path / "known_hosts").read_text() == ""
