"""``server``: what the host of an environment is like, and how a fresh one becomes fit to be deployed to."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nself_sdk.cli import output
from nself_sdk.cli.shared import Environment, Frontends, Json, app, declared, opened

if TYPE_CHECKING:
    from nself_sdk.docker.setup import Preparation

server = typer.Typer(no_args_is_help=True, help="The host of an environment: check, init.")
app.add_typer(server, name="server")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do what is shown without asking.")]

#: What a deploy would end with, refused by the host.
_REFUSED = 4
#: There is something to do, and nobody said that it may be done.
_NOT_DONE = 2


@server.command()
def check(
    context: typer.Context, env: Environment = None, *, frontends: Frontends = None, as_json: Json = False
) -> None:
    """Say what a deploy would meet on the host. Touches nothing.

    What is fine, what to look at, and what refuses it.

    Exit code 4: a deploy would be refused.

    Example: nself-sdk server check prod
    """
    from nself_sdk.deploy import Deployment, preflight

    folder, environment, project = declared(context, env, frontends)
    found = preflight.examined(Deployment(project, environment, folder))
    output.preflight(found, as_json=as_json)
    raise typer.Exit(_REFUSED if any(finding.verdict == "refusal" for finding in found) else 0)


@server.command()
def init(
    context: typer.Context,
    env: Annotated[str, typer.Argument(metavar="ENV", help="dev, staging, prod or one of your own.")],
    *,
    yes: Yes = False,
) -> None:
    """Prepare a Debian or Ubuntu host.

    It gets Docker, log rotation, security updates, and a firewall that lets ssh in. Every command is shown before
    anything is done; a second run does only what is still missing.

    Exit code 2: there is something to do, and it was not done.

    Example: nself-sdk server init prod
    """
    from nself_sdk.deploy.targets import remote_target
    from nself_sdk.docker.fresh import fresh_host

    folder = opened(context)
    environment = folder.environment(env)
    target = remote_target(folder, environment)
    with fresh_host(target) as host:
        todo = host.look((environment.http_port, environment.https_port))
        output.preparation(str(target), todo)
        if todo.steps and _approved(todo, yes=yes):
            host.do(todo.steps, typer.echo)
        elif todo.steps:
            typer.echo(f"nothing was done; to do it: nself-sdk server init {environment.name} --yes")
            raise typer.Exit(_NOT_DONE)
    typer.echo(f"next: nself-sdk server check {environment.name}")


def _approved(todo: Preparation, *, yes: bool) -> bool:
    if yes:
        return True
    return sys.stdin.isatty() and sys.stdout.isatty() and typer.confirm(f"Take these {len(todo.steps)} steps?")
