"""Traffic: sends what a probe says, as a process of its own that is told to stop by the end of its standard input.

``python -m nself_sdk.deploy.traffic`` reads a pickled `Probe`, and writes one pickled `Outcome` for each request.
"""

from __future__ import annotations

import asyncio
import pickle
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from threading import Event, Thread
from typing import IO, Any, Literal
from urllib.parse import urlsplit

from nself_sdk.deploy import wire
from nself_sdk.deploy.probe import Outcome, Probe
from nself_sdk.deploy.wire import Answer, Request

_REFUSED = 400  # the first status that says no, RFC 9110
_SECURE = {"https", "wss"}


@dataclass
class Traffic:
    """A probe at work. ``over`` is called with each outcome."""

    probe: Probe
    over: Callable[[Outcome], None]
    trust: ssl.SSLContext
    began: float = field(default_factory=time.monotonic)
    stop: Event = field(default_factory=Event)

    async def run(self) -> None:
        """Send until it is stopped, and wait for what is in flight then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._steadily(tasks.create_task))
            for request in self.probe.slow:
                tasks.create_task(self._again_and_again(partial(self._ask, "slow", request)))
            for request in self.probe.sockets:
                tasks.create_task(self._again_and_again(partial(self._hold, request)))

    async def _steadily(self, spawn: Callable[[Coroutine[Any, Any, object]], object]) -> None:
        for count, request in enumerate(cycle(self.probe.requests)):
            await asyncio.sleep(self.began + count / self.probe.rate - time.monotonic())
            if self.stop.is_set():
                return
            spawn(self._ask("steady", request))

    async def _again_and_again(self, once: Callable[[], Coroutine[Any, Any, Outcome]]) -> None:
        while not self.stop.is_set():
            if (await once()).wrong:
                await asyncio.sleep(1 / self.probe.rate)  # what is not there is not asked a thousand times a second

    async def _ask(self, kind: Literal["steady", "slow"], request: Request) -> Outcome:
        async def answered() -> str:
            async with asyncio.timeout(self.probe.timeout):
                return _wrong(await wire.answer(request, self.probe.address, self._trusted(request)))

        return await self._timed(kind, request, answered())

    async def _hold(self, request: Request) -> Outcome:
        until = time.monotonic() + self.probe.socket_seconds

        def is_over() -> bool:
            return self.stop.is_set() or time.monotonic() > until

        async def held() -> str:
            await wire.hold(request, self.probe.address, self._trusted(request), is_over, self.probe.timeout)
            return ""

        return await self._timed("socket", request, held())

    async def _timed(
        self, kind: Literal["steady", "slow", "socket"], request: Request, what: Awaitable[str]
    ) -> Outcome:
        begin = time.monotonic()
        try:
            wrong = await what
        except (OSError, EOFError, ValueError) as error:
            wrong = f"{_said(error)} after {time.monotonic() - begin:.1f} s"
        name = f"{request.method} {request.url}"
        outcome = Outcome(kind, name, begin - self.began, time.monotonic() - begin, wrong)
        self.over(outcome)
        return outcome

    def _trusted(self, request: Request) -> ssl.SSLContext | None:
        return self.trust if urlsplit(request.url).scheme in _SECURE else None


def main(asked: IO[bytes], written: IO[bytes]) -> None:
    """Send what the first says until it ends, and write what becomes of it to the second."""

    def tell(outcome: Outcome) -> None:
        pickle.dump(outcome, written)
        written.flush()

    def wait() -> None:
        asked.read()
        traffic.stop.set()

    probe: Probe = pickle.load(asked)  # noqa: S301 - written by the process that started us
    traffic = Traffic(probe, tell, ssl.create_default_context(cafile=probe.authority))
    written.write(b"\n")
    written.flush()
    Thread(target=wait, daemon=True).start()
    asyncio.run(traffic.run())


def _wrong(answer: Answer) -> str:
    if answer.status >= _REFUSED:
        return f"status {answer.status}"
    return "" if answer.complete else f"status {answer.status}, but the body ends too early"


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
