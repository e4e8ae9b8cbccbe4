"""What a test stack does to Docker, written down by the recording driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nself_sdk import DeclarationError, Environment, Project, Redis
from nself_sdk.docker import Container, Mount, Volume
from nself_sdk.errors import DriverError
from nself_sdk.testing import NselfStack, RecordingDriver

if TYPE_CHECKING:
    from pathlib import Path

NAMELESS = "5d" * 32


@pytest.fixture(autouse=True)
def without_ryuk(monkeypatch: pytest.MonkeyPatch) -> None:
    from testcontainers.core.config import testcontainers_config

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)


def recorded() -> RecordingDriver:
    """A driver on which Redis is healthy as soon as it is up."""
    driver = RecordingDriver()
    driver.answer("containers", lambda project: (container(project),) if "up" in compose_calls(driver) else ())
    driver.answer("volumes", lambda project: (Volume(name=f"{project}_redis-data", driver="local", created_at=None),))
    return driver


def container(project: str) -> Container:
    mounts = [Mount("volume", source, "/data", read_only=False) for source in (f"{project}_redis-data", NAMELESS)]
    return Container(
        id="1" * 64,
        name=f"{project}-redis-1",
        project=project,
        service="redis",
        number=1,
        image="redis",
        image_id="sha256:0",
        state="running",
        health="healthy",
        addresses={f"{project}_default": "172.18.0.2"},
        mounts=tuple(mounts),
    )


def compose_calls(driver: RecordingDriver) -> list[str]:
    return [call.arguments[1] for call in driver.calls if call.verb == "compose"]


def removed(driver: RecordingDriver) -> list[tuple[str, ...]]:
    return [call.arguments[0] for call in driver.calls if call.verb == "remove_volumes"]


def test_at_the_end_exactly_its_own_volumes_are_removed() -> None:
    driver = recorded()
    with NselfStack(Project().add(Redis()), driver=driver) as stack:
        assert compose_calls(driver)[-1] == "up"
    assert compose_calls(driver)[-1] == "down"
    assert removed(driver) == [(NAMELESS, f"{stack.name}_redis-data")]


def test_it_takes_other_ports_when_somebody_was_faster() -> None:
    driver, up = recorded(), []

    def answer(stack: object, *arguments: str, **_: object) -> str:
        if arguments[0] == "up":
            up.append(stack)
        if len(up) == 1 and arguments[0] == "up":
            raise DriverError("docker compose up: the port 127.0.0.1:8080 is already in use on the host")
        return ""

    driver.answer("compose", answer)
    driver.answer("containers", lambda project: (container(project),) if len(up) == 2 else ())
    with NselfStack(Project().add(Redis()), driver=driver):
        assert len(up) == 2


def test_another_refusal_is_not_tried_again_and_is_cleaned_up() -> None:
    driver = recorded()
    driver.answer("compose", "", "", DriverError("the host's disk is full"), "")
    with pytest.raises(DriverError, match="disk is full"), NselfStack(Project().add(Redis()), driver=driver):
        pytest.fail("it must not be up")
    assert compose_calls(driver) == ["pull", "config", "up", "down"]
    assert len(removed(driver)) == 1


def test_an_interruption_while_it_starts_is_cleaned_up() -> None:
    driver = recorded()
    driver.answer("compose", "", "", KeyboardInterrupt(), "")
    with pytest.raises(KeyboardInterrupt), NselfStack(Project().add(Redis()), driver=driver):
        pytest.fail("it must not be up")
    assert compose_calls(driver) == ["pull", "config", "up", "down"]


def test_a_kept_stack_is_not_touched_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    driver = recorded()
    with NselfStack(Project().add(Redis()), driver=driver, keep=True) as stack:
        pass
    assert (compose_calls(driver), removed(driver)) == (["pull", "config", "up"], [])
    assert stack.folder.path.is_dir()


def test_prod_runs_here_too_on_free_ports_and_with_the_local_ca() -> None:
    with NselfStack(Project().add(Redis()), "prod", driver=recorded()) as stack:
        facts = stack.environment
    assert (facts.profile, facts.domain, facts.tls, facts.bind) == ("prod", "example.com", "local-ca", "127.0.0.1")
    assert len({facts.http_port, facts.https_port, 80, 443}) == 4
    assert stack.url("api", "/x") == f"https://api.example.com:{facts.https_port}/x"


def test_a_folder_gives_its_code_and_variables_and_keeps_its_secrets_to_itself(tmp_path: Path) -> None:
    source = tmp_path
    for name in ("services/hello/app.py", ".environments/staging/.env.secrets", ".environments/staging/server.json"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text('{"host": "ssh://nowhere.example.com"}')
    (source / ".environments/staging/.env").write_text("BASE_DOMAIN=shop.example.com\n")
    with NselfStack(Project().add(Redis()), "staging", folder=source, driver=recorded()) as stack:
        assert stack.environment.domain == "shop.example.com"
        assert not stack.environment.remote
        assert (stack.folder.path / "services/hello/app.py").is_file()
        assert "nowhere" not in (stack.folder.path / ".environments/staging/.env.secrets").read_text()


def test_given_secrets_are_taken_as_they_are() -> None:
    with NselfStack(
        Project().add(Redis()), driver=recorded(), secrets={"REDIS_PASSWORD": "given-by-the-test"}
    ) as stack:
        assert stack.secret("REDIS_PASSWORD") == "given-by-the-test"


def test_the_worker_of_xdist_is_in_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
    assert NselfStack(Project()).name.startswith("nself-test-gw3-")


def test_the_users_project_keeps_its_name() -> None:
    project = Project("shop").add(Redis())
    with NselfStack(project, Environment.named("dev"), driver=recorded()) as stack:
        assert stack.deployment.project.name == stack.name
    assert project.name == "shop"


def test_a_stack_that_is_not_up_says_so() -> None:
    with pytest.raises(DriverError, match="is not up"):
        _ = NselfStack(Project()).edge


def test_a_container_without_published_ports_is_reached_inside_its_network() -> None:
    with NselfStack(Project().add(Redis()), driver=recorded()) as stack:
        redis = stack.container("redis")
        assert (redis.get_container_host_ip(), redis.get_exposed_port(6379)) == ("172.18.0.2", 6379)
        with pytest.raises(DriverError, match="has no container"):
            stack.container("postgres")
        with pytest.raises(DeclarationError, match="there is no service 'postgres'"):
            stack.exec("postgres", ["true"])


def test_a_route_or_secret_that_is_none_is_told_with_those_that_are() -> None:
    with NselfStack(Project().add(Redis()), driver=recorded()) as stack:
        with pytest.raises(DeclarationError, match=r"^route: this stack has no api\.localhost; known: $"):
            stack.request("GET", "api")
        with pytest.raises(DeclarationError, match=r"no REDIS_PASSWRD; known: .*REDIS_PASSWORD"):
            stack.secret("REDIS_PASSWRD")
