"""``env``: the environments of a project, what their variables are, and which one is current."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from nself_sdk.cli import output
from nself_sdk.cli.shared import Environment, Json, app, opened

environments = typer.Typer(no_args_is_help=True, help="Environments: dev, staging, prod and your own.")
app.add_typer(environments, name="env")

Name = Annotated[str, typer.Argument(metavar="ENV", help="The environment's name.")]


@environments.command("list")
def listed(context: typer.Context, *, as_json: Json = False) -> None:
    """Show every environment, what it is based on and where it runs.

    Example: nself-sdk env list
    """
    from nself_sdk.store import inspection

    rows = inspection.environments(opened(context))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    cells = [("*" if row.current else "", row.name, row.base, row.domain, row.host) for row in rows]
    output.table(("", "env", "base", "domain", "host"), cells)


@environments.command()
def create(
    context: typer.Context,
    name: Name,
    *,
    base: Annotated[str, typer.Option(metavar="ENV", help="dev, staging or prod.")] = "staging",
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Its base domain.")] = "",
    as_json: Json = False,
) -> None:
    """Make an environment of your own, such as qa. Deploys nothing.

    Example: nself-sdk env create qa --base staging --domain qa.example.com
    """
    from nself_sdk.store import scaffold

    made = scaffold.environment(opened(context).path, name, base, domain)
    if as_json:
        typer.echo(json.dumps([str(path) for path in made], indent=2))
        return
    for path in made:
        typer.echo(f"made {path}")
    typer.echo(f"next: nself-sdk check {name}, or nself-sdk env switch {name}")


@environments.command()
def show(context: typer.Context, env: Environment = None, *, as_json: Json = False) -> None:
    """Show every variable, and the file and line that decided it. Secrets are masked.

    Example: nself-sdk env show prod
    """
    from nself_sdk.store import inspection

    folder = opened(context)
    rows = inspection.shown(folder, env or folder.current)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    output.table(("variable", "value", "from"), [(row.name, row.value, row.place) for row in rows])


@environments.command()
def diff(context: typer.Context, first: Name, second: Name, *, as_json: Json = False) -> None:
    """Show the variables that differ between two environments. Secrets are masked.

    Example: nself-sdk env diff staging prod
    """
    from nself_sdk.store import inspection

    rows = inspection.differing(opened(context), first, second)
    if as_json:
        typer.echo(json.dumps([{"name": name, first: one, second: other} for name, one, other in rows], indent=2))
        return
    if rows:
        output.table(("variable", first, second), [(name, one or "", other or "") for name, one, other in rows])
    else:
        typer.echo(f"{first} and {second} say the same")


@environments.command()
def validate(context: typer.Context, env: Environment = None, *, as_json: Json = False) -> None:
    """Say what is wrong with the files of an environment. Touches nothing.

    Of all environments when none is named.

    Example: nself-sdk env validate
    """
    from nself_sdk.cli.shared import judged
    from nself_sdk.store import inspection

    folder = opened(context)
    wrong = [problem for name in ([env] if env else folder.environments) for problem in inspection.wrong(folder, name)]
    judged(env or "environments", list(dict.fromkeys(wrong)), [], as_json=as_json)


@environments.command()
def switch(context: typer.Context, env: Name, *, as_json: Json = False) -> None:
    """Make an environment the current one.

    It is what commands mean when none is named. No other file is changed.

    Example: nself-sdk env switch staging
    """
    current = opened(context).switch(env)
    typer.echo(json.dumps({"current": current}) if as_json else f"current: {current}")
