"""Monitoring of the full stack, running: every service is seen, every line is kept, every trace is found."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from full_stack.asking import asked, eventually, grafana, metric, through_grafana
from nself_sdk import CustomService
from nself_sdk.testing import NselfStack

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


def targets(stack: NselfStack) -> list[Any]:
    return asked(stack, "GET", "prometheus", "/api/v1/targets").json()["data"]["activeTargets"]


def test_prometheus_reaches_everything_that_offers_metrics(stack: NselfStack) -> None:
    assert eventually(lambda: all(target["health"] == "up" for target in targets(stack))), [
        (target["scrapeUrl"], target["lastError"]) for target in targets(stack) if target["health"] != "up"
    ]
    context = stack.deployment.context
    own = {service.name for service in context.every(CustomService)}
    offering = {offer.service for offer in context.metrics}
    assert own < offering
    assert {target["labels"]["service"] for target in targets(stack)} == offering | {"nginx"}


def test_each_replica_is_scraped_by_itself(stack: NselfStack) -> None:
    addresses = {
        f"{address}:8002"
        for each in stack.deployment.driver.containers(stack.name)
        if each.service == "webhooks"
        for address in each.addresses.values()
    }
    expression = 'up{service="webhooks"} == 1'
    assert len(addresses) == 2
    assert eventually(lambda: {each["metric"]["instance"] for each in metric(stack, expression)} == addresses)


def test_exporters_see_the_database_redis_and_the_host(stack: NselfStack) -> None:
    for expression in ("pg_up == 1", "redis_up == 1", "pg_settings_max_connections", "node_memory_MemAvailable_bytes",
                       "node_filesystem_avail_bytes"):  # fmt: skip
        assert eventually(lambda expression=expression: metric(stack, expression)), expression


def test_containers_are_known_by_the_service_that_they_belong_to(stack: NselfStack) -> None:
    assert eventually(lambda: metric(stack, 'service:container_memory_bytes{service="hasura"} > 0'))
    assert eventually(lambda: metric(stack, 'service:container_memory_limit_bytes{service="auth"} > 0'))


def test_the_edges_requests_are_counted_by_host_and_status(stack: NselfStack) -> None:
    stack.request("GET", "functions", "/nothing")
    wanted = 'nginx_requests_total{host="functions.staging.example.com", status="404"} > 0'
    assert eventually(lambda: metric(stack, wanted))


def test_every_route_answers_through_the_edge_and_its_certificate_has_an_end(stack: NselfStack) -> None:
    answering = 'count(probe_success{job="routes"} == 1) == count(probe_success{job="routes"})'
    assert eventually(lambda: metric(stack, answering)), metric(stack, 'probe_success{job="routes"} == 0')
    assert {row["metric"]["host"] for row in metric(stack, 'probe_success{job="routes"}')} == set(
        stack.deployment.context.hosts
    )
    assert eventually(lambda: metric(stack, 'min(probe_ssl_earliest_cert_expiry{job="routes"}) > time()'))


def test_alertmanager_is_told_by_prometheus(stack: NselfStack) -> None:
    found = asked(stack, "GET", "prometheus", "/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    assert [one["url"] for one in found] == ["http://alertmanager:9093/api/v2/alerts"]


def test_loki_has_the_lines_of_every_container_of_this_project_alone(stack: NselfStack) -> None:
    def services() -> set[str]:
        return set(through_grafana(stack, "loki", "/loki/api/v1/label/service/values").json()["data"])

    talking = {"auth", "hasura", "postgres", "nginx", "payments", "order-api", "webhooks", "ml-inference"}
    assert eventually(lambda: talking <= services()), services()
    assert through_grafana(stack, "loki", "/loki/api/v1/label/project/values").json()["data"] == [stack.name]


def test_a_line_that_a_service_wrote_is_found_through_grafana(stack: NselfStack) -> None:
    asked_as = stack.request("GET", "payments", "/").headers["X-Request-ID"]
    query = f'/loki/api/v1/query_range?query={{service="payments"}}|="{asked_as}"'

    def lines() -> list[Any]:
        return through_grafana(stack, "loki", query.replace('"', "%22")).json()["data"]["result"]

    assert eventually(lines)


@pytest.mark.parametrize("name", ["payments", "order-api", "webhooks"])
def test_the_trace_of_a_request_is_found_through_grafana(stack: NselfStack, name: str) -> None:
    trace = secrets.token_hex(16)
    stack.request("GET", name, "/", headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"})
    assert eventually(lambda: through_grafana(stack, "tempo", f"/api/traces/{trace}").status == 200)


def test_grafana_shows_its_dashboards_to_who_logged_in(stack: NselfStack) -> None:
    assert stack.request("GET", "grafana", "/api/search").status == 401
    assert stack.request("GET", "grafana", "/metrics").status == 404
    titles = {board["title"] for board in grafana(stack, "/api/search?type=dash-db").json()}
    assert titles == {"Services", "Postgres", "Nginx", "Host", "Logs", "Traces"}
