"""What is made of what the service says that fetches certificates: in a deploy, and when somebody looks."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from nself_sdk import ComposeFile
from nself_sdk.compose import Service
from nself_sdk.deploy import Progress
from nself_sdk.deploy import certificates as module
from nself_sdk.deploy.certificates import Certificate, certificates, fetcher, flaws, judged
from nself_sdk.deploy.health import ServiceHealth
from nself_sdk.docker import Container, ExecResult
from nself_sdk.errors import DriverError
from nself_sdk.offers import CERTIFICATES
from nself_sdk.testing import RecordingDriver

FILE = ComposeFile(services={"acme": Service(image="x").replace(**{CERTIFICATES: ["say"]}), "web": Service(image="y")})
ISSUED, WAITING = Certificate("a.org", "issued"), Certificate("b.org", "waiting")
FAILED, RENEWING = Certificate("b.org", "failed", "no such name"), Certificate("b.org", "renewing", "CA is down")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0)


def host_saying(answer: ExecResult) -> RecordingDriver:
    driver = RecordingDriver()
    driver.answer("containers", (container("web"), container("acme")))
    driver.answer("exec", answer)
    return driver


def container(service: str) -> Container:
    return Container(
        id=service, name=service, project="shop", service=service, number=1, image="x", image_id="i", state="running"
    )


def test_each_line_is_a_host_and_the_reason_may_have_spaces() -> None:
    driver = host_saying(ExecResult(exit_code=0, stdout="issued a.org\nfailed b.org no such name\n"))
    assert certificates(driver, FILE, "shop") == (ISSUED, FAILED)


def test_who_cannot_be_asked_is_no_success() -> None:
    with pytest.raises(DriverError, match="acme does not say how the certificates are: no such file"):
        certificates(host_saying(ExecResult(exit_code=127, stderr="no such file\n")), FILE, "shop")


def test_nobody_is_asked_where_certificates_come_from_elsewhere() -> None:
    driver = RecordingDriver()
    assert (fetcher(ComposeFile()), certificates(driver, ComposeFile(), "shop"), driver.calls) == ("", (), [])


def test_a_deploy_waits_for_the_ca_and_tells_each_step_once() -> None:
    looks = chain([(ISSUED, WAITING)] * 3, repeat((ISSUED, FAILED)))
    told: list[Progress] = []
    assert flaws(lambda: next(looks), 10, told.append) == [str(FAILED)]
    assert [progress.what for progress in told] == [str(ISSUED), str(WAITING), str(FAILED)]


def test_a_deploy_does_not_wait_for_ever_and_then_says_what_is_missing() -> None:
    assert flaws(lambda: (ISSUED, WAITING), 0.01, lambda _: None) == [str(WAITING)]


def test_where_all_are_issued_nothing_is_wrong() -> None:
    assert flaws(lambda: (ISSUED,), 10, lambda _: None) == []


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        ((ISSUED,), "healthy", "healthy"),
        ((ISSUED, WAITING), "waiting", str(WAITING)),
        ((ISSUED, FAILED), "failed", str(FAILED)),
        ((ISSUED, RENEWING), "healthy", str(RENEWING)),
        ((WAITING, FAILED), "failed", f"{WAITING}; {FAILED}"),
    ],
)
def test_who_looks_sees_it_in_the_verdict(found: tuple[Certificate, ...], verdict: str, reason: str) -> None:
    states = (ServiceHealth("acme", "healthy", "healthy"), ServiceHealth("web", "healthy", "healthy"))
    acme, web = judged(states, "acme", found)
    assert (acme.verdict, acme.reason, web) == (verdict, reason, states[1])


def test_a_container_that_is_down_is_worse_than_what_it_last_said() -> None:
    down = ServiceHealth("acme", "failed", "exited with code 1")
    assert judged([down], "acme", (FAILED,)) == (down,)
