"""A shop to deploy again and again: Hasura, a service of its own, their next versions, and the traffic of its users."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nself_sdk import CustomService, Deployment, Environment, Hasura, Postgres, Project, render
from nself_sdk.deploy import Probe, Request
from nself_sdk.offers import Route
from nself_sdk.store import ProjectFolder
from nself_sdk.testing.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rig.vps import Vps

DOMAIN = "shop.example.com"
STAGING = Environment.named("staging", domain=DOMAIN, tls="local-ca")
#: What the template of the custom service is built from.
PYTHON = "python:3.13.15-slim-trixie"
JSON = {"Content-Type": "application/json"}
#: Routes that take their time, and that take a body.
CODE = '''

@router.get("/slow")
async def slow(seconds: float = 8) -> dict[str, float]:
    """Take that long."""
    import asyncio

    await asyncio.sleep(seconds)
    return {"slept": seconds}


@router.post("/echo")
async def echo(body: dict[str, str]) -> dict[str, str]:
    """Say the same."""
    return body
'''
#: Where an engine writes its process id.
_ENGINE = Path("/run/docker.pid")
_INIT = b'{"type":"connection_init"}'
_SOCKET = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}


def project(version: int = 0, replicas: int = 1) -> Project:
    """The shop; each version has another Hasura, another service and another route."""
    level = ("info", "debug")[version % 2]
    hello = CustomService(
        "hello", "fastapi-py", 8001, needs=["postgres"], environment={"VERSION": str(version)}, replicas=replicas
    )
    return (
        Project("shop")
        .add(Postgres(port=None, memory="512m"))
        .add(Hasura(environment={"HASURA_GRAPHQL_LOG_LEVEL": level}))
        .add(hello)
        .add(Route(name=f"v{version}", service="hello", port=8001))
    )


def made(folder: Path) -> Path:
    """The service's code in a project folder, which can also take its time, and echo."""
    ProjectFolder(folder).scaffold(project())
    edit(folder, CODE)
    return folder


def edit(folder: Path, text: str) -> None:
    """Change the service's code: add these lines."""
    code = folder / "services" / "hello" / "app" / "api.py"
    code.write_text(code.read_text(encoding="utf-8") + text, encoding="utf-8")


def on(vps: Vps, folder: Path) -> Path:
    """The same, with that host as its staging."""
    place = made(folder) / ".environments" / "staging"
    place.mkdir(parents=True, exist_ok=True)
    (place / ".env").write_text(f"BASE_DOMAIN={DOMAIN}\nTLS=local-ca\n", encoding="utf-8")
    server = {"host": vps.url, "identity_file": str(vps.identity_file), "known_hosts": str(vps.known_hosts)}
    (place / "server.json").write_text(json.dumps(server), encoding="utf-8")
    return folder


def images() -> list[str]:
    """The images that it needs to be there."""
    services = render(project(), STAGING).services.values()
    return sorted({service.image for service in services if service.build is None and service.image} | {PYTHON})


def deployment(folder: Path, version: int, **given: Any) -> Deployment:
    """A version of it in staging."""
    return Deployment(project(version), "staging", folder, **given)


def traffic(vps: Vps, *, rate: float = 100, slow: float = 10) -> Probe:
    """GET and POST to both services, a request of that many seconds in flight at every moment, and a WebSocket.

    Past the ports that are published on this machine: what passes them on is no part of the host.
    """
    hello, api = (f"https://{name}.{DOMAIN}" for name in ("hello", "api"))
    return Probe(
        (
            Request(f"{hello}/"),
            Request(f"{hello}/echo", "POST", b'{"said": "this"}', JSON),
            Request(f"{api}/healthz"),
            Request(f"{api}/v1/graphql", "POST", b'{"query": "{ __typename }"}', JSON),
        ),
        rate=rate,
        slow=(Request(f"{hello}/slow?seconds={slow:g}"),),
        sockets=(Request(f"wss://api.{DOMAIN}/v1/graphql", body=_INIT, headers=_SOCKET),),
        address=vps.address,
        authority=Edge().authority,
    )


@contextmanager
def elsewhere() -> Iterator[None]:
    """Whoever deploys has a machine, and an engine, of his own: what they do does not slow the host down.

    Here all share the same processors; so this thread, what it starts, and this machine's engine run only while nobody
    else wants to. (Of a low priority alone, they would not make way at once.)
    """
    _schedule(os.SCHED_IDLE)
    try:
        yield
    finally:
        _schedule(os.SCHED_OTHER)


def _schedule(policy: int) -> None:
    engine = Path("/proc", _ENGINE.read_text().strip(), "task").glob("*") if _ENGINE.exists() else ()
    for thread in (0, *(int(task.name) for task in engine)):
        with suppress(PermissionError, ProcessLookupError):  # only root may; a thread may have ended
            os.sched_setscheduler(thread, policy, os.sched_param(0))
