"""The commands for staging and prod, in their order; only those named deploy or up reach for an engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STACK = """
from nself_sdk import FrontendApp, Hasura, Project
project = Project("shop").add(Hasura()).add(FrontendApp("web", port=3000, route="app"))
"""
SAYS_NO = "MONITORING_REQUIRED=false\nTLS=local-ca\n"
LISTINGS = (
    ["services"],
    ["services", "postgres-exporter"],
    ["templates"],
    ["urls"],
    ["env", "list"],
    ["env", "show"],
    ["env", "diff", "dev", "prod"],
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "stack.py").write_text(STACK, encoding="utf-8")
    return tmp_path


def nself(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where no engine answers, and where ssh leads nowhere: whoever reaches for one fails."""
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{folder}/nowhere.sock", "XDG_DATA_HOME": str(folder / "xdg")}
    return subprocess.run(
        [sys.executable, "-m", "nself_sdk", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=nowhere,
    )


def test_defect_6_the_way_to_staging_deploys_only_at_its_last_step(shop: Path) -> None:
    steps = [
        ["staging", "init", "staging.example.org", "--email", "ops@example.org", "--server", "local"],
        ["staging", "secrets", "generate"],
        ["staging", "deploy", "--dry-run"],
        ["staging", "deploy", "--dry-run", "--exclude-frontends"],
    ]
    for step in steps:
        done = nself(shop, *step)
        assert (done.returncode, done.stderr) == (0, ""), step
    assert nself(shop, "staging", "deploy", "--check-only").returncode == 0
    assert "no engine" in nself(shop, "staging", "deploy").stderr or nself(shop, "staging", "deploy").returncode == 4


def test_init_writes_domain_address_and_host_and_keeps_the_rest(shop: Path) -> None:
    nself(shop, "prod", "init", "example.org", "--email", "ops@example.org", "--server", "ssh://d@vps.example.org")
    path = shop / ".environments/prod/.env"
    path.write_text(path.read_text() + "MINE=1\n")
    nself(shop, "prod", "init", "example.com", "--email", "me@example.org")
    assert path.read_text().splitlines() == [
        "BASE_DOMAIN=example.com",
        "ADMIN_EMAIL=me@example.org",
        "TLS=acme",
        "HASURA_GRAPHQL_ENABLE_CONSOLE=false",
        "HASURA_GRAPHQL_DEV_MODE=false",
        "MINE=1",
    ]
    assert json.loads((shop / ".environments/prod/server.json").read_text()) == {"host": "ssh://d@vps.example.org"}


@pytest.mark.parametrize(("domain", "email"), [("a b", "a@b.org"), ("a.org", "a@"), ("a.org", "a b@c.org")])
def test_init_refuses_a_bad_domain_or_address_and_writes_nothing(shop: Path, domain: str, email: str) -> None:
    assert nself(shop, "staging", "init", domain, "--email", email).returncode == 2
    assert not (shop / ".environments").exists()


def test_a_host_that_is_not_named_yet_cannot_be_deployed_to(shop: Path) -> None:
    nself(shop, "staging", "init", "staging.example.org")
    checked = nself(shop, "staging", "deploy", "--check-only")
    assert (checked.returncode, "is still to be named" in checked.stderr) == (2, True)
    for command in (["deploy"], ["deploy", "--dry-run"]):
        deployed = nself(shop, "staging", *command)
        told = ".environments/staging/server.json: host: is still to be named"
        assert (deployed.returncode, told in deployed.stderr) == (2, True)


def test_secrets_are_generated_and_never_shown(shop: Path) -> None:
    nself(shop, "staging", "init", "staging.example.org", "--server", "local")
    done = nself(shop, "staging", "secrets", "generate")
    text = (shop / ".environments/staging/.env.secrets").read_text()
    values = [line.partition("=")[2].strip("'") for line in text.splitlines() if "=" in line]
    assert len(values) > 3
    shown = nself(shop, "env", "show", "staging").stdout + nself(shop, "env", "show", "staging", "--json").stdout
    shown += nself(shop, "env", "diff", "staging", "prod").stdout + done.stdout + done.stderr
    assert not [value for value in values if value in shown]


def test_defect_8_prod_check_finds_what_is_wrong_and_then_nothing(shop: Path) -> None:
    nself(shop, "prod", "init", "example.org", "--server", "ssh://d@vps.example.org")
    assert nself(shop, "prod", "check").returncode == 2
    wheres = [p["where"] for p in json.loads(nself(shop, "prod", "check", "--json").stdout)]
    assert "monitoring" in wheres
    with (shop / ".environments/prod/.env").open("a") as file:
        file.write(SAYS_NO)
    nself(shop, "prod", "secrets", "generate")
    done = nself(shop, "prod", "check")
    assert (done.returncode, done.stdout) == (0, "shop in prod: no problems\nnext: nself-sdk prod deploy\n")
    secrets = shop / ".environments/prod/.env.secrets"
    secrets.write_text(secrets.read_text().replace("POSTGRES_PASSWORD='", "POSTGRES_PASSWORD=short #'"))
    assert nself(shop, "prod", "check").returncode == 3


ENV_FILES = "PROJECT_NAME=shop\nMAILPIT_ENABLED=true\nCS_1=api:fastapi-py:8001:v1\n"


@pytest.mark.parametrize("start", ["init", "env files"])
def test_following_what_is_printed_leads_from_init_to_a_prod_without_problems(tmp_path: Path, start: str) -> None:
    if start == "init":
        assert "next: nself-sdk up" in nself(tmp_path, "init", "shop").stdout
    else:
        (tmp_path / ".env").write_text(ENV_FILES, encoding="utf-8")
    for stage, domain in (("staging", "staging.example.org"), ("prod", "example.org")):
        steps = [nself(tmp_path, stage, "init", domain, "--email", "ops@example.org")]
        fill_in(tmp_path, stage)
        steps += [nself(tmp_path, stage, "secrets", "generate")]
        if "AUTH_SMTP_PASS" in steps[-1].stdout:
            with (tmp_path / f".environments/{stage}/.env.secrets").open("a") as file:
                file.write("AUTH_SMTP_PASS=abcdefghijklmnopqrstuvw1\n")
        assert steps[-1].stdout.endswith(f"next: nself-sdk {stage} check\n")
        assert [step.returncode for step in steps] == [0] * len(steps)
        done = nself(tmp_path, stage, "check")
        assert (done.stdout, done.stderr) == (f"shop in {stage}: no problems\nnext: nself-sdk {stage} deploy\n", "")


def fill_in(folder: Path, stage: str) -> None:
    """Put something in the place of every placeholder, as the user is told to."""
    for name in (".env", "server.json"):
        path = folder / ".environments" / stage / name
        path.write_text(re.sub(r"<[^>]+>", "vps.example.org", path.read_text()))


def test_frontends_are_in_or_out_as_asked(shop: Path) -> None:
    def has(*arguments: str) -> bool:
        return "app.example" in nself(shop, "urls", *arguments).stdout.replace("staging.", "")

    (shop / ".env").write_text("BASE_DOMAIN=example.org\n")
    assert (has("staging"), has("staging", "--exclude-frontends")) == (True, False)
    assert (has("prod"), has("prod", "--include-frontends")) == (False, True)
    done = nself(shop, "deploy", "prod", "--dry-run", "--include-frontends")
    assert done.returncode == 2  # monitoring is required
    (shop / ".env").write_text("BASE_DOMAIN=example.org\n" + SAYS_NO)
    for flag, there in (("--include-frontends", True), ("--exclude-frontends", False)):
        done = nself(shop, "deploy", "production", "--dry-run", flag)
        assert (done.returncode, "app.example.org" in done.stdout) == (0, there)


@pytest.mark.parametrize("command", LISTINGS, ids=" ".join)
def test_every_listing_is_a_table_and_json(shop: Path, command: list[str]) -> None:
    (shop / ".env").write_text("A=1\n")
    done = nself(shop, *command)
    assert (done.returncode, done.stdout != "") == (0, True)
    assert isinstance(json.loads(nself(shop, *command, "--json").stdout), list)


def test_defect_9_switch_changes_what_commands_mean_and_no_other_file(shop: Path) -> None:
    nself(shop, "env", "create", "qa", "--base", "staging", "--domain", "qa.example.org")
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    assert nself(shop, "env", "switch", "qa").stdout == "current: qa\n"
    assert {path: path.read_bytes() for path in before} == before
    assert "api.qa.example.org" in nself(shop, "urls").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["env", "create", "qa", "--base", "live"], 2),
        (["env", "create", "q a"], 2),
        (["env", "switch", "prodd"], 2),
        (["deploy", "prodd"], 2),
        (["deploy"], 2),
        (["deploy", "prod", "--check"], 2),
        (["env", "validate"], 0),
    ],
)
def test_exit_codes(shop: Path, arguments: list[str], code: int) -> None:
    done = nself(shop, *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


@pytest.mark.parametrize(
    "command",
    [
        "staging init",
        "staging secrets generate",
        "staging check",
        "staging deploy",
        "prod init",
        "prod secrets generate",
        "prod check",
        "prod deploy",
        "env list",
        "env create",
        "env show",
        "env diff",
        "env validate",
        "env switch",
        "services",
        "templates",
        "export",
    ],
)
def test_every_help_has_an_example(tmp_path: Path, command: str) -> None:
    assert f"Example: nself-sdk {command}" in nself(tmp_path, *command.split(), "--help").stdout


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_a_stages_deploy_takes_every_option_of_deploy(shop: Path, stage: str) -> None:
    def options(*command: str) -> list[str]:
        return nself(shop, *command, "--help").stdout.partition("Options:")[2].splitlines()

    assert options(stage, "deploy") == options("deploy")
    assert "--probe URL" in "".join(options(stage, "deploy"))


def test_what_would_be_deployed_comes_as_json_too(shop: Path) -> None:
    assert nself(shop, "staging", "init", "staging.example.org", "--server", "local").returncode == 0
    with (shop / ".environments/staging/.env").open("a") as file:
        file.write("TLS=local-ca\n")
    done = nself(shop, "staging", "deploy", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["target"], document["plan"]) == (0, "this machine", None)
    assert document["images"]["hasura"].startswith("hasura/graphql-engine:")
    assert json.loads(nself(shop, "staging", "deploy", "--check-only", "--json").stdout) == []


@pytest.mark.parametrize("command", [["--dry-run"], ["--check-only"]])
def test_who_only_asks_what_a_deploy_would_do_finds_no_file_more(shop: Path, command: list[str]) -> None:
    (shop / ".env").write_text("TLS=local-ca\n" + SAYS_NO)
    before = {path for path in shop.rglob("*") if path.is_file()}
    done = nself(shop, "deploy", "prod", *command)
    assert done.returncode == 0
    assert {path for path in shop.rglob("*") if path.is_file()} == before
    if command == ["--dry-run"]:
        assert "what would change there is not known: a first deploy makes" in done.stdout
