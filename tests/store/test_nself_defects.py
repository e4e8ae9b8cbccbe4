"""The numbered defects of the tool before us that no other module has: docs/nself-defects.md lists them all."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crossplane
import pytest
from cryptography import x509

from nself_sdk import Auth, ComposeFile, Hasura, Postgres, Project, render
from nself_sdk.checks import RULES, problems
from nself_sdk.passes import FINGERPRINT_LABEL
from nself_sdk.store import ProjectFolder

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
FOUR = """\
PROJECT_NAME=my-shop
BASE_DOMAIN=shop.example.org
CS_1=order-api:express-js:8001 # Order processing API
CS_2=webhooks:nestjs:8002 # Webhook handler service
CS_3=payments:fastapi-py:8003 # Payment processing
CS_4=ml-inference:fastapi-py:8004 # ML model serving
"""


def opened(path: Path, text: str = FOUR) -> ProjectFolder:
    (path / ".env").write_text(text, encoding="utf-8")
    return ProjectFolder(path)


def rendered(folder: ProjectFolder, env: str) -> ComposeFile:
    place = folder.environment(env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return render(folder.project(place), place)


def nginx_conf(file: ComposeFile) -> str:
    text = next(config.content for name, config in file.configs.items() if name.startswith("nginx.conf"))
    return (text or "").replace("$$", "$")


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_defect_1_the_documented_custom_services_are_built_routed_and_valid(tmp_path: Path, env: str) -> None:
    folder = opened(tmp_path)
    place = folder.environment(env)
    project = folder.project(place)
    names = {"order-api", "webhooks", "payments", "ml-inference"}
    file = rendered(folder, env)
    assert {name for name, service in file.services.items() if service.build} == names
    assert {f"{name}.shop.example.org" for name in names} <= set(project.context(place).hosts)
    assert {path.name for path in folder.scaffold(project)} == names
    assert problems(file, place, RULES) == ()


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_defect_2_custom_services_without_redis_depend_on_nothing_that_is_not_there(tmp_path: Path, env: str) -> None:
    file = rendered(opened(tmp_path), env)
    assert "redis" not in file.services
    missing = {n: set(service.depends_on_map) - set(file.services) for n, service in file.services.items()}
    assert {name: found for name, found in missing.items() if found} == {}
    assert set(file.services["nginx"].depends_on_map) == set()


def test_defect_3_a_domain_of_ones_own_has_a_certificate_where_nginx_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = opened(tmp_path)
    context = folder.project(folder.environment("dev")).context(folder.environment("dev"))
    file = rendered(folder, "dev")
    read = set(re.findall(r"ssl_certificate(?:_key)? /run/secrets/(\w+);", nginx_conf(file)))
    values = folder.secrets(context)
    assert read == {"TLS_CERTIFICATE", "TLS_PRIVATE_KEY"}
    assert read <= {each.source for each in file.services["nginx"].secret_references}
    leaf = x509.load_pem_x509_certificates(values["TLS_CERTIFICATE"].encode())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == set(context.hosts)


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_defect_4_tokens_are_signed_with_a_key_that_was_generated_and_each_generated_secret_is_used(
    tmp_path: Path, env: str
) -> None:
    folder = opened(tmp_path)
    context = folder.project(folder.environment(env)).context(folder.environment(env))
    file = rendered(folder, env)
    keys = {file.services[name].environment_map["HASURA_GRAPHQL_JWT_SECRET"] for name in ("hasura", "auth")}
    assert keys == {'{"type":"HS256","key":"${JWT_KEY}"}'}
    made = set(folder.generate_secrets(context)) - {"FINGERPRINT_KEY"}
    text = file.to_yaml()
    assert "JWT_KEY" in made
    assert [name for name in made if f"${{{name}}}" not in text and f"environment: {name}\n" not in text] == []


def test_defect_5_one_database_with_a_name_that_every_program_knows(tmp_path: Path) -> None:
    services = rendered(opened(tmp_path), "prod").services
    assert services["postgres"].environment_map["POSTGRES_DB"] == "my_shop"
    urls = [services["hasura"].environment_map["HASURA_GRAPHQL_DATABASE_URL"]]
    urls.append(services["auth"].environment_map["POSTGRES_CONNECTION"])
    assert {(url or "").rpartition("/")[2].partition("?")[0] for url in urls} == {"my_shop"}
    assert "-d my_shop " in services["postgres-setup"].entrypoint[-1]  # type: ignore[index]


def servers(block: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for directive in block:
        if directive["directive"] == "server":
            yield directive["block"]
        else:
            yield from servers(directive.get("block", []))


def test_defect_15_every_host_has_the_security_headers_and_unknown_hosts_get_no_page(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(nginx_conf(rendered(opened(tmp_path), "prod")), encoding="utf-8")
    parsed = crossplane.parse(str(path), single=True)["config"][0]["parsed"]
    routed, strangers = [], []
    for server in servers(parsed):
        args = {each["directive"]: each["args"] for each in server}
        if args.get("server_name") == ["_"]:
            strangers.append((args["return"], args["ssl_reject_handshake"]))
        elif ["443", "ssl"] in [each["args"] for each in server if each["directive"] == "listen"]:
            routed.append({each["args"][0] for each in server if each["directive"] == "add_header"})
    wanted = {"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"}
    assert strangers == [(["444"], ["on"])]
    assert len(routed) == len({"api", "auth", "order-api", "webhooks", "payments", "ml-inference"})
    assert [headers for headers in routed if not wanted <= headers] == []


def test_defect_16_no_private_key_is_part_of_the_project() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]
    begins = re.compile(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----$", re.MULTILINE)
    assert [path for path in texts if begins.search(path.read_bytes())] == []


def test_defect_18_a_changed_password_changes_its_role_and_replaces_who_uses_it(tmp_path: Path) -> None:
    file = rendered(opened(tmp_path), "prod")
    script = next(config.content for name, config in file.configs.items() if name.startswith("postgres-setup"))
    for role, secret in (("hasura", "HASURA_DB_PASSWORD"), ("auth", "AUTH_DB_PASSWORD")):
        assert f"ALTER ROLE \"{role}\" WITH LOGIN PASSWORD :'{secret}';" in (script or "")
        for user in (role, "postgres-setup"):
            assert f"{FINGERPRINT_LABEL}{secret.lower()}" in file.services[user].label_map
        assert f"{FINGERPRINT_LABEL}{secret.lower()}" not in file.services["postgres"].label_map


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_defect_22_no_origin_but_ones_own_is_allowed_and_no_tls_is_asked_of_a_database_without(env: str) -> None:
    file = render(Project("shop").add(Hasura()).add(Auth()).add(Postgres()), env)
    origins = (file.services["hasura"].environment_map["HASURA_GRAPHQL_CORS_DOMAIN"] or "").split(",")
    domain = {"staging": "staging.example.com", "prod": "example.com"}[env]
    assert origins == [f"https://{domain}", f"https://*.{domain}"]
    assert "sslmode=require" not in file.to_yaml()


PAGE = (ROOT / "docs" / "nself-defects.md").read_text(encoding="utf-8")


def test_the_page_has_every_number_and_every_test_it_names_is_there() -> None:
    defects, _, differences = PAGE.partition("## What was promised")
    assert numbers(defects) == list(range(1, 25))
    assert numbers(differences) == list(range(1, 27))
    there = {name for path in ROOT.glob("tests/**/*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert sorted(set(re.findall(r"`(test_\w+)`", PAGE)) - there) == []
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [row for row in rows if "`test_" not in row and "does not apply" not in row] == []


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
