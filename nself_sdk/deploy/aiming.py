"""Aiming a probe at a deployment's edge: what it trusts, and where it connects. It sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from nself_sdk.deploy.probe import Probe
from nself_sdk.deploy.wire import Request
from nself_sdk.docker import Target
from nself_sdk.docker.names import resolved
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import did_you_mean

#: Seconds that DNS may take to tell a name.
_PATIENCE = 5


def aimed(urls: Sequence[str], rate: float, hosts: Sequence[str], environment: Environment, target: Target) -> Probe:
    """A probe of these URLs: ``ws://`` and ``wss://`` hold a socket, all others are asked.

    Args:
        urls: whole, with a host that the edge answers for.
        rate: requests a second, of all URLs together.
        hosts: those that the edge answers for.
        environment: says where the edge listens on this machine, and which CA signed for it.
        target: where it runs. A host that DNS does not know is looked for there.

    Raises:
        DeclarationError: a URL is none, or its host is not one of the project.
    """
    requests = tuple(Request(url) for url in urls if not url.startswith("ws"))
    sockets = tuple(Request(url) for url in urls if url.startswith("ws"))
    authority = _authority() if environment.tls == "local-ca" else None
    asked = dict.fromkeys(urlsplit(url).hostname or "" for url in urls)
    Probe(requests, sockets=sockets)  # refuses what is no URL, before its host is looked at
    if strangers := [host for host in asked if host not in hosts]:
        fix = [did_you_mean(host, [*hosts]) for host in strangers]
        raise DeclarationError(
            [Problem("probe", f"{host} is no host of this project", f) for host, f in zip(strangers, fix, strict=True)]
        )
    return Probe(
        requests, rate=rate, sockets=sockets, address=_address(asked, environment, target), authority=authority
    )


def _address(hosts: Sequence[str] | dict[str, None], environment: Environment, target: Target) -> str:
    """Where to connect to; empty where DNS knows every host."""
    if target.host is None:
        return environment.bind or "127.0.0.1"
    known = resolved(hosts, _PATIENCE)
    return "" if all(known.get(host) for host in hosts) else target.host


def _authority() -> Path:
    from nself_sdk.store import certificates  # noqa: PLC0415 - costs as much as a whole command

    return certificates.authority_certificate()
