from __future__ import annotations

from pathlib import Path

import pytest
from conformance import files_below
from conftest import SAMPLES

from nself_sdk import compose
from nself_sdk.compose import ComposeFile, Config, Service, names_in, to_python
from nself_sdk.errors import DeclarationError

FILES = [path for path in files_below(SAMPLES) if path.name != "override.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_source_of_a_file_evaluates_to_an_equal_file(path: Path) -> None:
    file = ComposeFile.load(path)
    source = to_python(file)

    rebuilt = eval(source, {name: getattr(compose, name) for name in names_in(file)})  # noqa: S307 - our own text

    assert rebuilt == file
    assert rebuilt.to_yaml() == file.to_yaml()


def test_the_source_reads_well() -> None:
    file = ComposeFile(services={"web": Service(image="nginx:1.29", ports=["80:80"], restart="always")})

    assert to_python(file) == (
        'ComposeFile(services={"web": Service(image="nginx:1.29", ports=["80:80"], restart="always")})'
    )


def test_a_text_of_several_lines_is_written_line_by_line() -> None:
    file = ComposeFile(configs={"page": Config(content='it\'s\n\n\ta "page"\r\\n\n')})

    assert to_python(file).splitlines()[1:-1] == [
        "    configs={",
        '        "page": Config(',
        "            content=(",
        '                "it\'s\\n"',
        '                "\\n"',
        "                '\\ta \"page\"\\r\\\\n\\n'",
        "            ),",
        "        ),",
        "    },",
    ]


def test_what_has_no_form_in_python_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"services\.web\.ports: !override has no form in Python"):
        to_python(ComposeFile.load(SAMPLES / "override.yml"))
