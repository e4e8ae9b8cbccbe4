"""Certificates by ACME: the real certbot, a real CA (Pebble, by Let's Encrypt's developers), and real validation."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from observed import remains

from nself_sdk import ComposeFile, Deployment, Environment, Hasura, Postgres, Project, RemoteSchema, render
from nself_sdk.compose import Config, Healthcheck, Service, ServiceConfig
from nself_sdk.deploy import Probe, Request, probing
from nself_sdk.deploy.certificates import Certificate
from nself_sdk.offers import Route
from nself_sdk.store import ProjectFolder, certificates
from nself_sdk.testing import Edge
from nself_sdk.testing.stack import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from nself_sdk.passes import Pass

pytestmark = pytest.mark.docker

NAME = f"nself-test-acme-{token_hex(4)}"
HOSTS = ("api.app1.test", "api.staging.shop.test")
NO_DNS = "resolve URL"
SETTINGS = {
    "pebble": {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/etc/pebble/fullchain.pem",
        "privateKey": "/etc/pebble/privkey.pem",
        "httpPort": 80,
        "tlsPort": 443,
    }
}


def ca(folder: Path) -> ComposeFile:
    """The CA, and beside it the DNS server that it asks, which knows no name until it is told."""
    certificates.ensure_local(folder, ["ca"])
    texts = {
        "settings.json": json.dumps(SETTINGS),
        "fullchain.pem": (folder / "fullchain.pem").read_text(),
        "privkey.pem": (folder / "privkey.pem").read_text(),
    }
    dns = "pebble-challtestsrv -defaultIPv4 '' -defaultIPv6 '' -http01 '' -https01 '' -tlsalpn01 '' -doh ''"
    service = Service(
        image="ghcr.io/letsencrypt/pebble:2.6.0",
        entrypoint=["sh", "-c", f"{dns} & exec pebble -config /etc/pebble/settings.json -dnsserver 127.0.0.1:8053"],
        # Neither pauses before it looks, nor nonces refused at random, nor answers remembered.
        environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"},
        configs=[ServiceConfig(source=name, target=f"/etc/pebble/{name}") for name in texts],
        healthcheck=Healthcheck.shell("curl -fsSk https://127.0.0.1:14000/dir && curl -s http://127.0.0.1:8055"),
    )
    return ComposeFile(services={"ca": service}, configs={name: Config.inline(text) for name, text in texts.items()})


def trusting(authority: str) -> Pass:
    """Certbot accepts the CA's own certificate, and starts after it."""

    def trusted(name: str, service: Service) -> Service:
        if name != "acme":
            return service
        path = "/etc/authority.pem"
        return service.replace(
            environment={**service.environment_map, "REQUESTS_CA_BUNDLE": path},
            configs=[*service.config_references, ServiceConfig(source="authority.pem", target=path)],
            depends_on={**service.depends_on_map, "ca": {"condition": "service_healthy"}},
        )

    def apply(file: ComposeFile, _: Environment) -> ComposeFile:
        return (file + ComposeFile(configs={"authority.pem": Config.inline(authority)})).map_services(trusted)

    return apply


@pytest.fixture(scope="module")
def deployment(
    images_of: Callable[[ComposeFile], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("acme")
    http, https = free_ports(2)
    place = Environment.named(
        "staging", domain="staging.shop.test", tls="acme", acme_ca="https://ca:14000/dir",
        bind="127.0.0.1", http_port=http, https_port=https,
    )  # fmt: skip
    project = (
        Project(NAME)
        .add(Postgres(memory="512m"))
        .add(Hasura())
        .add(RemoteSchema("app1", domain="api.app1.test"))
        .add(ca(folder / "ca"))
    )
    authority = certificates.authority_certificate().read_text()
    images_of(render(project, place))
    with Deployment(project, place, ProjectFolder(folder), passes=(trusting(authority),)) as made:
        try:
            yield made
        finally:
            made.down(timeout=1)
            made.forget()
            made.driver.remove_volumes([volume.name for volume in made.driver.volumes(NAME)])
    assert remains(NAME) == {}


@pytest.fixture(scope="module")
def first_report(deployment: Deployment) -> list[str]:
    """What is wrong after the first deploy, to a place that DNS does not know yet."""
    return deployment.deploy().flaws


@pytest.fixture(scope="module")
def edge(deployment: Deployment, first_report: list[str], tmp_path_factory: pytest.TempPathFactory) -> Edge:
    """The edge, for a client who trusts that CA alone, once DNS knows it and the CA was asked again."""
    assert first_report
    for host in HOSTS:
        tell_dns(deployment, host, address(deployment, "nginx"))
    assert certbot(deployment, *HOSTS) == 0
    root = tmp_path_factory.mktemp("root") / "root.pem"
    root.write_bytes(fetched(f"https://{address(deployment, 'ca')}:15000/roots/0"))
    facts = deployment.environment
    return Edge(facts.https_port, http_port=facts.http_port, authority=root)


def address(deployment: Deployment, service: str) -> str:
    found = next(c for c in deployment.driver.containers(NAME) if c.service == service)
    return next(iter(found.addresses.values()))


def tell_dns(deployment: Deployment, host: str, ip: str) -> None:
    body = json.dumps({"host": host, "addresses": [ip]}).encode()
    fetched(f"http://{address(deployment, 'ca')}:8055/add-a", body)


def fetched(url: str, body: bytes | None = None) -> bytes:
    # The CA's own certificate is for a name that is known among the containers alone.
    trust = ssl.create_default_context(cafile=str(certificates.authority_certificate()))
    trust.check_hostname = False
    with urllib.request.urlopen(url, body, timeout=5, context=trust) as answer:  # noqa: S310 - a page of a container
        return bytes(answer.read())


def certbot(deployment: Deployment, *hosts: str, options: Sequence[str] = ()) -> int:
    """Let the CA be asked for these now."""
    return deployment.exec("acme", ["env", f"HOSTS={' '.join(hosts)}", "certificates", *options]).exit_code


def served(edge: Edge, host: str) -> x509.Certificate:
    with edge.connect(host) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


def test_without_dns_the_stack_is_up_and_nobody_is_told_that_all_is_well(
    deployment: Deployment, first_report: list[str]
) -> None:
    assert [flaw.split(":")[0] for flaw in first_report] == [f"no certificate for {host}" for host in HOSTS]
    assert all(NO_DNS in flaw for flaw in first_report)
    states = {state.service: state for state in deployment.status()}
    assert {name: state.verdict for name, state in states.items() if state.verdict != "healthy"} == {"acme": "failed"}
    assert f"no certificate for {HOSTS[0]}: " in states["acme"].reason
    facts = deployment.environment
    with pytest.raises(ssl.SSLError):
        Edge(facts.https_port, authority=certificates.authority_certificate()).connect(HOSTS[0])


def test_each_host_gets_a_certificate_of_its_own_and_answers_over_verified_tls(
    deployment: Deployment, edge: Edge
) -> None:
    for host in HOSTS:
        assert edge.request("GET", host, "/healthz").status == 200
        names = served(edge, host).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [host]
    assert deployment.certificates() == tuple(Certificate(host, "issued") for host in HOSTS)
    assert {state.verdict for state in deployment.status()} == {"healthy"}


def test_plain_http_still_leads_to_https(edge: Edge) -> None:
    answer = edge.request("GET", HOSTS[0], "/v1/version", tls=False)
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{HOSTS[0]}:{edge.port}/v1/version")
    # Who comes at another time and asks finds nothing, and is no error of ours.
    assert edge.request("GET", HOSTS[0], "/.well-known/acme-challenge/x", tls=False).status == 404


def test_keys_are_for_nginx_and_the_account_is_for_certbot_alone(deployment: Deployment, edge: Edge) -> None:
    assert edge
    listed = deployment.exec("nginx", ["stat", "-c", "%a %u %g", f"/etc/nginx/certificates/{HOSTS[0]}.pem"])
    assert listed.stdout.split() == ["440", "0", "101"]
    assert deployment.exec("nginx", ["ls", "/etc/letsencrypt"]).exit_code != 0
    assert deployment.exec("nginx", ["touch", "/etc/nginx/certificates/x"]).exit_code != 0


def test_a_second_deploy_changes_nothing_and_asks_for_nothing(deployment: Deployment, edge: Edge) -> None:
    before = served(edge, HOSTS[0]).serial_number
    report = deployment.deploy()
    assert (report.plan and report.plan.pending, report.flaws) == ((), [])
    assert certbot(deployment, HOSTS[0]) == 0
    assert served(edge, HOSTS[0]).serial_number == before


def test_a_new_host_is_known_to_the_edge_before_the_ca_asks_for_it(deployment: Deployment, edge: Edge) -> None:
    project, place = deployment.project, deployment.environment
    before, host = served(edge, HOSTS[0]).serial_number, "also.staging.shop.test"
    tell_dns(deployment, host, address(deployment, "nginx"))
    project.routes.append(Route(name="also", service="hasura", port=8080))
    try:
        passes = (trusting(certificates.authority_certificate().read_text()),)
        with Deployment(project, place, deployment.folder, passes=passes, driver=deployment.driver) as more:
            assert more.deploy().flaws == []
    finally:
        project.routes.clear()
    assert edge.request("GET", host, "/healthz").status == 200
    assert served(edge, HOSTS[0]).serial_number == before


@pytest.mark.parametrize("renewals", [1, pytest.param(10, marks=pytest.mark.long)])
def test_a_renewal_under_traffic_loses_nothing_and_counts_at_once(
    deployment: Deployment, edge: Edge, renewals: int
) -> None:
    before = [served(edge, host).serial_number for host in HOSTS]
    urls = [f"https://{host}:{edge.port}/healthz" for host in HOSTS]
    probe = Probe(tuple(map(Request, urls)), address=edge.address, authority=edge.authority, rate=25)
    with probing(probe) as running:
        time.sleep(0.5)
        for _ in range(renewals):
            assert certbot(deployment, *HOSTS, options=["--force-renewal"]) == 0
        after = [served(edge, host).serial_number for host in HOSTS]
        time.sleep(0.5)
    assert set(before).isdisjoint(after)
    assert running.report.requests > 50
    assert running.report.lost == 0, running.report


def test_a_renewal_that_fails_leaves_the_certificate_there_and_is_told(deployment: Deployment, edge: Edge) -> None:
    fetched(f"http://{address(deployment, 'ca')}:8055/clear-a", json.dumps({"host": HOSTS[0]}).encode())
    assert certbot(deployment, HOSTS[0], options=["--force-renewal"]) == 1
    assert edge.request("GET", HOSTS[0], "/healthz").status == 200
    [state] = [state for state in deployment.status() if state.service == "acme"]
    assert (state.verdict, f"the certificate of {HOSTS[0]} cannot be renewed" in state.reason) == ("healthy", True)
