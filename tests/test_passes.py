"""The passes: each fills what is absent or removes what is forbidden; none overrides what the user wrote."""

from __future__ import annotations

import hashlib

import pytest

from nself_sdk import ComposeFile, Environment
from nself_sdk.compose import Config, Healthcheck, Logging, Port, Secret, Service, ServiceConfig
from nself_sdk.passes import (
    PASSES,
    content_names,
    health_cadence,
    logging,
    privileges,
    publishing,
    restarts,
    secret_fingerprints,
)

DEV, PROD = Environment.named("dev"), Environment.named("prod")


def of(**fields: object) -> ComposeFile:
    return ComposeFile(services={"web": Service(image="web:1", **fields)})  # type: ignore[arg-type] # of the test's choice


@pytest.mark.parametrize(("environment", "restart"), [(DEV, "no"), (PROD, "unless-stopped")])
def test_services_restart_as_the_environment_says(environment: Environment, restart: str) -> None:
    assert restarts(of(), environment).services["web"].restart == restart
    assert restarts(of(restart="on-failure"), environment).services["web"].restart == "on-failure"


def test_logs_do_not_fill_the_disk() -> None:
    found = logging(of(), PROD).services["web"].logging
    assert found is not None
    assert found.driver == "json-file"
    assert {"max-size": "10m", "max-file": "3"}.items() <= (found.options or {}).items()
    mine = Logging(driver="syslog")
    assert logging(of(logging=mine), PROD).services["web"].logging == mine


def test_no_process_gains_privileges() -> None:
    assert privileges(of(), PROD).services["web"].security_opt == ["no-new-privileges:true"]
    assert privileges(of(security_opt=["seccomp:unconfined"]), PROD).services["web"].security_opt == [
        "seccomp:unconfined"
    ]


def test_a_health_check_keeps_the_pace_that_was_written() -> None:
    check = Healthcheck(test=["CMD", "true"], interval="1m")
    paced = health_cadence(of(healthcheck=check), PROD).services["web"].healthcheck
    assert paced is not None
    assert (paced.interval, paced.timeout, paced.start_interval) == ("1m", "5s", "500ms")


@pytest.mark.parametrize("check", [None, Healthcheck(disable=True)])
def test_no_health_check_is_invented(check: Healthcheck | None) -> None:
    assert health_cadence(of(healthcheck=check), PROD).services["web"].healthcheck == check


def test_production_publishes_only_nginx() -> None:
    ports = [Port(80, target=80)]
    file = ComposeFile(services={name: Service(image="a:1", ports=ports) for name in ("nginx", "web")})
    published = {name: len(service.port_mappings) for name, service in publishing(file, PROD).services.items()}
    assert published == {"nginx": 1, "web": 0}
    assert publishing(file, DEV.replace(bind="")) == file


def test_in_dev_a_published_port_is_bound_to_this_machine_unless_its_address_was_written() -> None:
    ports = ["8080:80", Port(9090, target=90), "0.0.0.0:7070:70", "6000-6001:60-61/udp"]
    found = publishing(of(ports=ports), DEV).services["web"].port_mappings
    assert [(port.host_ip, port.published, port.target, port.protocol or "tcp") for port in found] == [
        ("127.0.0.1", 8080, 80, "tcp"),
        ("127.0.0.1", 9090, 90, "tcp"),
        ("0.0.0.0", 7070, 70, "tcp"),  # noqa: S104 - as the user wrote it
        ("127.0.0.1", 6000, 60, "udp"),
        ("127.0.0.1", 6001, 61, "udp"),
    ]


def test_a_config_is_named_by_its_content_and_its_file_stays_in_place() -> None:
    file = ComposeFile(
        services={"web": Service(image="a:1", configs=["plain", ServiceConfig(source="own", target="/etc/own")])},
        configs={"plain": Config(content="x"), "own": Config(content="y"), "file": Config(file="./z")},
    )
    named = content_names(file, PROD)
    mark = {text: hashlib.sha256(text.encode()).hexdigest()[:10] for text in ("x", "y")}
    assert list(named.configs) == [f"plain-{mark['x']}", f"own-{mark['y']}", "file"]
    assert [(r.source, r.target) for r in named.services["web"].config_references] == [
        (f"plain-{mark['x']}", "/plain"),
        (f"own-{mark['y']}", "/etc/own"),
    ]


def test_another_content_is_another_name() -> None:
    one, two = (content_names(ComposeFile(configs={"a": Config(content=text)}), PROD).configs for text in ("x", "z"))
    assert set(one).isdisjoint(two)


def test_a_service_carries_the_fingerprint_of_every_secret_that_it_uses() -> None:
    file = ComposeFile(
        services={
            "web": Service(
                image="a:1", secrets=["KEY"], environment={"URL": "x://${TOKEN}@y"}, labels={"mine": "stays"}
            ),
            "other": Service(image="b:1"),
        },
        secrets={name: Secret(environment=name) for name in ("KEY", "TOKEN", "UNUSED")},
    )
    marked = secret_fingerprints(file, PROD).services
    assert marked["web"].label_map == {
        "mine": "stays",
        "dev.nself.secret.key": "${KEY_FINGERPRINT:-}",
        "dev.nself.secret.token": "${TOKEN_FINGERPRINT:-}",
    }
    assert marked["other"].label_map == {}


@pytest.mark.parametrize("text", ["${TOKEN}", "${TOKEN:?missing}", "${TOKEN-x}", "$TOKEN", "a$TOKEN/b"])
def test_every_way_to_interpolate_a_secret_counts_as_use(text: str) -> None:
    file = ComposeFile(
        services={"web": Service(image="a:1", environment={"A": text})}, secrets={"TOKEN": Secret(environment="TOKEN")}
    )
    assert list(secret_fingerprints(file, PROD).services["web"].label_map) == ["dev.nself.secret.token"]


@pytest.mark.parametrize("text", ["$$TOKEN", "$${TOKEN}", "${TOKENS}", "TOKEN", "$TOKEN_2"])
def test_what_only_looks_like_it_does_not(text: str) -> None:
    file = ComposeFile(
        services={"web": Service(image="a:1", environment={"A": text})}, secrets={"TOKEN": Secret(environment="TOKEN")}
    )
    assert secret_fingerprints(file, PROD).services["web"].label_map == {}


@pytest.mark.parametrize("apply", PASSES, ids=lambda apply: apply.__name__)
@pytest.mark.parametrize("environment", [DEV, PROD], ids=lambda environment: environment.name)
def test_a_pass_that_runs_again_changes_nothing(apply: object, environment: Environment) -> None:
    if apply is content_names:
        pytest.skip("a name with a hash gets another one: that pass runs once")
    file = of(ports=["80:80"], healthcheck=Healthcheck(test="true"))
    once = apply(file, environment)  # type: ignore[operator] # a pass
    assert apply(once, environment) == once  # type: ignore[operator] # same


def test_an_empty_file_passes_through() -> None:
    file = ComposeFile(name="empty")
    for apply in PASSES:
        assert apply(file, PROD).services == {}
