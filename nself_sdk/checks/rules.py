"""The rules, one function each: (ComposeFile, Environment) -> problems. Each catches what Compose itself lets pass."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter

from nself_sdk.compose import ComposeFile
from nself_sdk.environment import Environment
from nself_sdk.errors import Problem
from nself_sdk.model import did_you_mean

Rule = Callable[[ComposeFile, Environment], Iterator[Problem]]


def depends_on_known_services(file: ComposeFile, _: Environment) -> Iterator[Problem]:
    """Every dependency exists and there is no cycle."""
    edges = {name: set(service.depends_on_map) for name, service in file.services.items()}
    for name, targets in edges.items():
        optional = {target for target, how in file.services[name].depends_on_map.items() if how.required is False}
        for target in sorted(targets - set(edges) - optional):
            where = f"services.{name}.depends_on"
            yield Problem(where, f"there is no service {target!r}", did_you_mean(target, list(edges)))
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        path = " -> ".join(reversed(error.args[1]))
        yield Problem("services", f"the dependencies form a cycle: {path}", "remove one of these edges")


def references_defined(file: ComposeFile, _: Environment) -> Iterator[Problem]:
    """Every secret, config and named volume that a service uses is defined at the top level."""
    for name, service in file.services.items():
        mounts = service.volume_mounts
        used: dict[str, set[str]] = {
            "secrets": {r.source for r in service.secret_references if r.source},
            "configs": {r.source for r in service.config_references if r.source},
            "volumes": {m.source for m in mounts if m.type == "volume" and m.source},
        }
        for section, names in used.items():
            known = set(getattr(file, section))
            for missing in sorted(name for name in names - known if "$" not in name):
                fix = f"define it under the top-level {section}"
                yield Problem(f"services.{name}.{section}", f"{missing!r} is not defined", fix)


def images_named(file: ComposeFile, _: Environment) -> Iterator[Problem]:
    """What a service runs is an image's name, or built."""
    for name, service in file.services.items():
        image = service.image or ""
        if not (image or service.build is not None or service.extends or service.provider):
            yield Problem(f"services.{name}", "has no image, and nothing to build one from", "give it one of them")
        elif image and "$" not in image and not _IMAGE.fullmatch(image):
            fix = "write it like postgres:16.4-alpine or ghcr.io/me/api:1.2"
            yield Problem(f"services.{name}.image", f"{image!r} is not an image's name", fix)


# https://github.com/distribution/reference/blob/main/reference.go: [host[:port]/]path[:tag][@digest]
_IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:\w[\w.-]{0,127})?(@[a-z0-9]+:[0-9a-f]{32,})?",
    re.ASCII,
)


def images_pinned(file: ComposeFile, environment: Environment) -> Iterator[Problem]:
    """An image outside dev names a version: a moving tag changes the stack behind the operator's back."""
    if environment.profile == "dev":
        return
    for name, service in file.services.items():
        image = service.image or ""
        if service.build is not None or "@" in image or not _IMAGE.fullmatch(image):
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in {"", "latest"}:
            fix = "name a version, such as postgres:16.4-alpine"
            yield Problem(f"services.{name}.image", f"{image!r} is not pinned", fix)


def published_once(file: ComposeFile, _: Environment) -> Iterator[Problem]:
    """No two services publish the same port at the same address of the host."""
    owners: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, service in file.services.items():
        for port in service.port_mappings:
            if not port.published:
                continue
            before, address = owners[str(port.published), port.protocol or "tcp"], port.host_ip or ""
            if first := next((owner for owner, taken in before if _overlap(address, taken)), None):
                what = f"host port {port.published} is also published by {first!r}"
                yield Problem(f"services.{name}.ports", what, "give one of them another port")
            before.append((name, address))


def _overlap(one: str, other: str) -> bool:
    return one == other or not {"", "0.0.0.0", "::"}.isdisjoint({one, other})  # noqa: S104 - compared, not bound


def domain_is_public(file: ComposeFile, environment: Environment) -> Iterator[Problem]:  # noqa: ARG001 - a rule
    """In production nobody else reaches ``localhost``."""
    if environment.profile == "prod" and environment.domain.rpartition(".")[2] == "localhost":
        fix = f"set BASE_DOMAIN in .environments/{environment.name}/.env"
        yield Problem("environment.domain", f"{environment.domain!r} names this machine only", fix)


def files_travel(file: ComposeFile, environment: Environment) -> Iterator[Problem]:
    """With a remote engine, a path of this machine would become an empty directory over there."""
    if not environment.remote:
        return
    for name, service in file.services.items():
        for mount in service.volume_mounts:
            if mount.type == "bind" and not (mount.source or "").startswith("/"):
                what = f"the bind mount {mount.source!r} names a path of this machine, but the engine is remote"
                fix = "put the files into an image (build:), or the text into an inline config"
                yield Problem(f"services.{name}.volumes", what, fix)
    for section in ("configs", "secrets"):
        for name, source in getattr(file, section).items():
            if getattr(source, "file", None):
                fix = "use content: for a config, environment: for a secret"
                yield Problem(f"{section}.{name}", "its file is read on the remote host, where it is not", fix)


def inline_texts_writable(file: ComposeFile, _: Environment) -> Iterator[Problem]:
    """Inline configs and environment secrets are copied into the container: not possible where it is read-only."""
    for name, service in file.services.items():
        if service.read_only is not True:
            continue
        copied = [
            *(r.source for r in service.config_references if _is_copied(file.configs.get(r.source or ""))),
            *(r.source for r in service.secret_references if _is_copied(file.secrets.get(r.source or ""))),
        ]
        if copied:
            what = f"a read_only service cannot receive {', '.join(map(repr, copied))}"
            yield Problem(f"services.{name}.read_only", what, "mount a tmpfs or a volume instead of read_only")


def _is_copied(source: object) -> bool:
    return bool(getattr(source, "content", None) or getattr(source, "environment", None))


def contents_not_empty(file: ComposeFile, _: Environment) -> Iterator[Problem]:
    """Compose writes no file at all for an empty inline config."""
    for name, config in file.configs.items():
        if config.content == "":
            yield Problem(f"configs.{name}", "its content is empty, so no file would be written", "remove it")


RULES: tuple[Rule, ...] = (
    depends_on_known_services,
    references_defined,
    images_named,
    images_pinned,
    published_once,
    domain_is_public,
    files_travel,
    inline_texts_writable,
    contents_not_empty,
)
