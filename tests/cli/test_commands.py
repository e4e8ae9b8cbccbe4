"""The command line: help with examples, exit codes by who must act, and no traceback for a user's mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nself_sdk.cli.commands import app
from nself_sdk.errors import DeclarationError, DriverError, NselfError, SecretError

pytestmark = pytest.mark.slow

STACK = """
from nself_sdk import CustomService, Hasura, Project, Redis

project = Project("shop").add(Hasura()).add(Redis()).add(CustomService("payments", "fastapi-py", 8003))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "stack.py").write_text(STACK, encoding="utf-8")
    prod = tmp_path / ".environments" / "prod"
    prod.mkdir(parents=True)
    (prod / ".env").write_text("MONITORING_REQUIRED=false\nREAL_MAIL_REQUIRED=false\nTLS=local-ca\n", encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> str:
    """The output of a command that ends well."""
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def fails(*arguments: str) -> NselfError:
    with pytest.raises(NselfError) as caught:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    return caught.value


def process(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nself_sdk", *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_build_writes_a_file_that_plain_compose_reads_and_scaffolds_once(shop: Path) -> None:
    first = run("-C", str(shop), "build", "prod")
    assert {"docker-compose.yml", "rendered/nginx.conf", "services/payments/Dockerfile"} <= set(files(shop))
    assert f"wrote {shop / 'services' / 'payments'}" in first
    assert "services" not in run("-C", str(shop), "build", "prod")


def test_build_gives_the_same_bytes_again(shop: Path) -> None:
    run("-C", str(shop), "build", "prod")
    before = files(shop)
    run("-C", str(shop), "build", "production")
    assert files(shop) == before


def test_build_out_leaves_the_projects_own_file_alone(shop: Path) -> None:
    out = shop / "out" / "deep"
    run("-C", str(shop), "build", "dev", "--out", str(out))
    assert {"docker-compose.yml", "rendered/nginx.conf", "rendered/postgres-setup.sql"} == set(files(out))
    assert not (shop / "docker-compose.yml").exists()


def test_what_is_written_for_linting_has_no_doubled_dollars(shop: Path) -> None:
    run("-C", str(shop), "build")
    assert "$$" not in (shop / "rendered" / "nginx.conf").read_text(encoding="utf-8")


def test_init_starts_a_project_and_changes_nothing_the_second_time(tmp_path: Path) -> None:
    folder = tmp_path / "my shop"
    assert "next: nself-sdk up" in run("-C", str(folder), "init")
    assert 'Project("my-shop")' in (folder / "stack.py").read_text(encoding="utf-8")
    before = files(folder)
    assert "nothing to do" in run("-C", str(folder), "init")
    assert files(folder) == before


def test_init_over_a_file_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "cannot be made" in str(fails("-C", str(tmp_path / "file"), "init"))


@pytest.mark.parametrize("name", ["Shop", "../x", "a b"])
def test_init_refuses_a_bad_name_before_anything_is_made(tmp_path: Path, name: str) -> None:
    assert isinstance(fails("-C", str(tmp_path / "new"), "init", name), DeclarationError)
    assert not (tmp_path / "new").exists()


def test_check_is_quiet_about_a_good_project(shop: Path) -> None:
    assert run("-C", str(shop), "check", "prod") == "shop in prod: no problems\n"


def test_check_names_the_folders_that_nothing_can_be_built_from(shop: Path) -> None:
    stack = STACK.replace("Hasura", "FrontendApp, Functions, Hasura", 1)
    (shop / "stack.py").write_text(stack + 'project.add(Functions()).add(FrontendApp("web", dist="web/dist"))\n')
    error = fails("-C", str(shop), "check", "prod", "--include-frontends")
    assert isinstance(error, DeclarationError)
    # Not payments: a custom service's code is made from its template.
    assert [str(p).partition(";")[0] for p in error.problems] == [
        f"services.functions.build: there is no folder {shop}/functions",
        f"services.web.build: there is no folder {shop}/web/dist",
    ]
    for name in ("functions", "web/dist"):
        (shop / name).mkdir(parents=True)
    assert run("-C", str(shop), "check", "prod", "--include-frontends") == "shop in prod: no problems\n"


BAD = """
from nself_sdk import ComposeFile, Project
from nself_sdk.compose import Service

web = Service(image="web:latest", depends_on=["databse"], secrets=["KEY"])
project = Project("bad").add(ComposeFile(services={"web": web, "database": Service(image="db:1")}))
"""


def test_check_says_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "stack.py").write_text(BAD, encoding="utf-8")
    error = fails("-C", str(tmp_path), "check", "prod")
    assert isinstance(error, DeclarationError)
    assert [p.where for p in error.problems] == [
        "monitoring",
        "services.web.depends_on",
        "services.web.image",
        "services.web.secrets",
    ]
    done = CliRunner().invoke(app, ["-C", str(tmp_path), "check", "prod", "--json"])
    assert done.exit_code == 2
    assert [problem["where"] for problem in json.loads(done.stdout)] == [p.where for p in error.problems]


@pytest.mark.parametrize("stack", ["from nself_sdk import Project\nproject = Project('A b')\n", "1 +", "x = 1\n"])
def test_check_json_is_json_also_when_nothing_can_be_rendered(tmp_path: Path, stack: str) -> None:
    (tmp_path / "stack.py").write_text(stack, encoding="utf-8")
    done = CliRunner().invoke(app, ["-C", str(tmp_path), "check", "--json"])
    assert (done.exit_code, len(json.loads(done.stdout))) == (2, 1)


def test_a_project_without_a_url_says_so_and_names_no_certificate_to_trust(tmp_path: Path) -> None:
    text = "from nself_sdk import Project, Redis\nproject = Project('shop').add(Redis())\n"
    (tmp_path / "stack.py").write_text(text, encoding="utf-8")
    assert run("-C", str(tmp_path), "urls") == "no service of shop has a URL\n"


def test_urls_as_a_table_and_as_json(shop: Path) -> None:
    (shop / ".env").write_text("BASE_DOMAIN=shop.example\nNGINX_SSL_PORT=8443\n", encoding="utf-8")
    assert json.loads(run("-C", str(shop), "urls", "prod", "--json")) == [
        {"service": "hasura", "url": "https://api.shop.example:8443/"},
        {"service": "payments", "url": "https://payments.shop.example:8443/"},
    ]
    assert run("-C", str(shop), "urls", "prod").splitlines()[0].split() == ["SERVICE", "URL"]


def test_doctor_prints_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert {"name", "ok", "detail", "fix"} == set(json.loads(done.stdout)[0])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-C", "/nonexistent", "build"], 2, "error: /nonexistent: is not a folder; name the project's folder with -C"),
        (["build"], 2, "has no stack.py"),
        (["build", "prodd"], 2, "unknown environment 'prodd'"),
        (["deploy"], 2, "Missing argument 'ENV'"),
        (["bild"], 2, "No such command 'bild'"),
        (["build", "--force"], 2, "No such option"),
    ],
)
def test_a_users_mistake_ends_with_2_and_a_sentence(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    done = process(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_every_kind_of_error_ends_with_its_code(tmp_path: Path) -> None:
    for kind in (NselfError, SecretError, DriverError):
        stack = f"from nself_sdk.errors import {kind.__name__}\nraise {kind.__name__}('it is so', 'do this')\n"
        (tmp_path / "stack.py").write_text(stack, encoding="utf-8")
        done = process("build", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (kind.exit_code, "error: it is so\n  do this\n")


def test_a_reader_that_goes_away_is_no_error(shop: Path) -> None:
    command = f"{sys.executable} -m nself_sdk urls | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=shop)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


def test_options_after_the_service_belong_to_the_command_that_runs_there() -> None:
    from typer.main import get_command

    command = get_command(app).commands["exec"]  # type: ignore[attr-defined] # a group
    context = command.make_context("exec", ["--env", "prod", "postgres", "psql", "-e", "--env", "x", "--help"])
    assert (context.params["env"], context.params["service"]) == ("prod", "postgres")
    assert list(context.params["command"]) == ["psql", "-e", "--env", "x", "--help"]


def test_no_command_shows_a_secret(shop: Path) -> None:
    secrets = shop / ".environments" / "dev" / ".env.secrets"
    secrets.parent.mkdir(parents=True)
    secrets.write_text("REDIS_PASSWORD='TOPSECRETTOPSECRET'\nnot-a-line-TOPSECRET\n", encoding="utf-8")
    secrets.chmod(0o600)
    for arguments in (["build"], ["check"], ["urls"], ["up"], ["status"]):
        done = process("-C", str(shop), *arguments)
        assert "TOPSECRET" not in done.stdout + done.stderr, arguments
        assert "Traceback" not in done.stderr
    assert not [name for name, text in files(shop).items() if b"TOPSECRET" in text and not name.endswith(".secrets")]
    assert secrets.stat().st_mode & 0o077 == 0
