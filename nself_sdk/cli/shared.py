"""What the commands share: their arguments, and how a command gets at its folder, environment and project."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from nself_sdk.deploy import Deployment
    from nself_sdk.deploy.progress import Tell
    from nself_sdk.environment import Environment as Place
    from nself_sdk.errors import Problem
    from nself_sdk.project import Project
    from nself_sdk.store import ProjectFolder

_WHICH = "dev, staging, prod or one of your own; the current one when left out (see: env switch)."

Environment = Annotated[str | None, typer.Argument(metavar="ENV", help=_WHICH, show_default=False)]
EnvironmentOption = Annotated[str | None, typer.Option("--env", "-e", metavar="ENV", help=_WHICH, show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds that services may take to become healthy.")]
Drain = Annotated[float, typer.Option(min=0, help="Seconds that an old container may take to end its requests.")]
LockWait = Annotated[float, typer.Option("--lock-wait", min=0, help="Seconds to wait for another deploy to end.")]
Message = Annotated[str, typer.Option("--message", "-m", help="What it is for; kept with the release.")]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Carry out exactly this saved plan.", show_default=False),
]
Probes = Annotated[
    list[str] | None,
    typer.Option(
        "--probe",
        metavar="URL",
        help="Send steady traffic there meanwhile, and say what was lost; wss:// holds a socket. May be repeated.",
        show_default=False,
    ),
]
ProbeRate = Annotated[float, typer.Option("--probe-rate", min=1, help="Requests a second, of all URLs together.")]
Frontends = Annotated[
    bool | None,
    typer.Option(
        "--include-frontends/--exclude-frontends",
        help="With or without the frontends; when left out, the environment decides: all but prod have them.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be deployed, where, and what would change.")]
CheckOnly = Annotated[bool, typer.Option("--check-only", help="Only say what is wrong; connect to nothing.")]

#: The commands as one meets them: on this machine, on a host, and what one needs now and then.
_ORDER = (
    *("init", "build", "check", "up", "status", "logs", "exec", "urls", "down"),
    *("staging", "prod", "server", "deploy", "plan", "releases", "rollback", "drift"),
    *("env", "services", "templates", "export", "import", "doctor"),
)


class _AsMet(TyperGroup):
    """The commands in the order of `_ORDER`, whichever module they come from."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override] # typer's own kind of Context
        return sorted(super().list_commands(ctx), key=[*_ORDER].index)


app = typer.Typer(
    cls=_AsMet,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Compose a backend stack in typed Python and deploy it with Docker.",
    epilog="Start with: nself-sdk init, then nself-sdk up.",
)


def opened(context: typer.Context) -> ProjectFolder:
    """The project's folder."""
    from nself_sdk.store import ProjectFolder

    folder: Path = context.find_root().obj
    return ProjectFolder(folder)


def declared(
    context: typer.Context, env: str | None, frontends: bool | None = None
) -> tuple[ProjectFolder, Place, Project]:
    """The folder, the environment and the project that the command is about."""
    folder = opened(context)
    facts: dict[str, object] = {} if frontends is None else {"frontends": frontends}
    environment = folder.environment(env or folder.current, **facts)
    return folder, environment, folder.project(environment)


@contextmanager
def connected(
    context: typer.Context,
    env: str | None,
    tell: Tell | None = None,
    frontends: bool | None = None,
) -> Generator[Deployment]:
    """The open deployment that the command is about."""
    from nself_sdk.deploy import Deployment

    folder, environment, project = declared(context, env, frontends)
    with Deployment(project, environment, folder, tell=tell or (lambda _: None)) as deployment:
        yield deployment


def found_wrong(
    context: typer.Context, env: str | None, frontends: bool | None = None
) -> tuple[str, list[Problem], list[Problem]]:
    """What the command is about, what is wrong with it, and what is wrong with its secrets. Touches nothing."""
    from nself_sdk.checks import problems
    from nself_sdk.deploy import Deployment
    from nself_sdk.errors import DeclarationError
    from nself_sdk.render import render

    folder, environment, project = declared(context, env, frontends)
    title = f"{project.name} in {environment.name}"
    try:
        file = render(project, environment)
        wrong = [*problems(file, environment)]
    except DeclarationError as error:
        return title, list(error.problems), []
    where = project.context(environment)
    wrong += [*folder.problems(where), *folder.code_problems(project, file)]
    if not wrong:
        Deployment(project, environment, folder).target  # noqa: B018 - refuses a host that is none
    return title, wrong, list(folder.secret_problems(where))


def checked(context: typer.Context, env: str | None, frontends: bool | None, *, as_json: bool) -> None:
    """Print everything that is wrong, and leave with the exit code of the worst."""
    from nself_sdk.errors import DeclarationError

    try:
        title, wrong, secrets = found_wrong(context, env, frontends)
    except DeclarationError as error:
        title, wrong, secrets = "", list(error.problems), []
    judged(title, wrong, secrets, as_json=as_json)


def judged(title: str, wrong: Sequence[Problem], secrets: Sequence[Problem], *, as_json: bool) -> None:
    """Print problems, and leave with the exit code of the worst; return if there are none."""
    from nself_sdk.errors import DeclarationError, SecretError

    every = [*wrong, *secrets]
    worst = DeclarationError(list(wrong)) if wrong else SecretError("\n".join(map(str, secrets)))
    if as_json:
        typer.echo(json.dumps([{"where": p.where, "what": p.what, "fix": p.fix} for p in every], indent=2))
        raise typer.Exit(worst.exit_code if every else 0)
    if wrong:
        raise DeclarationError(every)
    if secrets:
        raise worst
    typer.echo(f"{title}: no problems")
