"""Preflight decided: facts in, findings out. Each case is one line of what a host can be like."""
# ruff: noqa: S104 - addresses are compared here, nothing is bound

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakehost import FakeHost

from nself_sdk import Deployment, Environment, Hasura, Project
from nself_sdk.compose import ComposeFile
from nself_sdk.deploy import capacity, preflight
from nself_sdk.deploy.facts import Facts, Finding
from nself_sdk.deploy.findings import findings
from nself_sdk.docker import Container, Engine, Host, Image, Network, PublishedPort
from nself_sdk.errors import DriverError, HostUnreachableError
from nself_sdk.testing import RecordingDriver

if TYPE_CHECKING:
    from pathlib import Path

    from nself_sdk.testing.recording import Verb

GB = 2**30
PROD = Environment.named("prod", domain="shop.example.org", remote=True)
FILE = ComposeFile.model_validate({
    "name": "shop",
    "services": {
        "nginx": {"image": "nginx:1.31.3", "ports": ["80:80", "443:443", "8443:8443/udp"], "mem_limit": "128m"},
        "hello": {"build": "services/hello", "image": "shop-hello:1f2e3d4c5b6a", "mem_limit": "1g", "scale": 2},
    },
})  # fmt: skip
IMAGE = Image(id="sha256:a", os="linux", architecture="amd64", size=GB)
HELD = {"nginx:1.31.3": IMAGE, "shop-hello:1f2e3d4c5b6a": IMAGE}
ENGINE: Engine = replace(RecordingDriver().info(), memory=4 * GB)
HOST = Host(
    disk_free=20 * GB,
    inodes_free=10**6,
    listening=(("0.0.0.0", 22),),
    addresses=("203.0.113.7",),
    sshd={"maxsessions": "1"},
)
NAMES = {"api.shop.example.org": ("203.0.113.7",)}
GOOD = Facts(target="ssh://deploy@vps", engine=ENGINE, host=HOST, held=HELD, names=NAMES, commit="0123456789abcdef")


def container(project: str, address: str, port: int) -> Container:
    return Container(
        id="c", name="other-web-1", project=project, service="web", number=1, image="x", image_id="i", state="running",
        ports=(PublishedPort(address, port, 80, "tcp"),),
    )  # fmt: skip


def host(**changes: Any) -> Facts:
    return replace(GOOD, host=replace(HOST, **changes))


def engine(**changes: Any) -> Facts:
    return replace(GOOD, engine=replace(ENGINE, **changes))


def networks(count: int) -> tuple[Network, ...]:
    blocks = [f"172.{second}.0.0/16" for second in range(17, 32)] + [f"192.168.{16 * n}.0/20" for n in range(16)]
    return tuple(Network(name=f"n{n}", subnets=(block,)) for n, block in enumerate(blocks[:count]))


def found(facts: Facts, file: ComposeFile = FILE, environment: Environment = PROD) -> list[str]:
    return [f"{f.verdict} {f}" for f in findings(facts, file, environment) if f.verdict != "ok"]


def test_a_good_host_is_all_ok():
    checks = ["host", "engine", "compose", "clock", "sshd", "images", "disk", "memory", "networks", "ports", "dns"]
    assert [(f.check, f.verdict) for f in findings(GOOD, FILE, PROD)] == [
        (check, "ok") for check in [*checks, "pins", "git"]
    ]


CASES: dict[str, tuple[Facts, str]] = {
    "old engine": (engine(version="20.10.24+dfsg1"), "refusal engine: 20.10.24+dfsg1 is too old"),
    "old compose": (engine(compose_version="2.20.3"), "refusal compose: 2.20.3 is too old"),
    "no compose": (engine(compose_version=""), "refusal compose: is not installed on this machine"),
    "a clock 8 s ahead": (engine(skew=8.2), "warning clock: is 8 seconds ahead of this machine's"),
    "a clock an hour behind": (engine(skew=-3600.0), "refusal clock: is 60 minutes behind this machine's"),
    "a clock a day ahead": (engine(skew=86400.0), "refusal clock: is 24 hours ahead of this machine's"),
    "another processor": (engine(architecture="arm64"), "refusal images: the host is linux/arm64, and not so: nginx"),
    "images for another processor would be sent": (
        replace(GOOD, held={}, here={"nginx:1.31.3": replace(IMAGE, architecture="arm64")}),
        "refusal images: the host is linux/amd64, and not so: nginx:1.31.3 (linux/arm64)",
    ),
    "this machine would build for another processor": (
        replace(GOOD, held={}, builder="linux/arm64"),
        "refusal images: the host is linux/amd64, and not so: shop-hello:1f2e3d4c5b6a (linux/arm64)",
    ),
    "a full disk": (host(disk_free=50 * 2**20), "refusal disk: 50 MB free at /var/lib/docker, 512 MB needed"),
    "a disk too small for what is sent": (
        replace(host(disk_free=2 * GB), held={}, here={"nginx:1.31.3": IMAGE}),
        "refusal disk: 2.0 GB free at /var/lib/docker, 2.5 GB needed",
    ),
    "a disk that may be too small for what is pulled": (
        replace(host(disk_free=2 * GB), held={}),
        "warning disk: 2.0 GB free at /var/lib/docker, 2.8 GB wanted",
    ),
    "a disk that may be too small for what is sent, but of which layers are there": (
        replace(host(disk_free=2 * GB), held={"nginx:1.31.3": IMAGE}, here={"shop-hello:1f2e3d4c5b6a": IMAGE}),
        "warning disk: 2.0 GB free at /var/lib/docker, 4.0 GB wanted",
    ),
    "a disk that is nearly full": (host(disk_free=GB), "warning disk: 1.0 GB free at /var/lib/docker, 2.0 GB wanted"),
    "no inodes": (host(inodes_free=12), "refusal inodes: 12 files can still be made at /var/lib/docker"),
    "a disk that cannot be seen": (host(disk_free=None), "unseen disk: how much is free"),
    "little memory": (engine(memory=GB), "warning memory: the services may use 2.1 GB together, the host has 1.0 GB"),
    "no addresses": (replace(GOOD, networks=networks(31)), "refusal networks: addresses for 0 more networks, 1 needed"),
    "a port of another project": (
        replace(GOOD, holders=(container("blog", "0.0.0.0", 443),)),
        "refusal ports: 443 is used by the container other-web-1 of the project blog",
    ),
    "a port of a container of no project": (
        replace(GOOD, holders=(container("", "10.0.0.1", 80),)),
        "refusal ports: 80 is used by the container other-web-1;",
    ),
    "a port of a program": (
        host(listening=(("::", 80),)),
        "refusal ports: 80 is used by a program of the host",
    ),
    "ports that cannot be seen": (host(listening=None), "unseen ports: 80, 443 free or ours by containers"),
    "a name that is none": (replace(GOOD, names={"a.example.org": ()}), "warning dns: no such name: a.example.org"),
    "a resolver that does not answer": (
        replace(GOOD, names={"a.example.org": None}),
        "unseen dns: DNS did not tell in time of a.example.org",
    ),
    "a name that leads elsewhere": (
        replace(GOOD, names={"a.example.org": ("198.51.100.1",)}),
        "warning dns: a.example.org leads to 198.51.100.1, the host is 203.0.113.7",
    ),
    "another folder's project of this name": (
        replace(GOOD, elsewhere="/home/me/old shop"),
        (
            "refusal name: a project shop runs here from /home/me/old shop; give one of them another name, or end it "
            "there: nself-sdk -C '/home/me/old shop' down"
        ),
    ),
    "uncommitted changes": (replace(GOOD, dirty=True), "warning git: uncommitted changes"),
}


@pytest.mark.parametrize(("facts", "told"), CASES.values(), ids=CASES)
def test_each_thing_that_is_wrong_is_one_finding(facts: Facts, told: str) -> None:
    assert [line[: len(told)] for line in found(facts)] == [told]


@pytest.mark.parametrize(
    "facts",
    [
        replace(GOOD, holders=(container("shop", "0.0.0.0", 443),), host=replace(HOST, listening=(("0.0.0.0", 443),))),
        replace(GOOD, networks=networks(30)),
        replace(GOOD, networks=(*networks(31), Network(name="shop_default"))),
        host(listening=(("0.0.0.0", 8443),)),
        host(addresses=()),
        replace(GOOD, names={}),
        engine(skew=-4.9),
        engine(memory=0x88000000),
    ],
    ids=["our own port", "one network left", "our network is there", "udp", "no address known", "no names asked",
         "seconds apart", "just enough memory"],
)  # fmt: skip
def test_what_is_right_is_not_told(facts: Facts) -> None:
    assert found(facts) == []


def test_ports_at_other_addresses_do_not_meet() -> None:
    local = FILE.map_services(lambda _, service: service.replace(ports=["127.0.0.1:80:80"]))
    assert found(host(listening=(("127.0.0.53", 80), ("10.0.0.1", 80))), local) == []
    assert found(host(listening=(("0.0.0.0", 80),)), local) != []


@pytest.mark.parametrize(
    ("image", "is_pinned"),
    [
        ("postgres:16.15-alpine3.24", True),
        ("nginx:1.31.3", True),
        ("registry:5000/a@sha256:" + "0" * 64, True),
        ("minio:RELEASE.2026-08-04T00-00-00Z", True),
        ("app:${TAG}", True),
        ("app:3f2c1ab", True),
        ("postgres:16", False),
        ("postgres:16-alpine", False),
        ("redis:7-alpine3.24", False),
        ("registry:5000/app", False),
        ("app:latest", False),
    ],
)
def test_a_tag_that_its_publisher_moves_is_not_pinned(image: str, is_pinned: bool) -> None:
    file = ComposeFile.model_validate({"name": "a", "services": {"one": {"image": image}}})
    held = replace(GOOD, held={image: IMAGE})
    assert (found(held, file) == []) is is_pinned


def test_in_dev_nothing_need_be_pinned_or_committed() -> None:
    file = ComposeFile.model_validate({"name": "a", "services": {"one": {"image": "postgres:16"}}})
    facts = replace(GOOD, held={"postgres:16": IMAGE}, dirty=True)
    assert found(facts, file, Environment.named("dev")) == []
    assert [line.split(":")[0] for line in found(facts, file)] == ["warning pins", "warning git"]


def test_a_platform_that_the_file_names_is_the_users_will() -> None:
    emulated = FILE.map_services(lambda _, service: service.replace(platform="linux/amd64"))
    assert found(engine(architecture="arm64"), emulated) == []


@pytest.mark.parametrize(
    ("deploy", "named"),
    [
        ({"update_config": {"failure_action": "continue"}}, "update_config.failure_action"),
        ({"update_config": {"max_failure_ratio": 0.5}}, "update_config.max_failure_ratio"),
        ({"rollback_config": {"parallelism": 2}}, "rollback_config"),
        ({"update_config": {"failure_action": "rollback", "max_failure_ratio": 0, "monitor": "5s", "delay": "1s"}}, ""),
        ({"replicas": 2}, ""),
    ],
)
def test_what_a_file_asks_of_a_rollout_and_is_done_otherwise_is_told(deploy: dict[str, Any], named: str) -> None:
    file = FILE.map_services(lambda name, service: service.replace(deploy=deploy) if name == "nginx" else service)
    fix = "leave them out: whatever fails, the release before is restored, as it was rolled out"
    told = f"warning rollout: without effect: services.nginx.deploy.{named}; {fix}"
    assert found(GOOD, file) == ([told] if named else [])


def test_everything_that_is_wrong_comes_at_once() -> None:
    bad = replace(engine(version="20.10", skew=999.0), host=replace(HOST, disk_free=0), dirty=True)
    assert [line.split(":")[0] for line in found(bad)] == [
        "refusal engine", "refusal clock", "refusal disk", "warning git",
    ]  # fmt: skip


def test_an_unreachable_host_is_a_finding_beside_those_that_need_none() -> None:
    error = HostUnreachableError("ssh://deploy@vps: its host key has changed", "look first")
    facts = Facts(
        target="ssh://deploy@vps", unreachable=error, names={"a.example.org": ()}, dirty=True, commit="0" * 40
    )
    assert [(f.check, f.verdict) for f in findings(facts, FILE, PROD)] == [
        ("host", "refusal"), ("dns", "warning"), ("pins", "ok"), ("git", "warning"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pools", "used", "free"),
    [
        ((), (), 31),
        ((), ("172.17.0.0/16", "172.20.0.0/14", "192.168.1.0/24", "fd00::/8"), 25),
        ((), ("0.0.0.0/1", "128.0.0.0/1"), 0),
        ((("10.0.0.0/8", 24),), ("10.0.0.0/24", "10.1.0.0/16", "10.0.0.64/26"), 65536 - 257),
        ((("10.0.0.0/8", 24), ("fd00::/8", 64)), (), 65536),
    ],
)
def test_networks_that_are_left_are_counted(pools: Any, used: Any, free: int) -> None:
    assert capacity.free_networks(pools, used) == free


def test_only_networks_that_take_addresses_count() -> None:
    file = ComposeFile.model_validate({
        "name": "a",
        "services": {
            "one": {"image": "x", "networks": ["data", "shared", "fixed", "named"]},
            "two": {"image": "x"},
            "three": {"image": "x", "network_mode": "host"},
        },
        "networks": {
            "shared": {"external": True},
            "fixed": {"ipam": {"config": [{"subnet": "10.9.0.0/24"}]}},
            "named": {"name": "mine"},
            "unused": {},
        },
    })  # fmt: skip
    assert capacity.networks(file) == {"a_data", "a_default", "mine"}


STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
TOUCHING: set[Verb] = {"compose", "create", "load", "remove", "stop", "tag"}


def deployment(folder: Path, driver: RecordingDriver, told: list[str]) -> Deployment:
    return Deployment(
        Project("shop").add(Hasura()), STAGING, folder, driver=driver, tell=lambda progress: told.append(progress.what)
    )


def test_a_deploy_that_is_refused_says_everything_and_touches_nothing(tmp_path: Path) -> None:
    driver, told = FakeHost(), list[str]()
    driver.answer("info", replace(ENGINE, version="20.10", skew=9.0))
    driver.answer("host", Host(disk_free=2**20))
    with pytest.raises(DriverError) as caught:
        deployment(tmp_path, driver, told).deploy()
    lines = caught.value.message.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "the deploy cannot begin, and nothing was touched",
        "engine",
        "disk",
    ]
    assert caught.value.exit_code == 4
    assert any(line.startswith("warning: clock: is 9 seconds ahead") for line in told)
    assert {call.verb for call in driver.calls} & TOUCHING == set()


@pytest.mark.parametrize(("home", "refused"), [("other", True), ("mine", False), ("moved", False)])
def test_a_project_that_runs_from_another_folder_is_left_alone(tmp_path: Path, home: str, refused: bool) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    driver = FakeHost()
    label = {"com.docker.compose.project.working_dir": str(tmp_path / home)}
    driver.answer("publishing", (replace(container("shop", "0.0.0.0", 443), labels=label),))
    here = deployment(tmp_path / "mine", driver, [])
    assert ("name" in {f.check for f in here.preflight()}) == refused


@pytest.mark.parametrize("verb", ["info", "held", "networks", "publishing"])
def test_a_preflight_that_cannot_look_stops_the_deploy_before_anything_is_touched(tmp_path: Path, verb: Verb) -> None:
    driver = FakeHost()
    driver.answer(verb, DriverError("cut"))
    with pytest.raises(DriverError, match="cut"):
        deployment(tmp_path, driver, []).deploy()
    assert {call.verb for call in driver.calls} & TOUCHING == set()


def test_warnings_stop_nothing(tmp_path: Path) -> None:
    told = list[str]()
    preflight.refuse(
        [Finding("dns", "warning", "no such name"), Finding("ports", "ok", "")], lambda p: told.append(p.what)
    )
    assert told == ["warning: dns: no such name"]


def test_a_port_that_is_taken_is_told_with_the_service_that_wants_it() -> None:
    file = ComposeFile.loads("services: {redis: {image: r, ports: ['6379:6379']}, nginx: {image: n, ports: ['80:80']}}")
    facts = host(listening=(("0.0.0.0", 6379), ("0.0.0.0", 80)))
    found = {
        finding.what.split()[0]: finding.fix for finding in findings(facts, file, PROD) if finding.check == "ports"
    }
    assert found == {
        "80": "stop it, or set NGINX_HTTP_PORT or NGINX_HTTPS_PORT",
        "6379": "stop it, or give redis another port",
    }
