"""Certificates for development: a CA of this user's own, made once, and what it signs for a project's hosts.

The CA lies in ``$XDG_DATA_HOME/nself-sdk`` (by default ``~/.local/share/nself-sdk``), readable by its owner only:
whoever trusts ``ca.pem`` once trusts every project of this machine.

Importing it costs as much as a whole command: only functions that need a certificate import this module.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from nself_sdk.errors import SecretError
from nself_sdk.store import envfiles

# Browsers refuse server certificates that live longer than 398 days (CA/Browser Forum, ballot SC31).
_LEAF_DAYS = 397
_CA_DAYS = 3650
_AUTHORITY = "nself-sdk local CA"
_RENEW_BEFORE = timedelta(days=30)


def authority_folder() -> Path:
    """Where this user's CA is."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "nself-sdk"


def authority_certificate() -> Path:
    """The file to trust, in a browser or with ``curl --cacert``."""
    return authority_folder() / "ca.pem"


def ensure_local(folder: Path, hosts: Sequence[str]) -> None:
    """Make ``fullchain.pem`` and ``privkey.pem`` in ``folder`` for those hosts, unless good ones are there.

    Raises:
        SecretError: a certificate is there that this machine's CA did not make: it is the user's, and left alone.
    """
    with _alone(authority_folder()), _alone(folder):
        if not _is_good(folder, hosts):
            _make(folder, hosts)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One process at a time, so that no key is written beside the certificate of another one."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(folder: Path, hosts: Sequence[str]) -> None:
    ca, ca_key = _authority()
    key = _new_key()
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    builder = (
        _builder("nself-sdk development", _LEAF_DAYS, key).issuer_name(ca.subject).add_extension(names, critical=False)
    )
    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(usage, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    leaf = _signed(builder.add_extension(issuer, critical=False), ca_key)
    envfiles.write_private(folder / "privkey.pem", _key_text(key))
    envfiles.write_private(folder / "fullchain.pem", _text(leaf) + _text(ca))


def read(folder: Path, hosts: Sequence[str] = ()) -> tuple[str, str]:
    """The certificate chain and the private key, as PEM texts.

    Raises:
        SecretError: one of the two files is missing, they do not belong together, or a host is not named in them.
    """
    chain, key = folder / "fullchain.pem", folder / "privkey.pem"
    if missing := [str(path) for path in (chain, key) if not path.is_file()]:
        fix = "put your certificate there, or write TLS=acme (Let's Encrypt) or local-ca into the environment's .env"
        raise SecretError(f"there is no {' and no '.join(missing)}", fix)
    texts = envfiles.read_text(chain), envfiles.read_text(key)
    _refuse_strangers(chain, *texts, hosts)
    return texts


def _refuse_strangers(where: Path, chain: str, key: str, hosts: Sequence[str]) -> None:
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise SecretError(f"{where.parent}: not a PEM certificate and an unencrypted PEM key: {error}") from None
    if leaf.public_key() != private.public_key():
        raise SecretError(f"{where}: the certificate is not for the key beside it", "put the pair there")
    if leaf.not_valid_after_utc < datetime.now(UTC):
        raise SecretError(f"{where}: the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}", "renew it")
    if unnamed := _unnamed(leaf, hosts):
        fix = f"get one that names them all, or has a wildcard such as *.{unnamed[0].partition('.')[2]}"
        raise SecretError(f"{where}: the certificate is not for {', '.join(unnamed)}", fix)


def _unnamed(leaf: x509.Certificate, hosts: Sequence[str]) -> list[str]:
    """The hosts that a certificate does not cover; a wildcard stands for one label (RFC 6125, 6.4.3)."""
    found = [each.value for each in leaf.extensions if isinstance(each.value, x509.SubjectAlternativeName)]
    names = {name.lower() for each in found for name in each.get_values_for_type(x509.DNSName)}
    return [host for host in hosts if names.isdisjoint({host, f"*.{host.partition('.')[2]}"})]


def _is_good(folder: Path, hosts: Sequence[str]) -> bool:
    """Whether the certificate is for those hosts, signed by the present CA, and lives long enough."""
    path = folder / "fullchain.pem"
    if not path.is_file():
        return False

    try:
        leaf, *issuers = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise SecretError(f"{path} is not a PEM certificate: {error}", "correct it, or remove it") from None
    if leaf.issuer != _name(_AUTHORITY):
        fix = "set TLS=own in the environment's .env to use it, or move it away"
        raise SecretError(f"{path} is not from this machine's CA, and is left alone", fix)
    if not (len(issuers) == 1 and authority_certificate().is_file() and (folder / "privkey.pem").is_file()):
        return False
    [issuer] = issuers
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    same_ca = issuer == x509.load_pem_x509_certificate(authority_certificate().read_bytes())
    fresh = leaf.not_valid_after_utc - _RENEW_BEFORE > datetime.now(UTC)
    return same_ca and fresh and names.get_values_for_type(x509.DNSName) == list(hosts)


def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate, key_path = authority_certificate(), authority_folder() / "ca.key"
    if certificate.is_file() and key_path.is_file():
        key = load_pem_private_key(key_path.read_bytes(), password=None)
        made = x509.load_pem_x509_certificate(certificate.read_bytes())
        lives = made.not_valid_after_utc - timedelta(days=_LEAF_DAYS) > datetime.now(UTC)
        if isinstance(key, ec.EllipticCurvePrivateKey) and made.public_key() == key.public_key() and lives:
            return made, key
    key = _new_key()
    builder = _builder(_AUTHORITY, _CA_DAYS, key).issuer_name(_name(_AUTHORITY))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = _signed(builder.add_extension(_ca_usage(), critical=True), key)
    envfiles.write_private(key_path, _key_text(key))
    envfiles.write(certificate, _text(ca))
    return ca, key


def _ca_usage() -> x509.KeyUsage:
    others = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
    )
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
        **dict.fromkeys(others, False),
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _builder(common: str, days: int, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, SHA256())


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
