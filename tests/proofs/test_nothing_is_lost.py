"""The promise itself, over real ssh: a deploy of two services and a route loses none of ten thousand requests."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rig import shop

from nself_sdk.deploy import probing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rig.vps import Vps

pytestmark = [pytest.mark.docker, pytest.mark.long]

_LOG = logging.getLogger(__name__)
REQUESTS, RATE, STEADY_SECONDS = 10_000, 105, 30
#: How much slower the slowest hundredth may be while a deploy runs.
SLOWER = 3


@pytest.fixture(scope="module")
def host(engine: None) -> Iterator[Vps]:
    """A host of its own: a deploy to it is measured."""
    from rig.vps import vps

    with vps() as found:
        yield found


@pytest.fixture(scope="module")
def folder(host: Vps, rig_images: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, deployed there."""
    rig_images(*shop.images())
    path = shop.on(host, tmp_path_factory.mktemp("shop"))
    with shop.deployment(path, 0) as first:
        first.deploy()
    return path


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_deploy_of_two_services_and_a_route_loses_nothing(host: Vps, folder: Path, version: int) -> None:
    shop.edit(folder, f"\n# version {version}\n")
    database, handshakes = host.docker("inspect", "--format", "{{.Id}}", "shop-postgres-1"), host.connections()
    with probing(shop.traffic(host, rate=RATE)) as running:
        time.sleep(STEADY_SECONDS)
        begin = running.seconds
        with shop.deployment(folder, version) as deployment, shop.elsewhere():
            report = deployment.deploy()
        end = running.seconds
        while running.report.requests < REQUESTS:
            time.sleep(1)
    whole, steady, during = running.report, running.between(0, begin), running.between(begin, end)
    _LOG.warning("%s\nsteady p99 %.0f ms, during p99 %.0f ms, %s", whole, steady.p99, during.p99, report.services)

    assert report.plan is not None
    assert {(c.service, c.kind) for c in report.plan.pending} == {
        ("hello", "replace"),
        ("hasura", "replace"),
        ("nginx", "reload"),
    }
    assert whole.lost == 0, str(whole)
    assert whole.requests >= REQUESTS
    assert whole.requests / whole.seconds >= 100
    assert whole.kept >= 2
    assert host.docker("inspect", "--format", "{{.Id}}", "shop-postgres-1") == database
    assert host.connections() == handshakes + 1
    assert during.p99 <= SLOWER * steady.p99


def test_a_socket_to_a_service_that_is_not_touched_outlives_the_deploy(host: Vps, folder: Path) -> None:
    shop.edit(folder, "\n# version 4\n")
    with probing(replace(shop.traffic(host), rate=20, socket_seconds=90)) as running:
        with shop.deployment(folder, 3) as deployment:
            report = deployment.deploy()
        time.sleep(95 - running.seconds)
    assert report.plan is not None
    assert [change.service for change in report.plan.pending] == ["hello"]
    assert running.report.lost == 0, str(running.report)
    assert max(one.took for one in running.outcomes if one.kind == "socket") > 85
