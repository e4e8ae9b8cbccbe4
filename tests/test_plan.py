"""The plan: a table of what is wanted, what runs, and what a deploy would do about it. Nothing is run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from nself_sdk import ComposeFile
from nself_sdk.docker import Container
from nself_sdk.docker.values import Mount
from nself_sdk.errors import Problem
from nself_sdk.jobs import ordered
from nself_sdk.passes import FINGERPRINT_LABEL
from nself_sdk.plan import CONFIG_HASH, Change, Observed, Plan, Wanted, plan, sha

BASE = """
name: shop
services:
  db: {image: "postgres:16", volumes: ["data:/var/lib/postgresql/data"]}
  setup: {image: "postgres:16", depends_on: {db: {condition: service_healthy}}}
  api: {image: "api:1", environment: {LEVEL: info}, depends_on: {setup: {condition: service_completed_successfully}}}
  edge:
    image: "nginx:1"
    configs: [{source: edge.conf-0123456789, target: /etc/nginx/nginx.conf}]
    ports: ["443:443"]
    x-nself-edge: {folder: /etc/nginx/targets, targets: {api: [8080]}}
    x-nself-reload: {test: nginx -t, command: nginx -s reload}
volumes: {data: {}}
configs: {edge.conf-0123456789: {content: "one\\ntwo\\n"}}
"""
ORDER = ["db", "setup", "api", "edge"]
TEXT = {"/etc/nginx/nginx.conf": "one\ntwo\n"}


def container(service: str, **said: Any) -> Container:
    """How Docker describes the service's container when all is as BASE says."""
    state = {"state": "exited", "exit_code": 0} if service == "setup" else {"state": "running", "health": "healthy"}
    mounts = (Mount("volume", "shop_data", "/var/lib/postgresql/data", read_only=False),) if service == "db" else ()
    usual: dict[str, Any] = {
        "id": f"{service}-id",
        "name": f"shop-{service}-1",
        "project": "shop",
        "service": service,
        "number": 1,
        "image": "x",
        "image_id": f"sha256:{service}",
        "labels": {CONFIG_HASH: f"{service}-hash"},
        "mounts": mounts,
    }
    return Container(**{**usual, **state, **said})


@dataclass(frozen=True)
class Case:
    """What differs from a host on which BASE runs, and what the plan says of the one service it is about."""

    says: str
    service: str
    expected: dict[str, Any]
    #: Texts of BASE and what they are replaced by.
    edits: dict[str, str] = field(default_factory=dict[str, str])
    #: Of the service's container; None where it has none.
    runs: dict[str, Any] | None = field(default_factory=dict[str, Any])
    wanted: dict[str, Any] = field(default_factory=dict[str, Any])
    observed: dict[str, Any] = field(default_factory=dict[str, Any])


def planned(case: Case) -> Plan:
    text = BASE
    for old, new in case.edits.items():
        assert old in text
        text = text.replace(old, new)
    file = ComposeFile.loads(text)
    hashes = {name: f"{name}-hash" + ("-new" if case.edits and name == case.service else "") for name in file.services}
    now = {name: container(name) for name in ORDER}
    if case.runs is None:
        del now[case.service]
    else:
        now[case.service] = container(case.service, **case.runs)
    wanted = Wanted(
        **{"file": file, "environment": "staging", "hashes": hashes, "texts": {"edge": TEXT}, **case.wanted}
    )
    observed: dict[str, Any] = {
        "host": "ssh://deploy@shop.example.com",
        "containers": tuple(now.values()),
        "release": ComposeFile.loads(BASE),
        "texts": {"edge": {path: sha(text) for path, text in TEXT.items()}},
    }
    return plan(wanted, Observed(**{**observed, **case.observed}))


KEEP = {"kind": "keep", "order": "", "gap": 0, "reasons": (), "risks": ()}
DATA = "holds data: shop_data (kept)"
CASES = [
    Case("as declared", "api", KEEP),
    Case("not there", "api", {"kind": "create", "reasons": ("it does not run yet",)}, runs=None),
    Case("a job that never ran", "setup", {"kind": "create", "reasons": ("it never ran",)}, runs=None),
    Case("a job that is done", "setup", KEEP),
    Case("a job that failed", "setup", {"kind": "run"}, runs={"exit_code": 1}),
    Case("a job that still runs", "setup", {"kind": "run"}, runs={"state": "running", "exit_code": None}),
    Case(
        "a job that changed",
        "setup",
        {"kind": "run", "reasons": ("command added",)},
        edits={'setup: {image: "postgres:16",': 'setup: {image: "postgres:16", command: [migrate],'},
    ),
    Case(
        "another image",
        "api",
        {"kind": "replace", "order": "start-first", "gap": 0, "reasons": ("image api:1 -> api:2",), "risks": ()},
        edits={"api:1": "api:2"},
    ),
    Case(
        "a changed, an added and a removed variable",
        "api",
        {"reasons": ("environment.LEVEL removed", "environment.MODE added")},
        edits={"LEVEL: info": "MODE: fast"},
    ),
    Case("a changed variable", "api", {"reasons": ("environment.LEVEL changed",)}, edits={"info": "debug"}),
    Case("several at once", "api", {"reasons": ("environment.LEVEL changed", "image api:1 -> api:2")},
         edits={"api:1": "api:2", "info": "debug"}),
    Case("an image that moved", "api", {"order": "start-first", "reasons": ("image api:1 moved: api -> other",)},
         wanted={"images": {"api": "sha256:other"}}),
    Case("an image that the host has not", "api", KEEP, wanted={"images": {"api": None}}),
    Case(
        "a volume: stop-first, with the seconds that it took last time",
        "db",
        {"kind": "replace", "order": "stop-first", "gap": 7.5, "risks": (DATA,)},
        edits={'db: {image: "postgres:16"': 'db: {image: "postgres:16.1"'},
        observed={"seconds": {"db": 7.5}},
    ),
    Case(
        "a volume, never timed",
        "db",
        {"order": "stop-first", "gap": 5},
        edits={'db: {image: "postgres:16"': 'db: {image: "postgres:16.1"'},
    ),
    Case(
        "a volume that is left",
        "db",
        {"risks": (DATA, "the volume shop_data is no longer used at /var/lib/postgresql/data; it stays")},
        edits={"data:/var/lib/postgresql/data": "data:/data"},
    ),
    Case("a published port", "edge",
         {"kind": "replace", "order": "stop-first", "reasons": ("image nginx:1 -> nginx:2",)},
         edits={"nginx:1": "nginx:2"}),
    Case("a name of its own", "api", {"order": "stop-first"}, edits={'"api:1",': '"api:1", container_name: api,'}),
    Case("the host's network", "api", {"order": "stop-first"}, edits={'"api:1",': '"api:1", network_mode: host,'}),
    Case("stop-first, as the file asks", "api", {"order": "stop-first", "gap": 5, "risks": ()},
         edits={'"api:1",': '"api:1", deploy: {update_config: {order: stop-first}},'}),
    Case("start-first, which the file asks for and a name of its own forbids", "api",
         {"order": "stop-first", "risks": ("start-first cannot be: old and new would share data, a port or a name",)},
         edits={'"api:1",': '"api:1", container_name: api, deploy: {update_config: {order: start-first}},'}),
    Case("a folder of the host", "api", {"order": "stop-first"}, edits={'"api:1",': '"api:1", volumes: ["./a:/a"],'}),
    Case("a text that is reloaded", "edge",
         {"kind": "reload", "order": "", "reasons": ("/etc/nginx/nginx.conf changed",)},
         wanted={"texts": {"edge": {"/etc/nginx/nginx.conf": "one\nthree\n"}}}),
    Case("a text that is missing", "edge", {"kind": "reload"}, observed={"texts": {"edge": {}}}),
    Case("a replaced service needs no reload", "edge", {"kind": "replace"}, edits={"nginx:1": "nginx:2"},
         wanted={"texts": {"edge": {"/etc/nginx/nginx.conf": "new"}}}),
    Case("a config of its definition", "edge", {"reasons": ("config edge.conf: 2 lines differ",)},
         edits={"0123456789": "abcdef0123", "two": "three"}),
    Case("a stopped container", "api", {"order": "stop-first", "reasons": ("shop-api-1 is exited",)},
         runs={"state": "exited", "health": "none", "exit_code": 1}),
    Case("an unhealthy container", "api", {"order": "stop-first", "reasons": ("shop-api-1 is unhealthy",)},
         runs={"health": "unhealthy"}),
    Case("one that starts is left alone", "api", KEEP, runs={"health": "starting"}),
    Case("too few replicas", "api", {"order": "start-first", "reasons": ("scale added", "1 running, 3 declared")},
         edits={'"api:1",': '"api:1", scale: 3,'}),
    Case(
        "a secret",
        "api",
        {"order": "start-first", "reasons": ("secret API_KEY: fingerprint a1b2 -> c3d4",)},
        runs={"labels": {CONFIG_HASH: "older", f"{FINGERPRINT_LABEL}api_key": "a1b2c3d4"}},
        wanted={"fingerprints": {"API_KEY": "c3d4e5f6", "OTHER": "00000000"}},
    ),
    Case("what lies deeper, to the innermost key", "db",
         {"reasons": ("deploy.resources.limits.memory changed", "deploy.update_config added")},
         edits={'db: {image: "postgres:16",': 'db: {image: "postgres:16", '
                'deploy: {resources: {limits: {memory: 2g}}, update_config: {order: stop-first}},'},
         observed={"release": ComposeFile.loads(BASE.replace(
             'db: {image: "postgres:16",',
             'db: {image: "postgres:16", deploy: {resources: {limits: {memory: 1g}}},'))}),
    Case("a label", "api", {"reasons": ("labels.team added",)}, edits={'"api:1",': '"api:1", labels: {team: web},'}),
    Case("a secret and a config that are new", "api", {"reasons": ("config /etc/api added", "secret KEY added")},
         edits={'"api:1",': '"api:1", secrets: [KEY], configs: [{source: text, target: /etc/api}],'}),
    Case("what nobody can name", "api", {"reasons": ("its definition changed",)},
         runs={"labels": {CONFIG_HASH: "older"}}),
    Case("no release to compare with", "api", {"reasons": ("its definition changed",)}, edits={"info": "debug"},
         observed={"release": None}),
    Case("a one-off run is not the service", "api", {"kind": "create"}, runs={"one_off": True}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_the_plan_says(case: Case) -> None:
    [change] = [change for change in planned(case).changes if change.service == case.service]
    assert {name: getattr(change, name) for name in case.expected} == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_nothing_else_changes(case: Case) -> None:
    assert [change.service for change in planned(case).pending if change.service != case.service] == []


AS_DECLARED = CASES[0]
CHANGED = next(case for case in CASES if case.says == "another image")


def test_a_broken_container_beside_a_healthy_one_costs_no_gap() -> None:
    """What a deploy that was killed leaves behind."""
    both = (container("api"), container("api", id="new", name="shop-api-2", number=2, health="unhealthy"))
    made = planned(Case("", "api", {}, observed={"containers": (*(container(n) for n in ORDER if n != "api"), *both)}))
    assert [(c.service, c.order) for c in made.pending] == [("api", "start-first")]


# --- order ----------------------------------------------------------------------------------------------------------


def test_each_service_comes_after_those_it_depends_on_and_the_edge_last() -> None:
    assert ordered(ComposeFile.loads(BASE)) == ORDER
    assert [change.service for change in planned(AS_DECLARED).changes] == ORDER


def test_the_edge_is_last_also_before_services_that_come_later_by_name() -> None:
    file = ComposeFile.loads(BASE.replace("  api:", "  zebra: {image: 'z:1'}\n  api:"))
    assert ordered(file)[-1] == "edge"


def test_what_is_no_longer_declared_is_removed_at_the_end() -> None:
    found = planned(Case("", "api", {}, observed={"containers": (container("old"), container("older"))}))
    assert [(c.service, c.kind) for c in found.changes[-2:]] == [("old", "remove"), ("older", "remove")]


# --- what it is made from -------------------------------------------------------------------------------------------


def test_the_same_host_and_project_give_the_same_plan() -> None:
    assert planned(CHANGED) == planned(CHANGED)


@pytest.mark.parametrize(
    "seen",
    [{"id": "another"}, {"image_id": "sha256:another"}, {"state": "exited", "exit_code": 1}],
    ids=str,
)
def test_a_host_that_moved_changes_what_the_plan_is_based_on(seen: dict[str, Any]) -> None:
    moved = planned(Case("", "db", {}, runs=seen))
    assert moved.basis != planned(AS_DECLARED).basis
    assert moved.wanted == planned(AS_DECLARED).wanted


def test_a_reloadable_text_changed_by_hand_changes_what_the_plan_is_based_on() -> None:
    edited = planned(Case("", "edge", {}, observed={"texts": {"edge": {"/etc/nginx/nginx.conf": sha("by hand")}}}))
    assert edited.basis != planned(AS_DECLARED).basis


@pytest.mark.parametrize(
    "wanted",
    [{"fingerprints": {"API_KEY": "c3d4"}}, {"hashes": {"api": "x"}}, {"texts": {"edge": {"/a": "b"}}}],
    ids=str,
)
def test_a_project_that_changed_changes_what_is_wanted(wanted: dict[str, Any]) -> None:
    changed = planned(Case("", "api", {}, wanted=wanted))
    assert changed.wanted != planned(AS_DECLARED).wanted
    assert changed.basis == planned(AS_DECLARED).basis


# --- how it is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_plan_survives_json(case: Case) -> None:
    made = planned(case)
    assert Plan.model_validate(json.loads(made.model_dump_json())) == made


def test_nothing_to_do_is_one_line() -> None:
    assert str(planned(AS_DECLARED)) == (
        "shop in staging on ssh://deploy@shop.example.com: nothing to change, 4 services are as declared"
    )


def test_a_person_reads_what_why_and_for_how_long() -> None:
    case = next(case for case in CASES if case.says.startswith("a volume: stop-first"))
    assert str(planned(case)).splitlines() == [
        "shop in staging on ssh://deploy@shop.example.com: 1 to change",
        "  replace  db stop-first, away for about 8 s",
        "             image postgres:16 -> postgres:16.1",
        f"             risk: {DATA}",
        "  keep     setup, api, edge",
    ]
    read = planned(case)._repr_html_()
    for said in ("shop in staging on ssh://deploy@shop.example.com: 1 to change", "about 8 s", f"risk: {DATA}"):
        assert said in read


def test_what_is_refused_is_read_survives_json_and_is_no_change() -> None:
    made = planned(AS_DECLARED).replace(refusals=(Problem("volumes.data", "<gone>", "copy it:\n    cp a b"),))
    assert made.pending == ()
    assert str(made).splitlines()[1:] == ["  refused  volumes.data: <gone>; copy it:", "    cp a b"]
    assert "refused: volumes.data: &lt;gone&gt;" in made._repr_html_()
    assert Plan.model_validate(json.loads(made.model_dump_json())) == made


def test_html_is_escaped() -> None:
    nasty = "<script>alert(1)</script>"
    change = Change(service=nasty, kind="replace", order="start-first", reasons=(nasty,), risks=(nasty,))
    made = planned(AS_DECLARED).replace(changes=(change,))
    assert nasty not in made._repr_html_()
    assert made._repr_html_().count("&lt;script&gt;") == 3


def test_no_secret_is_in_a_plan() -> None:
    value = "-----BEGIN PRIVATE KEY----- MIGHAgEAMBMG"
    case = Case(
        "",
        "edge",
        {},
        wanted={"texts": {"edge": {"/run/secrets/TLS_PRIVATE_KEY": value}}, "fingerprints": {"API_KEY": "c3d4e5f6"}},
        observed={"texts": {"edge": {"/run/secrets/TLS_PRIVATE_KEY": sha("before")}}},
    )
    made = planned(case)
    assert made.pending
    for text in (str(made), made.model_dump_json(), made._repr_html_(), repr(made)):
        assert value not in text
        assert sha(value) not in text
