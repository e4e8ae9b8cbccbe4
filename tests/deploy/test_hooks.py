"""Hooks: a project's own code around a deploy, as functions and as executables; what each is told, and what it may."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakehost import FakeHost, hurry

from nself_sdk import DeclarationError, Deployment, DriverError, Environment, Hasura, Project
from nself_sdk.store import ProjectFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nself_sdk.deploy import Progress

pytestmark = pytest.mark.slow

STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
WRITES = '#!/bin/sh\nenv | grep ^NSELF_ | sort > "facts.$NSELF_HOOK"\necho "told of $NSELF_HOOK"\n'


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def hook(folder: Path, moment: str, text: str) -> None:
    path = folder / "hooks" / moment
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def deployment(folder: Path, host: FakeHost, level: str = "info", **given: object) -> Deployment:
    tell: Callable[[Progress], None] = given.pop("tell", lambda _: None)  # type: ignore[assignment]
    shop = Project("shop", **given).add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))  # type: ignore[arg-type]
    return Deployment(shop, STAGING, folder, driver=host, tell=tell)


def told(folder: Path, moment: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / f"facts.{moment}").read_text().splitlines())


def test_executables_run_before_and_after_and_are_told_what_happens(tmp_path: Path) -> None:
    for moment in ("pre-deploy", "post-deploy", "on-failure"):
        hook(tmp_path, moment, WRITES)
    lines: list[str] = []
    deployment(tmp_path, FakeHost(), tell=lambda p: lines.append(f"{p.step}: {p.what}")).deploy(message="spring")
    before, after = told(tmp_path, "pre-deploy"), told(tmp_path, "post-deploy")
    assert (before["NSELF_PROJECT"], before["NSELF_ENVIRONMENT"], before["NSELF_MESSAGE"]) == (
        "shop",
        "staging",
        "spring",
    )
    assert "NSELF_RELEASE" not in before
    assert (after["NSELF_RELEASE"], after["NSELF_CHANGED"]) == ("1", "postgres postgres-setup hasura nginx")
    assert "pre-deploy: told of pre-deploy" in lines
    assert lines.index("pre-deploy: told of pre-deploy") < lines.index("images: ...")
    assert not (tmp_path / "facts.on-failure").exists()


def test_functions_get_the_same_facts_and_run_before_the_executable(tmp_path: Path) -> None:
    hook(tmp_path, "pre-deploy", "#!/bin/sh\necho executable >> order\n")
    seen: list[Mapping[str, str]] = []

    def check(facts: Mapping[str, str]) -> None:
        seen.append(facts)
        (tmp_path / "order").write_text("function\n")

    deployment(tmp_path, FakeHost(), hooks={"pre-deploy": check}).deploy()
    assert seen[0]["NSELF_HOOK"] == "pre-deploy"
    assert (tmp_path / "order").read_text() == "function\nexecutable\n"


def test_they_run_from_a_folder_without_a_stack_py(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=shop\n")
    hook(tmp_path, "post-deploy", WRITES)
    folder = ProjectFolder(tmp_path)
    Deployment(folder.project(STAGING), STAGING, folder, driver=FakeHost()).deploy()
    assert told(tmp_path, "post-deploy")["NSELF_PROJECT"] == "shop"


def test_the_documentation_names_every_fact_and_no_other(tmp_path: Path) -> None:
    told: set[str] = set()
    hooks = dict.fromkeys(("pre-deploy", "post-deploy", "on-failure"), told.update)
    deployment(tmp_path, host := FakeHost(), hooks=hooks).deploy()
    host.answer("compose", DriverError("no"))
    with pytest.raises(DriverError):
        deployment(tmp_path, host, "debug", hooks=hooks).deploy()
    text = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text(encoding="utf-8")
    assert set(re.findall(r"NSELF_[A-Z]+", text)) == told


def refuses(_: Mapping[str, str]) -> None:
    raise ValueError("the shop is full of people")


@pytest.mark.parametrize("kind", ["function", "executable", "no time"])
def test_what_pre_deploy_refuses_is_not_begun(tmp_path: Path, kind: str) -> None:
    hook(tmp_path, "on-failure", WRITES)
    said = {
        "function": "refuses raised ValueError: the shop is full",
        "executable": "exit code 3\n  | the shop is full",
    }
    if kind != "function":
        hook(tmp_path, "pre-deploy", "echo the shop is full\n" + ("exec sleep 60" if kind == "no time" else "exit 3\n"))
    host = FakeHost()
    begin = time.monotonic()
    with pytest.raises(DeclarationError, match="refused, and nothing was touched") as failure:
        deployment(tmp_path, host, hooks={"pre-deploy": refuses} if kind == "function" else {}).deploy(timeout=1)
    assert said.get(kind, "hooks/pre-deploy: sh took longer than 1 seconds and was stopped") in str(failure.value)
    assert time.monotonic() - begin < 20
    assert (host.made, host.locks, [c.verb for c in host.calls if c.verb == "compose"]) == ({}, {}, [])
    assert "refused" in told(tmp_path, "on-failure")["NSELF_ERROR"]


def test_a_function_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    slow = {"pre-deploy": lambda _: time.sleep(5)}
    with pytest.raises(DeclarationError, match=r"took longer than 0\.2 seconds"):
        deployment(tmp_path, FakeHost(), hooks=slow).deploy(timeout=0.2)


def test_post_deploy_that_goes_wrong_is_a_flaw_of_a_deploy_that_stands(tmp_path: Path) -> None:
    hook(tmp_path, "post-deploy", "#!/bin/sh\necho the cache is closed; exit 1\n")
    report = deployment(tmp_path, host := FakeHost()).deploy()
    assert report.release is not None
    assert "hooks/post-deploy ended with exit code 1\n  | the cache is closed" in report.flaws[0]
    assert json.loads(json.dumps(report.document))["flaws"] == report.flaws
    assert host.locks == {}


def test_on_failure_is_told_why_and_its_own_failure_hides_nothing(tmp_path: Path) -> None:
    hook(tmp_path, "on-failure", WRITES + "exit 9\n")
    host = FakeHost()
    deployment(tmp_path, host).deploy()
    host.answer("compose", DriverError("the disk is full" + "\0" * 9 + "." * 200_000))
    lines: list[str] = []
    with pytest.raises(DriverError, match="the disk is full"):
        deployment(tmp_path, host, "debug", tell=lambda p: lines.append(p.what)).deploy()
    assert "the disk is full" in told(tmp_path, "on-failure")["NSELF_ERROR"]
    assert any("went wrong itself" in line for line in lines)
    assert host.locks == {}


def test_a_rollback_is_not_held_up_by_pre_deploy_and_tells_that_it_is_one(tmp_path: Path) -> None:
    host = FakeHost()
    deployment(tmp_path, host).deploy()
    deployment(tmp_path, host, "debug").deploy()
    hook(tmp_path, "pre-deploy", "exit 1\n")
    hook(tmp_path, "post-deploy", WRITES)
    deployment(tmp_path, host, "debug").rollback()
    facts = told(tmp_path, "post-deploy")
    assert (facts["NSELF_COMMAND"], facts["NSELF_RELEASE"], facts["NSELF_CHANGED"]) == ("rollback", "3", "hasura")


def test_no_hook_sees_or_shows_a_secret(tmp_path: Path) -> None:
    hook(tmp_path, "pre-deploy", "#!/bin/sh\nenv > seen\ncat .environments/staging/.env.secrets\n")
    lines: list[str] = []
    made = deployment(tmp_path, FakeHost(), tell=lambda p: lines.append(p.what))
    made.deploy()
    secrets = made.stack().secrets.values()
    assert [s for s in secrets if s in (tmp_path / "seen").read_text()] == []
    assert [s for s in secrets if s in "\n".join(lines)] == []
    assert any("POSTGRES_PASSWORD" in line for line in lines)


@pytest.mark.parametrize(("name", "mode", "said"), [
    ("pre_deploy", 0o755, "call it hooks/pre-deploy"),
    ("predeploy.sh", 0o755, "call it hooks/pre-deploy"),
    ("on-failure", 0o644, "chmod +x hooks/on-failure"),
])  # fmt: skip
def test_a_hook_that_would_never_run_is_refused(tmp_path: Path, name: str, mode: int, said: str) -> None:
    hook(tmp_path, name, "exit 0\n")
    (tmp_path / "hooks" / name).chmod(mode)
    hook(tmp_path, "lib.sh", "# anybody's\n")
    host = FakeHost()
    with pytest.raises(DeclarationError, match=said.replace("+", r"\+")):
        deployment(tmp_path, host).deploy()
    assert host.calls == []


def test_an_unknown_moment_is_refused_with_what_was_meant() -> None:
    with pytest.raises(DeclarationError, match=r"hooks\.pre-deply: is no moment; did you mean 'pre-deploy'"):
        Project("shop", hooks={"pre-deply": print})  # type: ignore[dict-item]
