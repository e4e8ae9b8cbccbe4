"""A stack.py is read as it is now, and a broken one is told with its line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nself_sdk import DeclarationError, Environment
from nself_sdk.store import stack


def test_a_change_of_the_same_size_within_a_second_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path, names = tmp_path / "stack.py", []
    for name in ("shop", "blog"):
        path.write_text(f"from nself_sdk import Project\nproject = Project({name!r})\n", encoding="utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        names.append(stack.project(path, Environment.named("dev")).name)
    assert names == ["shop", "blog"]
    assert os.listdir(tmp_path) == ["stack.py"]  # noqa: PTH208 - names


def told(tmp_path: Path, text: str, name: str = "stack.py") -> list[str]:
    """What is wrong with that text, without the folder."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        stack.project(path, Environment.named("dev"))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


AGAIN = "; correct it and run the command again"
HOW = "; write project = Project(...), or def project(env) that returns one"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = (1", f"stack.py:1: SyntaxError: '(' was never closed{AGAIN}"),
        ("import no_such", f"stack.py:1: ModuleNotFoundError: No module named 'no_such'{AGAIN}"),
        ("from nself_sdk import Rediss", "stack.py:1: nself_sdk has no 'Rediss'; did you mean 'Redis'?"),
        ("def project(env):\n    return {}['a']", f"stack.py:2: KeyError: 'a'{AGAIN}"),
        (
            "def project():\n    ...",
            f"stack.py: TypeError: project() takes 0 positional arguments but 1 was given{AGAIN}",
        ),
        ("x = 1", f"stack.py: declares no project{HOW}"),
        ("def project(env):\n    ...", f"stack.py: declares no project{HOW}"),
        ("import sys\nsys.exit(0)", f"stack.py:2: exits (sys.exit(0)) instead of declaring a project{HOW}"),
        ("raise SystemExit", f"stack.py:1: exits (sys.exit()) instead of declaring a project{HOW}"),
        (
            "from nself_sdk import Redis\nRedis(memry='1g')",
            "stack.py:2: Redis.memry: unknown key; did you mean 'memory'?",
        ),
    ],
)
def test_a_broken_one_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert told(tmp_path, text) == [problem]


def test_what_it_prints_is_not_the_commands_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "from nself_sdk import Project\nprint('one')\ndef project(env):\n    print('two')\n    return Project('shop')\n"
    )
    (tmp_path / "stack.py").write_text(text, encoding="utf-8")
    stack.project(tmp_path / "stack.py", Environment.named("dev"))
    assert capsys.readouterr() == ("", "one\ntwo\n")


def test_an_error_of_syntax_in_what_it_imports_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "its_broken_part.py").write_text("\nx = (", encoding="utf-8")
    assert told(tmp_path, "import its_broken_part") == [
        f"its_broken_part.py:2: SyntaxError: '(' was never closed{AGAIN}"
    ]


def test_it_may_import_from_its_own_folder_also_inside_project(tmp_path: Path) -> None:
    (tmp_path / "its_own_part.py").write_text("NAME = 'shop'\n", encoding="utf-8")
    text = (
        "from nself_sdk import Project\n"
        "def project(env):\n    from its_own_part import NAME\n    return Project(NAME)\n"
    )
    (tmp_path / "stack.py").write_text(text, encoding="utf-8")
    assert stack.project(tmp_path / "stack.py", Environment.named("dev")).name == "shop"
    assert str(tmp_path) not in sys.path
