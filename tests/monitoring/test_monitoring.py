"""Monitoring is wired: everything that offers metrics is scraped, every alert can fire, and the real programs agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nself_sdk import (
    AlertEmail,
    Alertmanager,
    Auth,
    ComposeFile,
    CustomService,
    DeclarationError,
    Environment,
    Loki,
    Mailpit,
    Minio,
    Monitoring,
    Project,
    Prometheus,
    Redis,
    Tempo,
    render,
)
from nself_sdk.catalog.monitoring import TEN
from nself_sdk.catalog.monitoring.prometheus import RULES

RULE_TESTS = Path(__file__).parent / "rules"
ENVIRONMENTS = ("dev", "staging", "prod")
EMAIL = AlertEmail(to="ops@example.com", sender="alerts@example.com", host="smtp.example.com", user="ops")


def stack(env: str, *more: object) -> ComposeFile:
    project = Project("shop").add(Auth()).add(Redis()).add(Minio()).add(Monitoring())
    project.add(CustomService("payments", "fastapi-py", 8003))
    for part in more:
        project.add(part)
    return render(project, env)


def text(file: ComposeFile, service: str, target: str) -> str:
    """The text that the service finds at that path."""
    source = next(r.source for r in file.services[service].config_references if r.target == target)
    content = file.configs[source].content
    return content.replace("$$", "$")


def scraped(file: ComposeFile) -> dict[str, str]:
    document = yaml.safe_load(text(file, "prometheus", "/etc/prometheus/prometheus.yml"))
    return {job["job_name"]: job["metrics_path"] for job in document["scrape_configs"]}


def routed(file: ComposeFile) -> str:
    return text(file, "nginx", "/etc/nginx/nginx.conf")


def test_monitoring_is_ten_services_with_redis_or_without():
    for project in (Project("shop").add(Monitoring()), Project("shop").add(Monitoring()).add(Redis())):
        assert {kind.model_fields["name"].default for kind in TEN} <= set(render(project, "prod").services)
    assert len(TEN) == 10


def test_without_redis_its_exporter_has_nothing_to_watch_and_no_password():
    exporter = render(Project("shop").add(Monitoring()), "prod").services["redis-exporter"]
    assert exporter.environment_map["REDIS_ADDR"] == ""
    assert exporter.secret_references == []


def test_every_service_that_offers_metrics_is_scraped_custom_services_included():
    jobs = scraped(stack("prod"))
    assert jobs["payments:8003"] == "/metrics"
    assert jobs["minio:9000"] == "/minio/v2/metrics/cluster"
    watchers = ("prometheus:9090", "cadvisor:8080", "node-exporter:9100", "postgres-exporter:9187", "promtail:9080")
    assert set(jobs) >= {
        *watchers,
        "redis-exporter:9121",
        "alertmanager:9093",
        "grafana:3000",
        "loki:3100",
        "tempo:3200",
    }


def test_each_replica_is_scraped_and_one_that_is_missing_is_told():
    file = stack("prod", CustomService("rpc", "grpc", 8002, replicas=3))
    jobs = yaml.safe_load(text(file, "prometheus", "/etc/prometheus/prometheus.yml"))["scrape_configs"]
    (job,) = [job for job in jobs if job["job_name"] == "rpc:9464"]
    assert "static_configs" not in job
    assert job["dns_sd_configs"] == [{"names": ["rpc"], "type": "A", "port": 9464, "refresh_interval": "15s"}]
    assert job["relabel_configs"] == [{"target_label": "service", "replacement": "rpc"}]
    rules = text(file, "prometheus", "/etc/prometheus/rules/services.yml")
    assert '(count(up{job="rpc:9464"} == 1) or vector(0)) < 3' in rules


def test_a_service_that_is_not_there_is_not_scraped():
    assert "minio:9000" not in scraped(render(Project("shop").add(Monitoring()), "prod"))


def test_every_host_name_is_asked_through_the_edge():
    document = yaml.safe_load(text(stack("prod"), "prometheus", "/etc/prometheus/prometheus.yml"))
    routes = next(job for job in document["scrape_configs"] if job["job_name"] == "routes")
    assert {"api.example.com", "auth.example.com", "payments.example.com"} <= set(
        routes["static_configs"][0]["targets"]
    )


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("host", ["prometheus", "alertmanager"])
def test_prometheus_and_alertmanager_are_behind_a_login(env, host):
    name = Environment.named(env).host(host)
    # The name stands in the redirect from http, too; the last mention is its own server.
    server = routed(stack(env)).rpartition(f"server_name {name};")[2].partition("    server {")[0]
    assert "auth_basic_user_file /etc/nginx/logins/OPERATOR_PASSWORD;" in server


def test_grafana_has_a_login_of_its_own_and_nobody_can_sign_up():
    variables = stack("prod").services["grafana"].environment_map
    assert variables["GF_AUTH_ANONYMOUS_ENABLED"] == variables["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert variables["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/GRAFANA_ADMIN_PASSWORD"


def test_nobody_is_privileged_or_has_the_docker_socket():
    for name, service in stack("prod").services.items():
        assert not service.privileged, name
        assert not [m for m in service.volume_mounts if "docker.sock" in (m.source or "") or m.source == "/var/run"], (
            name
        )


def test_what_is_kept_is_bounded_in_time_and_size():
    file = stack(
        "prod", Prometheus(retention="30d", retention_size="10GB"), Loki(retention="48h"), Tempo(retention="24h")
    )
    assert {"--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=10GB"} <= set(
        file.services["prometheus"].command
    )
    assert "--data.retention=120h" in file.services["alertmanager"].command
    loki = yaml.safe_load(text(file, "loki", "/etc/loki/config.yml"))
    assert loki["limits_config"]["retention_period"] == "48h"
    assert loki["compactor"]["retention_enabled"] is True
    tempo = yaml.safe_load(text(file, "tempo", "/etc/tempo/config.yml"))
    assert tempo["backend_worker"]["compaction"]["block_retention"] == "24h"
    assert all(service.logging.options["max-size"] for service in file.services.values())


def test_each_line_of_a_container_says_whose_it_is():
    options = stack("prod").services["auth"].logging.options
    assert options["labels"] == "com.docker.compose.project,com.docker.compose.service"


def test_a_custom_service_is_told_where_its_traces_go():
    variables = stack("prod").services["payments"].environment_map
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://tempo:4318"


def test_alerts_go_to_the_channels_that_were_chosen_and_their_secrets_are_files():
    file = stack("prod", Alertmanager(email=EMAIL, slack="#alerts", webhook=True))
    receiver = yaml.safe_load(text(file, "alertmanager", "/etc/alertmanager/alertmanager.yml"))["receivers"][0]
    assert receiver["email_configs"][0]["to"] == "ops@example.com"
    assert receiver["email_configs"][0]["auth_password_file"] == "/run/secrets/ALERTMANAGER_SMTP_PASSWORD"
    assert receiver["slack_configs"][0]["api_url_file"] == "/run/secrets/ALERTMANAGER_SLACK_URL"
    assert receiver["webhook_configs"][0]["url_file"] == "/run/secrets/ALERTMANAGER_WEBHOOK_URL"
    assert {r.source for r in file.services["alertmanager"].secret_references} == {
        "ALERTMANAGER_SMTP_PASSWORD",
        "ALERTMANAGER_SLACK_URL",
        "ALERTMANAGER_WEBHOOK_URL",
    }


def test_without_a_channel_alerts_go_to_mailpit_except_where_mail_must_be_real():
    for env, caught in (("dev", True), ("staging", True), ("prod", False)):
        given = yaml.safe_load(text(stack(env, Mailpit()), "alertmanager", "/etc/alertmanager/alertmanager.yml"))
        assert ("email_configs" in given["receivers"][0]) is caught


def test_grafana_has_a_source_for_metrics_logs_and_traces_and_a_dashboard_for_each_part():
    file = stack("prod")
    sources = yaml.safe_load(text(file, "grafana", "/etc/grafana/provisioning/datasources/stack.yml"))["datasources"]
    uids = {source["uid"] for source in sources}
    assert uids == {"prometheus", "loki", "tempo", "alertmanager"}
    folder = "/etc/grafana/dashboards/"
    boards = [r.target for r in file.services["grafana"].config_references if r.target.startswith(folder)]
    assert {Path(board).stem for board in boards} == {"services", "postgres", "nginx", "host", "logs", "traces"}
    for board in boards:
        document = json.loads(text(file, "grafana", board))
        assert {panel["datasource"]["uid"] for panel in document["panels"]} <= uids
        assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


def test_every_alert_has_a_test_that_makes_it_fire():
    folder = Path(__file__).parents[2] / "nself_sdk/catalog/monitoring/prometheus/rules"
    assert {path.stem for path in folder.iterdir()} == set(RULES)
    file = stack("prod", CustomService("webhooks", "nestjs", 8002, replicas=2))
    for name in RULES:
        rules = yaml.safe_load(text(file, "prometheus", f"/etc/prometheus/rules/{name}.yml"))["groups"]
        alerts = {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}
        tests = yaml.safe_load((RULE_TESTS / f"{name}.yml").read_text())["tests"]
        fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
        assert fired == alerts


@pytest.mark.parametrize("retention", ["1h", "25h", "0d", "soon"])
def test_loki_keeps_whole_days(retention: str) -> None:
    assert Loki(retention="48h").retention == "48h"
    with pytest.raises(DeclarationError, match=r"Loki\.retention"):
        Loki(retention=retention)


def test_what_is_said_of_the_bundle_would_be_said_of_nothing() -> None:
    with pytest.raises(DeclarationError, match=r"no container of its own; say memory of one of the ten"):
        Monitoring(memory="1g")
