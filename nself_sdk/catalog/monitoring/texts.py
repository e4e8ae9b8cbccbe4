"""Texts that a service carries beside its file, filled in. It knows no service."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

_HERE = Path(__file__).parent


def filled(path: str, **values: object) -> str:
    """The template at that path under this folder, with the values; a name without a value is an error."""
    return _environment().get_template(path).render(**values)


def plain(path: str) -> str:
    """The text at that path under this folder, as it is."""
    return (_HERE / path).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - heavy, and only needed to render

    return jinja2.Environment(  # noqa: S701 - YAML, not HTML; every value is validated
        loader=jinja2.FileSystemLoader(_HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
