"""Remote schemas: several Hasura endpoints over one database, each with metadata, domain and secret of its own."""

from __future__ import annotations

import pytest

from nself_sdk import DeclarationError, Environment, Project, RemoteSchema, render


def project() -> Project:
    return (
        Project("shop")
        .add(RemoteSchema("app1", domain="api.app1.com"))
        .add(RemoteSchema("app-2", domain="api.app2.com", memory="512m"))
    )


def test_each_has_metadata_of_its_own_over_the_same_database() -> None:
    services = render(project(), "prod").services
    variables = {name: services[name].environment_map for name in ("hasura", "app1", "app-2")}
    assert len({each["HASURA_GRAPHQL_DATABASE_URL"] for each in variables.values()}) == 1
    assert variables["app1"]["HASURA_GRAPHQL_METADATA_DATABASE_URL"].endswith("/hasura_app1")
    assert variables["app-2"]["HASURA_GRAPHQL_METADATA_DATABASE_URL"].endswith("/hasura_app_2")
    assert "HASURA_GRAPHQL_METADATA_DATABASE_URL" not in variables["hasura"]
    assert len({each["HASURA_GRAPHQL_ADMIN_SECRET"] for each in variables.values()}) == 3
    assert len({each["HASURA_GRAPHQL_JWT_SECRET"] for each in variables.values()}) == 1


def test_its_full_domain_is_answered_and_certified() -> None:
    prod = Environment.named("prod")
    assert {"api.app1.com", "api.app2.com", "api.example.com"} <= set(project().context(prod).hosts)
    nginx = next(c.content or "" for n, c in render(project(), prod).configs.items() if n.startswith("nginx.conf"))
    assert "server_name api.app1.com;" in nginx
    assert (
        "https://*.app1.com" in render(project(), prod).services["app1"].environment_map["HASURA_GRAPHQL_CORS_DOMAIN"]
    )


@pytest.mark.parametrize(
    "domain", ["app1", "https://api.app1.com", "api.app1.com/v1", "api.app1.com; return 200", "-a.com"]
)
def test_its_domain_is_a_full_bare_host_name(domain: str) -> None:
    with pytest.raises(DeclarationError, match="domain"):
        RemoteSchema("app1", domain=domain)


def test_pages_at_another_port_than_443_may_ask_each_endpoint() -> None:
    services = render(project(), Environment.named("dev", https_port=8443)).services
    allowed = services["hasura"].environment_map["HASURA_GRAPHQL_CORS_DOMAIN"]
    assert allowed == "https://localhost:8443,https://*.localhost:8443"
    theirs = services["app1"].environment_map["HASURA_GRAPHQL_CORS_DOMAIN"]
    assert theirs == f"{allowed},https://app1.com:8443,https://*.app1.com:8443"
