"""The commands around a deploy, on a host in memory: what they print, as text and as JSON, and what they end with."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakehost import FakeHost, hurry
from typer.testing import CliRunner

from nself_sdk import DriverError, docker
from nself_sdk.cli.commands import app
from nself_sdk.docker.values import Network, Volume
from nself_sdk.errors import HostUnreachableError, NselfError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

STACK = """
from nself_sdk import Hasura, Project
project = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": "@"}))
"""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    hurry(monkeypatch)
    made = FakeHost()

    @contextmanager
    def connect(*_: Any) -> Iterator[FakeHost]:
        yield made

    monkeypatch.setattr(docker, "connect", connect)
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text("BASE_DOMAIN=shop.example.com\nTLS=local-ca\n")
    return tmp_path


def nself(shop: Path, *arguments: str, level: str = "info") -> tuple[int, str, str]:
    """The exit code and both outputs, as the process would have them."""
    (shop / "stack.py").write_text(STACK.replace("@", level))
    try:
        done = CliRunner().invoke(app, ["-C", str(shop), *arguments], catch_exceptions=False)
    except NselfError as error:
        return error.exit_code, "", str(error)
    return done.exit_code, done.stdout, done.stderr


def deployed_twice(shop: Path) -> None:
    for level in ("info", "debug"):
        assert nself(shop, "deploy", "staging", "-m", level, level=level)[0] == 0


def test_releases_lists_shows_and_compares(host: FakeHost, shop: Path) -> None:
    deployed_twice(shop)
    for command in (("releases", "staging"), ("releases", "list", "staging")):
        lines = nself(shop, *command)[1].splitlines()
        assert [line.split()[0] for line in lines] == ["RELEASE", "2", "1"]
    assert [r["message"] for r in json.loads(nself(shop, "releases", "staging", "--json")[1])] == ["debug", "info"]
    assert [r["message"] for r in json.loads(nself(shop, "releases", "--json", "staging")[1])] == ["debug", "info"]
    shown = nself(shop, "releases", "show", "staging", "1")[1]
    assert "release   1 of shop in staging" in shown
    assert "steps     secrets" in shown
    assert "hasura" in shown
    assert json.loads(nself(shop, "releases", "show", "staging", "1", "--json")[1])["number"] == 1
    assert nself(shop, "releases", "show", "staging", "1", "--file")[1].startswith("name: shop\n")
    said = "environment.HASURA_GRAPHQL_LOG_LEVEL changed"
    assert nself(shop, "releases", "diff", "staging", "1", "2")[1] == f"hasura\n  {said}\n"
    assert json.loads(nself(shop, "releases", "diff", "staging", "1", "2", "--json")[1]) == {"hasura": [said]}
    assert nself(shop, "releases", "diff", "staging", "2", "2")[1] == "release 2 runs what release 2 ran\n"
    code, _, error = nself(shop, "releases", "show", "staging", "9")
    assert (code, error) == (2, "release: there is no release 9; the host keeps: 2, 1")


def test_there_may_be_none_yet(host: FakeHost, shop: Path) -> None:
    assert nself(shop, "releases", "staging")[:2] == (0, "no release yet\n")
    assert nself(shop, "releases", "staging", "--json")[:2] == (0, "[]\n")


def test_a_deploy_and_a_rollback_as_json(host: FakeHost, shop: Path) -> None:
    first = json.loads(nself(shop, "deploy", "staging", "--json")[1])
    assert (first["release"], first["flaws"], first["probe"]) == (1, [], None)
    assert {"secrets", "images", "plan", "start"} <= set(first["steps"])
    second = json.loads(nself(shop, "deploy", "staging", "--json", level="debug")[1])
    assert [c["kind"] for c in second["plan"]["changes"] if c["service"] == "hasura"] == ["replace"]
    back = json.loads(nself(shop, "rollback", "staging", "--json", level="debug")[1])
    assert (back["release"], [c["service"] for c in back["plan"]["changes"] if c["kind"] != "keep"]) == (3, ["hasura"])


def test_a_rollback_says_what_it_restored_and_a_plan_what_comes_next(host: FakeHost, shop: Path) -> None:
    deployed_twice(shop)
    assert "release 1 is restored, kept as release 3\n" in nself(shop, "rollback", "staging", level="debug")[1]
    saved = str(shop / "p.json")
    code, out, _ = nself(shop, "plan", "staging", "--out", saved, "--exclude-frontends", level="debug")
    assert (code, out.splitlines()[-1]) == (2, f"next: nself-sdk deploy staging --exclude-frontends --plan {saved}")
    code, out, error = nself(shop, "plan", "staging", "--json", level="debug")
    assert (code, json.loads(out)["environment"], error) == (2, "staging", "next: nself-sdk deploy staging\n")


def test_what_went_wrong_beside_a_deploy_is_said_last_and_ends_with_1(host: FakeHost, shop: Path) -> None:
    (shop / "hooks").mkdir()
    (shop / "hooks" / "post-deploy").write_text("echo closed; exit 3\n")
    (shop / "hooks" / "post-deploy").chmod(0o755)
    code, out, error = nself(shop, "deploy", "staging")
    assert (code, "shop is healthy in staging" in out) == (1, True)
    assert error.splitlines()[-2:] == [
        "but: post-deploy went wrong, after all was done: hooks/post-deploy ended with exit code 3",
        "  | closed",
    ]
    code, out, _ = nself(shop, "deploy", "staging", "--json")
    assert (code, len(json.loads(out)["flaws"])) == (1, 1)


def test_a_dry_run_shows_the_plan_and_changes_nothing(host: FakeHost, shop: Path) -> None:
    deployed_twice(shop)
    before, host.calls = dict(host.made), []
    code, out, _ = nself(shop, "deploy", "staging", "--dry-run", level="error")
    assert (code, "1 to change\n  replace  hasura start-first" in out) == (0, True)
    looks = {"info", "containers", "image", "images", "compose", "exec", "volumes", "networks", "held"}
    assert {call.verb for call in host.calls} <= looks
    assert host.made == before


@pytest.mark.parametrize("url", ["https://other.example.com/", "api.shop.example.com", "ftp://api.shop.example.com/"])
def test_a_probe_of_nothing_that_the_edge_answers_is_refused_before_anything_is_touched(
    host: FakeHost, shop: Path, url: str
) -> None:
    code, _, error = nself(shop, "deploy", "staging", "--probe", url)
    assert (code, error.startswith("probe: ")) == (2, True)
    assert host.calls == []


def test_drift_ends_with_0_or_2_and_prints_what_it_found(host: FakeHost, shop: Path) -> None:
    host.answer("networks", (Network(name="shop_default", labels={"com.docker.compose.project": "shop"}),))
    host.answer("volumes", (Volume(name="shop_postgres-data", driver="local", created_at=None),))
    assert nself(shop, "drift", "staging")[0] == 2  # nothing is deployed
    deployed_twice(shop)
    assert nself(shop, "drift", "staging", level="debug")[0] == 0
    host.made = {key: one for key, one in host.made.items() if one.service != "hasura"}
    code, out, _ = nself(shop, "drift", "staging", "--json")
    assert (code, [row["kind"] for row in json.loads(out)["differences"]]) == (2, ["missing"])
    assert "hasura: missing: it has no container" in nself(shop, "drift", "staging")[1]


COMMANDS = (
    ["up", "staging"], ["deploy", "staging"], ["plan", "staging"], ["rollback", "staging"], ["status", "staging"],
    ["logs", "--env", "staging"], ["exec", "--env", "staging", "hasura", "ls"], ["down", "staging"],
    ["drift", "staging"],
    ["releases", "staging"], ["releases", "show", "staging", "1"], ["releases", "diff", "staging", "1", "2"],
)  # fmt: skip


@pytest.mark.parametrize("kind", [DriverError, HostUnreachableError])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_host_that_refuses_ends_every_command_with_4(
    host: FakeHost, shop: Path, command: list[str], kind: type[DriverError]
) -> None:
    for verb in ("info", "compose", "containers", "images", "create", "held", "networks"):
        host.answer(verb, kind("the host says no"))
    code, _, error = nself(shop, *command)
    assert (code, "the host says no" in error) == (4, True)
