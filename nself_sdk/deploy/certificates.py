"""The edge's certificates, as the service that fetches them tells of them. It fetches none, and knows no CA."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from nself_sdk.compose import ComposeFile
from nself_sdk.deploy.health import ServiceHealth, Verdict
from nself_sdk.deploy.progress import Progress, Tell
from nself_sdk.docker import Driver
from nself_sdk.errors import DriverError
from nself_sdk.offers import CERTIFICATES

State = Literal["issued", "waiting", "failed", "renewing"]

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Certificate:
    """One host's certificate: ``renewing`` says that there is one, and why there is no newer one although it is due."""

    host: str
    state: State
    reason: str = ""

    @property
    def served(self) -> bool:
        """Whether the edge has it."""
        return self.state in {"issued", "renewing"}

    def __str__(self) -> str:
        texts = {
            "issued": f"{self.host} has its certificate",
            "waiting": f"no certificate for {self.host} yet: the CA is still being asked",
            "failed": f"no certificate for {self.host}: {self.reason}; it is asked for again by itself",
            "renewing": f"the certificate of {self.host} cannot be renewed: {self.reason}",
        }
        return texts[self.state]


def fetcher(file: ComposeFile) -> str:
    """The service that fetches certificates; empty where none does."""
    return next((name for name, service in file.services.items() if CERTIFICATES in service.extensions), "")


def certificates(driver: Driver, file: ComposeFile, project: str) -> tuple[Certificate, ...]:
    """What the running service says of each host; nothing where none runs, or certificates come from elsewhere.

    Raises:
        DriverError: it cannot be asked.
    """
    name = fetcher(file)
    running = [c for c in driver.containers(project) if c.service == name and c.running] if name else []
    if not running:
        return ()
    command = file.services[name].extensions[CERTIFICATES]
    said = driver.exec(running[0].id, [str(word) for word in command])  # type: ignore[union-attr]  # what offers says
    if said.exit_code != 0:
        raise DriverError(
            f"{name} does not say how the certificates are: {said.stderr.strip()}", f"nself-sdk logs {name}"
        )
    return tuple(_read(line) for line in said.stdout.splitlines() if line)


def _read(line: str) -> Certificate:
    state, host, *reason = line.split(" ", 2)
    return Certificate(host, state, "".join(reason))  # type: ignore[arg-type]  # one of the four, as offers says


def flaws(look: Callable[[], tuple[Certificate, ...]], timeout: float, tell: Tell) -> list[str]:
    """What is wrong with them, once the CA has answered for each host or the time is over."""
    told: set[Certificate] = set()
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        for certificate in found:
            if certificate not in told:
                tell(Progress("certificates", str(certificate)))
        told |= set(found)
        if time.monotonic() > deadline or all(c.state != "waiting" for c in found):
            return [str(certificate) for certificate in found if certificate.state != "issued"]
        time.sleep(_POLL_SECONDS)


def judged(states: Iterable[ServiceHealth], name: str, found: tuple[Certificate, ...]) -> tuple[ServiceHealth, ...]:
    """The verdicts, where the service that fetches certificates is well only if each host has one."""
    return tuple(_judged(state, found) if state.service == name else state for state in states)


def _judged(state: ServiceHealth, found: tuple[Certificate, ...]) -> ServiceHealth:
    worst: Verdict = "failed" if any(c.state == "failed" for c in found) else "waiting"
    reasons = "; ".join(str(certificate) for certificate in found if certificate.state != "issued")
    if state.verdict != "healthy" or not reasons:
        return state
    return replace(state, verdict=state.verdict if all(c.served for c in found) else worst, reason=reasons)
