"""A rollout in a host's memory: which containers the edge is pointed at, and what is cleared away."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakehost import FakeHost

from nself_sdk import ComposeFile, Deployment, Environment, Hasura, Postgres, Project, Redis
from nself_sdk.compose import Deploy
from nself_sdk.deploy import lock, rollout, running
from nself_sdk.docker import ExecResult, Image
from nself_sdk.errors import DeclarationError, DriverError, UnhealthyServiceError

if TYPE_CHECKING:
    from pathlib import Path

    from nself_sdk.deploy import Progress

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (rollout, "_POLL", 0),
        (running, "_POLL_SECONDS", 60),
        (lock, "_BEAT", 60),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost()
    deployment(made, tmp_path).deploy()
    made.calls = []
    return made


def deployment(host: FakeHost, folder: Path, level: str = "info", **given: Any) -> Deployment:
    shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
    return Deployment(shop, STAGING, folder, driver=host, **given)


def pins(host: FakeHost) -> list[list[str]]:
    """The addresses that the edge was given, one list for each time."""
    scripts = [str(call.options.get("stdin", "")) for call in host.calls if call.verb == "exec"]
    texts = [base64.b64decode(line.split()[1]).decode() for script in scripts for line in script.splitlines() if line]
    return [[w.removesuffix(":8080;") for w in t.split() if ":8080" in w] for t in texts if t.startswith("upstream")]


def hasura(host: FakeHost) -> list[str]:
    return [c.addresses["shop_default"] for c in host.made.values() if c.service == "hasura"]


def test_the_edge_serves_from_the_old_until_the_new_is_healthy_and_then_from_the_new_alone(
    host: FakeHost, tmp_path: Path
) -> None:
    old = hasura(host)
    deployment(host, tmp_path, "debug").deploy()
    assert pins(host) == [old, hasura(host)]
    assert old != hasura(host)


def replicated(host: FakeHost, folder: Path, level: str, *, parallelism: int = 2) -> Deployment:
    def four(file: ComposeFile, _: Environment) -> ComposeFile:
        hasura = file.services["hasura"]
        many = (hasura.deploy or Deploy()).replace(replicas=4, update_config={"parallelism": parallelism})
        return file.replace(services={**file.services, "hasura": hasura.replace(deploy=many)})

    shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
    return Deployment(shop, STAGING, folder, passes=(four,), driver=host)


def test_replicas_roll_in_batches_and_the_edge_knows_four_at_every_moment(host: FakeHost, tmp_path: Path) -> None:
    replicated(host, tmp_path, "info").deploy()
    old, host.calls = hasura(host), []
    replicated(host, tmp_path, "debug").deploy()
    new = hasura(host)
    assert not {*old} & {*new}
    assert pins(host) == [old, [*old[2:], *new[:2]], new]
    stops = [call.arguments[0] for call in host.calls if call.verb == "stop"]
    assert len(stops) == 4
    assert [call.arguments[1:] for call in host.calls if "--scale" in call.arguments] == [
        ("up", "--detach", "--no-build", "--no-recreate", "--scale", f"hasura={count}", "hasura") for count in (6, 6)
    ]


def test_a_rollout_that_was_cut_off_goes_on_where_it_was(host: FakeHost, tmp_path: Path) -> None:
    replicated(host, tmp_path, "info").deploy()
    old = set(host.made)
    host.answer("stop", KeyboardInterrupt())  # nobody is left to go back: the process is dead
    with pytest.raises(KeyboardInterrupt):
        replicated(host, tmp_path, "debug").deploy()
    first = set(host.made) - old
    assert len(first) == 2
    host.answer("stop", host._stop)
    replicated(host, tmp_path, "debug").deploy()
    assert first < set(host.made)
    assert len(hasura(host)) == 4


def test_what_does_not_answer_the_edge_is_stopped_after_the_edge_is_back_at_the_old(
    host: FakeHost, tmp_path: Path
) -> None:
    old, exec_ = hasura(host), host._exec
    host.answer("exec", lambda id_, run, **o: ExecResult(exit_code=7) if run[0] == "curl" else exec_(id_, run, **o))
    told: list[str] = []
    failing = deployment(host, tmp_path, "debug", tell=lambda progress: told.append(str(progress.what)))
    with pytest.raises(UnhealthyServiceError, match="does not answer the edge") as failed:
        failing.deploy()
    assert failed.value.hint.startswith("release 1 serves again; see more with: nself-sdk logs hasura --env staging")
    assert "failed: is healthy by its own check, but does not answer the edge" in told
    assert "shop-hasura-2 is kept, stopped, until the next deploy" in told
    assert pins(host) == [old, old]
    verbs = [call.verb for call in host.calls if call.verb == "stop" or "target_hasura" in str(call.arguments)]
    assert verbs == ["exec", "exec", "stop"]


def test_whoever_is_told_cannot_keep_a_deploy_from_going_back(host: FakeHost, tmp_path: Path) -> None:
    def refuse(progress: Progress) -> None:
        if progress.step == "back":
            raise ValueError("I do not want to hear it")

    exec_ = host._exec
    host.answer("exec", lambda id_, run, **o: ExecResult(exit_code=7) if run[0] == "curl" else exec_(id_, run, **o))
    old = [c.id for c in host.made.values() if c.running]
    with pytest.raises(UnhealthyServiceError) as failed, pytest.warns(match="tell raised ValueError: I do not want"):
        deployment(host, tmp_path, "debug", tell=refuse).deploy()
    assert failed.value.hint.startswith("release 1 serves again")
    assert [c.id for c in host.made.values() if c.running] == old


def monitored(host: FakeHost, folder: Path, level: str) -> Deployment:
    def watched(file: ComposeFile, _: Environment) -> ComposeFile:
        hasura = file.services["hasura"]
        update = (hasura.deploy or Deploy()).replace(update_config={"monitor": "300ms"})
        return file.replace(services={**file.services, "hasura": hasura.replace(deploy=update)})

    shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
    return Deployment(shop, STAGING, folder, passes=(watched,), driver=host)


def test_what_does_not_stay_well_under_traffic_gives_way_to_the_old_again(host: FakeHost, tmp_path: Path) -> None:
    old, exec_ = hasura(host), host._exec

    def falls_ill(id_: str, run: tuple[str, ...], **options: Any) -> ExecResult:
        done = exec_(id_, run, **options)
        if len(pins(host)) == 2:  # the edge has just moved to the new one
            new = next(
                c for c in host.made.values() if c.service == "hasura" and c.addresses["shop_default"] not in old
            )
            host.made[new.id] = replace(new, health="unhealthy")
        return done

    host.answer("exec", falls_ill)
    with pytest.raises(UnhealthyServiceError, match="did not stay well: its health check fails"):
        monitored(host, tmp_path, "debug").deploy()
    assert [pinned == old for pinned in pins(host)[:3]] == [True, False, True]
    assert [c.state for c in host.made.values() if c.service == "hasura"] == ["running", "exited"]


def test_what_stays_well_for_as_long_as_the_file_says_takes_over(host: FakeHost, tmp_path: Path) -> None:
    old = hasura(host)
    monitored(host, tmp_path, "debug").deploy()
    assert len(hasura(host)) == 1
    assert hasura(host) != old


def test_several_services_are_held_by_one_reload_and_let_go_by_one(host: FakeHost, tmp_path: Path) -> None:
    def two(level: str) -> Deployment:
        second = Hasura(name="second", route="second", environment={"HASURA_GRAPHQL_LOG_LEVEL": level})
        shop = Project("shop").add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level})).add(second)
        return Deployment(shop, STAGING, tmp_path, driver=host)

    two("info").deploy()
    host.calls = []
    two("debug").deploy()
    scripts = [str(call.arguments[1][-1]) for call in host.calls if call.verb == "exec"]
    assert sum("\nreload\n" in script or "; reload;" in script for script in scripts) == 4, "and one for each service"


def test_what_a_killed_deploy_left_half_started_gets_no_request(host: FakeHost, tmp_path: Path) -> None:
    [old] = [c for c in host.made.values() if c.service == "hasura"]
    half = replace(
        old, id="half", name="shop-hasura-9", number=9, health="unhealthy", addresses={"shop_default": "10.9.9.9"}
    )
    host.made["half"] = half
    deployment(host, tmp_path, "debug").deploy()
    assert pins(host)[0] == [old.addresses["shop_default"]]
    assert "half" not in host.made


def test_a_pin_that_a_killed_deploy_left_is_taken_away_though_nothing_changed(host: FakeHost, tmp_path: Path) -> None:
    report = deployment(host, tmp_path).deploy()
    assert report.plan is not None
    assert report.plan.pending == ()
    scripts = [call.arguments[1][-1] for call in host.calls if call.verb == "exec"]
    assert any("*.map *.conf" in script and "nginx -s reload" in script for script in scripts)


def test_a_deploy_cut_off_before_it_was_kept_becomes_a_release_the_next_time(host: FakeHost, tmp_path: Path) -> None:
    next_one = deployment(host, tmp_path, "debug")
    keeps = host._answers["load"]
    host.answer("load", DriverError("cut"))
    with pytest.raises(DriverError):
        next_one.deploy()
    host._answers["load"] = keeps
    report = next_one.deploy()
    assert report.plan is not None
    assert report.plan.pending == ()
    assert [release.number for release in next_one.releases()] == [2, 1]


def test_an_image_that_a_failed_deploy_built_goes_with_the_next_release_and_no_other_does(
    host: FakeHost, tmp_path: Path
) -> None:
    built = {"com.docker.compose.project": "shop"}
    pushed = "ghcr.io/acme/shop-hello:failed"
    for name, labels in (("shop-hello:failed", built), (pushed, built), ("redis:7", built), ("shop-hello:theirs", {})):
        host.kept[name] = Image(id=name, tags=(name,), os="linux", architecture="amd64", size=1, labels=labels)
    deployment(host, tmp_path, "debug").deploy()
    assert [call.arguments for call in host.calls if call.verb == "remove_image"] == [("shop-hello:failed",), (pushed,)]


def test_a_new_superuser_password_is_told_to_the_running_database_and_to_a_new_container(
    host: FakeHost, tmp_path: Path
) -> None:
    def told() -> list[str]:
        tells = [call for call in host.calls if call.verb == "exec" and "ALTER ROLE postgres" in str(call.arguments)]
        return [call.arguments[0] for call in tells]

    def changed(level: str, memory: str) -> list[tuple[str, str]]:
        shop = Project("shop").add(Postgres(memory=memory)).add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
        report = Deployment(shop, STAGING, tmp_path, driver=host).deploy()
        assert report.plan is not None
        return [(change.service, change.kind) for change in report.plan.pending]

    [database] = [c.id for c in host.made.values() if c.service == "postgres"]
    secrets = tmp_path / ".environments" / "staging" / ".env.secrets"
    secrets.write_text(re.sub("POSTGRES_PASSWORD='.*'", f"POSTGRES_PASSWORD='{'Ab3' * 16}'", secrets.read_text()))
    assert ("postgres", "reload") in changed("info", "1g")
    assert told() == [database]
    assert ("postgres", "replace") in changed("info", "2g")
    [newer] = [c.id for c in host.made.values() if c.service == "postgres"]
    assert (told(), newer == database) == ([database, newer], False)
    changed("debug", "2g")
    assert told() == [database, newer], "a deploy that leaves it alone tells it nothing"


def test_what_failed_and_had_to_make_room_is_not_said_to_be_kept(
    host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter((1, 0))
    monkeypatch.setattr(host, "_ended", lambda _: ("exited", next(codes)))
    shop = Project("shop").add(Hasura()).add(Hasura(name="second", route="second"))
    with pytest.raises(UnhealthyServiceError, match="postgres-setup: exited with code 1") as failed:
        Deployment(shop, STAGING, tmp_path, driver=host).deploy()
    said = "release 1 serves again; the failed container made room, and these are its last lines; correct it and deploy"
    assert failed.value.hint.startswith(said)


def test_who_waits_for_one_service_is_told_at_once_of_another_that_ended(tmp_path: Path) -> None:
    host = FakeHost()
    odd = {"hasura": {"health": "starting"}, "nginx": {"state": "exited", "health": "none", "exit_code": 3}}
    host.answer("containers", lambda _: tuple(replace(c, **odd.get(c.service, {})) for c in host.made.values()))
    with pytest.raises(UnhealthyServiceError, match="nginx: exited with code 3"):
        deployment(host, tmp_path).deploy(timeout=2)


def test_what_is_declared_wrong_keeps_nobody_from_looking_or_going_back(tmp_path: Path) -> None:
    host = FakeHost()

    def declared(version: str) -> Deployment:
        return Deployment(Project("shop").add(Redis(image=f"redis:{version}")), STAGING, tmp_path, driver=host)

    for version in ("18", "19"):
        declared(version).deploy()
    wrong = declared("latest")
    assert [state.verdict for state in wrong.status()] == ["healthy"]
    calls = len(host.calls)
    for change in (wrong.plan, wrong.preflight, wrong.deploy):
        with pytest.raises(DeclarationError, match="not pinned"):
            change()
    assert len(host.calls) == calls
    report = wrong.rollback()
    assert report.release
    assert "image: redis:18" in report.release.file
