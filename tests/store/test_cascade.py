"""The cascade: which file decides, what stands for what, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from nself_sdk.errors import DeclarationError
from nself_sdk.store import ProjectFolder, envfiles, inspection
from nself_sdk.store.folder import NotHonouredWarning


def written(folder: Path, **files: str) -> ProjectFolder:
    """A folder with those env files: ``env``, ``env_dev``, ``dev`` for .environments/dev/.env, and so on."""
    for name, text in files.items():
        path = folder / name.replace("env_", ".env.") if name.startswith("env_") else folder / ".env"
        if not name.startswith("env"):
            path = folder / ".environments" / name / ".env"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return ProjectFolder(folder)


def problems_of(folder: ProjectFolder, name: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        folder.environment(name)
    return [str(problem).replace(f"{folder.path}/", "") for problem in caught.value.problems]


def test_a_later_file_wins_and_each_value_knows_its_line(tmp_path: Path) -> None:
    folder = written(
        tmp_path, env="A=1\nB=1\nC=1\nD=1\n", env_dev="\nB=2\nC=2\nD=2\n", dev="C=3\nD=3\n", env_local="# mine\nD=4\n"
    )
    rows = [(row.name, row.value, row.place) for row in inspection.shown(folder, "dev")]
    assert rows == [
        ("A", "1", ".env:1"),
        ("B", "2", ".env.dev:2"),
        ("C", "3", ".environments/dev/.env:1"),
        ("D", "4", ".env.local:2"),
    ]


def test_an_environment_whose_files_are_wrong_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = written(tmp_path, staging="BASE_DOMAIN=shop.example.org\n", qa="ENV_BASE=staging\n")
    (tmp_path / ".environments" / "qa" / "server.json").write_text('{"host": ')
    hosts = {row.name: (row.domain, row.host) for row in inspection.environments(folder)}
    assert hosts["staging"] == ("shop.example.org", "this machine")
    assert hosts["qa"] == ("", "its files are wrong: nself-sdk env validate qa")


def test_env_local_counts_only_in_dev_and_what_is_based_on_it(tmp_path: Path) -> None:
    folder = written(tmp_path, env_local="A=1\n", mine="ENV_BASE=dev\n", qa="ENV_BASE=staging\n")
    assert ["A" in folder.variables(name) for name in ("dev", "mine", "staging", "qa", "prod")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_an_environment_of_ones_own_has_the_facts_of_its_base_and_its_own_domain(tmp_path: Path) -> None:
    folder = written(tmp_path, qa="ENV_BASE=staging\nBASE_DOMAIN=qa.example.com\n")
    qa = folder.environment("qa")
    assert (qa.name, qa.profile, qa.domain, qa.log_level, qa.hasura_console) == (
        "qa",
        "staging",
        "qa.example.com",
        "info",
        True,
    )
    assert folder.environments == ["dev", "staging", "prod", "qa"]


def test_an_environment_of_ones_own_says_what_it_is_based_on(tmp_path: Path) -> None:
    folder = written(tmp_path, qa="A=1\n", other="ENV_BASE=live\n")
    assert "write ENV_BASE=dev, staging or prod" in problems_of(folder, "qa")[0]
    assert problems_of(folder, "other")[0].startswith(".environments/other/.env:1: ENV_BASE: 'live' is no base")


@pytest.mark.parametrize("name", ["prodd", "", "../prod", "prod;id", "qa"])
def test_i49_an_unknown_environment_is_refused_with_what_is_known(tmp_path: Path, name: str) -> None:
    assert "unknown environment" in problems_of(written(tmp_path), name)[0]


@pytest.mark.parametrize(("folder", "name"), [("production", "prod"), ("development", "dev"), ("stage", "staging")])
def test_every_spelling_is_the_same_environment(tmp_path: Path, folder: str, name: str) -> None:
    project = written(tmp_path, **{folder: "BASE_DOMAIN=shop.example.org\n"})
    assert [project.environment(spelling).domain for spelling in (folder, name)] == ["shop.example.org"] * 2
    assert project.environment(folder).name == name


def test_two_spellings_of_one_environment_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, prod="A=1\n", production="A=2\n")
    assert "is the same environment as production; keep one of them" in problems_of(folder, "prod")[0]


def test_a_reference_stands_for_the_value_of_the_same_environment(tmp_path: Path) -> None:
    folder = written(
        tmp_path, env="API=api.${BASE_DOMAIN}\nBASE_DOMAIN=a.org\nX=${NO:-else}\n", prod="BASE_DOMAIN=b.org\n"
    )
    values = {name: variable.value for name, variable in folder.variables("prod").items()}
    assert (values["API"], values["X"]) == ("api.b.org", "else")


def test_the_domain_of_one_environment_stands_above_that_of_all_unless_a_stronger_file_says_it(
    tmp_path: Path,
) -> None:
    folder = written(
        tmp_path,
        env="BASE_DOMAIN=a.org\nSTAGING_DOMAIN=staging.${BASE_DOMAIN}\nPRODUCTION_DOMAIN=b.org\nAPI=api.${BASE_DOMAIN}\n",
        prod="BASE_DOMAIN=c.org\n",
        qa="ENV_BASE=staging\n",
    )
    assert [folder.environment(name).domain for name in ("dev", "staging", "prod", "qa")] == [
        "a.org",
        "staging.a.org",
        "c.org",
        "a.org",
    ]
    assert folder.variables("staging")["API"].value == "api.staging.a.org"


def test_debug_is_a_log_level_and_refused_in_prod(tmp_path: Path) -> None:
    folder = written(tmp_path, env="DEBUG=true\n", staging="DEBUG=false\n")
    assert [folder.environment(name).log_level for name in ("dev", "staging", "prod")] == ["debug", "info", "debug"]
    assert [p.what for p in inspection.wrong(folder, "prod")] == ["it is switched off in prod"]


def test_a_dollar_alone_or_in_single_quotes_means_itself(tmp_path: Path) -> None:
    folder = written(tmp_path, env="A=pa$$word$x\nB='${A}'\n")
    assert [folder.variables("dev")[name].value for name in "AB"] == ["pa$$word$x", "${A}"]


def test_i42_an_unset_reference_and_a_circle_are_problems_with_their_lines(tmp_path: Path) -> None:
    found = problems_of(written(tmp_path, env="A=${NOPE}\nB=${C}\nC=${B}\n"), "dev")
    assert found[0].startswith(".env:1: A: stands for NOPE, which is not set")
    assert any("stands for itself" in problem for problem in found[1:])


def test_a_secret_of_an_env_file_is_not_read_where_env_files_are_the_project(tmp_path: Path) -> None:
    folder = written(tmp_path, env="POSTGRES_PASSWORD=${CI_PASSWORD}\nPROJECT_NAME=a\n")
    with pytest.warns(NotHonouredWarning, match=r"POSTGRES_PASSWORD \(\.env:1\); secrets belong into"):
        folder.project(folder.environment("prod"))
    (tmp_path / "stack.py").write_text("")
    assert problems_of(folder, "prod")[0].startswith(".env:1: POSTGRES_PASSWORD: stands for CI_PASSWORD")


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    folder = written(tmp_path, env="A\n1B=2\nD='x\n", dev="C C=1\n")
    assert [problem.partition(": ")[0] for problem in problems_of(folder, "dev")] == [
        ".env:1",
        ".env:2",
        ".env:3",
        ".environments/dev/.env:1",
    ]
    assert "a quote is opened and not closed" in problems_of(folder, "dev")[2]


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "DOCKER_HOST", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME"])
def test_i44_a_reserved_variable_is_refused(tmp_path: Path, name: str) -> None:
    assert f".env:1: {name} is reserved" in problems_of(written(tmp_path, env=f"{name}=x\n"), "dev")[0]


def test_a_wrong_fact_is_reported_at_its_line(tmp_path: Path) -> None:
    found = problems_of(written(tmp_path, env="NGINX_PORT=99999\nBASE_DOMAIN=a b\nLOG_LEVEL=loud\n"), "dev")
    assert sorted(problem.partition(": ")[0] for problem in found) == [".env:1", ".env:2", ".env:3"]


def test_nothing_in_an_env_file_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    folder = written(tmp_path, env=f"A=$(touch {mark})\nB=`touch {mark}`\n")
    assert folder.variables("dev")["A"].value == f"$(touch {mark})"
    assert not mark.exists()


def test_show_masks_secrets_and_passwords_of_urls(tmp_path: Path) -> None:
    folder = written(tmp_path, env="API_KEY=abc\nURL=postgres://u:pw@h/db\nAUTH_ACCESS_TOKEN_EXPIRES_IN=900\n")
    assert [row.value for row in inspection.shown(folder, "dev")] == ["********", "900", "postgres://********@h/db"]


def test_show_and_diff_tell_of_the_secret_that_counts(tmp_path: Path) -> None:
    folder = written(tmp_path, env="POSTGRES_PASSWORD=of-the-old-tool\n", prod="A=1\n")
    for name in ("staging", "prod"):
        path = tmp_path / f".environments/{name}/.env.secrets"
        envfiles.write_private(path, f"POSTGRES_PASSWORD={name}\n")
    assert ("POSTGRES_PASSWORD", "********", ".environments/prod/.env.secrets:1") in [
        (row.name, row.value, row.place) for row in inspection.shown(folder, "prod")
    ]
    assert [row[0] for row in inspection.differing(folder, "staging", "prod")] == ["A", "POSTGRES_PASSWORD"]


def test_validate_tells_of_a_project_of_env_files_what_is_wrong_with_it(tmp_path: Path) -> None:
    folder = written(tmp_path, env="PROJECT_NAME=a\nCS_1=\n", staging="REDIS_ENABLED=perhaps\n")
    assert [p.where.rpartition("/")[2] for p in inspection.wrong(folder, "dev")] == [".env:2: CS_1"]
    assert [p.where.rpartition("/")[2] for p in inspection.wrong(folder, "staging")] == [
        ".env:1: REDIS_ENABLED",
        ".env:2: CS_1",
    ]
    (tmp_path / "stack.py").write_text("")
    assert list(inspection.wrong(folder, "staging")) == []


def test_switch_changes_no_other_file(tmp_path: Path) -> None:
    folder = written(tmp_path, env="A=1\n", env_local="B=2\n", prod="C=3\n")
    (tmp_path / ".environments/prod/.env.secrets").write_text("S=4\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert folder.switch("production") == "prod" == folder.current
    assert {path: path.read_bytes() for path in before} == before
    assert folder.current == "prod"


def test_i45_placeholders_are_refused_in_prod_alone(tmp_path: Path) -> None:
    text = "A=changeme\nB=<your-key>\nC=xxx\nD=your-smtp-host\nE=fine\n"
    folder = written(tmp_path, env=text)
    assert [p.where.rpartition("/")[2] for p in inspection.wrong(folder, "prod")] == [
        ".env:1: A",
        ".env:2: B",
        ".env:3: C",
        ".env:4: D",
    ]
    assert list(inspection.wrong(folder, "staging")) == []


def test_the_console_cannot_be_switched_on_in_prod(tmp_path: Path) -> None:
    folder = written(tmp_path, env="HASURA_GRAPHQL_ENABLE_CONSOLE=true\n")
    assert [str(p).partition("; ")[2] for p in inspection.wrong(folder, "prod")] == [
        "write HASURA_GRAPHQL_ENABLE_CONSOLE=false into .environments/prod/.env"
    ]
