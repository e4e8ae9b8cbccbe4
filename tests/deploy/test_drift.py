"""Drift: a table of what somebody did to a host, and what is said of it; and nothing where nobody did anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakehost import FakeHost, hurry

from nself_sdk import DeclarationError, Deployment, Environment, Hasura, Project
from nself_sdk.deploy.drift import Drift
from nself_sdk.docker.values import Network, Volume
from nself_sdk.plan import CONFIG_HASH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nself_sdk.docker import Container

pytestmark = pytest.mark.slow

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
OURS = {"com.docker.compose.project": "shop"}
NETWORK = Network(name="shop_default", labels=OURS)
VOLUME = Volume(name="shop_postgres-data", driver="local", created_at=None, labels=OURS)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def deployment(folder: Path, host: FakeHost, level: str = "info") -> Deployment:
    shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
    return Deployment(shop, STAGING, folder, driver=host)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost()
    made.answer("networks", (NETWORK, Network(name="bridge"), Network(name="other_default", labels={})))
    made.answer("volumes", (VOLUME,))
    deployment(tmp_path, made).deploy()
    return made


def of(host: FakeHost, service: str) -> Container:
    return next(container for container in host.made.values() if container.service == service)


def becomes(service: str, **changes: Any) -> Callable[[FakeHost], None]:
    def change(host: FakeHost) -> None:
        host.made[of(host, service).id] = replace(of(host, service), **changes)

    return change


def gone(service: str) -> Callable[[FakeHost], None]:
    return lambda host: host._remove(of(host, service).id)


def another(service: str, **changes: Any) -> Callable[[FakeHost], None]:
    def add(host: FakeHost) -> None:
        host.made["another"] = replace(of(host, "hasura"), id="another", name="shop-x-7", service=service, **changes)

    return add


def relabelled(host: FakeHost) -> None:
    becomes("hasura", labels={**of(host, "hasura").labels, CONFIG_HASH: "0"})(host)


def edited(host: FakeHost) -> None:
    host.files["/etc/nginx/nginx.conf"] = "0" * 64


HASURA = "shop-hasura-1"
DONE: dict[str, tuple[Callable[[FakeHost], None], list[str]]] = {
    "nothing": (lambda _: None, []),
    "docker rm": (gone("hasura"), ["hasura: missing: it has no container"]),
    "docker rm of a finished job": (gone("postgres-setup"), []),
    "docker stop": (becomes("hasura", state="exited", exit_code=0), [f"hasura: stopped: {HASURA} is exited"]),
    "docker pause": (becomes("hasura", state="paused"), [f"hasura: stopped: {HASURA} is paused"]),
    "a broken service": (
        becomes("hasura", health="unhealthy", health_output="no answer"),
        [f"hasura: unhealthy: {HASURA} is unhealthy: no answer"],
    ),
    "another image": (
        becomes("hasura", image_id="sha256:aaaabbbbccccdddd"),
        [f"hasura: image: {HASURA} runs aaaabbbbcccc, the release "],
    ),
    "made anew by hand": (
        relabelled,
        [f"hasura: changed: {HASURA} was made anew: its definition is not the release's"],
    ),
    "docker update --memory": (
        becomes("hasura", memory=1 << 20),
        [f"hasura: changed: {HASURA} may use 1,048,576 bytes of memory, the release says "],
    ),
    "docker update --restart": (
        becomes("hasura", restart="no"),
        [f"hasura: changed: {HASURA} restarts no, the release says unless-stopped"],
    ),
    "docker network connect": (
        becomes("hasura", addresses={"shop_default": "10.0.0.3", "evil": "10.9.0.3"}),
        [f"hasura: changed: {HASURA} is in the networks evil, shop_default, the release says shop_default"],
    ),
    "a text edited in place": (edited, ["nginx: changed: /etc/nginx/nginx.conf in shop-nginx-1 is not the release's"]),
    "docker compose scale": (another("hasura"), ["hasura: extra: 2 containers, the release has 1"]),
    "a service that nobody declared": (
        another("miner"),
        ["miner: extra: shop-x-7 is of no service of the release"],
    ),
    "docker compose run": (another("hasura", one_off=True), []),
    "a failed one left to be looked at": (another("hasura", state="exited", exit_code=1), []),
    "docker network create": (
        lambda host: host.answer("networks", (NETWORK, Network(name="shop_back", labels=OURS))),
        ["network shop_back: extra: no service of the release is in it"],
    ),
    "docker network rm": (
        lambda host: host.answer("networks", ()),
        ["network shop_default: missing: it is gone"],
    ),
    "docker volume rm": (
        lambda host: host.answer("volumes", ()),
        ["volume shop_postgres-data: missing: it is gone, with its data"],
    ),
    "docker volume create": (
        lambda host: host.answer("volumes", (VOLUME, replace(VOLUME, name="shop_tmp"))),
        ["volume shop_tmp: extra: no release that is kept has it"],
    ),
}


@pytest.mark.parametrize("what", DONE)
def test_what_somebody_did_is_told(what: str, host: FakeHost, tmp_path: Path) -> None:
    done, expected = DONE[what]
    done(host)
    host.calls = []
    found = deployment(tmp_path, host, "debug").drift()  # the work tree moved on: that is no drift
    told = [str(difference) for difference in found.differences]
    assert len(told) == len(expected)
    assert [text for text, begin in zip(told, expected, strict=True) if not text.startswith(begin)] == []
    assert {call.verb for call in host.calls} <= {"images", "containers", "exec", "networks", "volumes"}
    assert Drift.model_validate(json.loads(found.model_dump_json())) == found


def test_a_rollback_and_a_failed_deploy_leave_no_drift(host: FakeHost, tmp_path: Path) -> None:
    deployment(tmp_path, host, "debug").deploy()
    deployment(tmp_path, host, "debug").rollback()
    assert deployment(tmp_path, host).drift().differences == ()


def test_a_person_reads_how_much_and_what(host: FakeHost, tmp_path: Path) -> None:
    assert str(deployment(tmp_path, host).drift()).endswith(": as release 1 left it")
    gone("hasura")(host)
    assert str(deployment(tmp_path, host).drift()).splitlines()[1:] == ["  hasura: missing: it has no container"]


def test_a_host_without_a_release_and_one_of_another_environment_are_refused(host: FakeHost, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="the host keeps none of shop"):
        deployment(tmp_path, FakeHost()).drift()
    with pytest.raises(DeclarationError, match="runs shop in staging"):
        Deployment(Project("shop").add(Hasura()), "dev", tmp_path, driver=host).drift()
