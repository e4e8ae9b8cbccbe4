"""The lock: one deploy per project and host. It is a container that never runs, under a name the engine gives once.

Whoever holds it proves to be alive by making a new, equally idle container every few seconds: its time of creation is
read from the host's clock, so the clocks of the operators do not matter. A lock without a fresh sign of life is taken
over; removing it by its id, never by its name, keeps two successors from removing each other's.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from nself_sdk.deploy.releases import archive
from nself_sdk.docker import Container, Driver
from nself_sdk.errors import DriverError, LockedError

LABEL = "dev.nself.lock"
_TOKEN = "dev.nself.lock.token"  # noqa: S105 - a label's name
_OWNER = "dev.nself.lock.owner"
_MESSAGE = "dev.nself.lock.message"
_IMAGE = "nself-lock:1"

#: Seconds between two signs of life, and after how many without one the holder counts as dead: later than its ssh
#: would have noticed that the host is silent, so that nobody can be taken for dead and act on.
_BEAT, _DEAD = 5.0, 45.0
_POLL = 1.0
_ATTEMPTS = 3


@contextmanager
def locked(  # noqa: PLR0913 - whom, what and why are three things
    driver: Driver, project: str, owner: str, message: str = "", *, wait: float = 0, tell: Callable[[str], None]
) -> Generator[Driver]:
    """Hold the project's lock on that host while the body runs, and yield the host as its holder may use it.

    Whoever slept so long that the lock is somebody else's finds that this driver does nothing any more.

    Args:
        driver: the host.
        project: the Compose project.
        owner: who deploys, for whoever has to wait.
        message: what for.
        wait: seconds to wait for another deploy to end.
        tell: is told whom it waits for.

    Raises:
        LockedError: somebody else holds it; it says who, since when and what for.
    """
    token = uuid.uuid4().hex[:12]
    signs = _Signs(driver, project, token)
    try:
        # In here: Ctrl-C may come when the host has made the lock and we have not heard of it.
        _acquire(driver, project, {_OWNER: owner, _MESSAGE: message, _TOKEN: token}, time.monotonic() + wait, tell)
        signs.start()
        yield cast("Driver", _Fenced(driver, signs))
    finally:
        signs.end()
        _release(driver, token)


def holder(driver: Driver, project: str) -> Container | None:
    """The container that is the lock; None while nobody deploys."""
    found = driver.marked(f"{LABEL}={project}")
    return next((container for container in found if container.name == _name(project)), None)


def _acquire(
    driver: Driver, project: str, labels: dict[str, str], deadline: float, tell: Callable[[str], None]
) -> None:
    if driver.image(_IMAGE) is None:
        driver.load([archive(_IMAGE, {}, {"README": "Locks of nself-sdk are containers of this empty image.\n"})])
    told = ""
    while not driver.create(_name(project), _IMAGE, {LABEL: project, **labels}):
        lock = holder(driver, project)
        if lock is None:
            continue  # it was released in between
        if _is_dead(driver, lock):
            tell(f"taking over the lock of {_described(lock, driver.info().time)}, which shows no sign of life")
            _clear(driver, lock)
        elif time.monotonic() >= deadline:
            hint = f"wait for it with --lock-wait SECONDS; of one that died the lock is taken over after {_DEAD:.0f} s"
            raise LockedError(f"{project} is being deployed by {_described(lock, driver.info().time)}", hint)
        else:
            if told != lock.id:
                tell(f"waiting for {_described(lock, driver.info().time)}")
            told = lock.id
            time.sleep(_POLL)


def _is_dead(driver: Driver, lock: Container) -> bool:
    signs = [lock, *driver.marked(f"{_TOKEN}={lock.labels.get(_TOKEN, '')}")]
    newest = max(sign.created_at for sign in signs if sign.created_at is not None)
    return (driver.info().time - newest).total_seconds() > _DEAD


def _clear(driver: Driver, lock: Container) -> None:
    for sign in driver.marked(f"{_TOKEN}={lock.labels.get(_TOKEN, '')}"):
        driver.remove(sign.id)


def _release(driver: Driver, token: str) -> None:
    """Remove the lock and its signs of life. One call that fails must not make the next deploy wait: it is repeated."""
    failure: BaseException | None = None
    for _ in range(_ATTEMPTS):
        try:
            for container in driver.marked(f"{_TOKEN}={token}"):
                driver.remove(container.id)
        except (DriverError, KeyboardInterrupt) as error:
            failure = error
        else:
            break
    if failure:
        raise failure


class _Signs:
    """One holder's signs of life, and when the host took the last: by a clock that goes on while a laptop sleeps."""

    def __init__(self, driver: Driver, project: str, token: str) -> None:
        self._driver = driver
        self._project = project
        self._token = token
        self._last = time.time()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        self._last = time.time()
        self._thread.start()

    def end(self) -> None:
        self._done.set()
        if self._thread.ident:
            self._thread.join()

    def _beat(self) -> None:
        """A new sign of life, then the old one goes: there is one at every moment."""
        count, before = 0, ""
        while not self._done.wait(_BEAT):
            count += 1
            name, begin = f"{_name(self._project)}-{self._token}-{count}", time.time()
            # A beat that fails is the connection's failure, which the deploy itself meets and reports.
            with contextlib.suppress(DriverError):
                self._driver.create(name, _IMAGE, {_TOKEN: self._token})
                if before:
                    self._driver.remove(before)
                before = name
                if self._is_ours():
                    self._last = begin

    def check(self) -> None:
        """Raise LockedError where the lock may be somebody else's by now, and is."""
        if time.time() - self._last < _DEAD / 2 or self._is_ours():
            return
        now = holder(self._driver, self._project)
        whom = _described(now, self._driver.info().time) if now else "somebody who is done"
        what = f"this deploy gave no sign of life for too long, and its lock was taken over by {whom}"
        raise LockedError(what, "nothing was changed since; look at it with: nself-sdk status")

    def _is_ours(self) -> bool:
        lock = holder(self._driver, self._project)
        return lock is not None and lock.labels.get(_TOKEN) == self._token


class _Fenced:
    """A driver that makes sure of the lock before each call."""

    def __init__(self, driver: Driver, signs: _Signs) -> None:
        self._driver = driver
        self._signs = signs

    def __getattr__(self, verb: str) -> Any:
        self._signs.check()
        return getattr(self._driver, verb)


def _described(lock: Container, now: datetime) -> str:
    age = (now - lock.created_at).total_seconds() if lock.created_at else 0
    message = lock.labels.get(_MESSAGE, "")
    since = f", since {lock.created_at:%Y-%m-%d %H:%M:%S %Z}" if lock.created_at else ""
    return f"{lock.labels.get(_OWNER, 'somebody')}, for {age:.0f} s{f' ({message})' if message else ''}{since}"


def _name(project: str) -> str:
    return f"nself-lock-{project}"
