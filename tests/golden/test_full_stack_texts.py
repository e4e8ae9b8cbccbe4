"""The texts of the full stack, in every environment, before the programs that read them: they find nothing wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden.test_golden_full_stack import project
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from nself_sdk import AlertEmail, Alertmanager, ComposeFile, Environment, render
from nself_sdk.catalog.monitoring.grafana.dashboards import DASHBOARDS
from nself_sdk.store import certificates

PROMETHEUS, ALERTMANAGER, BLACKBOX, NGINX = (
    render(project, "prod").services[name].image or ""
    for name in ("prometheus", "alertmanager", "blackbox-exporter", "nginx")
)
RULE_TESTS = Path(__file__).parents[1] / "monitoring" / "rules"
READERS = {"prometheus", "alertmanager", "blackbox-exporter", "nginx", "web"}
#: The three environments; prod with certificates by ACME; and alerts sent by all channels at once.
VARIANTS = ("dev", "staging", "prod", "acme", "channels")
ALL_CHANNELS = Alertmanager(
    email=AlertEmail(to="ops@example.com", sender="alerts@example.com", host="smtp.example.com", user="ops"),
    slack="#alerts",
    webhook=True,
)
# https://grafana.com/docs/grafana/latest/administration/provisioning/#configuration-options-1 and #dashboards
SOURCE_KEYS = {"name", "type", "access", "uid", "orgId", "url", "isDefault", "editable", "jsonData", "secureJsonData"}
PROVIDER_KEYS = {
    "name",
    "orgId",
    "folder",
    "type",
    "disableDeletion",
    "updateIntervalSeconds",
    "allowUiUpdates",
    "options",
}

register_default_plugins()


def rendered(variant: str) -> ComposeFile:
    if variant in {"dev", "staging", "prod"}:
        return render(project, variant)
    if variant == "acme":
        return render(project, Environment.named("prod", tls="acme", admin_email="ops@example.com"))
    prod = Environment.named("prod")
    declared = project(prod)
    declared.services["alertmanager"] = ALL_CHANNELS
    return render(declared, prod)


def texts(file: ComposeFile, service: str) -> dict[str, str]:
    """What the service finds, by path."""
    references = file.services[service].config_references
    contents = {r.target or "": file.configs[r.source or ""].content or "" for r in references}
    return {target: content.replace("$$", "$") for target, content in contents.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``<variant>/<service>/<path in the container>``, for anybody to read."""
    top = tmp_path_factory.mktemp("texts")
    top.parent.chmod(0o755)
    for variant in VARIANTS:
        file = rendered(variant)
        for service in {"prometheus", "alertmanager", "blackbox-exporter", "grafana", "nginx", "web"} & set(
            file.services
        ):
            for target, content in texts(file, service).items():
                path = top / variant / service / target.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
    shutil.copytree(RULE_TESTS, top / "tests")
    (top / "tests" / "dashboards.rules").write_text(yaml.safe_dump(asked_of_prometheus()), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("ca")))
        certificates.ensure_local(top / "tls", ["api.example.com"])
    for path in [top, *top.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return top


def panels(source: str) -> list[dict[str, Any]]:
    """What the dashboards ask of a data source."""
    found = [panel for text in DASHBOARDS.values() for panel in json.loads(text)["panels"]]
    return [target for panel in found if panel["datasource"]["uid"] == source for target in panel["targets"]]


def asked_of_prometheus() -> dict[str, Any]:
    """The dashboards' expressions in the form of rules, which promtool parses."""
    rules = [{"record": f"asked:{n}", "expr": target["expr"]} for n, target in enumerate(panels("prometheus"))]
    return {"groups": [{"name": "dashboards", "rules": rules}]}


def said(image: str, folder: Path, script: str, *options: str) -> str:
    """What a program in that image says about the texts; it must end well."""
    command = ["docker", "run", "--rm", "--user=0", f"--volume={folder}:/texts:ro", "--entrypoint=sh", *options, image]
    done = subprocess.run([*command, "-euc", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.docker
def test_promtool_finds_nothing_and_makes_every_alert_fire(folder: Path, rig_images: Any) -> None:
    rig_images(PROMETHEUS)
    script = """
        for variant in dev staging prod acme; do
            rm -rf /etc/prometheus
            ln -s /texts/$variant/prometheus/etc/prometheus /etc/prometheus
            promtool check config --lint=all /etc/prometheus/prometheus.yml
            promtool check rules --lint=all --lint-fatal /etc/prometheus/rules/*.yml /texts/tests/dashboards.rules
        done
        mkdir /tmp/tests
        cp /texts/tests/*.yml /tmp/tests
        for rules in /etc/prometheus/rules/*.yml; do
            name=$(basename $rules .yml)
            mv /tmp/tests/$name.yml /tmp/tests/$name.test.yml
            cp $rules /tmp/tests/$name.yml
        done
        promtool test rules /tmp/tests/*.test.yml
    """
    answer = said(PROMETHEUS, folder, script, "--network=none")
    rules = len(list(RULE_TESTS.glob("*.yml")))
    assert answer.count("SUCCESS") == 4 * (1 + rules + rules + 1) + rules + 4
    assert not re.search("fail|error|warn|lint", answer, re.IGNORECASE), answer


@pytest.mark.docker
def test_amtool_finds_nothing(folder: Path, rig_images: Any) -> None:
    rig_images(ALERTMANAGER)
    paths = " ".join(f"/texts/{variant}/alertmanager/etc/alertmanager/alertmanager.yml" for variant in VARIANTS)
    answer = said(ALERTMANAGER, folder, f"amtool check-config {paths}", "--network=none")
    assert answer.count("SUCCESS") == len(VARIANTS)


@pytest.mark.docker
def test_the_blackbox_exporter_finds_nothing(folder: Path, rig_images: Any) -> None:
    rig_images(BLACKBOX)
    path = "/texts/prod/blackbox-exporter/etc/blackbox_exporter/config.yml"
    said(BLACKBOX, folder, f"blackbox_exporter --config.file={path} --config.check", "--network=none")


@pytest.mark.docker
def test_nginx_finds_nothing(folder: Path, rig_images: Any) -> None:
    rig_images(NGINX)
    script = """
        mkdir -p /run/secrets
        cp /texts/tls/fullchain.pem /run/secrets/TLS_CERTIFICATE
        cp /texts/tls/privkey.pem /run/secrets/TLS_PRIVATE_KEY
        for variant in dev staging prod acme; do
            cp /texts/$variant/nginx/etc/nginx/nginx.conf /etc/nginx/nginx.conf
            nginx -t -q
        done
        nginx -t -q -c /texts/staging/web/etc/nginx/nginx.conf
    """
    assert said(NGINX, folder, script, "--add-host=host.docker.internal:127.0.0.1") == ""


@pytest.mark.slow
def test_gixy_finds_nothing(folder: Path) -> None:
    version = NGINX.partition(":")[2].partition("-")[0]
    edges = [folder / variant / "nginx/etc/nginx/nginx.conf" for variant in ("dev", "staging", "prod", "acme")]
    files = [*edges, folder / "staging/web/etc/nginx/nginx.conf"]
    command = [Path(sys.executable).with_name("gixy"), "-f", "json", "--nginx-version", version, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {(Path(one["path"]).relative_to(folder).parts[0], one["plugin"]) for one in json.loads(done.stdout)}
    # In dev on purpose: a browser that keeps it would refuse plain http of every other project at localhost.
    assert found == {("dev", "hsts_header")}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_own_types_read_each_dashboard_and_lose_nothing_of_it(name: str) -> None:
    board = json.loads(DASHBOARDS[name])
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert kept(board, read) == board


def kept(given: Any, read: Any) -> Any:
    """Of what was read, the part that was given: the types add their defaults."""
    if isinstance(given, dict):
        return {key: kept(value, read[key]) for key, value in given.items() if key in read}
    if isinstance(given, list):
        return [kept(one, other) for one, other in zip(given, read, strict=True)]
    return read


def test_grafanas_provisioning_uses_documented_keys_and_one_default_source() -> None:
    found = texts(rendered("prod"), "grafana")
    sources = yaml.safe_load(found["/etc/grafana/provisioning/datasources/stack.yml"])
    assert {key for source in sources["datasources"] for key in source} <= SOURCE_KEYS
    assert [source["name"] for source in sources["datasources"] if source.get("isDefault")] == ["Prometheus"]
    [provider] = yaml.safe_load(found["/etc/grafana/provisioning/dashboards/stack.yml"])["providers"]
    assert set(provider) <= PROVIDER_KEYS
    assert {Path(path).parent for path in found if path.endswith(".json")} == {Path(provider["options"]["path"])}


def test_every_log_query_selects_by_a_label_and_every_trace_query_is_in_braces() -> None:
    # https://grafana.com/docs/loki/latest/query/log_queries/: one matcher of a selector excludes the empty value.
    for target in panels("loki"):
        selector = re.fullmatch(r'\{(\w+)(=~|=)"([^"]+)"\}( \|[=~] "[^"]*")*', target["expr"])
        assert selector, target["expr"]
        assert selector[3] != ".*"
    for target in panels("tempo"):
        assert re.fullmatch(r"\{[^{}]*\}", target["query"]), target["query"]
