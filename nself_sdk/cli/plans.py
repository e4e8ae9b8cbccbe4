"""Looking ahead and back: what a deploy would change, what was deployed, and the way back."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nself_sdk.cli import output
from nself_sdk.cli.shared import Drain, Environment, Frontends, Json, LockWait, Timeout, app, connected

#: What `plan` ends with when there is something to change, as ``terraform plan -detailed-exitcode`` does.
_CHANGES = 2


@app.command()
def plan(
    context: typer.Context,
    env: Environment = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the plan, for: deploy --plan FILE.")] = None,
    *,
    frontends: Frontends = None,
    as_json: Json = False,
) -> None:
    """Show what a deploy would change on the host, and why. Changes nothing.

    Exit code 0: nothing to do; 2: there are changes. What would leave a service without its data is refused, with the
    way to do it: no deploy does it.

    Example: nself-sdk plan prod --out prod.plan
    """
    with connected(context, env, frontends=frontends) as deployment:
        made = deployment.plan()
    if out is not None:
        from nself_sdk.store import envfiles

        envfiles.write(out, made.model_dump_json(indent=2) + "\n")
    typer.echo(made.model_dump_json(indent=2) if as_json else str(made))
    if made.pending and not made.refusals:
        given = {True: " --include-frontends", False: " --exclude-frontends", None: ""}[frontends]
        saved = f" --plan {out}" if out else ""
        typer.echo(f"next: nself-sdk deploy {made.environment}{given}{saved}", err=as_json)
    raise typer.Exit(_CHANGES if made.pending or made.refusals else 0)


@app.command()
def drift(context: typer.Context, env: Environment = None, *, as_json: Json = False) -> None:
    """Say what differs on the host from what was deployed last.

    Changed by hand, missing, extra or unwell.

    Exit code 0: nothing; 2: something; 4: the host could not be asked.

    Example: nself-sdk drift prod --json
    """
    with connected(context, env) as deployment:
        found = deployment.drift()
    typer.echo(found.model_dump_json(indent=2) if as_json else str(found))
    raise typer.Exit(_CHANGES if found.differences else 0)


@app.command()
def rollback(  # noqa: PLR0913 - its options
    context: typer.Context,
    env: Annotated[str, typer.Argument(metavar="ENV", help="dev, staging, prod or one of your own.")],
    release: Annotated[int | None, typer.Argument(help="Its number; the one before when left out.")] = None,
    *,
    timeout: Timeout = 300,
    drain: Drain = 30,
    lock_wait: LockWait = 0,
    as_json: Json = False,
) -> None:
    """Restore a whole release. Data and secrets stay.

    That is its services, their images and their configuration.

    Without a number it is the release that was deployed before what runs now; jobs that run once are not run again.

    Example: nself-sdk rollback prod 41
    """
    tell = output.Live()
    with tell, connected(context, env, tell) as deployment:
        report = deployment.rollback(release, timeout=timeout, drain=drain, lock_wait=lock_wait)
    output.report(deployment, report, as_json=as_json)
