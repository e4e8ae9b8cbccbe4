"""Scaffolds: made once, whole or not at all, and never over what the user has."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import pytest

from nself_sdk import CustomService, NselfError, Project, Redis, render
from nself_sdk.store import ProjectFolder, envfiles

PROJECT = Project("shop").add(Redis()).add(CustomService("payments", "fastapi-py", 8003))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_new_service_gets_its_template_with_names_filled_in(tmp_path: Path) -> None:
    assert ProjectFolder(tmp_path).scaffold(PROJECT) == [tmp_path / "services" / "payments"]
    made = files(tmp_path / "services" / "payments")
    assert {"Dockerfile", "README.md", "app/main.py"} <= made
    assert not [name for name in made if name.endswith((".j2", "template.toml", ".pyc"))]
    assert "payments" in (tmp_path / "services/payments/README.md").read_text(encoding="utf-8")
    assert [path.name for path in (tmp_path / "services").iterdir()] == ["payments"]


def test_a_folder_that_exists_is_the_users(tmp_path: Path) -> None:
    mine = tmp_path / "services" / "payments"
    mine.mkdir(parents=True)
    assert ProjectFolder(tmp_path).scaffold(PROJECT) == []
    assert files(tmp_path) == set()


def test_it_happens_once(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    folder.scaffold(PROJECT)
    (tmp_path / "services/payments/Dockerfile").unlink()
    assert folder.scaffold(PROJECT) == []


def test_a_link_that_leads_nowhere_is_the_users_too(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "payments").symlink_to(tmp_path / "elsewhere")
    assert ProjectFolder(tmp_path).scaffold(PROJECT) == []


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "services").write_text("a file", encoding="utf-8")
    with pytest.raises(NselfError, match="cannot be"):
        ProjectFolder(tmp_path).scaffold(PROJECT)


def test_two_processes_at_once_make_one_folder(tmp_path: Path) -> None:
    fork = get_context("fork")
    processes = [fork.Process(target=ProjectFolder(tmp_path).scaffold, args=(PROJECT,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert [path.name for path in (tmp_path / "services").iterdir()] == ["payments"]


def test_a_project_starts_with_a_stack_that_works_and_keeps_what_is_there(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    (tmp_path / ".gitignore").write_text("mine\n", encoding="utf-8")
    assert tmp_path / "stack.py" in folder.init("shop")
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "mine\n"
    for env, more in (("dev", []), ("staging", []), ("prod", ["monitoring"])):
        project = folder.project(folder.environment(env))
        assert (project.name, sorted(project.services)) == ("shop", sorted(["auth", "hasura", "hello", "redis", *more]))
    assert folder.init("shop") == []


def test_the_code_of_a_service_is_in_the_folder_of_its_name_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=shop\nCS_1=payment_api:fastapi-py:8001\n", encoding="utf-8")
    folder = ProjectFolder(tmp_path)
    place = folder.environment("prod")
    assert folder.scaffold(folder.project(place)) == [tmp_path / "services" / "payment_api"]
    built = render(folder.project(place), place).to_yaml()
    assert "context: ./services/payment_api\n" in built


def test_a_place_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(NselfError) as caught:
        envfiles.write(tmp_path / "file" / "stack.py", "")
    told = "cannot be written: File exists\n  get the right to write there, or choose another folder"
    assert str(caught.value) == f"{tmp_path / 'file' / 'stack.py'} {told}"
