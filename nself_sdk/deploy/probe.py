"""Probe: steady traffic through the public edge while something happens, and what became of every request.

The traffic runs in a process of its own (`nself_sdk.deploy.traffic`), so that its times are those of the stack and not
of the Python that deploys meanwhile. It knows no project and no Docker.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO, Literal
from urllib.parse import urlsplit

from nself_sdk.deploy.wire import Request
from nself_sdk.errors import DeclarationError, Problem

#: How many failures a report lists.
_LISTED = 10
_SCHEMES = {"http", "https", "ws", "wss"}


@dataclass(frozen=True)
class Probe:
    """What to ask while a deploy runs.

    ``Probe((Request("https://api.example.com/healthz"),))``. What answers with a status of 400 or more, too late, or
    only in part, has failed. Each request has a connection of its own, as a client has that comes for the first time,
    and none is ever repeated: what a client would have lost is counted as lost.

    Attributes:
        requests: sent in turn, whether those before were answered or not.
        rate: how many of them a second.
        slow: requests that take their time: one of each is in flight at every moment.
        sockets: WebSockets: one of each is open at every moment. It is pinged every second.
        socket_seconds: how long each WebSocket lives. One that wants to live longer than a deploy drains is cut.
        address: where to connect to; empty asks DNS for each host.
        authority: the PEM file of the CA to trust; those that this machine trusts when None.
        timeout: seconds that an answer may take.
    """

    requests: tuple[Request, ...]
    rate: float = 20
    slow: tuple[Request, ...] = ()
    sockets: tuple[Request, ...] = ()
    socket_seconds: float = 10
    address: str = ""
    authority: Path | None = None
    timeout: float = 30

    def __post_init__(self) -> None:
        for request in (*self.requests, *self.slow, *self.sockets):
            parts = urlsplit(request.url)
            if parts.scheme not in _SCHEMES or not parts.hostname:
                raise DeclarationError(Problem("probe", f"{request.url!r} is not a URL", "write https://HOST/PATH"))
        if self.authority is not None and not self.authority.is_file():
            raise DeclarationError(Problem("probe", f"there is no {self.authority}", "name the CA's PEM file"))


@dataclass(frozen=True)
class Outcome:
    """What became of one request: sent ``at`` so many seconds after the start, over after ``took`` more."""

    kind: Literal["steady", "slow", "socket"]
    request: str
    at: float
    took: float
    #: What came instead of an answer; empty where the answer was whole.
    wrong: str = ""


@dataclass(frozen=True)
class Failure:
    """A request that was lost: how many seconds after the start it was sent, and what came instead of an answer."""

    seconds: float
    request: str
    what: str

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s  {self.request}  {self.what}"


@dataclass(frozen=True)
class ProbeReport:
    """What became of a probe's requests. ``p50`` and ``p99`` are of the steady ones, in milliseconds."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float
    sockets: int = 0
    kept: int = 0
    #: The first of them.
    failures: tuple[Failure, ...] = ()

    @property
    def lost(self) -> int:
        """Requests that failed and sockets that were cut; a deploy that hurt nobody has 0."""
        return self.failed + self.sockets - self.kept

    def __str__(self) -> str:
        text = f"{self.requests:,} requests, {self.failed:,} failed, p99 {self.p99:.0f} ms"
        sockets = f", {self.kept} of {self.sockets} sockets kept" if self.sockets else ""
        return "\n".join([text + sockets, *(f"  {failure}" for failure in self.failures)])


@dataclass
class Probing:
    """A probe that runs, or ran."""

    probe: Probe
    #: What became of everything that is over, in the order in which it ended.
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    began: float = 0
    ended: float = 0

    @property
    def seconds(self) -> float:
        """How long it runs, or ran."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def report(self) -> ProbeReport:
        """What became of the requests that are over."""
        return self.between(0, self.seconds)

    def between(self, begin: float, end: float) -> ProbeReport:
        """What became of those that were sent in this part of the time, in seconds after the start."""
        return _report([one for one in list(self.outcomes) if begin <= one.at < end], end - begin)

    def collect(self, written: IO[bytes]) -> None:
        """Read outcomes until there are no more."""
        while True:
            try:
                self.outcomes.append(pickle.load(written))  # noqa: S301 - written by a process of our own
            except EOFError:
                return


@contextmanager
def probing(probe: Probe, done: Callable[[ProbeReport], None] = lambda _: None) -> Generator[Probing]:
    """Send the probe's traffic while the body runs; afterwards its ``report`` is complete.

    ::

        with probing(Probe((Request("https://api.example.com/healthz"),), rate=100)) as traffic:
            deployment.deploy()
        assert traffic.report.lost == 0

    Args:
        probe: what to send.
        done: is called with the complete report, also when the body fails.

    Raises:
        DriverError: the process that sends could not do its work.
    """
    from nself_sdk.docker.streams import beside  # noqa: PLC0415 - the values above are wanted without Docker, too

    traffic = Probing(probe)
    with beside("nself_sdk.deploy.traffic") as (asked, written):
        pickle.dump(probe, asked)
        asked.flush()
        if not written.read(1):
            raise EOFError
        traffic.began = time.monotonic()  # it sends from now on
        reading = Thread(target=traffic.collect, args=(written,), name="probe", daemon=True)
        reading.start()
        try:
            yield traffic
        finally:
            asked.close()
            reading.join()
            traffic.ended = time.monotonic()
            done(traffic.report)


def _report(outcomes: list[Outcome], seconds: float) -> ProbeReport:
    sockets = [one for one in outcomes if one.kind == "socket"]
    requests = [one for one in outcomes if one.kind != "socket"]
    times = sorted(one.took for one in requests if one.kind == "steady" and not one.wrong) or [0.0]
    wrong = [Failure(round(one.at, 2), one.request, one.wrong) for one in outcomes if one.wrong]
    return ProbeReport(
        requests=len(requests),
        failed=sum(bool(one.wrong) for one in requests),
        seconds=round(seconds, 1),
        p50=1000 * _quantile(times, 0.5),
        p99=1000 * _quantile(times, 0.99),
        sockets=len(sockets),
        kept=sum(not one.wrong for one in sockets),
        failures=tuple(wrong[:_LISTED]),
    )


def _quantile(ordered: list[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


__all__ = ["Failure", "Outcome", "Probe", "ProbeReport", "Probing", "Request", "probing"]
