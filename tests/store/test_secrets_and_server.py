"""Secrets as they are checked before anything happens, and server.json with the fields of old and new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nself_sdk import Environment, Postgres, Project
from nself_sdk.errors import DeclarationError, SecretError
from nself_sdk.project import Context, Secret
from nself_sdk.store import ProjectFolder, secrets

STRONG = "s" * 24 + "t" * 24
PASSWORD = Secret(name="POSTGRES_PASSWORD")


def context(env: str) -> Context:
    return Project("shop").add(Postgres()).context(Environment.named(env))


def folder_with(path: Path, **values: str) -> ProjectFolder:
    for env, value in values.items():
        file = path / ".environments" / env / ".env.secrets"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# one\nPOSTGRES_PASSWORD='{value}'\n")
        file.chmod(0o600)
    return ProjectFolder(path)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("changeme", "is a placeholder"),
        ("short-secret", "is too short: 12 < 24 characters"),
        ("needs/escaping@" * 4, "has characters that would need escaping"),
    ],
)
def test_i46_a_weak_secret_is_refused_at_its_line_and_never_shown(tmp_path: Path, value: str, what: str) -> None:
    folder = folder_with(tmp_path, prod=value)
    with pytest.raises(SecretError, match=what) as caught:
        folder.secrets(context("prod"))
    assert ".env.secrets:2: POSTGRES_PASSWORD" in str(caught.value)
    assert value not in str(caught.value)


def test_i46_a_signing_key_is_never_shorter_than_32_bytes_not_even_in_dev(tmp_path: Path) -> None:
    path = tmp_path / ".env.secrets"
    envs = {"JWT_KEY": "a" * 31, "OTHER": "short"}
    path.write_text("".join(f"{name}={value}\n" for name, value in envs.items()))
    path.chmod(0o600)
    wanted = (Secret(name="JWT_KEY", length=64), Secret(name="OTHER"))
    found = secrets.problems(path, wanted, weak_allowed=True, others={})
    assert [problem.what for problem in found] == ["is too short: 31 < 32 characters"]


@pytest.mark.parametrize("other", ["dev", "staging"])
def test_i48_a_secret_of_prod_is_not_that_of_another_environment(tmp_path: Path, other: str) -> None:
    folder = folder_with(tmp_path, prod=STRONG, **{other: STRONG})
    found = [problem.what for problem in folder.secret_problems(context("prod"))]
    assert found == [f"is the same value as in '{other}'"]
    assert list(folder.secret_problems(context(other))) == []


def test_checking_generates_nothing(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    assert list(folder.secret_problems(context("prod"))) == []
    assert list(tmp_path.iterdir()) == []


def test_generating_writes_privately_once_and_keeps_what_is_there(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    assert folder.generate_secrets(context("prod")) == ["FINGERPRINT_KEY", "POSTGRES_PASSWORD"]
    path = tmp_path / ".environments/prod/.env.secrets"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.generate_secrets(context("prod")) == []
    assert path.read_bytes() == before


def test_a_given_secret_that_is_missing_is_said_before_others_are_made(tmp_path: Path) -> None:
    path = tmp_path / ".env.secrets"
    with pytest.raises(SecretError, match="AUTH_SMTP_PASS: has no value"):
        secrets.ensure(path, [PASSWORD, Secret(name="AUTH_SMTP_PASS", source="given")], weak_allowed=True)
    assert not path.exists()


def server_of(folder: Path, document: Any) -> Any:
    path = folder / ".environments" / "prod" / "server.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return ProjectFolder(folder).server("prod")


def test_the_fields_of_the_old_system_are_read(tmp_path: Path) -> None:
    found = server_of(
        tmp_path,
        {
            "name": "prod",
            "type": "production",
            "host": "vps.example.com",
            "port": 2222,
            "user": "deploy",
            "key": "keys/id",
            "deploy_path": "/var/www/nself",
            "description": "",
            "created_at": "2026-01-01T00:00:00Z",
            "backup": {"enabled": True, "retention_days": 30},
        },
    )
    assert (found.url, found.identity_file) == ("ssh://deploy@vps.example.com:2222", str(tmp_path / "keys/id"))


def test_defect_7_a_missing_deploy_path_is_no_problem_and_a_missing_host_is_said(tmp_path: Path) -> None:
    assert server_of(tmp_path, {"host": "vps"}).url == "ssh://vps"
    with pytest.raises(DeclarationError, match=r'server\.json: host: names no host; write "ssh://user@host"'):
        server_of(tmp_path, {"host": "", "type": "production"})


@pytest.mark.parametrize("document", [{"host": "local"}, {"host": "", "type": "local"}, {"host": "localhost"}])
def test_this_machine_is_no_remote_host(tmp_path: Path, document: dict[str, str]) -> None:
    assert server_of(tmp_path, document) is None
    assert ProjectFolder(tmp_path).environment("prod").remote is False


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"host": "a",}', r"server\.json:1:\d+: is not JSON"),
        ('{"host": "a", "host": "b"}', "'host' is there twice"),
        ('["a"]', "is not a JSON object"),
        ({"host": "a", "prot": 22}, "prot: unknown key; did you mean 'port'"),
        ({"host": "a", "port": 0}, "port: "),
    ],
)
def test_a_wrong_server_json_is_explained(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        server_of(tmp_path, document)
