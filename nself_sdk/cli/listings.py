"""The commands that list: what services and templates there are, and where a project answers."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from nself_sdk.cli import output
from nself_sdk.cli.shared import Environment, Frontends, Json, app, declared


@app.command()
def services(
    name: Annotated[str | None, typer.Argument(metavar="SERVICE", help="One of them, with its variables.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the services of the catalog, or one with its variables.

    Example: nself-sdk services redis
    """
    from nself_sdk.store import kinds

    found = [kinds.entry(name)] if name else kinds.listing()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in found], indent=2))
        return
    output.table(("class", "variable", "for"), [(e.name, e.variable or "with others", e.purpose) for e in found])
    if name and found[0].variables:
        typer.echo()
        output.table(("variable", "sets"), [*found[0].variables.items()])


@app.command()
def templates(*, as_json: Json = False) -> None:
    """Show every template for custom services.

    Example: nself-sdk templates --json
    """
    from nself_sdk import resources

    rows = [(name, resources.template(name).description) for name in resources.template_names()]
    if as_json:
        typer.echo(json.dumps([{"template": name, "description": text} for name, text in rows], indent=2))
        return
    output.table(("template", "for"), rows)


@app.command()
def urls(
    context: typer.Context, env: Environment = None, *, frontends: Frontends = None, as_json: Json = False
) -> None:
    """Show where each service answers.

    Example: nself-sdk urls staging
    """
    _, environment, project = declared(context, env, frontends)
    output.urls(project.context(environment), as_json=as_json)
