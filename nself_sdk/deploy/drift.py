"""Drift: what on the host differs from the release that was deployed there last. It looks, and changes nothing.

It compares with what the host itself keeps, not with the project folder: it needs no secret and no clean work tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from nself_sdk.compose import ComposeFile, Service, byte_size
from nself_sdk.data import full_name
from nself_sdk.deploy import edge, observing, refusals, releases
from nself_sdk.deploy.releases import Release
from nself_sdk.docker import Container, Driver
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.jobs import jobs
from nself_sdk.model import Model
from nself_sdk.plan import CONFIG_HASH, replicas, sha, short
from nself_sdk.reasons import rotated

Kind = Literal["changed", "missing", "stopped", "unhealthy", "image", "extra"]

_PROJECT = "com.docker.compose.project"
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


class Difference(Model):
    """One thing that is not as it was deployed: ``where`` is a service, or ``network`` or ``volume`` and its name."""

    where: str
    kind: Kind
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.what}"


class Drift(Model):
    """Everything that differs from a release; nothing when the host is as it was left."""

    project: str
    environment: str
    host: str
    release: int
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        head = f"{self.project} in {self.environment} on {self.host}"
        if not self.differences:
            return f"{head}: as release {self.release} left it"
        lines = (f"  {difference}" for difference in self.differences)
        return "\n".join([f"{head}: not as release {self.release} left it", *lines])


def drift(driver: Driver, project: str, environment: str) -> Drift:
    """What differs from the newest release.

    Raises:
        DeclarationError: the host keeps no release of the project, or runs it in another environment.
        DriverError: Docker or the host refused.
    """
    history = releases.history(driver, project)
    if not history:
        raise DeclarationError(Problem("release", f"the host keeps none of {project}", "deploy it first"))
    refusals.refuse_stranger(history, environment)
    release, file = history[0], ComposeFile.loads(history[0].file)
    containers = [c for c in observing.serving(driver.containers(project)) if not c.one_off]
    texts = {c.id: _texts(driver, file, c) for c in containers if c.running and c.service in file.services}
    services = (d for name in file.services for d in _service(name, file, release, containers, texts))
    strangers = (_stranger(c) for c in containers if c.service not in file.services)
    return Drift(
        project=project,
        environment=environment,
        host=str(driver.target),
        release=release.number,
        differences=(*services, *strangers, *_networks(driver, file, project), *_volumes(driver, file, history)),
    )


def _service(
    name: str, file: ComposeFile, release: Release, containers: Sequence[Container], texts: Mapping[str, Sequence[str]]
) -> Iterator[Difference]:
    """What is not as it was left of a service. A job has done its work: that its container is gone changes nothing."""
    if name in jobs(file):
        return
    now, wanted = [c for c in containers if c.service == name], replicas(file.services[name])
    if len(now) != wanted:
        what = f"{len(now)} containers, the release has {wanted}" if now or wanted > 1 else "it has no container"
        yield Difference(where=name, kind="missing" if len(now) < wanted else "extra", what=what)
    for container in now:
        yield from _container(container, file, release)
        yield from (Difference(where=name, kind="changed", what=text) for text in texts.get(container.id, ()))


def _container(container: Container, file: ComposeFile, release: Release) -> Iterator[Difference]:
    name = container.service

    def differs(kind: Kind, what: str) -> Difference:
        return Difference(where=name, kind=kind, what=f"{container.name} {what}")

    if container.labels.get(CONFIG_HASH) != release.hashes.get(name, container.labels.get(CONFIG_HASH)):
        why = "; ".join(rotated(container.labels, release.fingerprints)) or "its definition is not the release's"
        yield differs("changed", f"was made anew: {why}")
    image = release.images.get(name, container.image_id)
    if container.image_id != image:
        yield differs("image", f"runs {short(container.image_id)}, the release {short(image)}")
    if not container.running:
        yield differs("stopped", f"is {container.state}")
    elif container.health == "unhealthy":
        yield differs("unhealthy", f"is unhealthy: {container.health_output}".rstrip(": "))
    yield from (differs("changed", text) for text in _updated(container, file))


def _updated(container: Container, file: ComposeFile) -> Iterator[str]:
    """What ``docker update`` and ``docker network`` change in place."""
    service = file.services[container.service]
    limits = service.deploy.resources.limits if service.deploy and service.deploy.resources else None
    memory = byte_size(limits.memory) if limits and limits.memory else 0
    if container.memory is not None and container.memory != memory:
        yield f"may use {container.memory:,} bytes of memory, the release says {memory:,}"
    own_policy = service.deploy and service.deploy.restart_policy
    if container.restart is not None and not own_policy and (container.restart or "no") != _restart(service):
        yield f"restarts {container.restart or 'no'}, the release says {_restart(service)}"
    wanted, found = {_network(key, file) for key in service.network_map or ("default",)}, set(container.addresses)
    if container.running and found and not service.network_mode and found != wanted:
        yield f"is in the networks {', '.join(sorted(found))}, the release says {', '.join(sorted(wanted))}"


def _restart(service: Service) -> str:
    return (service.restart or "no").partition(":")[0]


def _texts(driver: Driver, file: ComposeFile, container: Container) -> tuple[str, ...]:
    """The texts in a container that somebody edited there. What cannot be read there is left unsaid."""
    wanted = observing.texts(file, container.service)
    found = edge.present_texts(driver, container, sorted(wanted)) if wanted else {}
    edited = [path for path, text in wanted.items() if found.get(path, sha(text)) != sha(text)]
    return tuple(f"{path} in {container.name} is not the release's" for path in edited)


def _stranger(container: Container) -> Difference:
    where = container.service or container.name
    return Difference(where=where, kind="extra", what=f"{container.name} is of no service of the release")


def _networks(driver: Driver, file: ComposeFile, project: str) -> Iterator[Difference]:
    there = {network.name for network in driver.networks() if network.labels.get(_PROJECT) == project}
    used = {key for service in file.services.values() if not service.network_mode for key in service.network_map}
    is_default = any(not service.network_map and not service.network_mode for service in file.services.values())
    wanted = {_network(key, file) for key in [*used, *(["default"] if is_default else [])] if not _foreign(key, file)}
    for name in sorted(wanted - there):
        yield Difference(where=f"network {name}", kind="missing", what="it is gone")
    for name in sorted(there - wanted):
        yield Difference(where=f"network {name}", kind="extra", what="no service of the release is in it")


def _volumes(driver: Driver, file: ComposeFile, history: Sequence[Release]) -> Iterator[Difference]:
    """Volumes that are gone, and those that no release that is kept knows of. Data of a service that left stays."""
    there = {volume.name for volume in driver.volumes(str(file.name)) if not _ANONYMOUS.fullmatch(volume.name)}
    known = {full_name(key, old) for old in map(_file, history) for key in old.volumes}
    external = {full_name(key, file) for key, volume in file.volumes.items() if volume and volume.external}
    for name in sorted({full_name(key, file) for key in file.volumes} - there - external):
        yield Difference(where=f"volume {name}", kind="missing", what="it is gone, with its data")
    for name in sorted(there - known):
        yield Difference(where=f"volume {name}", kind="extra", what="no release that is kept has it")


def _file(release: Release) -> ComposeFile:
    return ComposeFile.loads(release.file)


def _network(key: str, file: ComposeFile) -> str:
    """A network's name on the engine."""
    network = file.networks.get(key)
    return (network.name if network else None) or (key if _foreign(key, file) else f"{file.name}_{key}")


def _foreign(key: str, file: ComposeFile) -> bool:
    network = file.networks.get(key)
    return bool(network and network.external)
