"""The pytest plugin, as a project that uses it sees it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "nself_sdk.testing.pytest_plugin"

CONFTEST = """
import pytest
from nself_sdk import Project, Redis

@pytest.fixture(scope="session")
def nself_project():
    return Project("shop").add(Redis())
"""
TEST = """
import os
def test_it_is_up(nself_stack):
    with open(os.environ["NAME_FILE"], "w") as file:
        file.write(nself_stack.name)
    assert nself_stack.exec("redis", ["true"]).exit_code == 0
def test_it_is_the_same_one(nself_stack):
    assert open(os.environ["NAME_FILE"]).read() == nself_stack.name
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin and no other: others cost a second, and found by its entry point it could not be named again."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TEST)
    monkeypatch.setenv("NAME_FILE", str(pytester.path / "name"))
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", *arguments)


def no_engine(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project.path / 'docker.sock'}")


def test_without_docker_a_test_is_skipped_with_the_reason(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_engine(project, monkeypatch)
    monkeypatch.delenv("NSELF_REQUIRE_DOCKER", raising=False)
    result = run(project, "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*SKIPPED*no Docker: *"])


@pytest.mark.slow
def test_without_docker_it_is_an_error_where_docker_is_required(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_engine(project, monkeypatch)
    monkeypatch.setenv("NSELF_REQUIRE_DOCKER", "1")
    run(project).assert_outcomes(errors=2)


def test_whoever_does_not_say_which_project_is_told_how(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(nself_stack): pass")
    result = run(pytester)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*override the fixture nself_project*"])


@pytest.mark.docker
def test_the_stack_lives_as_long_as_the_session(project: pytest.Pytester, rig_images: object) -> None:
    from rig.shell import docker

    assert callable(rig_images)
    rig_images("redis:7.2.16-alpine3.21")
    run(project).assert_outcomes(passed=2)
    name = (project.path / "name").read_text()
    assert name.startswith("nself-test-")
    assert not docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={name}")


@pytest.mark.docker
def test_it_can_be_kept_for_a_look(project: pytest.Pytester, rig_images: object) -> None:
    from rig.shell import docker

    assert callable(rig_images)
    rig_images("redis:7.2.16-alpine3.21")
    run(project, "--nself-keep").assert_outcomes(passed=2)
    name = (project.path / "name").read_text()
    try:
        assert docker("ps", "-q", "--filter", f"label=com.docker.compose.project={name}")
    finally:
        docker("compose", "--project-name", name, "down", "--volumes", "--timeout", "2")
        (folder,) = Path(tempfile.gettempdir()).glob(f"{name}-*")
        shutil.rmtree(folder)
