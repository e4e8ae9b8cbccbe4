"""How long importing and ``--help`` take, beside importing pydantic alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterable

ROUNDS = 11
PYDANTIC = ("-c", "from pydantic import BaseModel")


def rows() -> Iterable[tuple[str, float, float]]:
    """The two ratios and their targets."""
    yield "import Project, Hasura / import pydantic", ratio(("-c", "from nself_sdk import Project, Hasura")), 2.5
    yield "nself_sdk --help / import pydantic", ratio(("-m", "nself_sdk", "--help")), 2.0


def ratio(arguments: tuple[str, ...]) -> float:
    """How many times longer than importing pydantic: the median of several, measured in turn."""
    for warm in (arguments, PYDANTIC):
        seconds(warm)
    pairs = [(seconds(arguments), seconds(PYDANTIC)) for _ in range(ROUNDS)]
    return statistics.median(one for one, _ in pairs) / statistics.median(other for _, other in pairs)


def seconds(arguments: tuple[str, ...]) -> float:
    """How long a fresh Python takes."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - begin
