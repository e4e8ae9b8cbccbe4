"""Where the files that travel with the package are: beside it in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model, did_you_mean

_PACKAGE = Path(__file__).parent


def folder(kind: Literal["templates", "recipes"]) -> Path:
    """The folder of that kind."""
    installed = _PACKAGE / f"_{kind}"
    return installed if installed.is_dir() else _PACKAGE.parent / kind


class Reload(Model):
    """How a template's service reloads changed code: what to run, and where its code is in the container."""

    command: list[str]
    source: str
    target: str
    #: The stage of its Dockerfile to run in; the last one when left out.
    stage: str | None = None


class Template(Model):
    """What a template's ``template.toml`` says. Paths are relative to the service's folder."""

    description: str
    #: The health check's argument list, run in the container; ``{port}`` stands for its port.
    healthcheck: list[str]
    reload: Reload | None = None
    #: Seconds that the service may take to finish its requests after SIGTERM.
    stop_grace_seconds: int = Field(default=30, ge=1)
    #: What each service made from it needs, besides what it says itself: `CustomService.needs`.
    needs: tuple[str, ...] = ()
    #: Paths that are for the inside of the stack: `Route.hidden`.
    hidden: tuple[str, ...] = ()
    #: Whether its port speaks gRPC, and so no HTTP that Hasura or a browser could ask.
    grpc: bool = False
    #: The port of ``/health``, ``/ready`` and ``/metrics``, if it is not the service's own.
    probes_port: int | None = Field(default=None, ge=1, le=65535)


@cache
def template(name: str) -> Template:
    """The template of that name.

    Raises:
        DeclarationError: there is none.
    """
    if name not in template_names():
        fix = did_you_mean(name, template_names())
        raise DeclarationError(Problem("template", f"there is no template {name!r}", fix))
    path = folder("templates") / name / "template.toml"
    return Template(**tomllib.loads(path.read_text(encoding="utf-8")))


def template_names() -> list[str]:
    """The names of all templates."""
    return sorted(path.parent.name for path in folder("templates").glob("*/template.toml"))
