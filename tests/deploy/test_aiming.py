"""A probe that is aimed at a deployment: what it asks and holds, where it connects, whom it trusts, what it refuses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakehost import FakeHost, hurry

from nself_sdk import DeclarationError, Deployment, Environment, Hasura, Project
from nself_sdk.deploy import Probe, Request
from nself_sdk.deploy.aiming import aimed
from nself_sdk.docker import Target
from nself_sdk.store import certificates

# RFC 2606: no resolver knows a name below .invalid, and every one knows localhost.
UNKNOWN = Environment.named("staging", domain="shop.invalid", tls="own")
KNOWN = UNKNOWN.replace(domain="localhost", tls="local-ca")
HOSTS = ("api.shop.invalid", "shop.invalid", "localhost")
REMOTE = Target(host="vps.example.com")


def test_http_is_asked_and_websockets_are_held() -> None:
    urls = ("https://api.shop.invalid/healthz", "wss://api.shop.invalid/v1/graphql")
    probe = aimed(urls, 50, HOSTS, UNKNOWN, Target())
    assert ([r.url for r in probe.requests], [r.url for r in probe.sockets], probe.rate) == ([urls[0]], [urls[1]], 50)


@pytest.mark.parametrize(
    ("url", "environment", "target", "address"),
    [
        ("https://api.shop.invalid/", UNKNOWN, Target(), "127.0.0.1"),
        ("https://api.shop.invalid/", UNKNOWN.replace(bind="10.0.0.9"), Target(), "10.0.0.9"),
        ("https://api.shop.invalid/", UNKNOWN, REMOTE, "vps.example.com"),
        ("https://localhost/", KNOWN, REMOTE, ""),
    ],
)
def test_it_connects_where_the_edge_is(url: str, environment: Environment, target: Target, address: str) -> None:
    assert aimed((url,), 1, HOSTS, environment, target).address == address


def test_a_local_ca_is_trusted_and_no_other_is_added() -> None:
    assert aimed(("https://localhost/",), 1, HOSTS, KNOWN, Target()).authority == certificates.authority_certificate()
    assert aimed(("https://shop.invalid/",), 1, HOSTS, UNKNOWN, Target()).authority is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://apii.shop.invalid/", "no host of this project; did you mean 'api.shop.invalid'"),
        ("api.shop.invalid", "is not a URL"),
        ("ftp://api.shop.invalid/", "is not a URL"),
    ],
)
def test_what_the_edge_does_not_answer_is_refused(url: str, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        aimed((url,), 1, HOSTS, UNKNOWN, Target())


@pytest.mark.slow
def test_a_deploy_that_lost_requests_stands_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    nobody = Probe((Request("http://127.0.0.1:1/"),), rate=50)
    shop, slowly = Project("shop").add(Hasura()), lambda _: time.sleep(0.05)  # in memory it would be over too soon
    report = Deployment(shop, KNOWN, tmp_path, driver=FakeHost(), tell=slowly).deploy(probe=nobody)
    assert report.release is not None
    assert report.probe is not None
    assert report.release.probe == report.probe
    assert report.probe.lost == report.probe.requests > 0
    assert report.flaws == [f"{report.probe.lost} of the probe's requests and sockets were lost"]
