"""Preflight: reads what the host is like before anything is touched there, all at once; findings.py judges it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nself_sdk import docker
from nself_sdk.compose import ComposeFile
from nself_sdk.deploy import capacity
from nself_sdk.deploy.facts import Facts, Finding
from nself_sdk.deploy.findings import findings
from nself_sdk.deploy.images import is_shared, registry_of
from nself_sdk.deploy.observing import image_of
from nself_sdk.deploy.progress import Progress, Tell
from nself_sdk.docker import Container, Driver, Image
from nself_sdk.docker.names import resolved
from nself_sdk.environment import Environment
from nself_sdk.errors import DriverError, HostUnreachableError
from nself_sdk.project import Context
from nself_sdk.store import revision

if TYPE_CHECKING:
    from nself_sdk.deploy import Deployment

#: Seconds that DNS may take: it only warns, and nobody waits longer for a warning.
_DNS_SECONDS = 2.0
#: Compose's label: the folder that a project's paths are relative to.
_STARTED_FROM = "com.docker.compose.project.working_dir"


def read(driver: Driver, file: ComposeFile, context: Context, folder: Path) -> Facts:
    """Everything that the findings are judged by.

    Raises:
        DriverError: Docker or the host refused.
    """
    with ThreadPoolExecutor() as pool:
        outside = pool.submit(read_outside, context, folder)
        held = pool.submit(driver.held, {image_of(file, name) for name in file.services})
        networks = pool.submit(driver.networks)
        holders = pool.submit(driver.publishing, {port for _, port in capacity.ports(file)})
        engine = driver.info()
        host = driver.host(engine.root)
        here, builder = _from_here(file, held.result(), context.environment)
        return replace(
            outside.result(),
            target=str(driver.target),
            engine=engine,
            host=host,
            held=held.result(),
            here=here,
            builder=builder,
            holders=holders.result(),
            elsewhere="" if context.environment.remote else _elsewhere(holders.result(), file.name or "", folder),
            networks=networks.result(),
        )


def read_outside(context: Context, folder: Path) -> Facts:
    """What can be told without an engine: DNS, and the revision."""
    commit, dirty = revision.revision(folder)
    public = context.hosts if context.environment.remote and context.environment.profile != "dev" else ()
    names = [name for name in public if name.rpartition(".")[2] != "localhost"]
    found = resolved(names, _DNS_SECONDS)
    return Facts(names={name: found.get(name) for name in names}, commit=commit, dirty=dirty)


def _elsewhere(holders: Iterable[Container], project: str, folder: Path) -> str:
    """Another folder that is still there and that containers of the project were started from."""
    started = {Path(one.labels.get(_STARTED_FROM, folder)) for one in holders if one.project == project}
    return next((str(home) for home in sorted(started) if home.is_dir() and not home.samefile(folder)), "")


def _from_here(
    file: ComposeFile, held: Mapping[str, Image], environment: Environment
) -> tuple[Mapping[str, Image], str]:
    """The images that this machine would send, and the platform that it would build the others for."""
    missing = {image_of(file, name): service for name, service in file.services.items()}
    missing = {reference: service for reference, service in missing.items() if reference not in held}
    if not missing or not environment.remote:
        return {}, ""
    registry = registry_of(environment)
    sent = [each for each, service in missing.items() if not is_shared(each, service, registry)]
    try:
        with docker.connect(docker.LOCAL) as driver:
            found = driver.held(sent)
            built = any(service.build is not None for name, service in missing.items() if name not in found)
            return found, driver.info().platform if built else ""
    except DriverError:  # no engine here: the host builds and pulls by itself
        return {}, ""


def examined(deployment: Deployment) -> tuple[Finding, ...]:
    """The findings of a deployment that is not open yet; that nobody answers is one of them."""
    try:
        with deployment:
            return deployment.preflight()
    except HostUnreachableError as error:
        facts = read_outside(deployment.context, deployment.folder.path)
        facts = replace(facts, target=str(deployment.target), unreachable=error)
        return findings(facts, deployment.file, deployment.environment)


def refuse(found: Iterable[Finding], tell: Tell) -> None:
    """Tell the warnings, and stop at refusals.

    Raises:
        DriverError: there are refusals; all of them are in it. Nothing was touched.
    """
    every = list(found)
    for finding in every:
        if finding.verdict == "warning":
            tell(Progress("preflight", f"warning: {finding}", lasting=True))
    if refusals := [str(finding) for finding in every if finding.verdict == "refusal"]:
        raise DriverError("the deploy cannot begin, and nothing was touched:\n" + "\n".join(refusals))
