"""Where certificates come from, as env files say it: in our words, and in those of the tools before us."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from nself_sdk import Environment, Hasura, Project
from nself_sdk.errors import DeclarationError, SecretError
from nself_sdk.store import ProjectFolder, certificates, scaffold

if TYPE_CHECKING:
    from pathlib import Path

    from nself_sdk.project import Context


def folder_saying(path: Path, text: str, env: str = "staging") -> ProjectFolder:
    home = path / ".environments" / env
    home.mkdir(parents=True, exist_ok=True)
    (home / ".env").write_text(text)
    return ProjectFolder(path)


def context(tls: str) -> Context:
    return Project("shop").add(Hasura()).context(Environment.named("prod", domain="shop.org", tls=tls))


@pytest.mark.parametrize(
    ("line", "env", "tls"),
    [
        ("TLS=acme", "staging", "acme"),
        ("TLS=acme", "dev", "acme"),
        ("SSL_PROVIDER=letsencrypt", "prod", "acme"),
        ("SSL_MODE=lets-encrypt", "staging", "acme"),
        ("SSL_MODE=letsencrypt", "dev", "local-ca"),
        ("SSL_MODE=none", "prod", "own"),
        ("SSL_MODE=custom", "prod", "own"),
    ],
)
def test_each_way_to_say_it(tmp_path: Path, line: str, env: str, tls: str) -> None:
    assert folder_saying(tmp_path, f"{line}\n", env).environment(env).tls == tls


def test_what_dev_does_not_do_is_named_in_the_warning(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=a\nSSL_MODE=letsencrypt\nSSL_EMAIL=a@b.org\n")
    with pytest.warns(UserWarning, match=r"SSL_MODE \(.env:2\)$"):
        Project.from_env(tmp_path, "dev")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Project.from_env(tmp_path, "staging")


@pytest.mark.parametrize(
    ("ca", "directory"),
    [
        ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
        ("https://ca.shop.internal:9000/acme/acme/directory", "https://ca.shop.internal:9000/acme/acme/directory"),
    ],
)
def test_the_ca_is_said_by_name_or_by_the_url_of_its_directory(tmp_path: Path, ca: str, directory: str) -> None:
    place = folder_saying(tmp_path, f"TLS=acme\nACME_CA={ca}\n").environment("staging")
    assert (place.acme_ca, place.acme_directory) == (ca, directory)


@pytest.mark.parametrize(
    "ca", ["lets-encrypt", "http://ca.org/dir", "https://ca.org/dir; rm -rf /", "https://ca.org/$X"]
)
def test_what_is_no_ca_is_refused_at_its_line(tmp_path: Path, ca: str) -> None:
    with pytest.raises(DeclarationError, match=r"staging/.env:1"):
        folder_saying(tmp_path, f"ACME_CA='{ca}'\n").environment("staging")


@pytest.mark.parametrize("said", ["TLS=local-ca\n", "SSL_PROVIDER=custom\n"])
def test_init_with_an_address_does_not_say_otherwise_where_it_is_said(tmp_path: Path, said: str) -> None:
    (tmp_path / ".env").write_text(said)
    scaffold.stage(tmp_path, "prod", "shop.org", "ops@shop.org", "local")
    assert "TLS=acme" not in (tmp_path / ".environments/prod/.env").read_text()


def test_init_with_an_address_keeps_to_the_certificate_that_is_there(tmp_path: Path) -> None:
    (tmp_path / ".environments/prod/tls").mkdir(parents=True)
    (tmp_path / ".environments/prod/tls/fullchain.pem").write_text("mine")
    scaffold.stage(tmp_path, "prod", "shop.org", "ops@shop.org", "local")
    assert "TLS=acme" not in (tmp_path / ".environments/prod/.env").read_text()


def test_by_acme_no_certificate_is_needed_here(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    assert {name for name in folder.secrets(context("acme")) if name.startswith("TLS_")} == set()
    assert list(folder.secret_problems(context("acme"))) == []
    with pytest.raises(SecretError, match=r"TLS=acme \(Let's Encrypt\)"):
        folder.secrets(context("own"))


def test_a_release_of_before_finds_the_certificate_that_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder, home = ProjectFolder(tmp_path), tmp_path / ".environments/prod/tls"
    certificates.ensure_local(home, ["api.shop.org"])
    assert folder.secrets(context("acme"))["TLS_CERTIFICATE"] == (home / "fullchain.pem").read_text()
    (home / "privkey.pem").write_text("broken")
    assert "TLS_CERTIFICATE" not in folder.secrets(context("acme"))
