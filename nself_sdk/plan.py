"""plan: what a deploy would change on a host, and why. Pure: (wanted, observed) -> Plan. It changes nothing itself."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from nself_sdk.compose import ComposeFile, Service
from nself_sdk.data import Held, endangered
from nself_sdk.errors import Problem
from nself_sdk.jobs import jobs, ordered
from nself_sdk.model import Model
from nself_sdk.reasons import reasons

if TYPE_CHECKING:
    from nself_sdk.docker.values import Container, Volume  # values: nothing of Docker is called here

Kind = Literal["create", "replace", "reload", "run", "remove", "keep"]
Order = Literal["start-first", "stop-first", ""]

CONFIG_HASH = "com.docker.compose.config-hash"

#: Seconds of absence to expect of a service that never was deployed before.
_UNKNOWN_GAP = 5.0


class Change(Model):
    """What happens to one service. ``gap`` is how many seconds it is expected to be away."""

    service: str
    kind: Kind
    order: Order = ""
    gap: float = 0
    reasons: tuple[str, ...] = ()
    #: What a person should think about before saying yes.
    risks: tuple[str, ...] = ()


class Plan(Model):
    """What a deploy does, in this order. ``wanted`` and ``basis`` are digests of what it was made from."""

    project: str
    environment: str
    host: str
    changes: tuple[Change, ...]
    #: What no deploy does: a service would be without its data. Each with the way to do it safely.
    refusals: tuple[Problem, ...] = ()
    wanted: str
    basis: str

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that are not ``keep``."""
        return tuple(change for change in self.changes if change.kind != "keep")

    @property
    def _head(self) -> str:
        count = f"{len(self.pending)} to change"
        if not self.pending:
            count = f"nothing to change, {len(self.changes)} services are as declared"
        return f"{self.project} in {self.environment} on {self.host}: {count}"

    def __str__(self) -> str:
        refused = [f"  refused  {problem}" for problem in self.refusals]
        if not self.pending:
            return "\n".join([self._head, *refused])
        kept = [change.service for change in self.changes if change.kind == "keep"]
        tail = [f"  keep     {', '.join(kept)}"] if kept else []
        return "\n".join([self._head, *(line for change in self.pending for line in _lines(change)), *tail, *refused])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(change.service)}</td><td>{change.kind} {change.order}</td>"
            f"<td>{f'about {change.gap:.0f} s' if change.gap else ''}</td>"
            f"<td>{'<br>'.join(map(html.escape, _why_and_risks(change)))}</td></tr>"
            for change in self.changes
        )
        rows += "".join(
            f"<tr><td colspan=4><pre>refused: {html.escape(str(problem))}</pre></td></tr>" for problem in self.refusals
        )
        caption = f"<caption>{html.escape(self._head)}</caption>"
        return f"<table>{caption}<tr><th>service</th><th>change</th><th>gap</th><th>why</th></tr>{rows}</table>"


@dataclass(frozen=True)
class Wanted:
    """What shall run: the file, and what only Docker and the disk know about it.

    ``hashes`` are Compose's config hashes by service; ``images`` the id that each service's image has on the host, or
    None where it is not there yet; ``fingerprints`` those of the secrets; ``texts`` the contents that are reloaded in
    place, by service and path.
    """

    file: ComposeFile
    environment: str
    hashes: Mapping[str, str]
    images: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    fingerprints: Mapping[str, str] = field(default_factory=dict[str, str])
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    @property
    def digest(self) -> str:
        """Equal when nothing that is wanted changed."""
        return _digest(self.file.to_yaml(), self.hashes, self.fingerprints, self.texts)


@dataclass(frozen=True)
class Observed:
    """What runs: the project's containers, the digests of their reloadable texts, and the last release's file."""

    host: str
    containers: tuple[Container, ...]
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    release: ComposeFile | None = None
    #: Seconds that each service took to become healthy in the last release.
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    #: The project's volumes, and those of other projects that are this one under an earlier name.
    volumes: tuple[Volume, ...] = ()
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def held(self) -> Held:
        """What of it is about data."""
        return Held(self.containers, self.volumes, self.release, self.elsewhere)

    @property
    def digest(self) -> str:
        """Equal when nobody touched the host in between."""
        rows = [[c.service, c.id, c.image_id, c.labels.get(CONFIG_HASH, ""), c.running] for c in self.containers]
        return _digest(rows, self.texts)

    def of(self, service: str) -> list[Container]:
        """The service's containers, without one-off runs."""
        return [c for c in self.containers if c.service == service and not c.one_off]


def plan(wanted: Wanted, observed: Observed) -> Plan:
    """What leads from the observed to the wanted, each service after those that it depends on."""
    changes = [_change(name, wanted, observed) for name in ordered(wanted.file)]
    gone = {c.service for c in observed.containers if not c.one_off} - set(wanted.file.services)
    removed = [Change(service=name, kind="remove", reasons=("it is no longer declared",)) for name in sorted(gone)]
    return Plan(
        project=wanted.file.name or "",
        environment=wanted.environment,
        host=observed.host,
        changes=(*changes, *removed),
        refusals=endangered(wanted.file, wanted.environment, observed.held),
        wanted=wanted.digest,
        basis=observed.digest,
    )


def replicas(service: Service) -> int:
    """How many containers the service shall have."""
    count = (service.deploy.replicas if service.deploy else None) or service.scale or 1
    return int(count)


def _change(name: str, wanted: Wanted, observed: Observed) -> Change:
    service, now = wanted.file.services[name], observed.of(name)
    why = _why(name, wanted, observed)
    if not now:
        what = "it never ran" if name in jobs(wanted.file) else "it does not run yet"
        return Change(service=name, kind="create", reasons=(what,))
    if name in jobs(wanted.file):
        done = [c for c in now if c.state == "exited" and c.exit_code == 0]
        return Change(service=name, kind="keep" if done and not why else "run", reasons=why)
    if why:
        order = _order(service, now)
        gap = 0.0 if order == "start-first" else observed.seconds.get(name, _UNKNOWN_GAP)
        return Change(service=name, kind="replace", order=order, gap=gap, reasons=why, risks=_risks(service, now))
    stale = sorted(
        path for path, text in wanted.texts.get(name, {}).items() if observed.texts.get(name, {}).get(path) != sha(text)
    )
    if stale:
        return Change(service=name, kind="reload", reasons=tuple(f"{path} changed" for path in stale))
    return Change(service=name, kind="keep")


def _why(name: str, wanted: Wanted, observed: Observed) -> tuple[str, ...]:
    """Why the service's containers cannot stay; empty if they can."""
    service, now = wanted.file.services[name], observed.of(name)
    why: list[str] = []
    if any(container.labels.get(CONFIG_HASH) != wanted.hashes.get(name) for container in now):
        why += reasons(name, wanted.file, observed.release, now[0].labels, wanted.fingerprints)
    image = wanted.images.get(name)
    if now and image and any(container.image_id != image for container in now) and not why:
        why.append(f"image {service.image} moved: {short(now[0].image_id)} -> {short(image)}")
    if name in jobs(wanted.file):
        return tuple(why)
    if now and len(now) != replicas(service):
        why.append(f"{len(now)} running, {replicas(service)} declared")
    why += [f"{c.name} is {c.state}" for c in now if not c.running]
    why += [f"{c.name} is unhealthy" for c in now if c.running and c.health == "unhealthy"]
    return tuple(why)


def _order(service: Service, now: Iterable[Container]) -> Order:
    broken = all(not container.running or container.health == "unhealthy" for container in now)
    return "stop-first" if _is_alone(service) or broken or _asked(service) == "stop-first" else "start-first"


def _is_alone(service: Service) -> bool:
    """Old and new can only run side by side when they share neither data nor a port nor a name."""
    owns = [mount for mount in service.volume_mounts if mount.type in {"volume", "bind"}]
    return bool(owns or service.port_mappings or service.container_name or service.network_mode)


def _asked(service: Service) -> str:
    """The order that the file asks for, in the Compose Specification's words (deploy.update_config)."""
    update = service.deploy.update_config if service.deploy else None
    return str(update.order) if update and update.order else ""


def _risks(service: Service, now: list[Container]) -> tuple[str, ...]:
    """What is not as it was asked for, and the data that this change touches."""
    refused = _asked(service) == "start-first" and _is_alone(service)
    unlike = ("start-first cannot be: old and new would share data, a port or a name",) if refused else ()
    kept = {mount.source for container in now for mount in container.mounts if mount.type == "volume"}
    if not kept:
        return unlike
    targets = {mount.target for mount in service.volume_mounts}
    lost = [m for c in now for m in c.mounts if m.type == "volume" and m.target not in targets]
    moved = [f"the volume {mount.source} is no longer used at {mount.target}; it stays" for mount in lost]
    return (*unlike, f"holds data: {', '.join(sorted(kept))} (kept)", *moved)


def _lines(change: Change) -> Iterator[str]:
    manner = f" {change.order}" if change.order else ""
    gap = f", away for about {change.gap:.0f} s" if change.gap else ""
    yield f"  {change.kind:<8} {change.service}{manner}{gap}"
    for text in _why_and_risks(change):
        yield f"             {text}"


def _why_and_risks(change: Change) -> tuple[str, ...]:
    return (*change.reasons, *(f"risk: {risk}" for risk in change.risks))


def sha(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal: what ``sha256sum`` prints."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(*parts: object) -> str:
    return sha(json.dumps(parts, sort_keys=True, default=_plain))[:16]


def _plain(value: object) -> object:
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else str(value)


def short(image: str) -> str:
    """As much of an image's id as a person looks at."""
    return image.removeprefix("sha256:")[:12]
