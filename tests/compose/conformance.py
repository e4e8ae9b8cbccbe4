"""Hold the models against Docker Compose itself, over every Compose file in some folders.

    python tests/compose/conformance.py FOLDER...

For each file that ``docker compose config`` accepts, it must say the same of what the models write back. A file that
Compose refuses must be refused by the models, too. What differs is listed with its reason. It asks twice: with
variables filled in (the strictest question), and with ``--no-interpolate`` (which fragments pass, too).

Every file that did not simply pass is printed as soon as it is known, then the reasons, then how many files passed,
failed and were refused. It ends with 1 if one failed, and with 2 if there was nothing to examine. Ctrl-C ends it with
what is known so far.
"""

# ruff: noqa: T201 - a script that prints its findings
from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nself_sdk.compose import ComposeFile
from nself_sdk.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTIONS = {"interpolated": (), "as written": ("--no-interpolate",)}
SUFFIXES = {".yml", ".yaml"}
PROGRESS = 100  # files between two signs of life
PATIENCE = 120  # seconds for one file; Compose walks every path of depends_on

_RULES = (
    r"Must be (greater|less)|must be unique|exclusive|conflict|one of|can't set|either `|neither an image"
    r"|is missing a|must not be empty|overflows"
)
# What Compose says about a file that the models accept, and why they do. The first that matches counts.
ACCEPTED_BECAUSE = (
    (r"[Aa]dditional propert(y|ies) '?(?P<key>[\w.-]+)'? (is|are)? ?not allowed", "newer than this Compose: {key}"),
    (r"services\.\S+\.(ports|volumes)\.?\S* .*must be|must be one of", "newer than this Compose: a listed value"),
    (r"refers to undefined|depends on undefined|cycle", "it refers to what it does not declare, or in a circle"),
    (r"empty compose file", "there are no services, and parts of a file may do without"),
    (r"extend service|^ ?include |already defined at", "files that it extends or includes, which only Compose reads"),
    (r"required variable|variable .* is missing|is not set", "its environment is not here"),
    (r"no such file|not found|is a directory|cannot find|failed to (read|load)|stat ", "needs files that are not here"),
    (r"invalid (project )?name|project name must", "the project's name is checked where a project has one"),
    (r"remote resource|git (?:repository|clone)|oci", "reads from the network"),
    (_RULES, "a rule between attributes, or a bound of a number, which only Compose checks"),
    (r"^panic", "Compose itself breaks down"),
    (r"invalid interpolation format", "a '$' that begins no variable, which is seen when variables are filled in"),
    (r"yaml: ", "Compose's parser does not read all of YAML 1.2"),
    (r"time\.(Time|Date)|NaN|Inf|float64", "a date or a number stands without quotes where Compose wants a text"),
)
# The same for a file that has variables, which are all empty here.
EMPTY_BECAUSE = (
    (r"cast to|invalid|too many colons|empty section|must be", "a variable without a value where one must be"),
)
_WRONG_VALUE = (
    r"error decoding|cast to expected type|must start either by|invalid (size|boolean|duration)|parsing \""
    r"|[Ii]nvalid (containerPort|hostPort|ip address|proto|ranges)|No port specified"
)
REFUSED_BECAUSE = (
    (r"second document", "several documents: one per file is the rule here"),
    (r"tag '.*' is not allowed", "a tag that is not Compose's"),
    (r"larger than|nested deeper|blow", "beyond the limits for one file"),
    (r"not UTF-8", "not UTF-8"),
    (r"number or a text, got \d+\.\d*$", "bytes with a decimal point, which Compose drops without a word"),
    (
        r"is not a name; use|type: '.*' is not allowed; write 'bind'",
        "refused by the schema of today, but not by this Compose",
    ),
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


# Nothing of this machine's settings; a home that is not there has none.
BARE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def ask(
    folder: Path,
    options: tuple[str, ...],
    *,
    file: Path | None = None,
    text: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """What Compose makes of a file, or of a text that lies in ``folder``."""
    source = str(file.absolute()) if file else "-"
    place = ("-f", source, "-p", "rt", "--profile", "*", "--project-directory", str(folder.resolve()))
    try:
        done = _run((*compose_command(), *place, "config", "--format", "json", *options), text, variables)
    except subprocess.TimeoutExpired:
        return Answer(None, f"no answer within {PATIENCE} s")
    if done.returncode:
        return Answer(None, _complaint(done.stderr) or f"exit code {done.returncode}")
    return Answer(json.loads(done.stdout), "")


def _run(command: tuple[str, ...], text: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",  # a complaint may name a file that is not called by a text
        check=False,
        timeout=PATIENCE,
        env={**BARE, **variables},
    )


def _complaint(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip() and "level=warning" not in line]
    return next((line for line in lines if line.startswith("panic:")), " ".join(lines))


def examine(path: Path) -> Verdict:
    """Hold one file against Compose; whatever goes wrong meanwhile is a failure of that file."""
    try:
        return _examined(path)
    except Exception as error:  # noqa: BLE001 - one file must not end a run over thousands
        return Verdict(path, "failed", f"{type(error).__name__}: {error}")


def _examined(path: Path) -> Verdict:
    answers = {question: ask(path.parent, options, file=path) for question, options in QUESTIONS.items()}
    accepted = {question: answer for question, answer in answers.items() if not answer.complaint}
    complaint = answers["interpolated"].complaint
    try:
        file = ComposeFile.load(path)
        text = file.to_yaml()
    except DeclarationError as error:
        # Compose does not look at values when it leaves variables alone; a value that it refuses otherwise is wrong.
        return _refused(path, str(error.problems[0]), bool(accepted) and not re.search(_WRONG_VALUE, complaint))
    if not accepted:
        reasons = ACCEPTED_BECAUSE + (EMPTY_BECAUSE if "$" in text else ())
        return Verdict(path, "differs", f"accepted, but Compose refuses it ({_because(reasons, complaint)})")
    if ComposeFile.loads(text) != file:
        return Verdict(path, "failed", "reads back differently from what was written")
    return _compared(path, accepted, text)


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
    """Every YAML file below a folder, or the file itself; links to folders are not followed."""
    found = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return (
        [folder]
        if folder.is_file()
        else sorted(file for file in found if file.suffix.lower() in SUFFIXES and file.is_file())
    )


def examined(files: list[Path], jobs: int) -> list[Verdict]:
    """The verdict on each file; what did not simply pass is printed at once. Ctrl-C ends it early."""
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for verdict in pool.map(examine, files):
                verdicts.append(verdict)
                if verdict.outcome != "passed":
                    print(f"{verdict.outcome:8} {verdict.path}: {verdict.reason}", flush=True)
                if not len(verdicts) % PROGRESS:
                    print(f"{len(verdicts)} of {len(files)} files", file=sys.stderr)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print(f"stopped after {len(verdicts)} of {len(files)} files", file=sys.stderr)
    return verdicts


def report(verdicts: list[Verdict]) -> None:
    """Print why files did not pass, then the counts."""
    for outcome in ("failed", "refused", "differs"):
        reasons = Counter(_general(verdict) for verdict in verdicts if verdict.outcome == outcome)
        print(*(("", f"{outcome}, by reason:") if reasons else ()), sep="\n")
        for reason, count in reasons.most_common():
            print(f"  {count:5}  {reason}")
    counts = Counter(verdict.outcome for verdict in verdicts)
    print("\n" + ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "refused", "differs")))


def _general(verdict: Verdict) -> str:
    """A reason without the place and the value that are this file's own."""
    reason = verdict.reason.replace(f"{verdict.path}", "").partition("; ")[0]
    reason = re.sub(r"^:\d+:\d+: |the line is: .*|'.*'|\".*\"", "", reason)
    return re.sub(r"^(?:\S+\.)?([\w-]+)(?:\[\d+\])*: ", r"\1: ", reason)[:140]


def main(arguments: list[str]) -> int:
    """Examine the folders; 1 if a file failed, 2 if there is none, 130 if somebody stopped it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="files at a time")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may be anything
    files = [file for folder in options.folders for file in files_below(folder)]
    if not files:
        parser.error("there are no YAML files")
    verdicts = examined(files, options.jobs)
    report(verdicts)
    if len(verdicts) < len(files):
        return 130
    return int(any(verdict.outcome == "failed" for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
