"""The commands: each parses, calls one function and prints its value.

What a command needs is imported inside it: ``--help`` must not wait for Docker.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nself_sdk.cli import conversions, deploys, environments, listings, output, plans, releases, server, shared, stages
from nself_sdk.cli.deploys import bring_up
from nself_sdk.cli.shared import (
    Environment,
    EnvironmentOption,
    Frontends,
    Json,
    Timeout,
    checked,
    connected,
    declared,
)

app = shared.app
# The groups of commands that have modules of their own.
__all__ = ["app", "conversions", "deploys", "environments", "listings", "plans", "releases", "server", "stages"]


@app.callback()
def options(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("-C", metavar="DIR", help="The project's folder.")] = Path(),
) -> None:
    """Compose a backend stack in typed Python and deploy it with Docker."""
    context.obj = folder


@app.command()
def init(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The project's name; the folder's name when left out.")
    ] = None,
) -> None:
    """Start a project: stack.py, environments and a .gitignore. Nothing that exists is changed.

    Example: nself-sdk -C shop init
    """
    from nself_sdk.errors import NselfError
    from nself_sdk.project import Project, name_of
    from nself_sdk.store import ProjectFolder

    path: Path = context.obj.resolve()
    project = Project(name or name_of(path))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NselfError(f"{path} cannot be made: {error.strerror}", "name another folder with -C") from None
    made = ProjectFolder(path).init(project.name)
    for file in made:
        typer.echo(f"made {file}")
    typer.echo("next: nself-sdk up" if made else "nothing to do: every file is already there")


@app.command()
def build(
    context: typer.Context,
    env: Environment = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; the project's folder.")] = None,
    *,
    frontends: Frontends = None,
) -> None:
    """Write docker-compose.yml, and the first code of new services.

    The generated texts (nginx.conf and others) are written beside it, in rendered/. Code that is there already stays.

    Example: nself-sdk build prod --out rendered/prod
    """
    from nself_sdk.checks import POLICIES, RULES, check, problems
    from nself_sdk.render import render

    folder, environment, project = declared(context, env, frontends)
    file = render(project, environment)
    check(file, environment, RULES)
    for problem in problems(file, environment, POLICIES):
        typer.echo(f"before a deploy: {problem}", err=True)
    for path in [*folder.scaffold(project), *folder.write(file, out)]:
        typer.echo(f"wrote {path}")


@app.command()
def check(
    context: typer.Context, env: Environment = None, *, frontends: Frontends = None, as_json: Json = False
) -> None:
    """Say everything that is wrong with the project. Touches nothing.

    Exit code 2: what is declared is wrong; 3: only secrets or the certificate are.

    Example: nself-sdk check prod
    """
    checked(context, env, frontends, as_json=as_json)


@app.command()
def up(context: typer.Context, env: Environment = None, *, frontends: Frontends = None, timeout: Timeout = 300) -> None:
    """Bring the stack up and wait until it is healthy.

    Example: nself-sdk up
    """
    bring_up(context, env, frontends, timeout=timeout)


@app.command()
def down(context: typer.Context, env: Environment = None) -> None:
    """Stop and remove the containers. Volumes, and so data, stay.

    Example: nself-sdk down staging
    """
    with connected(context, env) as deployment:
        deployment.down()
        kept = deployment.driver.volumes(deployment.project.name)
    typer.echo(f"{deployment.project.name} is down")
    if kept:
        typer.echo(f"kept its data: {', '.join(volume.name for volume in kept)}")


@app.command()
def status(context: typer.Context, env: Environment = None, *, as_json: Json = False) -> None:
    """Show every service and how it is. Exit code 1 if one is not healthy.

    Example: nself-sdk status prod --json
    """
    with connected(context, env) as deployment:
        states = deployment.status()
    output.status(states, as_json=as_json)
    raise typer.Exit(0 if all(state.verdict == "healthy" for state in states) else 1)


@app.command()
def logs(
    context: typer.Context,
    services: Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="All when left out.")] = None,
    *,
    env: EnvironmentOption = None,
    tail: Annotated[int, typer.Option(min=0, help="Lines from the end, per service.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show what the services wrote.

    Example: nself-sdk logs hasura --env prod --tail 20
    """
    with connected(context, env) as deployment:
        deployment.logs(*(services or ()), tail=tail, follow=follow, on_line=typer.echo)


# What follows the service belongs to the command, also where it looks like an option of ours.
@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def exec(  # noqa: A001 - the command's name, as Docker has it
    context: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service in whose container it runs.")],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The program and its arguments.")],
    *,
    env: EnvironmentOption = None,
) -> None:
    """Run a command in a service's container.

    The exit code is the command's.

    Example: nself-sdk exec postgres psql -U postgres shop
    """
    with connected(context, env) as deployment:
        if sys.stdin.isatty() and sys.stdout.isatty():
            raise typer.Exit(deployment.exec_interactive(service, command))
        result = deployment.exec(service, command)
    typer.echo(result.stdout, nl=False)
    typer.echo(result.stderr, nl=False, err=True)
    raise typer.Exit(result.exit_code)


@app.command()
def doctor(
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Install and start what is missing.")] = False,
    as_json: Json = False,
) -> None:
    """Say whether this machine can run stacks.

    It needs a Docker engine, its client, Compose and buildx. --fix installs and starts what is missing, from the
    distribution's packages, and says what it did.

    Example: nself-sdk doctor --fix
    """
    from nself_sdk.docker import engine

    if fix:
        engine.repair(typer.echo)
    findings = engine.examine()
    output.findings(findings, as_json=as_json)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)
