"""What a deploy refuses, however much it is asked: a stale plan, another's containers, data left behind."""

from __future__ import annotations

from nself_sdk.deploy.releases import Release
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.plan import Plan


def refuse(approved: Plan | None, fresh: Plan) -> None:
    """A plan is carried out as it was shown, or not at all; and not if a service would lose sight of its data.

    Raises:
        DeclarationError: the host or the project changed since the plan was made, or the plan holds refusals.
    """
    refuse_loss(fresh)
    if approved is None or approved == fresh:
        return
    what = "the host changed" if approved.wanted == fresh.wanted else "the project changed"
    fix = f"look at a new one: nself-sdk plan {fresh.environment}"
    raise DeclarationError(Problem("plan", f"{what} since this plan was made", fix))


def refuse_loss(fresh: Plan) -> None:
    """No deploy and no rollback starts a service without its data.

    Raises:
        DeclarationError: with the way to do each safely.
    """
    if fresh.refusals:
        raise DeclarationError(fresh.refusals)


def refuse_stranger(history: tuple[Release, ...], environment: str) -> None:
    """Two environments of one project on one engine would share containers, and data.

    Raises:
        DeclarationError: the host runs the project in another environment.
    """
    if history and history[0].environment != environment:
        what = f"this engine runs {history[0].project} in {history[0].environment}, whose data {environment} would take"
        raise DeclarationError(Problem("environment", what, "use another engine, or another project name"))
