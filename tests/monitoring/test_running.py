"""The optional services and monitoring, running: each route is asked for something real, by who may and who may not."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nself_sdk import (
    Auth,
    CustomService,
    Functions,
    Mailpit,
    Meilisearch,
    Minio,
    Mlflow,
    Monitoring,
    NselfAdmin,
    Project,
    Redis,
    render,
)
from nself_sdk.testing import NselfStack, Response

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

TRACE = "0af7651916cd43dd8448eb211c80319c"


def project() -> Project:
    made = Project("shop").add(Auth()).add(Redis()).add(Minio()).add(Mailpit()).add(Meilisearch()).add(Functions())
    made.add(Mlflow()).add(NselfAdmin()).add(Monitoring())
    return made.add(CustomService("payments", "fastapi-py", 8003))


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[NselfStack]:
    from rig.images import describe

    file = render(project(), "staging")
    named = {service.image for service in file.services.values() if service.build is None and service.image}
    images = rig_images(*named, Functions().image, "python:3.13.15-slim-trixie")
    sys.__stderr__.write(describe(images) + "\n")
    folder = tmp_path_factory.mktemp("shop")
    (folder / "functions").mkdir()
    (folder / "functions" / "hello.js").write_text(
        "export default (req, res) => res.json({ hello: req.query.name });\n"
    )
    with NselfStack(project(), "staging", folder=folder, timeout=600) as running:
        yield running


def eventually(what: Callable[[], Any], seconds: float = 90) -> Any:
    """What it returns as soon as that is something."""
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(1)
    return found


def operator(stack: NselfStack, user: str = "operator", name: str = "OPERATOR_PASSWORD") -> dict[str, str]:
    word = base64.b64encode(f"{user}:{stack.secret(name)}".encode()).decode()
    return {"Authorization": f"Basic {word}"}


def asked(stack: NselfStack, method: str, route: str, path: str, **given: Any) -> Response:
    return stack.request(method, route, path, headers=operator(stack), **given)


def metric(stack: NselfStack, expression: str) -> list[Any]:
    from urllib.parse import quote

    answer = asked(stack, "GET", "prometheus", f"/api/v1/query?query={quote(expression)}")
    return answer.json()["data"]["result"]


def grafana(stack: NselfStack, path: str) -> Response:
    return stack.request("GET", "grafana", path, headers=operator(stack, "admin", "GRAFANA_ADMIN_PASSWORD"))


def psql(stack: NselfStack, database: str, sql: str) -> str:
    return stack.exec("postgres", ["psql", "-U", "postgres", "-d", database, "-Atc", sql]).stdout


@pytest.mark.parametrize("route", ["prometheus", "alertmanager", "mlflow", "admin", "mail"])
def test_pages_without_a_login_of_their_own_are_behind_the_operators(stack, route):
    assert stack.request("GET", route).status == 401
    assert stack.request("GET", route, headers={"Authorization": "Basic b3BlcmF0b3I6d3Jvbmc="}).status == 401
    assert asked(stack, "GET", route, "/").status < 400


def test_mailpit_receives_what_auth_sends(stack):
    address = {"email": "ada@example.com", "password": "correct horse battery"}
    assert stack.request("POST", "auth", "/signup/email-password", json=address).status == 200
    found = asked(stack, "GET", "mail", "/api/v1/messages").json()["messages"]
    assert [one["To"][0]["Address"] for one in found] == ["ada@example.com"]
    body = asked(stack, "GET", "mail", "/api/v1/message/latest").json()["Text"]
    assert "https://auth.staging.example.com" in body


def test_minio_has_its_buckets_and_lets_nobody_in_without_a_signature(stack):
    assert set(stack.exec("minio", ["ls", "/data"]).stdout.split()) >= {"uploads", "mlflow"}
    for path in ("/uploads", "/mlflow", "/"):
        assert stack.request("GET", "minio", path).status in {400, 403}
    assert stack.request("GET", "minio", "/minio/health/live").status == 200
    assert stack.request("GET", "minio", "/minio/v2/metrics/cluster").status == 404
    assert stack.request("GET", "minio-console", "/").status == 200


def test_mlflow_keeps_runs_in_postgres_and_artifacts_in_minio(stack):
    made = asked(stack, "POST", "mlflow", "/api/2.0/mlflow/experiments/create", json={"name": "first"})
    assert made.status == 200, made.text
    assert psql(stack, "mlflow", "select name from experiments where name = 'first'").strip() == "first"
    path = "/api/2.0/mlflow-artifacts/artifacts/model/weights.txt"
    assert asked(stack, "PUT", "mlflow", path, data=b"weights").status == 200
    assert asked(stack, "GET", "mlflow", path).body == b"weights"
    kept = ["cat", "/data/mlflow/model/weights.txt"]
    assert eventually(lambda: stack.exec("minio", kept).stdout) == "weights"


def test_meilisearch_finds_a_document_for_who_has_the_key(stack):
    key = {"Authorization": f"Bearer {stack.secret('MEILISEARCH_MASTER_KEY')}"}
    document = [{"id": 1, "title": "a red bicycle"}]
    assert stack.request("POST", "search", "/indexes/things/documents", json=document).status == 401
    assert stack.request("POST", "search", "/indexes/things/documents", json=document, headers=key).status == 202
    found = eventually(
        lambda: stack.request("POST", "search", "/indexes/things/search", json={"q": "bicycle"}, headers=key).json()[
            "hits"
        ]
    )
    assert found == document


def test_a_function_answers_at_its_path(stack):
    assert stack.request("GET", "functions", "/hello?name=Ada").json() == {"hello": "Ada"}
    assert stack.request("GET", "functions", "/nothing").status == 404


def test_prometheus_reaches_everything_that_offers_metrics(stack):
    def targets() -> list[Any]:
        return asked(stack, "GET", "prometheus", "/api/v1/targets").json()["data"]["activeTargets"]

    assert eventually(lambda: all(target["health"] == "up" for target in targets())), [
        (target["scrapeUrl"], target["lastError"]) for target in targets() if target["health"] != "up"
    ]
    assert {target["labels"]["service"] for target in targets()} >= {
        "payments",
        "minio",
        "cadvisor",
        "promtail",
        "tempo",
    }


def test_exporters_see_the_database_redis_and_the_host(stack):
    for expression in ("pg_up == 1", "redis_up == 1", "pg_settings_max_connections", "node_memory_MemAvailable_bytes",
                       'node_filesystem_avail_bytes{mountpoint="/"}'):  # fmt: skip
        assert eventually(lambda expression=expression: metric(stack, expression)), expression


def test_containers_are_known_by_the_service_that_they_belong_to(stack):
    assert eventually(lambda: metric(stack, 'service:container_memory_bytes{service="hasura"} > 0'))
    assert eventually(lambda: metric(stack, 'service:container_memory_limit_bytes{service="auth"} > 0'))


def test_the_edges_requests_are_counted_by_host_and_status(stack):
    stack.request("GET", "functions", "/nothing")
    wanted = 'nginx_requests_total{host="functions.staging.example.com", status="404"} > 0'
    assert eventually(lambda: metric(stack, wanted))


def test_every_route_answers_through_the_edge_and_its_certificate_has_an_end(stack):
    assert eventually(
        lambda: metric(stack, 'count(probe_success{job="routes"} == 1) == count(probe_success{job="routes"})')
    ), metric(stack, 'probe_success{job="routes"} == 0')
    assert eventually(lambda: metric(stack, 'min(probe_ssl_earliest_cert_expiry{job="routes"}) > time()'))


def test_an_alert_is_delivered(stack):
    found = asked(stack, "GET", "prometheus", "/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    assert [one["url"] for one in found] == ["http://alertmanager:9093/api/v2/alerts"]
    alert = [{"labels": {"alertname": "Drill", "service": "payments"}, "annotations": {"summary": "A drill."}}]
    assert asked(stack, "POST", "alertmanager", "/api/v2/alerts", json=alert).status == 200

    def mailed() -> bool:
        return asked(stack, "GET", "mail", "/api/v1/search?query=Drill").json()["messages_count"] > 0

    assert eventually(mailed)


def test_loki_has_the_lines_of_every_container_of_this_project_alone(stack):
    def services() -> set[str]:
        path = "/api/datasources/proxy/uid/loki/loki/api/v1/label/service/values"
        return set(grafana(stack, path).json()["data"])

    assert eventually(lambda: {"auth", "hasura", "postgres", "nginx", "payments"} <= services()), services()
    projects = grafana(stack, "/api/datasources/proxy/uid/loki/loki/api/v1/label/project/values").json()["data"]
    assert projects == [stack.name]


def test_tempo_takes_a_trace_and_grafana_shows_it(stack):
    span = {"traceId": TRACE, "spanId": "b7ad6b7169203331", "name": "pay", "kind": 2,
            "startTimeUnixNano": "1", "endTimeUnixNano": "2"}  # fmt: skip
    body = json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [span]}]}]})
    script = (
        "import sys, urllib.request as r; r.urlopen(r.Request('http://tempo:4318/v1/traces', sys.argv[1].encode(), "
        "{'content-type': 'application/json'}))"
    )
    done = stack.exec("payments", ["python", "-c", script, body])
    assert done.exit_code == 0, done.stderr
    assert grafana(stack, f"/api/datasources/proxy/uid/tempo/api/traces/{TRACE}").status == 200


def test_a_custom_service_sends_its_traces_by_itself(stack):
    stack.request("GET", "payments", "/health")
    assert eventually(lambda: metric(stack, "tempo_distributor_push_requests_total > 1"), 60)


def test_grafana_shows_its_dashboards_to_who_logged_in(stack):
    assert stack.request("GET", "grafana", "/api/search").status == 401
    assert stack.request("GET", "grafana", "/metrics").status == 404
    titles = {board["title"] for board in grafana(stack, "/api/search?type=dash-db").json()}
    assert titles == {"Services", "Postgres", "Nginx", "Host", "Logs", "Traces"}
