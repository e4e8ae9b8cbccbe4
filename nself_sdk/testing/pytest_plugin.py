"""The pytest plugin: a stack as a fixture. It is loaded in every pytest run, so nothing is imported before it is used.

Override `nself_project` in your ``conftest.py``; `nself_stack` is then that project, running::

    @pytest.fixture(scope="session")
    def nself_project():
        return Project("shop").add(Hasura())

    def test_hasura_answers(nself_stack):
        assert nself_stack.request("GET", "api", "/healthz").status == 200
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from nself_sdk.deploy.probe import Probing
    from nself_sdk.docker import Driver
    from nself_sdk.project import Declaration
    from nself_sdk.testing.stack import NselfStack


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--nself-keep``."""
    group = parser.getgroup("nself", "stacks of nself-sdk")
    group.addoption("--nself-keep", action="store_true", help="leave the stacks of nself_stack running at the end")


@pytest.fixture(scope="session")
def nself_project() -> Declaration:
    """The project that `nself_stack` brings up: a `Project`, or a function of the environment. Override it."""
    raise pytest.UsageError("override the fixture nself_project (scope='session'): return the Project to bring up")


@pytest.fixture(scope="session")
def nself_driver() -> Iterator[Driver]:
    """This machine's Docker engine. Without one the test is skipped; with ``NSELF_REQUIRE_DOCKER=1`` it is an error."""
    from nself_sdk import docker  # noqa: PLC0415 - see the module's docstring
    from nself_sdk.errors import HostUnreachableError  # noqa: PLC0415 - same

    with ExitStack() as opened:
        try:
            driver = opened.enter_context(docker.connect())
        except HostUnreachableError as error:
            if os.environ.get("NSELF_REQUIRE_DOCKER") == "1":
                raise
            pytest.skip(f"no Docker: {error}")
        yield driver


@pytest.fixture(scope="session")
def nself_stack(nself_project: Declaration, nself_driver: Driver, pytestconfig: pytest.Config) -> Iterator[NselfStack]:
    """`nself_project` in dev, up and healthy for the whole session; each xdist worker has its own."""
    from nself_sdk.testing.stack import NselfStack  # noqa: PLC0415 - see the module's docstring

    with NselfStack(nself_project, driver=nself_driver, keep=bool(pytestconfig.getoption("--nself-keep"))) as stack:
        yield stack


@pytest.fixture
def nself_probe(nself_stack: NselfStack) -> Callable[..., AbstractContextManager[Probing]]:
    """Traffic to `nself_stack` while a body runs: what a deploy, a restart or a migration costs its clients.

    ::

        def test_a_deploy_loses_nothing(nself_stack, nself_probe):
            with nself_probe("api", "/healthz", rate=100) as traffic:
                nself_stack.changed(next_version).deploy()
            assert traffic.report.lost == 0
    """
    from nself_sdk.deploy import Request, probing  # noqa: PLC0415 - see the module's docstring

    def sending(route: str, path: str = "/", **given: Any) -> AbstractContextManager[Probing]:
        return probing(nself_stack.probe(Request(nself_stack.url(route, path)), **given))

    return sending
