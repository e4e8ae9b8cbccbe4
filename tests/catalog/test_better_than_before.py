"""What was wrong with the optional services and monitoring of the tool before this one, by the number of the defect."""

from __future__ import annotations

import re

import pytest
import yaml

from nself_sdk import (
    ComposeFile,
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

ENVIRONMENTS = ("dev", "staging", "prod")
KINDS = (Functions, Mailpit, Meilisearch, Minio, Mlflow, Monitoring, NselfAdmin, Redis)


def whole(env: str) -> ComposeFile:
    project = Project("shop")
    for kind in KINDS:
        project.add(kind())
    return render(project, env)


def nginx(file: ComposeFile) -> str:
    found = next(config.content for name, config in file.configs.items() if name.startswith("nginx.conf"))
    return found.replace("$$", "$")


@pytest.mark.parametrize("service", ["mlflow", "functions", "nself-admin", "meilisearch", "mailpit", "grafana"])
def test_defect_11_the_edge_asks_the_port_that_the_service_listens_on(service):
    file = whole("prod")
    asked = re.search(rf"\b{service}:(\d+)\b", nginx(file))[1]
    check = " ".join(file.services[service].healthcheck.test)
    assert service == "mailpit" or f":{asked}/" in check


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_defect_12_monitoring_is_wired_behind_logins_and_unprivileged(env):
    file = whole(env)
    source = next(
        r.source for r in file.services["prometheus"].config_references if r.target.endswith("prometheus.yml")
    )
    prometheus = yaml.safe_load(file.configs[source].content)
    assert prometheus["rule_files"]
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]
    assert [name for name, service in file.services.items() if service.privileged] == []
    targets = {r.target for r in file.services["grafana"].config_references}
    assert "/etc/grafana/provisioning/datasources/stack.yml" in targets
    assert "/etc/grafana/dashboards/services.json" in targets


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_defect_13_buckets_are_private_and_pages_without_a_login_have_one_at_the_edge(env):
    file = whole(env)
    assert "anonymous set download" not in file.services["minio-setup"].entrypoint[-1]
    protected = nginx(file).count("auth_basic_user_file /etc/nginx/logins/OPERATOR_PASSWORD;")
    assert protected == len(("admin", "alertmanager", "mail", "mlflow", "prometheus"))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_defect_14_nothing_has_the_docker_socket_or_the_projects_files(env):
    for name, service in whole(env).services.items():
        sources = {mount.source for mount in service.volume_mounts}
        assert not {source for source in sources if "docker.sock" in source}, name
        assert not sources & {".", "./"}, name


def test_defect_17_no_image_floats():
    images = {service.image for service in whole("prod").services.values() if service.build is None}
    assert not [image for image in images if image.endswith(":latest") or ":" not in image]
