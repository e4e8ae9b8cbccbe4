"""What only Compose itself should do: several files, ``extends``, ``include``, ``env_file`` and profiles, all resolved.

The rules by which files are laid over each other are long and change with every release, so Compose is asked
(``docker compose config``). Nothing here starts a process: the caller brings the function that runs the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nself_sdk.compose.file import ComposeFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Run = Callable[[Sequence[str]], str]


def config_arguments(
    files: Sequence[Path],
    *,
    profiles: Sequence[str] = (),
    env_files: Sequence[Path] = (),
    project: str | None = None,
    interpolate: bool = True,
) -> list[str]:
    """The arguments behind ``docker`` that make Compose print one file in which everything is resolved."""
    options = [
        *(argument for file in files for argument in ("-f", str(file))),
        *(argument for profile in profiles for argument in ("--profile", profile)),
        *(argument for file in env_files for argument in ("--env-file", str(file))),
        *(("-p", project) if project else ()),
    ]
    return ["compose", *options, "config", *(() if interpolate else ("--no-interpolate",))]


def resolved(
    run: Run,
    *files: Path,
    profiles: Sequence[str] = (),
    env_files: Sequence[Path] = (),
    project: str | None = None,
    interpolate: bool = True,
) -> ComposeFile:
    """What Compose makes of these files together.

    Args:
        run: runs ``docker`` with some arguments and returns what it prints; raises what it likes if that fails.
        files: each laid over those before it.
        profiles: which are active; services of others are left out.
        env_files: where variables come from, beside the environment that ``run`` gives to the client.
        project: its name, if the files do not say it.
        interpolate: fill in variables.

    Raises:
        DeclarationError: Compose printed something that is no Compose file.
    """
    arguments = config_arguments(
        files, profiles=profiles, env_files=env_files, project=project, interpolate=interpolate
    )
    return ComposeFile.loads(run(arguments), "docker compose config")
