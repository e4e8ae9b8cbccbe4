"""Releases: what is kept of a deploy, which one a rollback takes, what two differ in, and what must still be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakehost import FakeHost, hurry

from nself_sdk import DeclarationError, Deployment, DriverError, Environment, Hasura, Project
from nself_sdk.deploy.comparing import compared
from nself_sdk.deploy.probe import Failure, ProbeReport
from nself_sdk.deploy.releases import LABEL, Release, chosen, keep
from nself_sdk.docker import Image
from nself_sdk.offers import Route

if TYPE_CHECKING:
    from pathlib import Path

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
OLD = """{"number": 1, "project": "shop", "environment": "staging", "who": "me@here", "when": "2026-01-01T00:00:00Z",
"file": "name: shop\\n", "references": {}, "images": {}, "fingerprints": {}, "seconds": {}}"""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def deployment(folder: Path, host: FakeHost, level: str = "info") -> Deployment:
    shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
    return Deployment(shop, STAGING, folder, driver=host)


def release(number: int, restores: int = 0, **facts: object) -> Release:
    given = {"project": "shop", "environment": "staging", "who": "me@here", "file": "name: shop\n", **facts}
    return Release(number=number, restores=restores, **given)  # type: ignore[arg-type]


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_release_keeps_how_its_deploy_went_and_what_runs(tmp_path: Path) -> None:
    host = FakeHost()
    report = deployment(tmp_path, host).deploy(message="first")
    [kept] = deployment(tmp_path, host).releases()
    assert kept.message == "first"
    assert list(kept.steps) == ["secrets", "preflight", "images", "plan", "start"]
    assert kept.steps == report.measured
    assert kept.hashes == {c.service: c.labels["com.docker.compose.config-hash"] for c in host.made.values()}


def test_a_release_with_what_became_of_the_probe_survives_json() -> None:
    probe = ProbeReport(12431, 1, 60.5, 3.5, 41.2, 3, 3, (Failure(1.5, "GET https://a/", "status 502"),))
    kept = release(3, probe=probe, steps={"plan": 1.5})
    assert Release.model_validate_json(kept.model_dump_json()) == kept


def test_a_release_of_an_older_version_still_loads_and_one_of_a_newer_is_told() -> None:
    host = FakeHost()
    labels = {LABEL: "shop", "dev.nself.release.json": OLD}
    host.kept["old"] = Image(id="1", os="linux", architecture="amd64", size=1, labels=labels)
    made = Deployment(Project("shop").add(Hasura()), STAGING, ".", driver=host)
    assert [(r.number, r.origin, r.steps, r.probe) for r in made.releases()] == [(1, 1, {}, None)]
    host.kept["old"] = Image(
        id="1",
        os="linux",
        architecture="amd64",
        size=1,
        labels={**labels, "dev.nself.release.json": OLD[:-1] + ', "x": 1}'},
    )
    with pytest.raises(DriverError, match="upgrade nself-sdk here"):
        made.releases()


# --- which one --------------------------------------------------------------------------------------------------------

HISTORIES = [
    ("deployed three times", [(3, 0), (2, 0), (1, 0)], None, 2),
    ("by number", [(3, 0), (2, 0), (1, 0)], 1, 1),
    ("rolled back once: further back", [(4, 2), (3, 0), (2, 0), (1, 0)], None, 1),
    ("rolled back to the first: nothing is before it", [(3, 1), (2, 0), (1, 0)], None, None),
    ("forward again, by number", [(3, 1), (2, 0), (1, 0)], 2, 2),
    ("deployed after a rollback: what it replaced", [(4, 0), (3, 1), (2, 0), (1, 0)], None, 3),
    ("the only one", [(1, 0)], None, None),
    ("not kept", [(2, 0), (1, 0)], 7, None),
    ("none", [], None, None),
]


@pytest.mark.parametrize(
    ("history", "asked", "expected"), [case[1:] for case in HISTORIES], ids=[c[0] for c in HISTORIES]
)
def test_the_release_that_a_rollback_takes(
    history: list[tuple[int, int]], asked: int | None, expected: int | None
) -> None:
    kept = tuple(release(number, restores) for number, restores in history)
    if expected is None:
        with pytest.raises(DeclarationError, match=r"no release|keeps none"):
            chosen(kept, asked)
    else:
        assert chosen(kept, asked).number == expected


@pytest.mark.slow
def test_a_second_rollback_does_not_bring_back_what_the_first_one_left(tmp_path: Path) -> None:
    host = FakeHost()
    for level in ("info", "debug", "error"):
        deployment(tmp_path, host, level).deploy()
    files = {r.number: r.file for r in deployment(tmp_path, host).releases()}
    for origin in (2, 1):
        kept = deployment(tmp_path, host).rollback().release
        assert kept is not None
        assert (kept.restores, kept.file) == (origin, files[origin])
    with pytest.raises(DeclarationError, match="no release before the present one"):
        deployment(tmp_path, host).rollback()
    assert host.locks == {}


@pytest.mark.slow
def test_a_rollback_to_what_runs_is_no_new_release(tmp_path: Path) -> None:
    host = FakeHost()
    for level in ("info", "debug"):
        deployment(tmp_path, host, level).deploy()
    assert deployment(tmp_path, host).rollback(2).release is None
    assert deployment(tmp_path, host).rollback(1).release is not None
    assert deployment(tmp_path, host).rollback(1).release is None
    assert [r.number for r in deployment(tmp_path, host).releases()] == [3, 2, 1]


@pytest.mark.slow
def test_what_a_deploy_leaves_alone_is_reported_with_no_seconds_and_keeps_those_of_before(tmp_path: Path) -> None:
    host = FakeHost()
    keep(host, release(1, references={"postgres": "postgres:16"}, seconds={"postgres": 7.5, "gone": 1}))
    second = keep(host, release(0, references={"postgres": "postgres:16", "hasura": "h:1"}, seconds={"hasura": 2}))
    assert second.seconds == {"postgres": 7.5, "hasura": 2}
    deployment(tmp_path, host).deploy()
    report = deployment(tmp_path, host, "debug").deploy()
    assert report.services.keys() == {"hasura"}


@pytest.mark.slow
def test_a_rollback_whose_images_are_gone_names_them_and_touches_nothing(tmp_path: Path) -> None:
    host = FakeHost()
    deployment(tmp_path, host).deploy()
    deployment(tmp_path, host, "debug").deploy()
    before, there = dict(host.made), host._answers["image"][0]
    lost = next(c.image_id for c in host.made.values() if c.service == "hasura")
    host.answer("image", lambda name: None if name == lost else there(name))
    host.calls = []
    with pytest.raises(DriverError, match=r"no longer has what release 1 ran: hasura/graphql-engine:\S+ of hasura"):
        deployment(tmp_path, host).rollback()
    assert host.made == before
    assert {call.verb for call in host.calls} & {"compose", "tag", "stop", "exec"} == set()
    assert host.locks == {}


@pytest.mark.slow
def test_a_rollback_reloads_texts_in_place(tmp_path: Path) -> None:
    host = FakeHost()
    deployment(tmp_path, host).deploy()
    before = dict(host.files)
    routed = Project("shop").add(Hasura()).add(Route(name="graph", service="hasura", port=8080))
    Deployment(routed, STAGING, tmp_path, driver=host).deploy()
    assert host.files != before
    ids = set(host.made)
    report = Deployment(routed, STAGING, tmp_path, driver=host).rollback()
    assert [(c.service, c.kind) for c in report.plan.pending] == [("nginx", "reload")]  # type: ignore[union-attr]
    assert host.files["/etc/nginx/nginx.conf"] == before["/etc/nginx/nginx.conf"]
    assert set(host.made) == ids


@pytest.mark.slow
def test_a_rollback_in_another_environment_is_refused(tmp_path: Path) -> None:
    host = FakeHost()
    deployment(tmp_path, host).deploy()
    deployment(tmp_path, host, "debug").deploy()
    dev = Deployment(Project("shop").add(Hasura()), "dev", tmp_path, driver=host)
    with pytest.raises(DeclarationError, match="runs shop in staging, whose data dev would take"):
        dev.rollback()


# --- what differs -----------------------------------------------------------------------------------------------------

SHOP = """
name: shop
services:
  api:
    image: "api:1"
    environment: {LEVEL: info}
    configs: [{source: api.conf-0123456789, target: /api.conf}]
    secrets: [API_KEY]
  web: {image: "web:1"}
configs: {api.conf-0123456789: {content: "one\\ntwo\\n"}}
secrets: {API_KEY: {environment: API_KEY}}
"""


def shop(*edits: tuple[str, str], **facts: object) -> Release:
    text = SHOP
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    images = {"api": "sha256:aa", "web": "sha256:bb"}
    references = {"api": "api:1", "web": "web:1"}
    return release(
        1, **{"file": text, "images": images, "references": references, "fingerprints": {"API_KEY": "a1b2c3"}, **facts}
    )


DIFFERENCES = [
    ("nothing", shop(), {}),
    ("a variable", shop(("info", "debug")), {"api": ("environment.LEVEL changed",)}),
    ("a text", shop(("0123456789", "9876543210"), ("two", "three")), {"api": ("config api.conf: 2 lines differ",)}),
    ("an image", shop(("api:1", "api:2"), images={}), {"api": ("image api:1 -> api:2",)}),
    ("an image under the same name", shop(images={"web": "sha256:cc"}), {"web": ("image web:1 moved: bb -> cc",)}),
    ("a secret", shop(fingerprints={"API_KEY": "d4e5f6"}), {"api": ("secret API_KEY: fingerprint a1b2 -> d4e5",)}),
    ("a service more", shop(("  web:", '  new: {image: "n:1"}\n  web:')), {"new": ("added",)}),
    ("a service less", shop(('  web: {image: "web:1"}\n', "")), {"web": ("removed",)}),
]  # fmt: skip


@pytest.mark.parametrize(("new", "expected"), [case[1:] for case in DIFFERENCES], ids=[case[0] for case in DIFFERENCES])
def test_what_a_release_changed_against_another(new: Release, expected: dict[str, tuple[str, ...]]) -> None:
    assert compared(shop(), new) == expected
