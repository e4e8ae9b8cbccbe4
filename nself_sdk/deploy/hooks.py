"""Hooks: a project's own code before and after a deploy, and when it fails. It decides nothing about what that means.

A project's functions run first, then the executable ``hooks/<moment>`` of its folder. Both are told the same facts.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from nself_sdk.deploy.progress import Progress, Report, Tell
from nself_sdk.docker.redaction import Redaction
from nself_sdk.docker.runner import run
from nself_sdk.errors import DeclarationError, NselfError, Problem
from nself_sdk.hooks import Hook, Moment
from nself_sdk.store import hooks as store

_LAST_LINES = 20
#: Characters; a process takes no variable of more than 128 KiB (MAX_ARG_STRLEN, linux/binfmts.h).
_LONGEST_ERROR = 10_000
#: A shell enters the project's folder; it also runs a script that does not say what runs it.
_IN_FOLDER = ("sh", "-c", 'cd "$1" && exec "$2"', "hook")


@dataclass(frozen=True)
class Hooks:
    """What runs around one deploy, and what it is told.

    Attributes:
        declared: the project's functions, by moment.
        executables: those of its folder, by moment.
        folder: where executables run.
        timeout: seconds that each may take.
        tell: gets each line that an executable writes.
        facts: what every hook is told.
        redaction: hides the project's secrets in what an executable writes.
    """

    declared: Mapping[Moment, Hook]
    executables: Mapping[str, Path]
    folder: Path
    timeout: float
    tell: Tell
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    redaction: Redaction = field(default_factory=Redaction)

    def run(self, moment: Moment, **more: str) -> str:
        """Run what there is for that moment; what went wrong, or nothing."""
        facts = {**self.facts, "NSELF_HOOK": moment, **more}
        if hook := self.declared.get(moment):
            self.tell(Progress(moment, f"calling {getattr(hook, '__name__', 'a function')}"))
            if wrong := _called(hook, facts, self.timeout):
                return wrong
        if path := self.executables.get(moment):
            self.tell(Progress(moment, f"running hooks/{path.name}"))
            return self._executed(path, facts, moment)
        return ""

    def _executed(self, path: Path, facts: Mapping[str, str], moment: Moment) -> str:
        command = (*_IN_FOLDER, str(self.folder), str(path))
        try:
            done = run(
                command,
                environment=store.surroundings(facts),
                redaction=self.redaction,
                on_line=lambda line: self.tell(Progress(moment, line, lasting=True)),
                timeout=self.timeout,
                patient=False,
                merged=True,
            )
        except NselfError as error:
            return f"hooks/{path.name}: {error.message}"
        last = "".join(f"\n  | {line}" for line in done.stdout.splitlines()[-_LAST_LINES:])
        return f"hooks/{path.name} ended with exit code {done.exit_code}{last}" if done.exit_code else ""


@contextmanager
def around(hooks: Hooks, report: Report, *, before: bool = True) -> Generator[None]:
    """Run the body between the hooks. It stands when what runs after it goes wrong: that is a flaw of the report.

    Args:
        hooks: what to run.
        report: of what the body does; complete when it ends.
        before: whether ``pre-deploy`` runs, which may refuse it.

    Raises:
        DeclarationError: ``pre-deploy`` refused, and the body did not run.
    """
    try:
        if before:
            _ask(hooks)
        yield
    except BaseException as error:
        what = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
        failure = hooks.redaction(what).replace("\0", "")
        if wrong := hooks.run("on-failure", NSELF_ERROR=failure[:_LONGEST_ERROR]):
            hooks.tell(Progress("on-failure", f"went wrong itself: {wrong}"))
        raise
    changed = [change.service for change in report.plan.pending] if report.plan else []
    number = str(report.release.number) if report.release else ""
    if wrong := hooks.run("post-deploy", NSELF_RELEASE=number, NSELF_CHANGED=" ".join(changed)):
        report.flaws.append(f"post-deploy went wrong, after all was done: {wrong}")


def _ask(hooks: Hooks) -> None:
    if wrong := hooks.run("pre-deploy"):
        raise DeclarationError(Problem("pre-deploy", "refused, and nothing was touched", wrong))


def _called(hook: Hook, facts: Mapping[str, str], timeout: float) -> str:
    """Call it; what went wrong, or nothing. What it prints goes where progress goes, never between machines' lines."""
    outcome: list[str] = []

    def call() -> None:
        try:
            hook(facts)
            outcome.append("")
        except NselfError as error:
            outcome.append(str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's code: whatever it raises, it refuses
            outcome.append(f"{getattr(hook, '__name__', 'a function')} raised {type(error).__name__}: {error}")

    # A thread, because nothing else can stop waiting for it: it goes on after its time, and dies with the process.
    calling = Thread(target=call, name="hook", daemon=True)
    with contextlib.redirect_stdout(sys.stderr):
        calling.start()
        calling.join(timeout)
    return outcome[0] if outcome else f"{getattr(hook, '__name__', 'a function')} took longer than {timeout:g} seconds"
