"""Deploys under traffic, beside what Compose itself does to the same stack in the same run; needs an engine."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nself_sdk import CustomService, DriverError, Environment, Hasura, Project, docker, render
from nself_sdk.deploy import Probe, Request, probing
from nself_sdk.store import ProjectFolder
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nself_sdk.deploy import ProbeReport

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
RATE = 100
STEADY_SECONDS = 10
#: Told, and not judged.
NO_TARGET = math.inf


def rows() -> Iterator[tuple[str, float, float]]:
    """Name, measured, target."""
    try:
        with running() as stack:
            yield from _measured(stack)
    except DriverError as error:
        sys.stderr.write(f"no benchmark of deploys: {error}\n")


def _measured(stack: NselfStack) -> Iterator[tuple[str, float, float]]:
    steady = during(stack, lambda: time.sleep(STEADY_SECONDS))
    deployed = during(stack, lambda: stack.changed(project("2")).deploy())
    driver, given = stack.deployment.driver, stack.deployment.stack()
    again = min(_seconds(stack.deployment.deploy) for _ in range(3))
    plain = min(_seconds(lambda: driver.compose(given, "up", "--detach", "--no-build")) for _ in range(3))
    replaced = ("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "hello", "hasura")
    composed = during(stack, lambda: (driver.compose(given, *replaced), time.sleep(STEADY_SECONDS)))
    yield "deploy of 2 services: requests lost", deployed.lost, 0
    yield "  of so many", deployed.requests, NO_TARGET
    yield "compose up of the same 2: requests lost", composed.lost, NO_TARGET
    yield "  of so many", composed.requests, NO_TARGET
    yield "p99 during a deploy / steady", deployed.p99 / steady.p99, 3
    yield "deploy of no change / compose up -d", again / plain, 1.5


def project(version: str) -> Project:
    """A stack whose Hasura and whose own service change with the version."""
    variables = {"HASURA_GRAPHQL_EVENTS_HTTP_POOL_SIZE": f"{100 + int(version)}"}
    hello = CustomService("hello", "fastapi-py", 8001, needs=["postgres"], environment={"VERSION": version})
    return Project("shop").add(Hasura(environment=variables)).add(hello)


@contextmanager
def running() -> Iterator[NselfStack]:
    """That stack, with the images that the tests use."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from rig.images import ensure_images  # tests/ is no package

    with docker.connect() as driver:
        driver.info()
    named = {s.image for s in render(project("1"), STAGING).services.values() if s.build is None and s.image}
    ensure_images(sorted({*named, "python:3.13.15-slim-trixie"}), lambda line: sys.stderr.write(f"{line}\n"))
    with tempfile.TemporaryDirectory() as folder:
        ProjectFolder(folder).scaffold(project("1"))
        with NselfStack(project("1"), STAGING, folder=folder) as stack:
            yield stack


def during(stack: NselfStack, what: Callable[[], object]) -> ProbeReport:
    """What becomes of traffic to both services meanwhile."""
    paths = (("hello", "/"), ("api", "/healthz"))
    probe: Probe = stack.probe(*(Request(stack.url(route, path)) for route, path in paths), rate=RATE)
    with probing(probe) as traffic:
        what()
    return traffic.report


def _seconds(what: Callable[[], object]) -> float:
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin
