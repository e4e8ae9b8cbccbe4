from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conformance import ask
from hypothesis import given, settings
from hypothesis import strategies as st

from nself_sdk.compose import ComposeFile, Config, Service, interpolate, loads_env
from nself_sdk.compose.writing import to_yaml
from nself_sdk.errors import DeclarationError

VARIABLES = {"A": "value of a", "E": "", "B": "b", "_x1": "lower"}
TEMPLATES = [
    "$A", "${A}", "a${A}b", "$A$B", "${A}${B}", "$$A", "$$", "$", "$ A", "$1", "a$", "${_x1}", "$A-b", "$Ab",
    "${A:-d}", "${A-d}", "${E:-d}", "${E-d}", "${N:-d}", "${N-d}", "${N:-}", "${N-}",
    "${A:+s}", "${A+s}", "${E:+s}", "${E+s}", "${N:+s}", "${N+s}",
    "${A:?m}", "${A?m}", "${E?m}", "${E:?m}", "${N:?m}", "${N?m}", "${N:?}", "${N?need $A}",
    "${N:-${A}}", "${N:-${M:-${B}}}", "${N:-$A}", "${N-a${B}c}", "${A:+x${B}}", "${N:-a b}", "${N:-a:b}", "${N:-a-b}",
    "${N:-{}}", '${N:-{"a":1}}', '${N:-{"a":{"b":1}}} tail', "${N:-}}", "${N:-${A}} and ${B}", "${N:-$$}", "${N:-$$A}",
    "${N:--}", "${N-:-}", "${N:-?}", "${A}}", "{$A}", "{${A}}", "${A:-x}y${B:-z}", "${N:-é}", "${N:-}${A}",
    "${}", "${1}", "${A!}", "${A:}", "${A:x}", "${A", "${N:-", "${ A}", "${A }", "${A.b}", "${N:-{}} and ${B}",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("compose_cli")
def test_every_operator_means_what_it_means_to_compose(tmp_path: Path) -> None:
    found = {template: filled(template) for template in TEMPLATES}
    accepted = [template for template in TEMPLATES if found[template] is not None]
    refused = [template for template in TEMPLATES if found[template] is None]

    answer = run(tmp_path, labelled(accepted))
    labels = answer["services"]["a"]["labels"]

    for number, template in enumerate(accepted):
        assert labels[f"l{number}"].replace("$$", "$") == found[template], template
    with ThreadPoolExecutor(2) as pool:
        for template, answer in zip(
            refused, pool.map(lambda one: run(tmp_path, labelled([one])), refused), strict=True
        ):
            assert answer is None, template


def filled(template: str) -> str | None:
    try:
        return interpolate(template, VARIABLES, blank=True)
    except ValueError:
        return None


def labelled(templates: list[str]) -> str:
    labels = {f"l{number}": template for number, template in enumerate(templates)}
    return to_yaml({"services": {"a": {"image": "b", "labels": labels}}})


def run(folder: Path, text: str) -> Any:
    """What Compose makes of a text, with `VARIABLES` in its environment; None if it refuses."""
    return ask(folder, (), text=text, variables=VARIABLES).value


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("$${{}}AENx:-?+ \n")))
def test_any_template_is_filled_in_or_refused(template: str) -> None:
    try:
        interpolate(template, VARIABLES)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both outcomes are fine, a traceback is not


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_inline_text_comes_back_unchanged(text: str) -> None:
    content = Config.inline(text).content

    assert content is not None
    assert interpolate(content, {}) == text


def test_unset_variables_are_reported_by_name_and_place() -> None:
    text = "services:\n  a:\n    image: $REGISTRY/a:${TAG}\n    ports: ['${PORT}:80']\n"

    with pytest.raises(DeclarationError) as caught:
        ComposeFile.loads(text, "file.yml", variables={"TAG": "1"})

    assert [str(problem) for problem in caught.value.problems] == [
        "file.yml:3:5: services.a.image: variable 'REGISTRY' is not set",
        "file.yml:4:13: services.a.ports[0]: variable 'PORT' is not set",
    ]


def test_variables_are_filled_in_from_a_mapping() -> None:
    file = ComposeFile.loads("services: {a: {image: 'b:${TAG:-1}', init: $INIT}}", variables={"INIT": "true"})

    assert file.services["a"] == Service(image="b:1", init="true")
    assert ComposeFile(services={"a": Service(image="$I")}).interpolated({"I": "x"}).services["a"].image == "x"
    with pytest.raises(DeclarationError, match=r"services\.a\.image: variable 'I' is not set"):
        ComposeFile(services={"a": Service(image="$I")}).interpolated({})
    with pytest.raises(DeclarationError, match="neither true nor false"):
        ComposeFile.loads("services: {a: {image: b, init: $INIT}}", variables={"INIT": "perhaps"})


ENV_FILES = [
    "P=plain", "P= spaced ", "P=", "P=a # comment", "P=a# no comment", "P='single $B'", 'P="double $B"', "P=$B/x",
    "P=${N-dflt}", "P=${A:+alt}", "P=${N:-${B}}", "P=pa$$word", 'P="pa$$word"', r'P="esc \$B"', r'P="tab\there"',
    r"P='tab\there'", r"P=tab\there", "P='it\\'s'", r'P="say \"hi\""', "P='it''s'", "P='open", 'P="open', "export P=x",
    "  P = x ", "P: yaml", "P='a'\nQ=b", "P='a' # comment\nQ=c", "# only\n\nP=x", 'P="two\nlines"', "P='two\nlines'",
    "P=a=b", "P=a'b'", "P=é", r'P="\\"', r'P="\101"', r'P="\0101"', "A B=c", "P!=x", "P=1\r\nQ=2\r\n",
    "P=x\nQ=${P}y", "Q=${B}\nB=own\nP=${B}", "P.x=1", "P-x=1", "P[0]=1", 'P=""', "P=''", "P= # c", "P=#c",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("compose_cli")
def test_env_files_mean_what_they_mean_to_compose(tmp_path: Path) -> None:
    services: dict[str, Any] = {}
    for number, text in enumerate(ENV_FILES):
        (tmp_path / f"{number}.env").write_bytes(text.encode())
        services[f"s{number}"] = {"image": "a", "env_file": [f"{number}.env"]}
    bad = {number for number in range(len(ENV_FILES)) if ours(ENV_FILES[number]) is None}

    answer = run(tmp_path, to_yaml({"services": {name: s for name, s in services.items() if int(name[1:]) not in bad}}))

    for number, text in enumerate(ENV_FILES):
        if number not in bad:
            found = answer["services"][f"s{number}"].get("environment") or {}
            assert {key: value.replace("$$", "$") for key, value in found.items()} == ours(text), text
    with ThreadPoolExecutor(2) as pool:
        alone = {number: to_yaml({"services": {"s": services[f"s{number}"]}}) for number in bad}
        for number, refused in zip(alone, pool.map(lambda text: run(tmp_path, text), alone.values()), strict=True):
            assert refused is None, ENV_FILES[number]


def ours(text: str) -> dict[str, str] | None:
    try:
        return loads_env(text, VARIABLES)
    except DeclarationError:
        return None


def test_every_wrong_line_of_an_env_file_is_named() -> None:
    text = "GOOD=1\n=x\nA B=c\nX=$NOWHERE\nY=\x1b[0m\nV='a'b\nZ='open"

    with pytest.raises(DeclarationError) as caught:
        loads_env(text, name=".env")

    assert [str(problem) for problem in caught.value.problems] == [
        ".env:2: '' is not the name of a variable",
        ".env:3: 'A B' is not the name of a variable",
        ".env:4: variable 'NOWHERE' is not set",
        ".env:5: there is a control character in the value of 'Y'",
        ".env:6: there is text behind the closing quote of 'V'",
        ".env:7: the quote of 'Z' is opened, but not closed",
    ]


def test_a_key_without_a_value_is_taken_over() -> None:
    assert loads_env("A\nN\nB=own", {"A": "1"}) == {"A": "1", "B": "own"}
