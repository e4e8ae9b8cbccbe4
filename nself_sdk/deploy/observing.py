"""What is wanted and what is there, asked of Compose and of the host. It changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from nself_sdk.compose import ComposeFile
from nself_sdk.deploy import edge, releases
from nself_sdk.docker import Container, Driver, Stack
from nself_sdk.errors import DriverError
from nself_sdk.offers import RELOAD
from nself_sdk.plan import Observed, Wanted

#: Of a container that failed: enough for a traceback.
_LOG_LINES = 40


def wanted(driver: Driver, stack: Stack, file: ComposeFile, environment: str) -> Wanted:
    """The file, with what only Compose, the host's images and the secrets know about it."""
    hashes = dict(line.split() for line in driver.compose(stack, "config", "--hash", "*").splitlines() if line)
    references = {name: image_of(file, name) for name in file.services}
    held = driver.held(references.values())
    images = {name: held[reference].id if reference in held else None for name, reference in references.items()}
    suffix = "_FINGERPRINT"
    marks = {name.removesuffix(suffix): mark for name, mark in stack.variables.items() if name.endswith(suffix)}
    reloads = {name: reloadable(file, name, stack.secrets) for name in file.services}
    return Wanted(
        file=file,
        environment=environment,
        hashes=hashes,
        images=images,
        fingerprints=marks,
        texts={name: found for name, found in reloads.items() if found},
    )


def observed(driver: Driver, wanted: Wanted, project: str) -> Observed:
    """The project's containers, the digests of their reloadable texts, and the newest release."""
    containers = driver.containers(project)
    history = releases.history(driver, project)
    present = {
        container.service: edge.present_texts(driver, container, sorted(wanted.texts[container.service]))
        for container in containers
        if container.service in wanted.texts and container.running
    }
    return Observed(
        host=str(driver.target),
        containers=serving(containers),
        texts=present,
        release=ComposeFile.loads(history[0].file) if history else None,
        seconds=history[0].seconds if history else {},
        volumes=driver.volumes(project),
        elsewhere={} if history else _elsewhere(driver, wanted.fingerprints),
    )


def _elsewhere(driver: Driver, fingerprints: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The volumes of projects with the same secrets: a fingerprint is keyed, and equal in no other project's folder."""
    marks = set(fingerprints.items())
    twins = {release.project for release in releases.every(driver) if marks & set(release.fingerprints.items())}
    found = {name: tuple(volume.name for volume in driver.volumes(name)) for name in sorted(twins)}
    return {name: volumes for name, volumes in found.items() if volumes}


def serving(containers: tuple[Container, ...]) -> tuple[Container, ...]:
    """Without the stopped ones that a failed deploy left beside running ones, to be looked at."""
    alive = {container.service for container in containers if container.running}
    return tuple(c for c in containers if c.service not in alive or c.running)


def evidence(driver: Driver, container: Container | None) -> str:
    """What a container said last, and what its health check printed."""
    if container is None:
        return ""
    logs = ""
    with contextlib.suppress(DriverError):
        logs = driver.logs(container.id, tail=_LOG_LINES).rstrip()
    return f"{logs}\nhealth check: {container.health_output}" if container.health_output else logs


def is_told_anew(file: ComposeFile, service: str) -> bool:
    """Whether the service, when its container is new, is told its texts again: see `nself_sdk.offers.RELOAD`."""
    facts = file.services[service].extensions.get(RELOAD)
    return isinstance(facts, dict) and bool(facts.get("anew"))


def reloadable(file: ComposeFile, service: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """The texts that the service reloads in place: path in its container to content."""
    definition = file.services[service]
    if RELOAD not in definition.extensions:
        return {}
    found = texts(file, service)
    for secret in definition.secret_references:
        source = file.secrets.get(secret.source or "")
        if source and source.environment and source.environment in secrets:
            found[f"/run/secrets/{secret.target or secret.source}"] = secrets[source.environment]
    return found


def texts(file: ComposeFile, service: str) -> dict[str, str]:
    """The inline texts of a service: path in its container to content."""
    found: dict[str, str] = {}
    for reference in file.services[service].config_references:
        config = file.configs.get(reference.source or "")
        if config and config.content and reference.target:
            found[reference.target] = config.content.replace("$$", "$")
    return found


def image_of(file: ComposeFile, service: str) -> str:
    """The reference that Compose looks for."""
    return file.services[service].image or f"{file.name}-{service}"
