"""The lock: who holds it, who is told, when it is taken over, and that it is always given back."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from fakehost import NOW, FakeHost

from nself_sdk.deploy import lock
from nself_sdk.errors import DriverError, LockedError

TOLD: list[str] = []


def held(host: FakeHost, owner: str = "ada@laptop", message: str = "", wait: float = 0):
    return lock.locked(host, "shop", owner, message, wait=wait, tell=TOLD.append)


def aged(host: FakeHost, seconds: float) -> None:
    """Let everything of the lock be that old on the host's clock."""
    old = NOW - timedelta(seconds=seconds)
    host.locks = {name: replace(container, created_at=old) for name, container in host.locks.items()}


def test_it_is_held_while_the_body_runs_and_gone_afterwards() -> None:
    host = FakeHost()
    with held(host):
        assert lock.holder(host, "shop") is not None
    assert host.locks == {}


@pytest.mark.parametrize("error", [DriverError, KeyboardInterrupt, SystemExit])
def test_it_is_given_back_whatever_ends_the_body(error: type[BaseException]) -> None:
    host = FakeHost()
    with pytest.raises(error), held(host):
        raise error("over")
    assert host.locks == {}


def test_whoever_comes_second_is_told_who_holds_it_since_when_and_what_for() -> None:
    host = FakeHost()
    with held(host, message="new prices"):
        aged(host, 12)
        with pytest.raises(LockedError, match=r"shop is being deployed by ada@laptop, for 12 s \(new prices\)"):
            held(host, "bob@desk").__enter__()
        assert lock.holder(host, "shop") is not None


def test_another_project_is_not_held_up() -> None:
    host = FakeHost()
    with held(host), lock.locked(host, "blog", "bob", wait=0, tell=TOLD.append):
        assert len(host.locks) == 2


def test_the_lock_of_a_dead_holder_is_taken_over_and_said_so() -> None:
    host = FakeHost()
    host.create("nself-lock-shop", lock._IMAGE, {lock.LABEL: "shop", lock._TOKEN: "dead", lock._OWNER: "eve@gone"})
    aged(host, lock._DEAD + 1)
    TOLD.clear()
    with held(host):
        now = lock.holder(host, "shop")
        assert now is not None
        assert now.labels[lock._OWNER] == "ada@laptop"
    assert host.locks == {}
    assert TOLD == [
        "taking over the lock of eve@gone, for 46 s, since 2025-12-31 23:59:14 UTC, which shows no sign of life"
    ]


def test_an_old_lock_with_a_fresh_sign_of_life_is_never_taken_over() -> None:
    host = FakeHost()
    host.create("nself-lock-shop", lock._IMAGE, {lock.LABEL: "shop", lock._TOKEN: "busy", lock._OWNER: "eve@work"})
    aged(host, 3600)
    host.create("nself-lock-shop-busy-720", lock._IMAGE, {lock._TOKEN: "busy"})
    with pytest.raises(LockedError, match="eve@work, for 3600 s"):
        held(host).__enter__()


def test_a_holder_shows_signs_of_life_and_takes_them_all_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_BEAT", 0.01)
    host = FakeHost()
    seen = threading.Event()
    create = host._create

    def created(name: str, image: str, labels: dict[str, str]) -> bool:
        if name.endswith("-3"):
            seen.set()
        return create(name, image, labels)

    host.answer("create", created)
    with held(host):
        assert seen.wait(10)
    assert host.locks == {}


def test_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_POLL", 0.01)
    host = FakeHost()
    first = held(host)
    first.__enter__()
    threading.Timer(0.2, lambda: first.__exit__(None, None, None)).start()
    with held(host, "bob@desk", wait=10):
        now = lock.holder(host, "shop")
        assert now is not None
        assert now.labels[lock._OWNER] == "bob@desk"
    assert host.locks == {}


def test_whoever_slept_until_the_lock_was_somebody_elses_does_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with held(host) as driver:
        driver.tag("site:1", "site:2")
        host.locks.clear()
        host.create("nself-lock-shop", lock._IMAGE, {lock.LABEL: "shop", lock._TOKEN: "x", lock._OWNER: "eve@desk"})
        driver.tag("site:1", "site:3")  # it was awake a moment ago: nobody can have taken it for dead
        monkeypatch.setattr(lock.time, "time", lambda: 1e10)
        with pytest.raises(LockedError, match=r"its lock was taken over by eve@desk, for 0 s"):
            driver.tag("site:1", "site:4")
    assert [call.arguments[1] for call in host.calls if call.verb == "tag"] == ["site:2", "site:3"]
    assert list(host.locks) == ["nself-lock-shop"], "the other's lock stays"


def test_whoever_slept_and_still_holds_the_lock_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with held(host) as driver:
        monkeypatch.setattr(lock.time, "time", lambda: 1e10)
        driver.tag("site:1", "site:2")
    assert [call.verb for call in host.calls if call.verb == "tag"] == ["tag"]
