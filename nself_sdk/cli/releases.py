"""``releases``: what was deployed, when, by whom and how it went; and what one release changed against another."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: --help must not wait for it

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from nself_sdk.cli import output
from nself_sdk.cli.shared import Environment, Json, app, connected

if TYPE_CHECKING:
    from nself_sdk.deploy import Release

Named = Annotated[str, typer.Argument(metavar="ENV", help="dev, staging, prod or one of your own.")]
Number = Annotated[int, typer.Argument(help="The number of a release that the host keeps.")]


class _Listing(TyperGroup):
    """``releases ENV`` lists, as ``releases list ENV`` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = next((word for word in args if not word.startswith("-")), "")
        listed = first not in self.commands and "--help" not in args
        return super().parse_args(ctx, ["list", *args] if listed else args)


releases = typer.Typer(cls=_Listing, help="The releases that a host keeps: list, show, diff.")
app.add_typer(releases, name="releases")


@releases.command("list")
def listed(context: typer.Context, env: Environment = None, *, as_json: Json = False) -> None:
    """List the releases that the host keeps, the newest first.

    Example: nself-sdk releases prod
    """
    with connected(context, env) as deployment:
        history = deployment.releases()
    if as_json:
        typer.echo(json.dumps([_document(release, "file") for release in history], indent=2))
    elif not history:
        typer.echo("no release yet")
    else:
        rows = [(str(r.number), _when(r), r.who, r.source, r.message) for r in history]
        output.table(("release", "when", "who", "from", "message"), rows)


@releases.command()
def show(
    context: typer.Context,
    env: Named,
    number: Number,
    *,
    file: Annotated[bool, typer.Option("--file", help="Print its Compose file, and nothing else.")] = False,
    as_json: Json = False,
) -> None:
    """Show a release.

    By whom, when and from what it was made, how its deploy went, and what it runs.

    Example: nself-sdk releases show prod 41
    """
    from nself_sdk.deploy.releases import chosen

    with connected(context, env) as deployment:
        release = chosen(deployment.releases(), number)
    if file:
        typer.echo(release.file, nl=False)
    elif as_json:
        typer.echo(json.dumps(_document(release), indent=2))
    else:
        _show(release)


@releases.command()
def diff(
    context: typer.Context,
    env: Named,
    old: Number,
    new: Number,
    *,
    as_json: Json = False,
) -> None:
    """Say what one release changed against another.

    Definitions, texts, images and secrets.

    Example: nself-sdk releases diff prod 40 41
    """
    from nself_sdk.deploy.comparing import compared
    from nself_sdk.deploy.releases import chosen

    with connected(context, env) as deployment:
        history = deployment.releases()
    found = compared(chosen(history, old), chosen(history, new))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo(f"release {new} runs what release {old} ran")
    for service, texts in () if as_json else found.items():
        typer.echo("\n".join([service, *(f"  {text}" for text in texts)]))


def _show(release: Release) -> None:
    facts = {
        "release": f"{release.number} of {release.project} in {release.environment}",
        "restores": f"release {release.restores}" if release.restores else "",
        "when": _when(release),
        "who": release.who,
        "from": release.source,
        "message": release.message,
        "steps": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in release.steps.items()),
        "probe": str(release.probe or ""),
    }
    for name, text in facts.items():
        if text:
            typer.echo(f"{name:<9} {text}")
    images = sorted(release.references.items())
    rows = [(n, image, release.images.get(n, "").removeprefix("sha256:")[:12]) for n, image in images]
    output.table(("service", "image", "id"), rows)


def _document(release: Release, *left_out: str) -> dict[str, Any]:
    return release.model_dump(mode="json", exclude=set(left_out))


def _when(release: Release) -> str:
    return f"{release.when:%Y-%m-%d %H:%M:%S %Z}" if release.when else ""
