"""Preflight, decided: (what was read, ComposeFile, Environment) -> findings, all of them. Pure; preflight.py reads."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator

from nself_sdk.compose import ComposeFile, Deploy, Service, UpdateConfig
from nself_sdk.compose.units import byte_size
from nself_sdk.deploy import capacity
from nself_sdk.deploy.facts import Facts, Finding, Verdict
from nself_sdk.deploy.observing import image_of
from nself_sdk.docker.engine import COMPOSE_MINIMUM, ENGINE_MINIMUM, parsed_version
from nself_sdk.environment import Environment
from nself_sdk.plan import replicas

# A token or a certificate that was made a moment ago is not valid yet on a clock that is behind.
_SKEW_TOLD, _SKEW_REFUSED = 5.0, 120.0
# A digest, a version of two numbers at least, a commit; of a variable we do not know.
_PINNED = re.compile(r"\$|@sha256:|:\D*\d+[._-]\d[^/]*$|:[0-9a-f]{7,40}$")
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"))
_NEEDED = "healthcheck.start_interval needs"


Rule = Callable[[Facts, ComposeFile, Environment], Iterator[Finding]]


def findings(facts: Facts, file: ComposeFile, environment: Environment) -> tuple[Finding, ...]:
    """Everything that was looked at, in the order of `RULES`; what needs an engine only where one answered."""
    rules = RULES if facts.engine else (reached, resolving, pinned, committed, rolled)
    return tuple(finding for rule in rules for finding in rule(facts, file, environment))


def reached(facts: Facts, _: ComposeFile, __: Environment) -> Iterator[Finding]:
    """Somebody answers, and is who was meant."""
    if facts.unreachable is not None:
        yield Finding("host", "refusal", facts.unreachable.message, facts.unreachable.hint)
    else:
        yield Finding("host", "ok", f"{facts.target} answers")


def new_enough(facts: Facts, _: ComposeFile, environment: Environment) -> Iterator[Finding]:
    """Engine and Compose know what is rendered.

    ``start_interval`` needs engine 25 and a Compose that hands it on; older ones refuse the file
    (https://docs.docker.com/reference/compose-file/services/#healthcheck). The minimums are those of ``doctor``.
    """
    engine = facts.engine
    if engine is None:
        return
    fix = f"nself-sdk server init {environment.name}" if environment.remote else "nself-sdk doctor --fix"
    yield _version("engine", engine.version, ENGINE_MINIMUM, fix)
    yield _version("compose", engine.compose_version, COMPOSE_MINIMUM, "nself-sdk doctor --fix")


def _version(check: str, version: str, minimum: tuple[int, ...], fix: str) -> Finding:
    needed = ".".join(map(str, minimum))
    if not version:
        return Finding(check, "refusal", "is not installed on this machine", fix)
    if parsed_version(version) < minimum:
        return Finding(check, "refusal", f"{version} is too old: {_NEEDED} {needed} or newer", fix)
    return Finding(check, "ok", version)


def in_time(facts: Facts, _: ComposeFile, __: Environment) -> Iterator[Finding]:
    """The host's clock is right, as far as this machine's is."""
    skew = facts.engine.skew if facts.engine else 0.0
    if abs(skew) <= _SKEW_TOLD:
        yield Finding("clock", "ok", "agrees with this machine's")
        return
    what = f"is {_age(abs(skew))} {'ahead of' if skew > 0 else 'behind'} this machine's"
    fix = "set both right: sudo timedatectl set-ntp true"
    yield Finding("clock", "refusal" if abs(skew) > _SKEW_REFUSED else "warning", what, fix)


def _age(seconds: float) -> str:
    size, unit = next((each for each in _UNITS if seconds >= 2 * each[0]), (1, "seconds"))
    return f"{seconds / size:.0f} {unit}"


def fitting(facts: Facts, file: ComposeFile, _: Environment) -> Iterator[Finding]:
    """The images are for the host's kind of processor, unless the file names a platform on purpose."""
    if facts.engine is None:
        return
    platform = facts.engine.platform
    wrong: list[str] = []
    for name, service in file.services.items():
        reference = image_of(file, name)
        image = facts.held.get(reference) or facts.here.get(reference)
        made_for = f"{image.os}/{image.architecture}" if image else facts.builder if service.build else ""
        if made_for not in {"", platform} and not service.platform:
            wrong.append(f"{reference} ({made_for})")
    if wrong:
        fix = f"build or pull them for {platform}, or set platform: on the service where the host can emulate it"
        yield Finding("images", "refusal", f"the host is {platform}, and not so: {_listed(wrong)}", fix)
    else:
        yield Finding("images", "ok", f"for {platform}; {_there(facts, file)}")


def _there(facts: Facts, file: ComposeFile) -> str:
    wanted = {image_of(file, name) for name in file.services}
    missing = len(wanted - set(facts.held))
    return f"{missing} of {len(wanted)} still to be brought there" if missing else f"all {len(wanted)} are there"


def within_memory(facts: Facts, file: ComposeFile, _: Environment) -> Iterator[Finding]:
    """The host has the memory that the services may use together."""
    if facts.engine is None:
        return
    total = sum(_limit(service) * replicas(service) for service in file.services.values())
    what = f"the services may use {_size(total)} together, the host has {_size(facts.engine.memory)}"
    fix = "lower the services' memory, or take a bigger host: a full one kills what uses most"
    yield _judged("memory", "warning" if total > facts.engine.memory else "ok", what, fix)


def _limit(service: Service) -> int:
    resources = service.deploy.resources if service.deploy else None
    limit = (resources.limits.memory if resources and resources.limits else None) or service.mem_limit or 0
    try:
        return byte_size(limit)
    except ValueError:  # a variable: Compose knows it, we do not
        return 0


def within_disk(facts: Facts, file: ComposeFile, _: Environment) -> Iterator[Finding]:
    """The disk takes what is still to be brought there."""
    if facts.engine is None:
        return
    root, free, inodes = facts.engine.root, facts.host.disk_free, facts.host.inodes_free
    if free is None:
        yield Finding("disk", "unseen", f"how much is free at {root} cannot be seen")
        return
    missing = {image_of(file, name) for name in file.services} - set(facts.held)
    carried, unknown = sum(image.size for image in facts.here.values()), len(missing - set(facts.here))
    need = capacity.disk(carried, unknown, holds_some=bool(facts.held))
    short = free < need.least
    what = (
        f"{_size(free)} free at {root}, {_size(need.least if short else need.wanted)} {'needed' if short else 'wanted'}"
    )
    fix = "docker system df shows what fills it, docker image prune frees some; never prune volumes"
    verdict: Verdict = "refusal" if short else "warning" if free < need.wanted else "ok"
    yield _judged("disk", verdict, what, fix)
    if inodes is not None and inodes < capacity.INODES:
        yield Finding("inodes", "refusal", f"{inodes} files can still be made at {root}", fix)


def addressable(facts: Facts, file: ComposeFile, _: Environment) -> Iterator[Finding]:
    """The engine has addresses left for the networks that are still to be made."""
    if facts.engine is None:
        return
    missing = capacity.networks(file) - {network.name for network in facts.networks}
    used = [*facts.host.routes, *(subnet for network in facts.networks for subnet in network.subnets)]
    left = capacity.free_networks(facts.engine.pools, used)
    what = f"addresses for {left} more networks, {len(missing)} needed"
    fix = "remove networks that nobody uses (docker network prune), or give default-address-pools in daemon.json"
    yield _judged("networks", "refusal" if left < len(missing) else "ok", what, fix)


def alone(facts: Facts, file: ComposeFile, _: Environment) -> Iterator[Finding]:
    """No other folder's project has this name here: the two would take each other's containers and data."""
    if facts.elsewhere:
        fix = f"give one of them another name, or end it there: nself-sdk -C {shlex.quote(facts.elsewhere)} down"
        yield Finding("name", "refusal", f"a project {file.name} runs here from {facts.elsewhere}", fix)


def available(facts: Facts, file: ComposeFile, _: Environment) -> Iterator[Finding]:
    """Nobody else has the ports that are published."""
    wanted = capacity.ports(file)
    taken = dict(_taken(wanted, facts, file.name or ""))
    for (_address, port), who in taken.items():
        ours = capacity.publisher(file, port)
        how = "set NGINX_HTTP_PORT or NGINX_HTTPS_PORT" if ours == "nginx" else f"give {ours} another port"
        yield Finding("ports", "refusal", f"{port} is used by {who}", f"stop it, or {how}")
    if not taken and wanted:
        verdict: Verdict = "ok" if facts.host.listening is not None else "unseen"
        listed = ", ".join(str(port) for port in sorted({port for _, port in wanted}))
        unseen = "" if verdict == "ok" else " by containers; whether by programs cannot be seen"
        yield Finding("ports", verdict, f"{listed} free or ours{unseen}")


def _taken(wanted: Iterable[tuple[str, int]], facts: Facts, project: str) -> Iterator[tuple[tuple[str, int], str]]:
    ours = {port.published for one in facts.holders if one.project == project for port in one.ports}
    theirs = [
        (port.address, port.published, one) for one in facts.holders if one.project != project for port in one.ports
    ]
    for address, port in wanted:
        holder = next((one for at, there, one in theirs if there == port and capacity.overlap(at, address)), None)
        listening = any(there == port and capacity.overlap(at, address) for at, there in facts.host.listening or ())
        if holder is not None:
            of = f" of the project {holder.project}" if holder.project else ""
            yield (address, port), f"the container {holder.name}{of}"
        elif listening and port not in ours:
            yield (address, port), f"a program of the host (sudo ss -ltnp 'sport = :{port}' shows which)"


def limited(facts: Facts, _: ComposeFile, environment: Environment) -> Iterator[Finding]:
    """What sshd allows is enough: everything goes over one connection, so its limits on many do not matter."""
    if not environment.remote:
        return
    names = {"maxsessions": "MaxSessions", "maxstartups": "MaxStartups"}
    seen = ", ".join(f"{names[key]} {value}" for key, value in sorted(facts.host.sshd.items()) if key in names)
    yield Finding("sshd", "ok", "one connection, which forwards the engine's socket" + (f" ({seen})" if seen else ""))


def resolving(facts: Facts, _: ComposeFile, __: Environment) -> Iterator[Finding]:
    """Every public name leads to the host."""
    fix = "point their DNS records at the host; certificates and visitors need them"
    if untold := [name for name, addresses in facts.names.items() if addresses is None]:
        yield Finding("dns", "unseen", f"DNS did not tell in time of {_listed(untold)}")
    if lost := [name for name, addresses in facts.names.items() if addresses == ()]:
        yield Finding("dns", "warning", f"no such name: {_listed(lost)}", fix)
    known = set(facts.host.addresses)
    for name, addresses in facts.names.items():
        if addresses and known and known.isdisjoint(addresses):
            what = f"{name} leads to {addresses[0]}, the host is {facts.host.addresses[0]}"
            yield Finding("dns", "warning", what, "right where a proxy stands before it; otherwise correct the record")
    if good := [name for name, addresses in facts.names.items() if addresses and not known.isdisjoint(addresses)]:
        yield Finding("dns", "ok", f"{_listed(good)}: the host")


def pinned(_: Facts, file: ComposeFile, environment: Environment) -> Iterator[Finding]:
    """Images name one version. A tag with one number, or none, is moved to other versions by its publisher.

    In dev that, and what is not committed yet, is as it should be.
    """
    images = {service.image or "" for service in file.services.values() if service.build is None}
    moving = [image for image in images if image and not _PINNED.search(image)]
    if moving and environment.profile != "dev":
        yield Finding("pins", "warning", f"not pinned: {_listed(moving)}", "name a whole version, or a digest")
    else:
        yield Finding(
            "pins", "ok", f"not needed in dev: {_listed(moving)}" if moving else "every image names a version"
        )


def committed(facts: Facts, _: ComposeFile, environment: Environment) -> Iterator[Finding]:
    """The release will be what its commit says."""
    if not facts.commit:
        yield Finding("git", "ok", "no commit: releases will name no revision")
    elif facts.dirty and environment.profile != "dev":
        what = f"uncommitted changes: the release will not be what {facts.commit[:8]} says"
        yield Finding("git", "warning", what, "commit them first, to know later what runs")
    else:
        yield Finding("git", "ok", facts.commit[:8] + (" and changes" if facts.dirty else ""))


def rolled(_: Facts, file: ComposeFile, __: Environment) -> Iterator[Finding]:
    """What the file asks of a rollout and is done otherwise.

    Source of the words: https://docs.docker.com/reference/compose-file/deploy/
    """
    services = file.services.items()
    asked = [f"services.{name}.deploy.{word}" for name, one in services for word in _unhonoured(one.deploy or Deploy())]
    if asked:
        fix = "leave them out: whatever fails, the release before is restored, as it was rolled out"
        yield Finding("rollout", "warning", f"without effect: {_listed(asked)}", fix)


def _unhonoured(deploy: Deploy) -> Iterator[str]:
    update = deploy.update_config or UpdateConfig()
    if str(update.failure_action or "rollback") != "rollback":
        yield "update_config.failure_action"
    if str(update.max_failure_ratio or 0) not in {"0", "0.0"}:
        yield "update_config.max_failure_ratio"
    if deploy.rollback_config is not None:
        yield "rollback_config"


def _judged(check: str, verdict: Verdict, what: str, fix: str) -> Finding:
    return Finding(check, verdict, what, "" if verdict == "ok" else fix)


def _listed(names: Iterable[str], most: int = 5) -> str:
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GB" if count >= 2**30 else f"{count / 2**20:,.0f} MB"


RULES: tuple[Rule, ...] = (
    reached,
    new_enough,
    in_time,
    limited,
    fitting,
    within_disk,
    within_memory,
    addressable,
    alone,
    available,
    resolving,
    pinned,
    committed,
    rolled,
)
