"""The commands that write a project in another form. What they write is never one of the project's own files."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nself_sdk.cli.shared import app, opened


@app.command()
def export(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of its own.")] = Path("export"),
    *,
    form: Annotated[
        Literal["env", "python"] | None,
        typer.Option("--as", help="env: a folder of env files; python: a stack.py; the other of the two if left out."),
    ] = None,
) -> None:
    """Write the project as a folder of env files, or as a stack.py. Both render the same.

    Example: nself-sdk export ../shop-in-python --as python
    """
    from nself_sdk.store import export

    for path in export.write(opened(context), target, form):
        typer.echo(f"wrote {path}")


@app.command("import")
def import_(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A Compose file.")] = Path("docker-compose.yml"),
) -> None:
    """Write a stack.py that declares what a Compose file declares. The Compose file stays as it is.

    Example: nself-sdk import docker-compose.yml
    """
    from nself_sdk.store import export

    target = opened(context).path / "stack.py"
    changes = export.from_compose(source, target)
    typer.echo(f"wrote {target}, evaluated: it declares what {source} does")
    for change in changes:
        typer.echo(f"note: {change}")
    typer.echo(f"next: move {source} away, because nself-sdk build writes docker-compose.yml anew")
