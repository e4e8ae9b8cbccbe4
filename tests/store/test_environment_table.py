"""The table of environments, row by row: what differs between dev, staging and prod in what is rendered."""

from __future__ import annotations

from typing import Any

import pytest

from nself_sdk import Auth, CustomService, Environment, FrontendApp, Hasura, Mailpit, Monitoring, Project, Smtp, render
from nself_sdk.checks import problems

PLACES = ("dev", "staging", "prod")
SHOP = (
    Project("shop")
    .add(Hasura())
    .add(Auth(smtp=Smtp(host="smtp.example.com", user="u", sender="shop@example.com")))
    .add(CustomService("payments", "fastapi-py", 8003))
    .add(FrontendApp("web", port=3000, route="app"))
    .add(Monitoring())
)


def place(name: str, **facts: Any) -> Environment:
    return Environment.named(name, domain="shop.example.org", **facts)


def hosts(env: Environment) -> set[str]:
    return set(SHOP.context(env).hosts)


def complaints(project: Project, env: Environment) -> list[str]:
    return [problem.where for problem in problems(render(project, env), env)]


@pytest.mark.parametrize(("name", "there"), [("dev", True), ("staging", True), ("prod", False)])
def test_frontends_are_in_dev_and_staging_and_not_in_prod(name: str, there: bool) -> None:
    assert ("app.shop.example.org" in hosts(place(name))) is there
    assert "app.shop.example.org" in hosts(place(name, frontends=True))
    assert "app.shop.example.org" not in hosts(place(name, frontends=False))


@pytest.mark.parametrize(
    ("name", "console", "dev_mode"),
    [("dev", "true", "true"), ("staging", "true", "false"), ("prod", "false", "false")],
)
def test_hasuras_console_and_dev_mode(name: str, console: str, dev_mode: str) -> None:
    variables = render(SHOP, place(name)).services["hasura"].environment_map
    assert variables["HASURA_GRAPHQL_ENABLE_CONSOLE"] == console
    assert variables["HASURA_GRAPHQL_DEV_MODE"] == dev_mode


def test_log_levels() -> None:
    levels = [render(SHOP, place(name)).services["payments"].environment_map["LOG_LEVEL"] for name in PLACES]
    assert levels == ["debug", "info", "warning"]


@pytest.mark.parametrize(("name", "found"), [("dev", []), ("staging", []), ("prod", ["services.mailpit"])])
def test_mailpit_is_refused_in_prod_alone(name: str, found: list[str]) -> None:
    project = Project("shop").add(Mailpit()).add(Monitoring())
    assert complaints(project, place(name)) == found
    assert complaints(project, place(name, real_mail_required=False)) == []


@pytest.mark.parametrize(("name", "found"), [("dev", []), ("staging", []), ("prod", ["services.auth"])])
def test_real_mail_settings_are_required_in_prod(name: str, found: list[str]) -> None:
    assert complaints(Project("shop").add(Auth()).add(Monitoring()), place(name)) == found
    assert complaints(SHOP, place(name)) == []


@pytest.mark.parametrize(("name", "found"), [("dev", []), ("staging", []), ("prod", ["monitoring"])])
def test_monitoring_is_required_in_prod_unless_somebody_says_no_on_purpose(name: str, found: list[str]) -> None:
    project = Project("shop").add(Hasura())
    assert complaints(project, place(name)) == found
    assert complaints(project, place(name, monitoring_required=False)) == []


def test_only_dev_has_the_local_ca() -> None:
    assert [place(name).tls for name in PLACES] == ["local-ca", "own", "own"]


def test_staging_and_prod_have_acme_if_they_say_so_and_staging_a_ca_for_trying_out() -> None:
    by_acme = {name: render(SHOP, place(name, tls="acme")).services["acme"].environment_map for name in PLACES[1:]}
    assert {name: variables["DIRECTORY"] for name, variables in by_acme.items()} == {
        "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
        "prod": "https://acme-v02.api.letsencrypt.org/directory",
    }
    assert [name for name in PLACES if "acme" in render(SHOP, place(name)).services] == []


@pytest.mark.parametrize(
    ("domain", "facts", "found"),
    [
        ("shop.example.org", {}, []),
        ("shop.localhost", {}, ["environment.domain"]),
        ("shop.internal", {}, ["environment.domain"]),
        ("shop.internal", {"acme_ca": "https://ca.shop.internal/dir"}, []),
        ("shop.internal", {"tls": "own"}, []),
    ],
)
def test_a_public_ca_is_not_asked_for_names_that_are_not_public(
    domain: str, facts: dict[str, Any], found: list[str]
) -> None:
    assert complaints(SHOP, Environment.named("staging", **{"domain": domain, "tls": "acme", **facts})) == found


def test_dev_publishes_nginx_and_databases_on_the_loopback_address_and_the_others_nginx_alone() -> None:
    published = {
        name: {
            s: {p.host_ip for p in service.port_mappings} for s, service in render(SHOP, place(name)).services.items()
        }
        for name in PLACES
    }
    open_ = {name: {s for s, ips in services.items() if ips} for name, services in published.items()}
    assert (open_["dev"] >= {"nginx", "postgres"}, open_["staging"], open_["prod"]) == (True, {"nginx"}, {"nginx"})
    assert {ip for ips in published["dev"].values() for ip in ips} == {"127.0.0.1"}


def test_custom_code_is_mounted_in_dev_and_an_image_elsewhere() -> None:
    mounts = [[m.type for m in render(SHOP, place(name)).services["payments"].volume_mounts] for name in PLACES]
    assert [("bind" in kinds) for kinds in mounts] == [True, False, False]
