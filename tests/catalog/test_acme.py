"""TLS by ACME, as it is rendered, and the script that asks for certificates, with a certbot that does as it is told."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import crossplane
import pytest
import test_every_service as contract
from rig.shell import docker

from nself_sdk import ComposeFile, Environment, FrontendApp, Hasura, Monitoring, Project, RemoteSchema, Route, render
from nself_sdk.catalog.nginx import acme
from nself_sdk.checks import problems
from nself_sdk.jobs import ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACES = ("staging", "prod")
SHOP = (
    Project("shop")
    .add(Hasura())
    .add(RemoteSchema("app1", domain="api.app1.com"))
    .add(FrontendApp("web", port=3000, route="app"))
    .add(Monitoring())
)


def place(name: str, **facts: Any) -> Environment:
    return Environment.named(name, **{"domain": "shop.example.org", "tls": "acme", **facts})


@cache
def rendered(name: str) -> ComposeFile:
    return render(SHOP, place(name, admin_email="ops@example.org"))


def nginx_conf(file: ComposeFile) -> str:
    return (file.configs["nginx.conf"].content or "").replace("$$", "$")


def servers(file: ComposeFile, folder: Path) -> list[dict[str, list[list[str]]]]:
    """Each server of nginx.conf: its directives by name."""
    path = folder / "nginx.conf"
    path.write_text(nginx_conf(file), encoding="utf-8")
    parsed = crossplane.parse(str(path), single=True, check_ctx=True, check_args=True)
    assert parsed["errors"] == []
    [http] = [block for block in parsed["config"][0]["parsed"] if block["directive"] == "http"]
    found = []
    for server in (block for block in http["block"] if block["directive"] == "server"):
        named: dict[str, list[list[str]]] = {}
        for line in server["block"]:
            named.setdefault(line["directive"], []).append(line["args"])
        found.append(named)
    return found


@pytest.mark.parametrize("name", PLACES)
def test_the_contract_of_every_service_holds(name: str) -> None:
    file = rendered(name)
    assert problems(file, place(name, real_mail_required=False)) == ()
    assert [service for service, s in file.services.items() if s.port_mappings] == ["nginx"]
    assert list(contract.schema().iter_errors(contract.tree(file))) == []
    assert ComposeFile.loads(file.to_yaml()).to_yaml() == file.to_yaml()


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_docker_compose_reads_it_without_a_certificate_and_without_a_warning(name: str, tmp_path: Path) -> None:
    contract.plugin_or_skip()
    path = tmp_path / "docker-compose.yml"
    path.write_text(rendered(name).to_yaml(), encoding="utf-8")
    secrets = [s.name for s in SHOP.context(place(name)).secrets if s.source not in {"certificate", "private-key"}]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **dict.fromkeys(secrets, "x")}
    done = contract.compose("-f", str(path), "config", "-q", environment=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_host_has_a_certificate_of_its_own_the_full_domain_of_a_remote_schema_too(tmp_path: Path) -> None:
    named = {
        server["server_name"][0][0]: (server["ssl_certificate"], server["ssl_certificate_key"])
        for server in servers(rendered("staging"), tmp_path)
        if "ssl_certificate" in server
    }
    assert set(named) == set(SHOP.context(place("staging")).hosts) >= {"api.app1.com", "app.shop.example.org"}
    for host, (certificate, key) in named.items():
        assert certificate == key == [[f"$certificates/{host}.pem"]]
    assert rendered("staging").services["acme"].environment_map["HOSTS"] == " ".join(sorted(named))


def test_the_cas_questions_are_answered_in_the_clear_and_all_else_goes_to_https(tmp_path: Path) -> None:
    [plain] = [s for s in servers(rendered("prod"), tmp_path) if s["listen"] == [["80"]]]
    assert plain["location"] == [["^~", "/.well-known/acme-challenge/"], ["@nothing"], ["/"]]
    assert "return" not in plain
    assert len(plain["server_name"][0]) == len(SHOP.context(place("prod")).hosts)


@pytest.mark.parametrize(
    ("name", "ca", "insists"),
    [
        ("staging", "letsencrypt-staging", False),
        ("staging", "letsencrypt", True),
        ("prod", "letsencrypt", True),
        ("prod", "https://ca.example.org/dir", True),
    ],
)
def test_browsers_are_told_to_insist_on_tls_only_where_they_trust_the_certificate(
    name: str, ca: str, insists: bool
) -> None:
    assert ('Strict-Transport-Security "max-age' in nginx_conf(render(SHOP, place(name, acme_ca=ca)))) is insists


def test_nginx_reads_the_keys_and_certbot_alone_has_the_account() -> None:
    services = rendered("prod").services
    mounts = {
        name: {(m.source, bool(m.read_only)) for m in s.volume_mounts if (m.source or "").startswith("acme-")}
        for name, s in services.items()
    }
    assert {name: found for name, found in mounts.items() if found} == {
        "nginx": {("acme-certificates", True)},
        "acme": {("acme-certificates", False), ("acme-data", False)},
    }
    assert (services["acme"].cap_drop, services["acme"].cap_add) == (["ALL"], ["CHOWN"])
    assert "TLS_PRIVATE_KEY" not in rendered("prod").secrets


def test_a_new_host_replaces_who_fetches_certificates_and_lets_nginx_reload() -> None:
    more = Project("shop").add(Hasura()).add(Route(name="also", service="hasura", port=8080))
    before, after = render(Project("shop").add(Hasura()), place("prod")), render(more, place("prod"))
    changed = {name for name, s in after.services.items() if s != before.services[name]}
    assert changed == {"acme"}
    assert after.configs["nginx.conf"] != before.configs["nginx.conf"]
    # The CA asks at the edge, which must know the new host by then.
    assert ordered(after)[-2:] == ["nginx", "acme"]


@pytest.mark.docker
@pytest.mark.parametrize("name", PLACES)
def test_nginx_accepts_its_configuration(name: str, rig_images: Callable[..., object]) -> None:
    image = rendered(name).services["nginx"].image or ""
    rig_images(image)
    script = "cat >/etc/nginx/nginx.conf && nginx -t"
    command = ["docker", "run", "--rm", "-i", "--add-host", "host.docker.internal:127.0.0.1", image, "sh", "-c", script]
    done = subprocess.run(command, input=nginx_conf(rendered(name)), capture_output=True, text=True, check=False)
    assert (done.returncode, "warn" in done.stderr) == (0, False), done.stderr


# A certbot that fails for one host, gives the other a certificate, and notes what it was asked; and a sleep that only
# says how long it would be, and ends the game after some.
_TOLD = r"""
set -eu
rm -rf /tmp/* /etc/letsencrypt/* /certificates
cd /usr/local/bin
cat >certificates
cat >certbot <<'END'
#!/bin/sh
echo "$*" >>/tmp/asked
while [ $# -gt 0 ]; do
  case $1 in --cert-name) host=$2 ;; --config-dir) home=$2 ;; esac
  shift
done
if [ "$host" = late.example.org ] && [ ! -e /tmp/dns ]; then
  printf '  Domain: %s\n  Type:   dns\n  Detail: DNS problem: NXDOMAIN\n\nSome challenges have failed.\n' "$host"
  exit 1
fi
mkdir -p "$home/live/$host"
cd "$home/live/$host"
openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$host" \
  -not_before 20260101000000Z -not_after "${UNTIL:-20990101000000Z}" -keyout privkey.pem -out fullchain.pem
END
rm -f sleep
printf '#!/bin/sh\necho "$1" >>/tmp/slept; [ "$(wc -l </tmp/slept)" -lt "${ROUNDS:-9}" ] || kill "$PPID"\n' >sleep
chmod +x certificates certbot sleep
mkdir -p /certificates
"""


@pytest.fixture(scope="module")
def certbot(rig_images: Callable[..., object]) -> Iterator[str]:
    """A container of certbot's image, for the script to run in."""
    image = rendered("prod").services["acme"].image or ""
    rig_images(image)
    settings = {
        "DIRECTORY": "https://ca.example.org:14000/dir",
        "EMAIL": "",
        "HOSTS": "api.example.org late.example.org",
    }
    options = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    made = docker("run", "-d", "--init", *options, "--entrypoint", "tail", image, "-f", "/dev/null").strip()
    yield made
    docker("rm", "-f", "-v", made)


def told(container: str, script: str) -> list[str]:
    """What the script prints, run where nothing was asked for yet."""
    text = (Path(acme.__file__).parent / "certificates.sh").read_text(encoding="utf-8")
    return docker("exec", "-i", container, "sh", "-c", _TOLD + script, text=text).splitlines()


@pytest.mark.docker
def test_a_host_without_dns_keeps_no_other_from_its_certificate_and_the_reason_is_told(certbot: str) -> None:
    assert told(certbot, "certificates state; certificates >/dev/null || echo missing; certificates state") == [
        "waiting api.example.org",
        "waiting late.example.org",
        "missing",
        "issued api.example.org",
        "failed late.example.org DNS problem: NXDOMAIN",
    ]


@pytest.mark.docker
def test_a_renewal_that_fails_is_told_apart_from_a_certificate_that_is_missing(certbot: str) -> None:
    script = "touch /tmp/dns; certificates >/dev/null; rm /tmp/dns; certificates >/dev/null || certificates state"
    assert told(certbot, script) == [
        "issued api.example.org",
        "renewing late.example.org DNS problem: NXDOMAIN",
    ]


@pytest.mark.docker
def test_a_certificate_that_expired_is_none(certbot: str) -> None:
    script = "touch /tmp/dns; UNTIL=20260102000000Z certificates >/dev/null; rm /tmp/dns; certificates >/dev/null || :"
    assert told(certbot, f"{script}; certificates state") == [
        "issued api.example.org",
        "failed late.example.org DNS problem: NXDOMAIN",
    ]


@pytest.mark.docker
def test_what_nginx_cannot_be_given_is_no_success(certbot: str) -> None:
    script = "touch /tmp/dns; rm -r /certificates; certificates >/dev/null || certificates state"
    api, late = told(certbot, script)
    assert (api.split()[0], late.split()[0], "/certificates/.next" in api) == ("failed", "failed", True)


@pytest.mark.docker
def test_failures_are_tried_again_later_and_later_and_never_five_times_an_hour(certbot: str) -> None:
    waits = [int(line) for line in told(certbot, "certificates forever >/dev/null || true; cat /tmp/slept")]
    assert waits[:8] == [300, 600, 1200, 2400, 4800, 9600, 19200, 21600]
    assert sum(waits[:4]) > 3600


@pytest.mark.docker
def test_where_all_is_well_it_looks_twice_a_day(certbot: str) -> None:
    waits = told(certbot, "touch /tmp/dns; ROUNDS=2 certificates forever >/dev/null || true; cat /tmp/slept")
    assert set(waits) == {"43200"}


@pytest.mark.docker
def test_what_another_ca_issued_is_not_taken_for_what_was_asked_for(certbot: str) -> None:
    script = "touch /tmp/dns; certificates >/dev/null; rm -r /tmp/tried; DIRECTORY=https://two.example.org/dir"
    assert told(certbot, f"{script} certificates state") == ["waiting api.example.org", "waiting late.example.org"]


@pytest.mark.docker
def test_one_ca_does_not_renew_what_another_issued(certbot: str) -> None:
    script = (
        "certificates >/dev/null; DIRECTORY=https://two.example.org/dir certificates >/dev/null; ls /etc/letsencrypt"
    )
    assert told(certbot, f"touch /tmp/dns; {script}") == ["ca.example.org_14000_dir", "two.example.org_dir"]


@pytest.mark.docker
@pytest.mark.parametrize(("email", "said"), [("", "--register-unsafely-without-email"), ("o@x.org", "--email o@x.org")])
def test_the_ca_is_given_the_address_if_there_is_one(certbot: str, email: str, said: str) -> None:
    [asked, *_] = told(certbot, f"touch /tmp/dns; EMAIL={email} certificates >/dev/null; cat /tmp/asked")
    assert said in asked
