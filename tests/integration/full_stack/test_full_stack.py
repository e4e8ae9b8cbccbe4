"""The full stack, running: each route is asked for something real, by who may and by who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from full_stack.asking import ENDPOINTS, administer, asked, eventually, graphql, psql

if TYPE_CHECKING:
    from collections.abc import Callable

    from nself_sdk.testing import NselfStack

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

CUSTOM = {"order-api", "webhooks", "payments", "ml-inference"}
HASHED = "public, max-age=31536000, immutable"
#: Which endpoint shows which table of the one database.
SHOWN = {"api": "products", "api.app1.com": "users", "api.app2.com": "orders"}


def test_all_of_it_is_there_and_healthy(
    stack: NselfStack, images: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("images", images)
    states = {state.service: state.verdict for state in stack.deployment.status()}
    assert {name for name, verdict in states.items() if verdict != "healthy"} == set()
    core = {"postgres", "hasura", "auth", "nginx"}
    optional = {"nself-admin", "minio", "redis", "functions", "mlflow", "mailpit", "meilisearch"}
    watching = {"prometheus", "grafana", "loki", "promtail", "tempo", "alertmanager", "cadvisor", "node-exporter",
                "postgres-exporter", "redis-exporter"}  # fmt: skip
    assert set(states) >= core | optional | watching | CUSTOM | {"app1", "app2", "web"}


def test_every_route_has_an_answer_here(stack: NselfStack) -> None:
    routes = {route.name for route in stack.deployment.context.routes}
    operators = {"prometheus", "alertmanager", "mlflow", "admin", "mail"}
    others = {"auth", "functions", "grafana", "minio", "minio-console", "search", "app", "dashboard"}
    assert routes == operators | others | CUSTOM | set(ENDPOINTS)


@pytest.mark.parametrize("route", ["prometheus", "alertmanager", "mlflow", "admin", "mail"])
def test_pages_without_a_login_of_their_own_are_behind_the_operators(stack: NselfStack, route: str) -> None:
    assert stack.request("GET", route).status == 401
    assert stack.request("GET", route, headers={"Authorization": "Basic b3BlcmF0b3I6d3Jvbmc="}).status == 401
    assert asked(stack, "GET", route).status < 400


@pytest.fixture(scope="module")
def tables(stack: NselfStack) -> None:
    """A table for each endpoint, which shows it to everybody."""
    for endpoint, table in SHOWN.items():
        sql = f"CREATE TABLE {table} AS SELECT 7 AS id; ALTER TABLE {table} ADD PRIMARY KEY (id)"
        administer(stack, "api", "run_sql", sql=sql)
        name = {"schema": "public", "name": table}
        administer(stack, endpoint, "pg_track_table", table=name)
        permission = {"columns": ["id"], "filter": {}}
        administer(stack, endpoint, "pg_create_select_permission", table=name, role="public", permission=permission)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("endpoint", SHOWN)
def test_each_endpoint_answers_from_the_one_database_and_exposes_its_own_tables(
    stack: NselfStack, endpoint: str
) -> None:
    for table in SHOWN.values():
        answer = graphql(stack, endpoint, f"{{ {table} {{ id }} }}")
        assert answer == {"data": {table: [{"id": 7}]}} if table == SHOWN[endpoint] else "errors" in answer
    assert psql(stack, stack.name.replace("-", "_"), f"select id from {SHOWN[endpoint]}") == "7"  # noqa: S608 - a name of ours


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_admin_secret_of_one_endpoint_opens_no_other(stack: NselfStack, endpoint: str) -> None:
    body = {"type": "export_metadata", "args": {}}
    for other, name in ENDPOINTS.items():
        headers = {"X-Hasura-Admin-Secret": stack.secret(name)}
        answer = stack.request("POST", endpoint, "/v1/metadata", json=body, headers=headers)
        assert answer.status == (200 if other == endpoint else 401)


def test_a_sign_up_at_auth_sends_a_mail_that_mailpit_receives(stack: NselfStack) -> None:
    address = {"email": "ada@example.com", "password": "correct horse battery"}
    assert stack.request("POST", "auth", "/signup/email-password", json=address).status == 200
    found = asked(stack, "GET", "mail", "/api/v1/search?query=ada@example.com").json()["messages"]
    assert [one["To"][0]["Address"] for one in found] == ["ada@example.com"]
    body = asked(stack, "GET", "mail", f"/api/v1/message/{found[0]['ID']}").json()["Text"]
    assert stack.url("auth", "/verify").partition("?")[0] in body


def test_minio_lets_nobody_in_without_a_signature(stack: NselfStack) -> None:
    assert set(stack.exec("minio", ["ls", "/data"]).stdout.split()) >= {"uploads", "mlflow"}
    for path in ("/uploads", "/mlflow", "/"):
        assert stack.request("GET", "minio", path).status in {400, 403}
    assert stack.request("GET", "minio", "/minio/health/live").status == 200
    assert stack.request("GET", "minio", "/minio/v2/metrics/cluster").status == 404
    assert stack.request("GET", "minio-console", "/").status == 200


PRESIGN = """
import boto3, sys
from botocore.config import Config
keys = {"aws_access_key_id": "minio", "aws_secret_access_key": sys.argv[2]}
client = boto3.client("s3", endpoint_url=sys.argv[1], config=Config(signature_version="s3v4"), **keys)
for method in ("put_object", "get_object"):
    print(client.generate_presigned_url(method, {"Bucket": "uploads", "Key": "notes/hello.txt"}))
"""


def test_an_object_goes_into_minio_and_comes_back_through_the_edge(stack: NselfStack) -> None:
    endpoint = stack.url("minio", "")
    # Signed where boto3 is. The signature covers the host name and its port as a browser sends them.
    signed = stack.exec("mlflow", ["python", "-c", PRESIGN, endpoint, stack.secret("MINIO_ROOT_PASSWORD")]).stdout
    put, get = (url.removeprefix(endpoint) for url in signed.split())

    def kept() -> int:
        """The status; S3's clients ask again after one above 499."""
        status = stack.request("PUT", "minio", put, data=b"hello").status
        return status if status < 500 else 0

    assert eventually(kept, 20) == 200
    got = stack.request("GET", "minio", get)
    assert (got.status, got.body) == (200, b"hello")
    assert stack.request("GET", "minio", get + "0").status == 403


def test_mlflow_keeps_runs_in_postgres_and_artifacts_in_minio(stack: NselfStack) -> None:
    made = asked(stack, "POST", "mlflow", "/api/2.0/mlflow/experiments/create", json={"name": "first"})
    assert made.status == 200, made.text
    assert psql(stack, "mlflow", "select name from experiments where name = 'first'") == "first"
    path = "/api/2.0/mlflow-artifacts/artifacts/model/weights.txt"
    assert asked(stack, "PUT", "mlflow", path, data=b"weights").status == 200
    assert asked(stack, "GET", "mlflow", path).body == b"weights"
    kept = ["cat", "/data/mlflow/model/weights.txt"]
    assert eventually(lambda: stack.exec("minio", kept).stdout) == "weights"


def test_meilisearch_finds_a_document_for_who_has_the_key(stack: NselfStack) -> None:
    key = {"Authorization": f"Bearer {stack.secret('MEILISEARCH_MASTER_KEY')}"}
    document = [{"id": 1, "title": "a red bicycle"}]
    assert stack.request("POST", "search", "/indexes/things/documents", json=document).status == 401
    assert stack.request("POST", "search", "/indexes/things/documents", json=document, headers=key).status == 202

    def hits() -> object:
        asking = {"q": "bicycle"}
        return stack.request("POST", "search", "/indexes/things/search", json=asking, headers=key).json()["hits"]

    assert eventually(hits) == document


def test_a_function_answers_at_its_path(stack: NselfStack) -> None:
    assert stack.request("GET", "functions", "/hello?name=Ada").json() == {"hello": "Ada"}
    assert stack.request("GET", "functions", "/nothing").status == 404


def test_nself_admin_shows_its_page_to_the_operator_without_dockers_socket(stack: NselfStack) -> None:
    assert "nself" in asked(stack, "GET", "admin").text.lower()
    assert stack.exec("nself-admin", ["test", "-e", "/var/run/docker.sock"]).exit_code == 1


def test_a_frontend_on_the_host_is_asked_by_the_edge(stack: NselfStack) -> None:
    answer = stack.request("GET", "dashboard", "/users?page=2")
    host = stack.url("dashboard", "").removeprefix("https://")
    assert (answer.status, answer.text) == (200, f"{host} /users?page=2")


@pytest.mark.parametrize(
    ("path", "status", "caching", "text"),
    [
        ("/", 200, "no-cache", "<title>web</title>"),
        ("/index.html", 200, "no-cache", "<title>web</title>"),
        ("/orders/17", 200, "no-cache", "<title>web</title>"),
        ("/assets/index-DiwrgT4a.js", 200, HASHED, "start()"),
        ("/assets/my-component.js", 200, "no-cache", "component()"),
        ("/robots.txt", 200, "no-cache", "User-agent: *"),
        ("/assets/index-G0neAw4y.js", 404, None, ""),
    ],
)
def test_a_built_frontend_is_served_with_the_right_caching(
    stack: NselfStack, path: str, status: int, caching: str | None, text: str
) -> None:
    answer = stack.request("GET", "app", path)
    assert (answer.status, answer.headers["Cache-Control"]) == (status, caching)
    assert text in answer.text


def test_an_unchanged_page_is_not_sent_again(stack: NselfStack) -> None:
    tag = stack.request("GET", "app", "/").headers["ETag"]
    assert stack.request("GET", "app", "/", headers={"If-None-Match": tag}).status == 304


def test_a_second_deploy_would_change_nothing(stack: NselfStack) -> None:
    assert stack.deployment.plan().pending == ()
