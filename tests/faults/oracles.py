"""The six questions that are asked after every fault: data, availability, lock, error, convergence, orphans.

Each function says what is wrong, in words; nothing is wrong when it yields nothing.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shop import Ended, Shop

ROWS = "SELECT count(*), md5(string_agg(id || what, ',' ORDER BY id)) FROM sentinels"
RATE = 20


@dataclass(frozen=True)
class Kept:
    """What no fault may touch: rows, a key, volumes, and the database's container."""

    rows: str
    key: str
    volumes: frozenset[str]
    postgres: str

    @classmethod
    def of(cls, shop: Shop) -> Self:
        volumes = shop.docker("volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={shop.name}")
        postgres = shop.docker("inspect", "--format", "{{.Id}}", shop.running("postgres"))
        return cls(shop.sql(ROWS), shop.redis("GET", "sentinel"), frozenset(volumes.split()), postgres)


def plant(shop: Shop) -> None:
    """Write what is looked for afterwards."""
    shop.sql("CREATE TABLE sentinels AS SELECT id, md5(id::text) AS what FROM generate_series(1, 1000) id")
    shop.redis("SET", "sentinel", "planted")


def data(shop: Shop, before: Kept, *, same_postgres: bool = True) -> Iterator[str]:
    """D: rows, keys and volumes are as they were, and so is the database's container unless it was to change."""
    after = Kept.of(shop)
    for name in ("rows", "key", "volumes", *(["postgres"] if same_postgres else [])):
        if getattr(before, name) != getattr(after, name):
            yield f"data: {name} were {getattr(before, name)} and are {getattr(after, name)}"


@dataclass
class Prober:
    """A: asks for the site's version twenty times a second, as long as the context is open."""

    shop: Shop
    seen: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(20)

    def _ask(self) -> None:
        while not self._done.wait(1 / RATE):
            try:
                answer = self.shop.body()
            except (OSError, ValueError) as error:
                answer = f"lost: {type(error).__name__}: {error}"
            self.seen[answer] += 1
            if self.order[-1:] != [answer]:
                self.order.append(answer)

    def lost(self) -> dict[str, int]:
        return {answer: count for answer, count in self.seen.items() if not re.fullmatch(r"v\d+", answer)}


def availability(prober: Prober, *allowed: str) -> Iterator[str]:
    """A: every request was answered, by one of these versions."""
    yield from (f"availability: {count} x {answer}" for answer, count in prober.lost().items())
    yield from (f"availability: {other} served" for other in set(prober.seen) - set(allowed) - set(prober.lost()))


def lock(shop: Shop) -> Iterator[str]:
    """L: nobody holds the lock, and no sign of life is left."""
    yield from (f"lock: {name} stays" for name in locks(shop))


def locks(shop: Shop) -> list[str]:
    """The containers that are locks or signs of life."""
    names = shop.docker("ps", "-a", "--filter", f"name=nself-lock-{shop.name}", "--format", "{{.Names}}")
    return names.split()


def error(shop: Shop, ended: Ended, *words: str, code: int = 4) -> Iterator[str]:
    """E: it failed, said all of this, showed no traceback and no secret, and did not claim success."""
    if ended.code != code:
        yield f"error: exit code {ended.code} instead of {code}"
    yield from (f"error: {word!r} is not said" for word in words if not re.search(word, ended.text))
    if "Traceback" in ended.text:
        yield "error: a traceback"
    if "is healthy in" in ended.text:
        yield "error: it claims success"
    yield from quiet(shop, ended)


def quiet(shop: Shop, ended: Ended) -> Iterator[str]:
    """E: no secret in the output."""
    if any(secret in ended.text for secret in shop.secrets()):
        yield "error: a secret was printed"


def convergence(shop: Shop, version: str, *options: str) -> Iterator[str]:
    """C: the next deploy succeeds, serves the version, and the one after it changes nothing."""
    again = shop.deploy(*options).end()
    if again.code != 0:
        yield f"convergence: the next deploy failed ({again.code}):\n{again.text}"
        return
    if (body := shop.body()) != version:
        yield f"convergence: {body} serves instead of {version}"
    before = shop.containers()
    once_more = shop.deploy().end()
    if once_more.code != 0 or "nothing to change" not in once_more.text:
        yield f"convergence: once more is not 'nothing to change':\n{once_more.text}"
    if shop.containers() != before:
        yield f"convergence: once more replaced containers: {before} {shop.containers()}"
    wrong = list(orphans(shop))
    shop.at_rest = not wrong
    yield from wrong


def orphans(shop: Shop) -> Iterator[str]:
    """O: one container a service, no half-made ones, no stray networks or volumes, no ssh, no temporary files."""
    names = list(shop.containers())
    yield from (f"orphans: container {name}" for name in names if not re.fullmatch(rf"{shop.name}-[a-z]+-\d+", name))
    services = Counter(name.rsplit("-", 1)[0] for name in names)
    yield from (f"orphans: {count} containers of {service}" for service, count in services.items() if count > 1)
    networks = shop.docker("network", "ls", "--filter", f"name={shop.name}_", "--format", "{{.Name}}").split()
    yield from (f"orphans: network {name}" for name in networks if name != f"{shop.name}_default")
    volumes = set(shop.docker("volume", "ls", "-q", "--filter", "dangling=true").split())
    yield from (f"orphans: volume {name}" for name in volumes)
    yield from (f"orphans: process {line}" for line in connections(shop))
    yield from (f"orphans: file {path}" for path in sorted(shop.scratch.rglob("*")))
    pins = shop.docker("exec", shop.running("nginx"), "sh", "-c", "ls /etc/nginx/targets 2>/dev/null || true").split()
    yield from (f"orphans: nginx is pinned by {name}" for name in pins)


def connections(shop: Shop, seconds: float = 5) -> list[str]:
    """The processes here that still have the host's key in their hands, after a moment."""
    from subprocess import run

    end = time.monotonic() + seconds
    while True:
        listed = run(["ps", "-ewwo", "stat=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
        key = str(shop.host.identity_file)
        found = [line for line in listed if key in line and "ssh" in line and not line.startswith("Z")]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def check(*questions: Iterable[str]) -> None:
    """Fail with all that is wrong."""
    wrong = [line for question in questions for line in question]
    assert wrong == [], "\n".join(wrong)
