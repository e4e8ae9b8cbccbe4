from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from nself_sdk.compose import ComposeFile, interpolate, loads_env
from nself_sdk.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1024 * 1024


def filled(piece: str, around: str = "{}") -> str:
    """As many pieces as a mebibyte holds."""
    return around.format(piece * ((MEBIBYTE - len(around)) // len(piece)))


INPUTS = {
    "one text": filled("a", "x-a: {}"),
    "a list": filled("- a\n", "x-a:\n{}"),
    "a list of numbers": filled("1,", "x-a: [{}]"),
    "a mapping": "x-a:\n" + "".join(f" k{number}: v\n" for number in range(70_000)),
    "services": "services:\n" + "".join(f" s{number}: {{image: a}}\n" for number in range(35_000)),
    "wrong services": "services:\n" + "".join(f" s{number}: {{imag: a}}\n" for number in range(20_000)),
    "the same key": filled("a: b\n"),
    "brackets": filled("[", "x-a: {}"),
    "questions": filled("? "),
    "quotes": filled("'", "x-a: {}"),
    "anchors": "x-a:\n" + "".join(f"- &a{number} b\n" for number in range(60_000)),
    "aliases": "x-a: &a [b]\nx-b:\n" + filled("- *a\n")[: MEBIBYTE - 100],
    "merges": "x-a: &a {b: c}\n" + "".join(f"x-{number}: {{<<: *a}}\n" for number in range(45_000)),
    "dollars": filled("$", "x-a: {}"),
    "a block": filled("  a $b\n", "x-a: |\n{}"),
    "underscores": filled("1_", "x-a: {}"),
    "emoji": "x-a: " + "\U0001f600" * 200_000,
}


def seconds(refusal: type[Exception], work: Callable[[], object]) -> float:
    """The processor's time for it, refused or not: the best of three, where the machine is busy with other things."""
    best = 60.0
    for _ in range(3):
        start = time.process_time()
        with suppress(refusal):
            work()
        best = min(best, time.process_time() - start)
        if best < 2:
            break
    return best


@pytest.mark.slow
@pytest.mark.parametrize("text", INPUTS.values(), ids=INPUTS)
def test_no_input_of_one_mebibyte_takes_longer_than_two_seconds(text: str) -> None:
    assert len(text) <= MEBIBYTE
    assert seconds(DeclarationError, lambda: ComposeFile.loads(text, "file.yml", variables={"b": "c"}).to_yaml()) < 2


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["${A:-", "${A:-{}}", "${A}", "$", "${", "{", "}", "$$", "${A:-x"])
def test_no_template_of_one_mebibyte_takes_longer_than_two_seconds(piece: str) -> None:
    assert seconds(ValueError, lambda: interpolate(filled(piece), {"A": "a"})) < 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["A=b\n", "A", "A\n", "A='", 'A="\n', "#\n", "\n", "=", "A=$B\n", "A B\n", "A=\\\n", " "]
)
def test_no_env_file_of_one_mebibyte_takes_longer_than_two_seconds(piece: str) -> None:
    assert seconds(DeclarationError, lambda: loads_env(filled(piece), {"B": "b"})) < 2
