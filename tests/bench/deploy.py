"""Deploys over ssh under traffic, beside what Compose does to the same stack in the same run; needs an engine."""

from __future__ import annotations

import math
import re
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nself_sdk import DriverError, docker
from nself_sdk.deploy import Progress, probing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rig.vps import Vps

    from nself_sdk import Deployment
    from nself_sdk.deploy import ProbeReport

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/ is no package

RATE, REQUESTS, STEADY_SECONDS = 105, 10_000, 20
#: Told, and not judged.
NO_TARGET = math.inf

Row = tuple[str, float, float]


def rows() -> Iterator[Row]:
    """Name, measured, target."""
    try:
        with _host() as shop:
            yield from _of_two_services(shop)
            yield from _of_no_change(shop)
            yield from _of_one_line(shop)
    except DriverError as error:
        sys.stderr.write(f"no benchmark of deploys: {error}\n")


class Seen(NamedTuple):
    """What became of traffic: in all, before something was done, and while it was."""

    whole: ProbeReport
    before: ProbeReport
    during: ProbeReport

    @property
    def slower(self) -> float:
        """How many times slower the slowest hundredth was."""
        return self.during.p99 / self.before.p99


@dataclass
class Shop:
    """The shop on a host behind ssh."""

    vps: Vps
    folder: Path
    told: list[Progress] = field(default_factory=list[Progress])

    def deployment(self, version: int) -> Deployment:
        """A version of it."""
        from rig import shop

        return shop.deployment(self.folder, version, tell=self.told.append)

    def under_traffic(self, what: Callable[[], object], requests: int = 0) -> Seen:
        """What becomes of traffic before it, while it is done, and until so many requests were sent."""
        from rig import shop

        with probing(shop.traffic(self.vps, rate=RATE)) as running:
            time.sleep(STEADY_SECONDS)
            begin = running.seconds
            with shop.elsewhere():
                what()
            end = running.seconds
            while running.report.requests < requests:
                time.sleep(0.5)
            time.sleep(2)
        seen = Seen(running.report, running.between(0, begin), running.between(begin, end))
        before, during = f"{seen.before.p99:.0f} ms before", f"{seen.during.p99:.0f} ms in these {end - begin:.0f} s"
        _say(f"p99 {before}, {during}; in all {seen.whole}")
        return seen


def _of_two_services(shop: Shop) -> Iterator[Row]:
    handshakes = shop.vps.connections()
    seen = shop.under_traffic(lambda: _deploy(shop, 1), REQUESTS)
    yield "deploy of 2 services, a route: requests lost", seen.whole.lost, 0
    yield "  of so many", seen.whole.requests, NO_TARGET
    yield "  ssh handshakes", shop.vps.connections() - handshakes, 1
    yield "  p99 during it / steady", seen.slower, 3
    with shop.deployment(2) as given:
        seen = shop.under_traffic(lambda: _compose(given))
    yield "compose up -d of the same: requests lost", seen.whole.lost, NO_TARGET
    yield "  of so many", seen.whole.requests, NO_TARGET
    yield "  p99 during it / steady", seen.slower, NO_TARGET


def _of_no_change(shop: Shop) -> Iterator[Row]:
    with shop.deployment(2) as given:
        given.deploy()
        again = min(_seconds(given.deploy) for _ in range(3))
        plain = min(_seconds(lambda: _compose(given)) for _ in range(3))
    yield "deploy of no change / compose up -d", again / plain, 1.5


def _of_one_line(shop: Shop) -> Iterator[Row]:
    """The part of the service's image that travels when one line of its code changed."""
    from rig import shop as made

    made.edit(shop.folder, "\n# another line\n")
    shop.told.clear()
    with shop.deployment(2) as given:
        given.deploy()
        [image] = {c.image for c in given.driver.containers("shop") if c.service == "hello"}
        size = given.driver.image(image)
    sent = [float(found[1]) for one in shop.told if (found := re.search(r"sent ([0-9.]+) MB", one.what))]
    yield "one changed line: bytes sent / image", sum(sent) * 1e6 / (size.size if size else 1), 0.05


def _deploy(shop: Shop, version: int) -> None:
    with shop.deployment(version) as given:
        given.deploy()


def _compose(given: Deployment) -> None:
    given.driver.compose(given.stack(), "up", "--detach", "--no-build")


@contextmanager
def _host() -> Iterator[Shop]:
    """The shop, deployed to a host of its own, with the images that the tests use."""
    from rig import shop
    from rig.images import ensure_images
    from rig.vps import vps

    with docker.connect() as driver:
        driver.info()
    ensure_images(shop.images(), _say)
    with tempfile.TemporaryDirectory() as folder, vps(_say) as host:
        made = Shop(host, shop.on(host, Path(folder)))
        _deploy(made, 0)
        yield made


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _seconds(what: Callable[[], object]) -> float:
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin
