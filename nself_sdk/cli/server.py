"""``server``: what the host of an environment is like, and how a fresh one becomes fit to be deployed to."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import typer

from nself_sdk.cli import output
from nself_sdk.cli.shared import Environment, Frontends, Json, app, declared

server = typer.Typer(no_args_is_help=True, help="The host of an environment: check, init.")
app.add_typer(server, name="server")

#: What a deploy would end with, refused by the host.
_REFUSED = 4


@server.command()
def check(
    context: typer.Context, env: Environment = None, *, frontends: Frontends = None, as_json: Json = False
) -> None:
    """Say what a deploy would meet on the host: what is fine, what to look at, what refuses it. Touches nothing.

    Exit code 4: a deploy would be refused.

    Example: nself-sdk server check prod
    """
    from nself_sdk.deploy import Deployment, preflight

    folder, environment, project = declared(context, env, frontends)
    found = preflight.examined(Deployment(project, environment, folder))
    output.preflight(found, as_json=as_json)
    raise typer.Exit(_REFUSED if any(finding.verdict == "refusal" for finding in found) else 0)
