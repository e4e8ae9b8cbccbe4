"""Hold the models against Docker Compose itself, over every Compose file in some folders.

    python tests/compose/conformance.py FOLDER...

For each file that ``docker compose config`` accepts, it must say the same of what the models write back. A file that
Compose refuses must be refused by the models, too. What differs is listed with its reason. It asks twice: with
variables filled in (the strictest question), and with ``--no-interpolate`` (which fragments pass, too).

It prints how many files passed, failed and were refused, and ends with 1 if one failed.
"""

# ruff: noqa: T201 - a script that prints its findings
from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nself_sdk.compose import ComposeFile
from nself_sdk.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTIONS = {"interpolated": (), "as written": ("--no-interpolate",)}
PATTERNS = ("*.yml", "*.yaml")
PATIENCE = 120  # seconds for one file; Compose walks every path of depends_on

# What Compose says about a file that the models accept, and why they do. The first that matches counts.
ACCEPTED_BECAUSE = (
    (r"[Aa]dditional propert(y|ies) '?(?P<key>[\w.-]+)'? (is|are)? ?not allowed", "newer than this Compose: {key}"),
    (r"extend service|^ ?include ", "other files that it extends or includes, which only Compose reads"),
    (r"cast to expected type", "a variable without a value where a number must be"),
    (r"required variable|variable .* is missing|is not set", "its environment is not here"),
    (r"no such file|not found|is a directory|cannot find|failed to (read|load)|stat ", "needs files that are not here"),
    (r"invalid (project )?name|project name must", "the project's name is checked where a project has one"),
    (r"services\.\S+\.(ports|volumes)\.?\S* .*must be|must be one of", "newer than this Compose: a listed value"),
    (r"remote resource|git (?:repository|clone)|oci", "reads from the network"),
)
_WRONG_VALUE = r"error decoding|cast to expected type|must start either by|invalid (size|boolean|duration)|parsing \""
REFUSED_BECAUSE = (
    (r"second document", "several documents: one per file is the rule here"),
    (r"tag '.*' is not allowed", "a tag that is not Compose's"),
    (r"larger than|nested deeper|blow", "beyond the limits for one file"),
    (r"not UTF-8", "not UTF-8"),
)


@dataclass(frozen=True)
class Verdict:
    """What came out for one file."""

    path: Path
    outcome: str  # passed, failed, refused, differs
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What Compose made of a text: a value, or a complaint."""

    value: object
    complaint: str


@cache
def compose_command() -> tuple[str, ...]:
    """The Compose plugin itself, which starts twice as fast as ``docker compose``, where Docker tells its path."""
    template = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'
    found = subprocess.run(("docker", "info", "--format", template), capture_output=True, text=True, check=False)
    path = found.stdout.strip()
    return (path,) if path and Path(path).exists() else ("docker", "compose")


@cache
def _bare_environment() -> dict[str, str]:
    home = tempfile.mkdtemp(prefix="conformance-")
    return {"PATH": os.environ["PATH"], "HOME": home, "DOCKER_HOST": f"unix://{home}/none.sock"}


def ask(
    folder: Path,
    options: tuple[str, ...],
    *,
    file: Path | None = None,
    text: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """What Compose makes of a file, or of a text that lies in ``folder``."""
    source = str(file.resolve()) if file else "-"
    place = ("-f", source, "-p", "rt", "--profile", "*", "--project-directory", str(folder.resolve()))
    try:
        done = _run((*compose_command(), *place, "config", "--format", "json", *options), text, variables)
    except subprocess.TimeoutExpired:
        return Answer(None, f"no answer within {PATIENCE} s")
    if done.returncode:
        return Answer(None, _complaint(done.stderr) or f"exit code {done.returncode}")
    return Answer(json.loads(done.stdout), "")


def _run(command: tuple[str, ...], text: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**_bare_environment(), **variables}
    return subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", check=False, timeout=PATIENCE, env=environment
    )


def _complaint(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip() and "level=warning" not in line]
    return next((line for line in lines if line.startswith("panic:")), lines[-1] if lines else "")


def examine(path: Path) -> Verdict:
    """Hold one file against Compose; whatever goes wrong meanwhile is a failure of that file."""
    try:
        return _examined(path)
    except Exception as error:  # noqa: BLE001 - one file must not end a run over thousands
        return Verdict(path, "failed", f"{type(error).__name__}: {error}")


def _examined(path: Path) -> Verdict:
    answers = {question: ask(path.parent, options, file=path) for question, options in QUESTIONS.items()}
    accepted = [question for question, answer in answers.items() if not answer.complaint]
    try:
        file = ComposeFile.load(path)
        text = file.to_yaml()
    except DeclarationError as error:
        # Compose does not look at values when it leaves variables alone; a value that it refuses otherwise is wrong.
        wrong_value = re.search(_WRONG_VALUE, answers["interpolated"].complaint)
        return _refused(path, str(error.problems[0]), bool(accepted) and not wrong_value)
    if not accepted:
        complaint = answers["interpolated"].complaint
        return Verdict(path, "differs", f"accepted, but Compose refuses it ({_because(ACCEPTED_BECAUSE, complaint)})")
    if ComposeFile.loads(text) != file:
        return Verdict(path, "failed", "reads back differently from what was written")
    return _compared(path, {question: answers[question] for question in accepted}, text)


def _refused(path: Path, problem: str, accepted: bool) -> Verdict:
    if not accepted:
        return Verdict(path, "refused", problem)
    reason = _because(REFUSED_BECAUSE, problem)
    if reason == problem:
        return Verdict(path, "failed", f"refused, but Compose accepts it: {problem}")
    return Verdict(path, "differs", f"refused, but Compose accepts it ({reason})")


def _because(reasons: tuple[tuple[str, str], ...], message: str) -> str:
    for pattern, reason in reasons:
        if match := re.search(pattern, message):
            return reason.format(**match.groupdict())
    return message


def _compared(path: Path, answers: dict[str, Answer], text: str) -> Verdict:
    for question, expected in answers.items():
        answer = ask(path.parent, QUESTIONS[question], text=text)
        if answer.complaint:
            return Verdict(path, "failed", f"{question}: Compose refuses what was written: {answer.complaint}")
        if answer.value != expected.value:
            return Verdict(path, "failed", f"{question}: {_first_difference(expected.value, answer.value)}")
    return Verdict(path, "passed")


def _first_difference(expected: object, found: object, where: str = "") -> str:
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = {*expected, *found}
        key = min(key for key in keys if expected.get(key, keys) != found.get(key, keys))
        return _first_difference(expected.get(key), found.get(key), f"{where}.{key}")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        index = next(index for index, item in enumerate(expected) if item != found[index])
        return _first_difference(expected[index], found[index], f"{where}[{index}]")
    return f"{where}: {str(expected)[:100]} became {str(found)[:100]}"


def files_below(folder: Path) -> list[Path]:
    """Every YAML file below a folder, or the file itself."""
    return [folder] if folder.is_file() else sorted({file for pattern in PATTERNS for file in folder.rglob(pattern)})


def report(verdicts: list[Verdict]) -> None:
    """Print every file that did not simply pass, then the counts."""
    for verdict in verdicts:
        if verdict.outcome != "passed":
            print(f"{verdict.outcome:8} {verdict.path}: {verdict.reason}")
    print("\ndifferences by reason:")
    for reason, count in Counter(v.reason for v in verdicts if v.outcome == "differs").most_common():
        print(f"  {count:5}  {reason}")
    counts = Counter(verdict.outcome for verdict in verdicts)
    print("\n" + ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "refused", "differs")))


def main(arguments: list[str]) -> int:
    """Examine the folders; 1 if a file failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="files at a time")
    options = parser.parse_args(arguments)
    files = [file for folder in options.folders for file in files_below(folder)]
    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = list(pool.map(examine, files))
    report(verdicts)
    return int(any(verdict.outcome == "failed" for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
