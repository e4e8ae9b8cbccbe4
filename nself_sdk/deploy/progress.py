"""What a deploy tells while it runs and when it is done, as values; printing them is the command line's work."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nself_sdk.deploy.probe import ProbeReport
    from nself_sdk.deploy.releases import Release
    from nself_sdk.plan import Plan


@dataclass(frozen=True)
class Progress:
    """Something happened: to a step of the deploy, or to one service during it.

    ``raw`` marks a line of Docker's or Compose's own, ``lasting`` one that is worth more than a moment's look.
    """

    step: str
    what: str
    service: str = ""
    raw: bool = False
    lasting: bool = False

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.step, self.service)))}: {self.what.strip()}"


Tell = Callable[[Progress], None]
"""Called with everything that happens."""


def harmless(tell: Tell) -> Tell:
    """The same, but it cannot end a deploy half-way, nor its way back: once it raised, a warning says so.

    It is told nothing more then. Ctrl-C in it is still Ctrl-C.
    """
    deaf = False

    def told(progress: Progress) -> None:
        nonlocal deaf
        try:
            if not deaf:
                tell(progress)
        except Exception as error:  # noqa: BLE001 - whatever a caller's function does
            deaf = True
            warnings.warn(f"tell raised {type(error).__name__}: {error}; it is told nothing more", stacklevel=3)

    return told


@dataclass(frozen=True)
class Step:
    """One step that is done, and how long it took."""

    name: str
    seconds: float


@dataclass
class Report:
    """A deploy that ended healthy: its steps, and the seconds that each service that was changed took to be healthy."""

    steps: list[Step] = field(default_factory=list[Step])
    services: dict[str, float] = field(default_factory=dict[str, float])
    #: What was changed, and the release that it became; None where nothing had to change.
    plan: Plan | None = None
    release: Release | None = None
    #: What became of the traffic that ran meanwhile; None where there was none.
    probe: ProbeReport | None = None
    #: What went wrong though all is deployed and healthy: a hook afterwards, lost requests, a missing certificate.
    flaws: list[str] = field(default_factory=list[str])
    #: What is true now, in words.
    outcome: str = "healthy"

    def __str__(self) -> str:
        told = [str(self.plan)] if self.plan else []
        told += [f"probe: {self.probe}"] if self.probe else []
        if self.release:
            restored = f"release {self.release.restores} is restored, " if self.release.restores else ""
            told.append(f"{restored}kept as release {self.release.number}")
        steps = ", ".join(f"{step.name} {step.seconds:.1f} s" for step in self.steps)
        return "\n".join([*told, f"{self.outcome} after {self.seconds:.1f} s ({steps})"])

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, and what went wrong beside it."""
        text = "\n".join([str(self), *(f"but: {flaw}" for flaw in self.flaws)])
        return f"<pre>{escape(text)}</pre>"

    @property
    def seconds(self) -> float:
        """How long everything took."""
        return sum(step.seconds for step in self.steps)

    @property
    def measured(self) -> dict[str, float]:
        """The seconds of each step."""
        return {step.name: step.seconds for step in self.steps}

    @property
    def document(self) -> dict[str, object]:
        """The report as plain values, for JSON."""
        return {
            "release": self.release.number if self.release else None,
            "seconds": round(self.seconds, 2),
            "steps": self.measured,
            "services": self.services,
            "plan": self.plan.model_dump(mode="json") if self.plan else None,
            "probe": asdict(self.probe) if self.probe else None,
            "flaws": self.flaws,
        }

    @contextmanager
    def step(self, name: str, tell: Tell) -> Generator[None]:
        """Measure a step and tell of its start and end."""
        tell(Progress(name, "..."))
        begin = time.monotonic()
        yield
        self.steps.append(Step(name, round(time.monotonic() - begin, 2)))
        tell(Progress(name, f"done in {self.steps[-1].seconds:.1f} s"))


#: What happens to a service, and what has happened, by the kind of its change.
DOING = {
    "create": "creating",
    "replace": "replacing",
    "reload": "reloading",
    "run": "running",
    "remove": "removing",
    "keep": "kept",
}
DONE = {
    "create": "healthy",
    "replace": "healthy",
    "reload": "reloaded",
    "run": "completed",
    "remove": "removed",
    "keep": "kept",
}
