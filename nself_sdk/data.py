"""data: which changes would leave a service without the data that it has, and the way to do each safely. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nself_sdk.compose import ComposeFile, Service, Volume
from nself_sdk.errors import Problem

if TYPE_CHECKING:
    from nself_sdk.docker import values  # nothing of Docker is called here

#: On a volume: the major version of the Postgres that filled it, said by whoever made it.
POSTGRES_LABEL = "dev.nself.postgres"
_PROJECT, _VOLUME = "com.docker.compose.project", "com.docker.compose.volume"
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
#: Where the image keeps its data: https://github.com/docker-library/postgres (Dockerfiles 17 and 18, VOLUME).
_OLD_FOLDER, _NEW_FOLDER, _MOVED = "/var/lib/postgresql/data", "/var/lib/postgresql", 18
_POSTGRES = re.compile(r"(?:^|[/_-])(?:(?:postgres|postgis|pgvector)[a-z-]*:(?:pg)?|timescaledb[a-z-]*:.*pg)([0-9]+)")


@dataclass(frozen=True)
class Held:
    """What a host has of a project: its containers, its volumes, and the file of its newest release."""

    containers: tuple[values.Container, ...] = ()
    volumes: tuple[values.Volume, ...] = ()
    release: ComposeFile | None = None
    #: Other projects on the engine whose secrets are this one's: it under an earlier name. Their volumes, by name.
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def endangered(file: ComposeFile, environment: str, held: Held) -> tuple[Problem, ...]:
    """Everything about the wanted file that would start a service without its data, or on data that it cannot read."""
    return (
        *_renamed_project(file, held),
        *(problem for key in sorted(file.volumes) for problem in _redefined(key, file, held)),
        *(problem for name in sorted(file.services) for problem in _service(name, file, environment, held)),
    )


def _renamed_project(file: ComposeFile, held: Held) -> Iterator[Problem]:
    if held.volumes:
        return
    for name, volumes in held.elsewhere.items():
        own = [volume.removeprefix(f"{name}_") for volume in volumes if volume.startswith(f"{name}_")]
        copies = [_copied(f"{name}_{key}", to, str(file.name), key) for key in own if (to := f"{file.name}_{key}")]
        what = f"this is {name} under another name: it has the same secrets, and would start without its data"
        choice = (
            f"keep the name {name!r}; give a project that is another one secrets of its own; or take the data along"
        )
        yield Problem("project", what, _steps(choice, [f"docker compose --project-name {name} down", *copies]))


def _redefined(key: str, file: ComposeFile, held: Held) -> Iterator[Problem]:
    """A volume that exists keeps the driver, options and labels that it was made with; Compose would make it anew."""
    earlier, name = held.release or ComposeFile(), full_name(key, file)
    if name not in {volume.name for volume in held.volumes} or key not in earlier.volumes:
        return
    now, before = ((given.volumes[key] or Volume()).written for given in (file, earlier))
    same_name = full_name(key, earlier) == name
    changed = [word for word in ("driver", "driver_opts", "labels") if same_name and now.get(word) != before.get(word)]
    if changed:
        what = f"{' and '.join(changed)} changed, but {name} exists as it was made: Compose would make it anew, empty"
        choice = "leave it as it was; or declare what you want under a new key, and copy the data there first"
        yield Problem(f"volumes.{key}", what, _steps(choice, [_copied(name, f"{name}-2", str(file.name), f"{key}-2")]))


def _service(name: str, file: ComposeFile, environment: str, held: Held) -> Iterator[Problem]:
    """Another volume where the data was, and another major version of Postgres."""
    service, there = file.services[name], {volume.name: volume for volume in held.volumes}
    now = {str(m.target): full_name(m.source, file) for m in service.volume_mounts if m.type == "volume" and m.source}
    for target, old in _mounted(name, held).items():
        new = now.get(target)
        if new and new != old and new not in there:
            what = f"would start on {new}, which is empty; what it has at {target} is in {old}"
            key = str(next(m.source for m in service.volume_mounts if str(m.target) == target))
            fix = _steps("keep the volume; or copy it first", [_copied(old, new, str(file.name), key)])
            yield Problem(f"services.{name}.volumes", what, fix)
    yield from _upgraded(name, file, environment, held, there)


def _upgraded(
    name: str, file: ComposeFile, environment: str, held: Held, there: Mapping[str, values.Volume]
) -> Iterator[Problem]:
    image = str(file.services[name].image)
    before = _image(name, held)
    old, new = major(before), major(image)
    folders = {t: volume for t, volume in _mounted(name, held).items() if t in {_OLD_FOLDER, _NEW_FOLDER}}
    if old is None or new is None or old == new or not folders:
        return
    volume = next(iter(folders.values()))
    if volume in there and there[volume].labels.get(POSTGRES_LABEL) == str(new):
        return
    what = f"Postgres {new} cannot read the data of Postgres {old} that is in {volume}"
    key = volume.removeprefix(f"{file.name}_")
    made = _made(str(file.name), key, f"--label {POSTGRES_LABEL}={new} {volume}")
    is_down = not any(container.service == name and container.running for container in held.containers)
    fix = _steps(
        f"stay with {before}; or dump and restore, where the old data stays in {volume}-{old}",
        [f"nself-sdk deploy {environment}  # with {before}, so that it runs"] * is_down
        + _upgrade(
            str(file.name), name, environment, volume=volume, before=(before, old), after=(image, new), made=made
        ),
    )
    yield Problem(f"services.{name}.image", what, fix)


def _upgrade(  # noqa: PLR0913 - each is a word of the commands
    project: str,
    service: str,
    environment: str,
    *,
    volume: str,
    before: tuple[str, int],
    after: tuple[str, int],
    made: str,
) -> list[str]:
    """The commands of a dump and restore. The new server's password is the dump's, as soon as that is restored."""
    old, new, dump = f"{volume}-{before[1]}", f"{project}-upgrade", f"{project}-{before[1]}.sql"
    folder = _NEW_FOLDER if after[1] >= _MOVED else _OLD_FOLDER
    moved = before[1] < _MOVED <= after[1]
    return [
        f"docker exec {project}-{service}-1 pg_dumpall -U postgres > {dump}",
        f"nself-sdk down {environment}",
        f"docker volume create {old}",
        f"docker run --rm --entrypoint cp -v {volume}:/from:ro -v {old}:/to {before[0]} -a /from/. /to/",
        f"docker volume rm {volume}",
        made,
        f"docker run -d --name {new} -e POSTGRES_PASSWORD=until-restored -v {volume}:{folder} {after[0]}",
        f"docker exec {new} sh -c 'until pg_isready -q -h 127.0.0.1; do sleep 1; done'",
        f"docker exec -i {new} psql -q -o /dev/null -U postgres < {dump}  # it says that the role postgres exists",
        f"docker stop -t 120 {new} && docker rm {new}",
        f"nself-sdk deploy {environment}"
        + (f"  # with the volume at {folder}, where {after[1]} looks" if moved else ""),
    ]


def _mounted(name: str, held: Held) -> dict[str, str]:
    """Which volume the service has at which path: by its containers or, where it has none, by the newest release."""
    containers = [container for container in held.containers if container.service == name]
    mounts = [mount for container in containers for mount in container.mounts if mount.type == "volume"]
    if containers:
        return {mount.target: mount.source for mount in mounts if not _ANONYMOUS.fullmatch(mount.source)}
    file, there = held.release, {volume.name for volume in held.volumes}
    if file is None or name not in file.services:
        return {}
    written = [m for m in file.services[name].volume_mounts if m.type == "volume" and m.source]
    return {str(m.target): v for m in written if (v := full_name(str(m.source), file)) in there}


def _image(name: str, held: Held) -> str:
    """The image that the service has, or had in the newest release."""
    container = next((container for container in held.containers if container.service == name), None)
    if container is not None:
        return container.image
    service: Service | None = held.release.services.get(name) if held.release else None
    return str(service.image) if service else ""


def major(image: str) -> int | None:
    """The major version of Postgres in an image's name; None where it is no Postgres, or says none."""
    found = _POSTGRES.search(image)
    return int(found[1]) if found else None


def full_name(key: str, file: ComposeFile) -> str:
    """A volume's name on the engine."""
    volume = file.volumes.get(key)
    if volume is not None and volume.name:
        return volume.name
    return key if volume is not None and volume.external else f"{file.name}_{key}"


def _made(project: str, key: str, name: str) -> str:
    return f"docker volume create --label {_PROJECT}={project} --label {_VOLUME}={key} {name}"


def _copied(old: str, new: str, project: str, key: str) -> str:
    made = _made(project, key, new)
    return f"{made} && docker run --rm -v {old}:/from:ro -v {new}:/to alpine cp -a /from/. /to/"


def _steps(choice: str, commands: Iterable[str]) -> str:
    return "\n".join([f"{choice}:", *(f"    {command}" for command in commands)])
