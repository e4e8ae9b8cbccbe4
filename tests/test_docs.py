"""What the pages say is there: public names, commands, links, and Python that runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import nself_sdk
from nself_sdk import DeclarationError, Deployment, Environment, deploy, render, testing
from nself_sdk.store import ProjectFolder

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def test_every_public_name_is_on_the_api_page() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", page, re.MULTILINE)}
    assert {*nself_sdk.__all__, *testing.__all__, *deploy.__all__} <= shown


def test_every_page_is_in_the_sites_navigation_and_on_its_first_page() -> None:
    entries = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    paths = [path for entry in entries for path in (entry.values() if isinstance(entry, dict) else [entry])]
    assert sorted(paths) == [page.name for page in DOCS]
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs/index.md").read_text(encoding="utf-8")))
    assert {page.name for page in DOCS} - linked == {"index.md", "compose-reference.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_can_be_parsed(page: Path) -> None:
    from nself_sdk.cli.commands import app

    lines = [line for block in blocks(page, "(?:console|bash|sh)") for line in block.splitlines()]
    for line in lines:
        if line.startswith("$ nself-sdk"):
            parse(get_command(app), shlex.split(line.removeprefix("$ "), comments=True)[1:])


def test_a_command_that_is_none_is_found() -> None:
    from nself_sdk.cli.commands import app

    for line in ("bild", "build --ot x", "-C shop env lst", "deploy"):
        with pytest.raises(Exception, match=r"bild|ot|lst|Missing"):
            parse(get_command(app), line.split())


def parse(command: Any, words: list[str], parent: Any = None) -> None:
    """Parse as the command line does, without running anything."""
    context = command.make_context(command.name, list(words), parent=parent)
    if hasattr(command, "resolve_command"):
        _, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        parse(inner, rest, context)


@pytest.mark.slow
def test_the_readmes_stack_renders_everywhere_and_can_be_deployed(tmp_path: Path) -> None:
    code, _, _ = blocks(ROOT / "README.md", "python")[0].partition("with Deployment")
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - that it runs is what is tested
    project = names["project"]
    assert isinstance(project, nself_sdk.Project)
    assert set(render(project, "prod").services) >= {"postgres", "hasura", "auth", "nginx", "redis", "payments"}
    assert Deployment(project, "staging", ProjectFolder(tmp_path)).environment == Environment.named("staging")
    with pytest.raises(DeclarationError, match="e-mail"):
        Deployment(project, "prod", ProjectFolder(tmp_path)).check()


@pytest.mark.slow
def test_the_testing_page_declares_a_project_that_renders() -> None:
    conftest, test, *_ = blocks(ROOT / "docs/testing.md", "python")
    names: dict[str, object] = {}
    for code in (conftest.replace('@pytest.fixture(scope="session")\n', ""), test):
        exec(code, names)  # noqa: S102 - same
    assert set(render(names["nself_project"](), "dev").services) == {"hello", "nginx", "redis"}  # type: ignore[operator]


@pytest.mark.slow
def test_pre_commit_leaves_the_templates_alone_also_where_it_names_their_files() -> None:
    files = [str(path) for path in (ROOT / "templates").rglob("*.py")]
    done = subprocess.run([sys.executable, "-m", "ruff", "format", "--diff", *files], cwd=ROOT, check=False)
    assert (done.returncode, bool(files)) == (0, True)
