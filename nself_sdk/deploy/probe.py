"""Probe: steady traffic through the public edge while something happens, and what became of every request.

Each request has a connection of its own, as a client has that comes for the first time, and none is ever repeated: what
a client would have lost is counted as lost. It knows no project and no Docker.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from nself_sdk.deploy import wire
from nself_sdk.deploy.wire import Answer, Request
from nself_sdk.errors import DeclarationError, Problem

#: How many failures a report lists.
_LISTED = 10
_REFUSED = 400  # the first status that says no, RFC 9110
_SECURE = {"https", "wss"}


@dataclass(frozen=True)
class Probe:
    """What to ask while a deploy runs.

    ``Probe((Request("https://api.example.com/healthz"),))``. What answers with a status of 400 or more, too late, or
    only in part, has failed.

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
            if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
                raise DeclarationError(Problem("probe", f"{request.url!r} is not a URL", "write https://HOST/PATH"))


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
    began: float = 0
    ended: float = 0
    sockets: int = 0
    kept: int = 0
    answered: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    #: Seconds of each steady request that was answered.
    times: list[float] = field(default_factory=list[float])
    _stop: Event = field(default_factory=Event)

    @property
    def report(self) -> ProbeReport:
        """What became of the requests that are over."""
        lost = self.sockets - self.kept
        failed = len(self.failures) - lost
        times = sorted(self.times) or [0.0]
        return ProbeReport(
            requests=self.answered + failed,
            failed=failed,
            seconds=round((self.ended or time.monotonic()) - self.began, 1),
            p50=1000 * _quantile(times, 0.5),
            p99=1000 * _quantile(times, 0.99),
            sockets=self.sockets,
            kept=self.kept,
            failures=tuple(self.failures[:_LISTED]),
        )

    async def run(self) -> None:
        """Send until it is stopped, and wait for what is in flight then."""
        probe, trust = self.probe, ssl.create_default_context(cafile=self.probe.authority)
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._steadily(trust, tasks.create_task))
            for request in probe.slow:
                tasks.create_task(self._again_and_again(partial(self._ask, request, trust)))
            for request in probe.sockets:
                tasks.create_task(self._again_and_again(partial(self._hold, request, trust)))
        self.ended = time.monotonic()

    async def _steadily(self, trust: ssl.SSLContext, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        for count, request in enumerate(cycle(self.probe.requests)):
            await asyncio.sleep(self.began + count / self.probe.rate - time.monotonic())
            if self._stop.is_set():
                return
            spawn(self._ask(request, trust, self.times))

    async def _again_and_again(self, once: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while not self._stop.is_set():
            failed = len(self.failures)
            await once()
            if len(self.failures) > failed:
                await asyncio.sleep(1 / self.probe.rate)  # what is not there is not asked a thousand times a second

    async def _ask(self, request: Request, trust: ssl.SSLContext, times: list[float] | None = None) -> None:
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self.probe.timeout):
                answer = await wire.answer(request, self.probe.address, _trusted(request, trust))
        except (OSError, EOFError, ValueError) as error:
            self._failed(begin, request, _said(error))
            return
        if wrong := _wrong(answer):
            self._failed(begin, request, wrong)
            return
        self.answered += 1
        if times is not None:
            times.append(time.monotonic() - begin)

    async def _hold(self, request: Request, trust: ssl.SSLContext) -> None:
        begin = time.monotonic()
        until = begin + self.probe.socket_seconds
        self.sockets += 1
        try:
            await wire.hold(
                request,
                self.probe.address,
                _trusted(request, trust),
                lambda: self._stop.is_set() or time.monotonic() > until,
                self.probe.timeout,
            )
        except (OSError, EOFError, ValueError) as error:
            self._failed(begin, request, f"{_said(error)} after {time.monotonic() - begin:.1f} s")
            return
        self.kept += 1

    def _failed(self, begin: float, request: Request, what: str) -> None:
        self.failures.append(Failure(round(begin - self.began, 2), f"{request.method} {request.url}", what))

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()


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
    """
    traffic = Probing(probe)
    sending = Thread(target=lambda: asyncio.run(traffic.run()), name="probe", daemon=True)
    sending.start()
    try:
        yield traffic
    finally:
        traffic.stop()
        sending.join()
        done(traffic.report)


def _wrong(answer: Answer) -> str:
    if answer.status >= _REFUSED:
        return f"status {answer.status}"
    return "" if answer.complete else f"status {answer.status}, but the body ends too early"


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _trusted(request: Request, trust: ssl.SSLContext) -> ssl.SSLContext | None:
    return trust if urlsplit(request.url).scheme in _SECURE else None


def _quantile(ordered: list[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


__all__ = ["Failure", "Probe", "ProbeReport", "Probing", "Request", "probing"]
