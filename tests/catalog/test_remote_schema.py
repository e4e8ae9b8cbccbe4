"""Remote schemas: several Hasura endpoints over one database, each with metadata, domain and secret of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nself_sdk import DeclarationError, Environment, Project, RemoteSchema, render
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., object]) -> Iterator[NselfStack]:
    rig_images(*sorted({service.image for service in render(project(), "dev").services.values() if service.image}))
    with NselfStack(project()) as running:
        for table in ("users", "orders"):
            sql = f"CREATE TABLE {table} AS SELECT 7 AS id; ALTER TABLE {table} ADD PRIMARY KEY (id)"
            admin(running, ("api.localhost", "HASURA_GRAPHQL_ADMIN_SECRET"), "run_sql", {"sql": sql})
        track(running, ("api.app1.com", "APP1_ADMIN_SECRET"), "users")
        track(running, ("api.app2.com", "APP_2_ADMIN_SECRET"), "orders")
        yield running


def admin(stack: NselfStack, endpoint: tuple[str, str], kind: str, args: dict[str, Any]) -> Any:
    host, secret = endpoint
    path = "/v2/query" if kind == "run_sql" else "/v1/metadata"
    headers = {"X-Hasura-Admin-Secret": stack.secret(secret)}
    body = {"type": kind, "args": {"source": "default", **args}}
    answer = stack.edge.request("POST", host, path, json=body, headers=headers)
    assert answer.status == 200, answer.text
    return answer.json()


def track(stack: NselfStack, endpoint: tuple[str, str], table: str) -> None:
    name = {"schema": "public", "name": table}
    admin(stack, endpoint, "pg_track_table", {"table": name})
    permission = {"table": name, "role": "public", "permission": {"columns": ["id"], "filter": {}}}
    admin(stack, endpoint, "pg_create_select_permission", permission)


def graphql(stack: NselfStack, host: str, query: str) -> Any:
    return stack.edge.request("POST", host, "/v1/graphql", json={"query": query}).json()


@pytest.mark.docker
def test_each_exposes_its_own_tables_to_everybody_over_verified_tls(stack: NselfStack) -> None:
    assert graphql(stack, "api.app1.com", "{ users { id } }") == {"data": {"users": [{"id": 7}]}}
    assert graphql(stack, "api.app2.com", "{ orders { id } }") == {"data": {"orders": [{"id": 7}]}}
    for host, hidden in (("api.app1.com", "orders"), ("api.app2.com", "users"), ("api.localhost", "users")):
        assert "errors" in graphql(stack, host, f"{{ {hidden} {{ id }} }}")


@pytest.mark.docker
def test_the_admin_secret_of_one_opens_no_other(stack: NselfStack) -> None:
    headers = {"X-Hasura-Admin-Secret": stack.secret("APP1_ADMIN_SECRET")}
    body = {"type": "export_metadata", "args": {}}
    assert stack.edge.request("POST", "api.app1.com", "/v1/metadata", json=body, headers=headers).status == 200
    assert stack.edge.request("POST", "api.app2.com", "/v1/metadata", json=body, headers=headers).status == 401


@pytest.mark.docker
def test_a_second_deployment_changes_nothing(stack: NselfStack) -> None:
    stack.deployment.deploy()
    assert graphql(stack, "api.app1.com", "{ users { id } }") == {"data": {"users": [{"id": 7}]}}
