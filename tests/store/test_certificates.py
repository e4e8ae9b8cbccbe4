"""Certificates for development: made once, for the right hosts, by a CA that nobody else can read."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography import x509

from nself_sdk.errors import SecretError
from nself_sdk.store import certificates

HOSTS = ("api.localhost", "auth.localhost")


@pytest.fixture(autouse=True)
def _own_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.ensure_local(tmp_path / "tls", HOSTS)
    return tmp_path / "tls"


def contents(*folders: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for folder in folders for path in folder.iterdir()}


def leaf_of(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates((folder / "fullchain.pem").read_bytes())[0]


def hosts_of(folder: Path) -> tuple[str, ...]:
    names = leaf_of(folder).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(names.get_values_for_type(x509.DNSName))


def test_it_is_for_those_hosts_and_made_once(folder: Path) -> None:
    assert hosts_of(folder) == HOSTS
    before = contents(folder, certificates.authority_folder())
    certificates.ensure_local(folder, HOSTS)
    assert contents(folder, certificates.authority_folder()) == before


def test_other_hosts_get_another_certificate_from_the_same_authority(folder: Path) -> None:
    authority = contents(certificates.authority_folder())
    certificates.ensure_local(folder, ["shop.localhost"])
    assert hosts_of(folder) == ("shop.localhost",)
    assert contents(certificates.authority_folder()) == authority


def test_only_the_owner_reads_the_keys(folder: Path) -> None:
    for key in (folder / "privkey.pem", certificates.authority_folder() / "ca.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_authority_signs_servers_and_no_further_authority(folder: Path) -> None:
    ca = x509.load_pem_x509_certificate(certificates.authority_certificate().read_bytes())
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    leaf = leaf_of(folder)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days <= 398


def test_a_client_that_trusts_the_authority_accepts_the_host_and_no_other(folder: Path) -> None:
    assert handshake(folder, "api.localhost") == "ok"
    assert "Hostname mismatch" in handshake(folder, "evil.example")


def handshake(folder: Path, host: str) -> str:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")
    client = ssl.create_default_context(cafile=str(certificates.authority_certificate()))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()
    with left, right:
        thread = threading.Thread(target=answer, args=(server, left))
        thread.start()
        try:
            with client.wrap_socket(right, server_hostname=host):
                return "ok"
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        finally:
            thread.join()


def answer(context: ssl.SSLContext, connection: socket.socket) -> None:
    try:
        context.wrap_socket(connection, server_side=True).close()
    except (ssl.SSLError, OSError):
        connection.close()


def test_a_lost_key_is_made_again_with_its_certificate(folder: Path) -> None:
    (folder / "privkey.pem").unlink()
    certificates.ensure_local(folder, HOSTS)
    assert certificates.read(folder)


def test_a_lost_authority_is_made_again_with_what_it_signs(folder: Path) -> None:
    certificates.authority_certificate().unlink()
    certificates.ensure_local(folder, HOSTS)
    assert handshake(folder, "api.localhost") == "ok"


def test_an_authority_whose_halves_do_not_fit_is_made_again(folder: Path, tmp_path: Path) -> None:
    key = certificates.authority_folder() / "ca.key"
    key.write_bytes((folder / "privkey.pem").read_bytes())
    certificates.ensure_local(tmp_path / "other", HOSTS)
    assert handshake(tmp_path / "other", "api.localhost") == "ok"


def test_a_certificate_of_the_users_own_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "fullchain.pem").write_text(stranger(), encoding="utf-8")
    (mine / "privkey.pem").write_text("my key", encoding="utf-8")
    before = contents(mine)
    with pytest.raises(SecretError, match=r"is not from this machine's CA, and is left alone\n  set TLS=own"):
        certificates.ensure_local(mine, HOSTS)
    assert contents(mine) == before


def stranger() -> str:
    """A certificate that signed itself."""
    key = certificates._new_key()
    builder = certificates._builder("someone", 10, key).issuer_name(certificates._name("someone"))
    return certificates._text(certificates._signed(builder, key))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"there is no .*fullchain\.pem and no .*privkey\.pem"):
        certificates.read(tmp_path)


def test_a_key_of_another_certificate_is_refused(folder: Path, tmp_path: Path) -> None:
    certificates.ensure_local(tmp_path / "other", HOSTS)
    (folder / "privkey.pem").write_bytes((tmp_path / "other" / "privkey.pem").read_bytes())
    with pytest.raises(SecretError, match="is not for the key beside it"):
        certificates.read(folder)


@pytest.mark.parametrize("file", ["fullchain.pem", "privkey.pem"])
def test_what_is_no_pem_is_refused_without_showing_it(folder: Path, file: str) -> None:
    (folder / file).write_text("TOPSECRET", encoding="utf-8")
    with pytest.raises(SecretError) as caught:
        certificates.read(folder)
    assert "TOPSECRET" not in str(caught.value)


def test_an_expired_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_LEAF_DAYS", -0.01)
    certificates.ensure_local(tmp_path / "tls", HOSTS)
    with pytest.raises(SecretError, match="expired on"):
        certificates.read(tmp_path / "tls")


def test_two_processes_at_once_make_one_authority(tmp_path: Path) -> None:
    fork = get_context("fork")
    folders = [tmp_path / f"tls{number}" for number in range(4)]
    processes = [fork.Process(target=certificates.ensure_local, args=(folder, HOSTS)) for folder in folders]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert {handshake(folder, "api.localhost") for folder in folders} == {"ok"}


def test_hosts_that_the_certificate_does_not_name_are_said(folder: Path) -> None:
    assert certificates.read(folder, HOSTS) == certificates.read(folder)
    with pytest.raises(SecretError, match=r"is not for shop\.localhost, api\.app1\.com\n  get one that names them all"):
        certificates.read(folder, [*HOSTS, "shop.localhost", "api.app1.com"])


def test_a_wildcard_stands_for_one_label(tmp_path: Path) -> None:
    certificates.ensure_local(tmp_path / "wild", ["*.example.org"])
    certificates.read(tmp_path / "wild", ["api.example.org"])
    with pytest.raises(SecretError, match=r"is not for example\.org, a\.api\.example\.org"):
        certificates.read(tmp_path / "wild", ["api.example.org", "example.org", "a.api.example.org"])
