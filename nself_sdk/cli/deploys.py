"""``deploy``, to any environment and as the last step of a stage: its options are written once."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nself_sdk.cli import output
from nself_sdk.cli.shared import (
    CheckOnly,
    Drain,
    DryRun,
    Frontends,
    Json,
    LockWait,
    Message,
    PlanFile,
    ProbeRate,
    Probes,
    Timeout,
    app,
    checked,
    connected,
    declared,
)

if TYPE_CHECKING:
    from nself_sdk.deploy import Deployment
    from nself_sdk.plan import Plan


@app.command()
def deploy(  # noqa: PLR0913 - its options
    context: typer.Context,
    env: Annotated[str, typer.Argument(metavar="ENV", help="dev, staging, prod or one of your own.")],
    *,
    frontends: Frontends = None,
    dry_run: DryRun = False,
    check_only: CheckOnly = False,
    plan: PlanFile = None,
    message: Message = "",
    drain: Drain = 30,
    lock_wait: LockWait = 0,
    timeout: Timeout = 300,
    probe: Probes = None,
    probe_rate: ProbeRate = 20,
    as_json: Json = False,
) -> None:
    """Deploy to the host of an environment, until all is healthy.

    Where that is, .environments/ENV/server.json says: {"host": "ssh://deploy@example.com"}. Without it, it is this
    machine. Exit code 1: everything is deployed, but a request of the probe was lost or post-deploy went wrong.

    Example: nself-sdk deploy prod --message "prices in euros" --probe https://api.example.com/healthz
    """
    if check_only:
        checked(context, env, frontends, as_json=as_json)
    elif dry_run:
        would_deploy(context, env, frontends, plan, as_json=as_json)
    else:
        bring_up(
            context,
            env,
            frontends,
            plan=plan,
            probe=probe,
            probe_rate=probe_rate,
            as_json=as_json,
            message=message,
            drain=drain,
            lock_wait=lock_wait,
            timeout=timeout,
        )


def to(stage: str) -> Callable[..., None]:
    """The same command with the same options, for one environment."""

    @wraps(deploy)
    def staged(context: typer.Context, **options: Any) -> None:
        deploy(context, stage, **options)

    whole = inspect.signature(deploy, eval_str=True)
    options = [parameter for name, parameter in whole.parameters.items() if name != "env"]
    vars(staged)["__signature__"] = whole.replace(parameters=options)  # what typer reads the options from
    return staged


def bring_up(  # noqa: PLR0913 - what the command line says; the rest is the deploy's own
    context: typer.Context,
    env: str | None,
    frontends: bool | None = None,
    *,
    plan: Path | None = None,
    probe: Sequence[str] | None = None,
    probe_rate: float = 20,
    as_json: bool = False,
    **options: Any,
) -> None:
    """Deploy, showing what happens, and print how it ended. The options are those of `Deployment.deploy`."""
    tell = output.Live()
    approved = None if plan is None else saved_plan(plan)
    with tell, connected(context, env, tell, frontends) as deployment:
        traffic = deployment.probe(*probe, rate=probe_rate) if probe else None
        report = deployment.deploy(approved, probe=traffic, **options)
    output.report(deployment, report, as_json=as_json)


def saved_plan(path: Path) -> Plan:
    """The plan that ``plan --out`` wrote.

    Raises:
        DeclarationError: the file is none.
    """
    from pydantic import ValidationError

    from nself_sdk.errors import DeclarationError, Problem
    from nself_sdk.plan import Plan
    from nself_sdk.store import envfiles

    try:
        return Plan.model_validate_json(envfiles.read_text(path))
    except ValidationError:
        raise DeclarationError(
            Problem(str(path), "is not a plan", "make one with: nself-sdk plan --out FILE")
        ) from None


def would_deploy(
    context: typer.Context, env: str | None, frontends: bool | None, plan: Path | None, *, as_json: bool
) -> None:
    """Print what would be deployed and where and, if the host answers, what would change there. Changes nothing.

    Raises:
        DeclarationError: a saved plan that would not be carried out.
    """
    from nself_sdk.deploy import Deployment

    folder, environment, project = declared(context, env, frontends)
    deployment = Deployment(project, environment, folder)
    deployment.check()
    made, unknown = _foreseen(deployment, None if plan is None else saved_plan(plan))
    images = {name: service.image or "" for name, service in sorted(deployment.tagged.services.items())}
    if as_json:
        changes = made.model_dump(mode="json") if made else None
        typer.echo(
            json.dumps(
                {"target": str(deployment.target), "images": images, "plan": changes, "unknown": unknown}, indent=2
            )
        )
        return
    typer.echo(f"would deploy {project.name} in {environment.name} to {deployment.target}:")
    output.table(("service", "image"), list(images.items()))
    output.urls(deployment.context, as_json=False)
    typer.echo(f"\n{made}" if made else f"\nwhat would change there is not known: {unknown}")


def _foreseen(deployment: Deployment, approved: Plan | None) -> tuple[Plan | None, str]:
    """What a deploy would change, or why that is not known."""
    from nself_sdk.deploy.refusals import refuse
    from nself_sdk.errors import HostUnreachableError

    if missing := list(deployment.folder.secret_problems(deployment.context)):
        return None, str(missing[0])
    if coming := deployment.folder.to_be_made(deployment.context):
        return None, f"a first deploy makes {len(coming)} secrets, among them {coming[0]}"
    try:
        with deployment:
            made = deployment.plan()
    except HostUnreachableError as error:
        return None, error.message
    if approved is not None:
        refuse(approved, made)
    return made, ""
