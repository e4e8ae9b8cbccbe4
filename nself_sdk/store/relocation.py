"""Relative paths of a Compose file, as they read from another folder."""

from __future__ import annotations

import os
from pathlib import Path

from nself_sdk.compose import Build, ComposeFile, Service, ServiceVolume


def relocated(file: ComposeFile, here: Path, there: Path) -> ComposeFile:
    """The file, whose relative build contexts and bind mounts start at ``here``, to be read in ``there``."""
    if here.resolve() == there.resolve():
        return file

    def path(text: str) -> str:
        return os.path.relpath(here.resolve() / text, there.resolve()) if text.startswith(".") else text

    def volume(item: str | ServiceVolume) -> str | ServiceVolume:
        if isinstance(item, str):
            source, colon, rest = item.partition(":")
            return f"{path(source)}{colon}{rest}"
        return item.replace(source=path(item.source)) if item.type == "bind" and item.source else item

    def moved(_: str, service: Service) -> Service:
        build = service.build
        if isinstance(build, Build):
            build = build.replace(context=path(build.context or "."))
        elif isinstance(build, str):
            build = path(build)
        volumes = [volume(item) for item in service.volumes] if service.volumes else None
        changes = {key: value for key, value in (("build", build), ("volumes", volumes)) if value is not None}
        return service.replace(**changes) if changes else service

    return file.map_services(moved)
