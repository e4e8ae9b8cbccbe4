"""What preflight reads, and what it finds, as values; decides and reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nself_sdk.docker import Container, Engine, Host, Image, Network
from nself_sdk.errors import DriverError

Verdict = Literal["ok", "unseen", "warning", "refusal"]


@dataclass(frozen=True)
class Finding:
    """One thing that preflight looked at: how it is, and what to do about it.

    A refusal stops a deploy before anything is touched; a warning is told. ``unseen``: the host does not tell.
    """

    check: str
    verdict: Verdict
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.what}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was read before a deploy.

    Attributes:
        target: the engine's place, in words.
        unreachable: why nobody answers there; None if somebody does.
        engine: who answered; None while nobody did.
        host: the machine under the engine.
        held: the images of the file that the engine has, by reference.
        here: those that it has not and that this machine would send, by reference.
        builder: the platform that this machine would build for, where it builds for another engine; empty otherwise.
        holders: the containers, of whatever project, that publish a port of the file.
        elsewhere: another folder of this machine that the project runs from; empty where there is none.
        networks: all networks of the engine.
        names: the addresses of each public name that DNS was asked for; None where nobody told in time.
        commit: what is checked out; empty outside of git.
        dirty: whether the folder differs from it.
    """

    target: str = "this machine"
    unreachable: DriverError | None = None
    engine: Engine | None = None
    host: Host = field(default_factory=Host)
    held: Mapping[str, Image] = field(default_factory=dict[str, Image])
    here: Mapping[str, Image] = field(default_factory=dict[str, Image])
    builder: str = ""
    holders: tuple[Container, ...] = ()
    elsewhere: str = ""
    networks: tuple[Network, ...] = ()
    names: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict[str, tuple[str, ...] | None])
    commit: str = ""
    dirty: bool = False
