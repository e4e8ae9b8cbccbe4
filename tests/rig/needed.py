"""Which images a rendered file needs on its engine: those that it names, and those that its code is built from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nself_sdk import resources

if TYPE_CHECKING:
    from nself_sdk import ComposeFile

_ARGUMENT = re.compile(r"^ARG \w+_IMAGE=(\S+)", re.MULTILINE)
_FROM = re.compile(r"^FROM (\S+)", re.MULTILINE)


def needed(file: ComposeFile) -> tuple[str, ...]:
    """Every image reference, each once."""
    builds = [service.build for service in file.services.values() if service.build is not None]
    inline = [build.dockerfile_inline for build in builds if not isinstance(build, str) and build.dockerfile_inline]
    named = {service.image for service in file.services.values() if service.build is None and service.image}
    scaffolded = template_bases() if len(builds) > len(inline) else ()
    return tuple(sorted({*named, *scaffolded, *(image for text in inline for image in _FROM.findall(text))}))


def template_bases() -> tuple[str, ...]:
    """What the templates of custom services are built from."""
    paths = [resources.folder("templates") / name / "Dockerfile.j2" for name in resources.template_names()]
    return tuple(sorted({image for path in paths for image in _ARGUMENT.findall(path.read_text(encoding="utf-8"))}))
