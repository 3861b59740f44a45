"""Whose key signs the content credentials: one per user, made on this machine, known to nobody else.

C2PA takes no certificate that signs itself, so an authority is made for it that signs this one certificate;
the authority's own key is thrown away.  Readers therefore say "valid, signer unknown": the credentials prove
that a file has not changed since Mien wrote it, and not who the user is (no name of theirs is in them).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from mien.engine.types import SinkError
from mien.engine.utils.files import replacing
from mien.engine.utils.folders import NO_HOME, user_folder

FILE = "content-credentials.pem"
MAKER = "Mien on this machine"
VALID_DAYS = 3650
"""Without a time stamp of an authority's, credentials are worth what the certificate is now: long."""

_ELLIPTIC = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Identity:
    """What a signature needs.

    Attributes:
        algorithm: in C2PA's words, such as ``es256``.
        chain: PEM certificates, the signer's own first.
        key: its private key, PEM (PKCS 8, not encrypted).
    """

    algorithm: str
    chain: bytes
    key: bytes


def identity_path(system: str = sys.platform, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The key's place among a user's settings; None where they have no home folder."""
    folder = user_folder("config", system, environment)
    return folder / FILE if folder else None


def load_identity(path: Path | None) -> Identity:
    """The key and certificates in ``path``: made when there are none, and again when ours have run out.

    A user with a certificate of an authority's puts key and chain there instead.

    Raises:
        SinkError: the file cannot be read or made, holds something else, or somebody else's that ran out; or
            there is no place for it.
    """
    if path is None:
        raise SinkError(f"no place for the key that signs: {NO_HOME}")
    try:
        if not path.exists():
            _make(path)
        identity, until, ours = _read(path.read_bytes())
        if until < datetime.now(timezone.utc):
            if not ours:
                raise SinkError(f"the certificate in {path} has run out")
            _make(path)
            identity, _, _ = _read(path.read_bytes())
    except OSError as error:
        raise SinkError(f"{path} cannot be used: {error.strerror}") from error
    except (ValueError, TypeError, IndexError) as error:
        raise SinkError(f"{path} is no key with certificates; delete it to have one made") from error
    return identity


def _read(data: bytes) -> tuple[Identity, datetime, bool]:
    """The identity, the moment until which it is valid, and whether Mien made it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(data, None)
    certificates = x509.load_pem_x509_certificates(data)
    chain = b"".join(found.public_bytes(serialization.Encoding.PEM) for found in certificates)
    ours = certificates[0].subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    mine = bool(ours) and ours[0].value == MAKER
    return Identity(_algorithm(key), chain, _pem(key)), certificates[0].not_valid_after_utc, mine


def _algorithm(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _ELLIPTIC:
        return _ELLIPTIC[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise ValueError("C2PA has no such key")


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(encoding, kind, serialization.NoEncryption()))


def _make(path: Path) -> None:
    """Write a new key and its certificates, whole or not at all, readable by the user alone."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    own = _certificate("Mien recordings", key.public_key(), authority, ca=False)
    root = _certificate("Mien authority", authority.public_key(), authority, ca=True)
    data = _pem(key) + own.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as part,
        os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
    ):
        file.write(data)


def _certificate(name: str, public: Any, authority: Any, *, ca: bool) -> Any:
    """A certificate as C2PA wants it (its specification 2.x, "X.509 certificates")."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(common: str) -> x509.Name:
        parts = ((NameOID.ORGANIZATION_NAME, MAKER), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])

    now = datetime.now(timezone.utc)
    uses = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    uses |= {"encipher_only": False, "decipher_only": False}
    signing = x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **uses)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    builder = (
        x509.CertificateBuilder(named("Mien authority"), named(name), public, x509.random_serial_number())
        # A clock that is set back by a few hours must not make today's files invalid.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca, 0 if ca else None), critical=True)
        .add_extension(signing, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    if not ca:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(authority, hashes.SHA256())
