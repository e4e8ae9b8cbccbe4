"""``staging`` and ``prod``: the way from a domain to a deployed stack, one step a command.

Only ``deploy`` deploys.
"""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from nself_sdk.cli import deploys
from nself_sdk.cli.shared import Frontends, Json, app, checked, declared, opened

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="Its base domain, such as staging.example.com.")]
Email = Annotated[str, typer.Option(metavar="ADDRESS", help="Who is told about certificates and alerts.")]
Host = Annotated[str, typer.Option("--server", metavar="HOST", help="Where it runs: ssh://user@host, or local.")]


def _command(group: typer.Typer, command: Callable[..., None], text: str, example: str) -> None:
    group.command(command.__name__, help=f"{text}\n\nExample: nself-sdk {example}")(command)


def _add(stage: Literal["staging", "prod"], domain: str) -> None:
    """The commands of one stage."""
    group = typer.Typer(no_args_is_help=True, help=f"{stage.capitalize()}: init, secrets, check, deploy.")
    secrets = typer.Typer(no_args_is_help=True, help=f"The secrets of {stage}.")
    app.add_typer(group, name=stage)
    group.add_typer(secrets, name="secrets")

    def init(context: typer.Context, domain: Domain, *, email: Email = "", server: Host = "") -> None:
        _init(context, stage, domain, email, server)

    def generate(context: typer.Context) -> None:
        _generate(context, stage)

    text = f"Make the files of {stage}. What else is there is left alone; deploys nothing."
    _command(group, init, text, f"{stage} init {domain} --email ops@example.com")
    text = f"Generate the secrets that {stage} has not got yet. Shows none; deploys nothing."
    _command(secrets, generate, text, f"{stage} secrets generate")
    _add_check(group, stage)
    _add_deploy(group, stage)


def _add_check(group: typer.Typer, stage: str) -> None:
    def check(context: typer.Context, *, frontends: Frontends = None, as_json: Json = False) -> None:
        checked(context, stage, frontends, as_json=as_json)
        typer.echo(f"next: nself-sdk {stage} deploy")

    text = f"Say everything that is wrong with {stage}. Touches nothing.\n\nProject, variables, host and secrets."
    _command(group, check, text, f"{stage} check")


def _add_deploy(group: typer.Typer, stage: str) -> None:
    text = (
        f"Deploy {stage}, and wait until every service is healthy.\n\n"
        "Exit code 1: everything is deployed, but a request of the probe was lost or post-deploy went wrong."
    )
    example = f"{stage} deploy {'--exclude-frontends' if stage == 'staging' else '--dry-run'}"
    _command(group, deploys.to(stage), text, example)


def _init(context: typer.Context, stage: str, domain: str, email: str, host: str) -> None:
    from nself_sdk.store import scaffold
    from nself_sdk.store.facts import is_placeholder

    folder = opened(context)
    for path in scaffold.stage(folder.path, stage, domain, email, host):
        typer.echo(f"wrote {path}")
    place = "" if host else f"edit {folder.home(stage) / 'server.json'}, then "
    path = folder.home(stage) / ".env"
    blank = [name for name, variable in folder.variables(stage).items() if is_placeholder(variable.value)]
    fill = f"write your {', '.join(blank)} into {path}, " if blank else ""
    typer.echo(f"next: {fill}{place}nself-sdk {stage} secrets generate")


def _generate(context: typer.Context, stage: str) -> None:
    """Generate what is missing, and say what is still to be given."""
    folder, environment, project = declared(context, stage)
    where = project.context(environment)
    made = folder.generate_secrets(where)
    path = folder.home(stage) / ".env.secrets"
    typer.echo(f"generated {', '.join(made)} in {path}" if made else f"nothing to do: {path} has them all")
    for secret in where.secrets:
        if secret.source == "given":
            typer.echo(f"to be written there by you, if it is not yet: {secret.name}")
    typer.echo(f"next: nself-sdk {stage} check")


_add("staging", "staging.example.com")
_add("prod", "example.com")
