"""What the commands print: tables on a terminal and in a pipe, live progress on a terminal, lines elsewhere, JSON."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive

    from nself_sdk.deploy import Deployment, Progress, Report
    from nself_sdk.deploy.facts import Finding as PreflightFinding
    from nself_sdk.deploy.health import ServiceHealth
    from nself_sdk.docker.engine import Finding
    from nself_sdk.docker.setup import Preparation
    from nself_sdk.project import Context

# Of the tool's own lines, those that begin a step of a build: the rest is for the error, if there is one.
_STEP_OF_A_BUILD = re.compile(r"#\d+ \[")

_VERDICTS = {
    "ok": ("ok", "green"),
    "unseen": ("?", "blue"),
    "warning": ("warn", "yellow"),
    "refusal": ("refuse", "red"),
}
_MARKS = {"healthy": "green", "waiting": "yellow", "failed": "red"}


class Live:
    """Shows a deploy while it runs: one row a service on a terminal, plain lines where nobody looks.

    Call it with every `Progress`.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._step = ""
        self._last_line = ""
        self._services: dict[str, tuple[str, float]] = {}
        self._live: RichLive | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - only on a terminal
            from rich.live import Live as RichLive  # noqa: PLC0415 - same

            self._live = RichLive(console=Console(stderr=True), get_renderable=self._table, transient=True)
            self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError):  # the terminal was closed
                self._live.__exit__(None, None, None)

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        elapsed = time.monotonic() - self._begin
        if progress.service:
            self._services[progress.service] = (progress.what, elapsed)
        self._step, self._last_line = progress.step, progress.what
        # A terminal or a reader that went away must not end a deploy half-way.
        with contextlib.suppress(OSError):
            if self._live is not None and progress.lasting:
                self._live.console.print(str(progress), markup=False, highlight=False)
            if self._live is None and (progress.service or not progress.raw or _STEP_OF_A_BUILD.match(progress.what)):
                typer.echo(f"{elapsed:7.1f} s  {progress}", err=True)

    def _table(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415 - only on a terminal
        from rich.spinner import Spinner  # noqa: PLC0415 - same
        from rich.table import Table  # noqa: PLC0415 - same
        from rich.text import Text  # noqa: PLC0415 - same

        table = Table.grid(padding=(0, 2))
        for service, (what, since) in sorted(self._services.items()):
            table.add_row(service, what, f"{since:.1f} s")
        elapsed = time.monotonic() - self._begin
        line = Text(f"{elapsed:.0f} s  {self._step}: {self._last_line}", overflow="ellipsis", no_wrap=True)
        return Group(Spinner("dots", line), table)


def status(states: Sequence[ServiceHealth], *, as_json: bool) -> None:
    """Every service and how it is."""
    if as_json:
        rows = [
            {
                "service": state.service,
                "verdict": state.verdict,
                "reason": state.reason,
                "image": state.container.image if state.container else None,
                "container": state.container.name if state.container else None,
                "restarts": state.container.restart_count if state.container else None,
            }
            for state in states
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table(
        ("service", "health", "reason", "image"),
        [(s.service, s.verdict, s.reason, s.container.image if s.container else "") for s in states],
        colour=1,
    )


def urls(context: Context, *, as_json: bool) -> None:
    """Where each service answers."""
    environment = context.environment
    rows = [(route.service, environment.url(route.name)) for route in context.routes]
    if as_json:
        typer.echo(json.dumps([{"service": service, "url": url} for service, url in rows], indent=2))
        return
    if not rows:
        typer.echo(f"no service of {context.project} has a URL")
        return
    table(("service", "url"), rows)
    if environment.tls == "local-ca":
        typer.echo(f"\nTrust its certificates once: {_authority()}")
    elif environment.tls == "acme" and not environment.browsers_trust:
        typer.echo(f"\nNo browser trusts the certificates of {environment.acme_ca}; for real ones: ACME_CA=letsencrypt")


def findings(found: Iterable[Finding], *, as_json: bool) -> None:
    """What `doctor` found."""
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
        return
    for finding in found:
        mark = _coloured("ok     ", fg="green") if finding.ok else _coloured("missing", fg="red")
        typer.echo(f"{mark}  {finding.name}: {finding.detail}")
        if not finding.ok and finding.fix:
            typer.echo(f"         {finding.fix}")


def preflight(found: Iterable[PreflightFinding], *, as_json: bool) -> None:
    """What preflight looked at, a line each."""
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
        return
    for finding in found:
        word, colour = _VERDICTS[finding.verdict]
        typer.echo(f"{_coloured(word.ljust(6), fg=colour)}  {finding.check.ljust(8)}  {_indented(finding.what)}")
        if finding.fix:
            typer.echo(f"{' ' * 18}-> {finding.fix}")


def preparation(target: str, todo: Preparation) -> None:
    """What a host has already, and every command that it still needs."""
    typer.echo(f"{target}: {todo.distribution}")
    for line in todo.present:
        typer.echo(f"{_coloured('ok', fg='green')}  {line}")
    if todo.steps:
        typer.echo("to be done there, as root:")
    for number, step in enumerate(todo.steps, 1):
        typer.echo(f"\n{_coloured(str(number), fg='yellow')}   {step.what}")
        for line in step.commands.splitlines():
            typer.echo(f"      {line}")
    if todo.steps:
        typer.echo()
    for line in todo.notes:
        typer.echo(f"note: {line}")


def _coloured(text: str, fg: str | None) -> str:
    """In that colour, unless colours are declined (https://no-color.org). Where no terminal is, typer shows none."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, fg=fg)


def _indented(text: str) -> str:
    """More lines, such as those that a failed ssh wrote, stand under the first."""
    return text.replace("\n", f"\n{' ' * 18}")


@contextlib.contextmanager
def _for_whoever_reads() -> Generator[None]:
    """That nobody reads this any more is no failure of the deploy; and what is still unwritten goes nowhere."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.EIO}:  # a pipe or a terminal that was closed
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(deployment: Deployment, done: Report, *, as_json: bool = False) -> None:
    """How a deploy went, and where to look now. What went wrong beside it is said last, and is the exit code 1."""
    with _for_whoever_reads():
        if as_json:
            typer.echo(json.dumps(done.document, indent=2))
        else:
            typer.echo(str(done))
            urls(deployment.context, as_json=False)
    for flaw in done.flaws:
        typer.echo(f"but: {flaw}", err=True)
    if done.flaws:
        raise typer.Exit(1)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], colour: int | None = None) -> None:
    """Columns as wide as they must be, without frames: easy to read, easy to cut."""
    widths = [max(len(row[index]) for row in [titles, *rows]) for index in range(len(titles))]
    typer.echo("  ".join(title.upper().ljust(width) for title, width in zip(titles, widths, strict=True)).rstrip())
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if colour is not None:
            cells[colour] = _coloured(cells[colour], fg=_MARKS.get(row[colour]))
        typer.echo("  ".join(cells).rstrip())


def _authority() -> Path:
    from nself_sdk.store import certificates  # noqa: PLC0415 - costs as much as a whole command

    return certificates.authority_certificate()
