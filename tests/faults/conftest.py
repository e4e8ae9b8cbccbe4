"""A host with the shop deployed once: what every fault is injected into."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oracles import check, convergence, locks, plant
from shop import IMAGES, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rig.vps import Vps


@pytest.fixture(scope="session")
def faulty_vps(rig_images: Callable[..., object]) -> Iterator[Vps]:
    """A host of these tests' own, with the images that they deploy."""
    from rig.images import ensure_recipes
    from rig.vps import vps as host

    rig_images(*(image for image in IMAGES if not image.startswith("nself-rig")))
    ensure_recipes(("versioned",))
    with host() as found:
        found.load(*IMAGES)
        yield found


@pytest.fixture(scope="session")
def deployed(faulty_vps: Vps, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, deployed once, with its sentinels."""
    # The name of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="nf-", dir="/tmp") as scratch:
        shop = Shop(tmp_path_factory.mktemp("shop"), faulty_vps, Path(scratch))
        shop.write()
        shop.declare()
        done = shop.deploy().end()
        assert done.code == 0, done.text
        plant(shop)
        yield shop


@pytest.fixture
def shop(deployed: Shop) -> Shop:
    """The shop, healthy and at rest; brought back to that if the test before left it otherwise."""
    deployed.hurried = False
    if not deployed.at_rest:
        halves = [name for name in deployed.containers() if "_" in name]
        if left := [*locks(deployed), *halves]:
            deployed.docker("rm", "-f", *left)
        check(convergence(deployed, deployed.declare()))
    return deployed
