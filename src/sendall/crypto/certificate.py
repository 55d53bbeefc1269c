"""The self-made TLS certificate: making one, and reading what any certificate says of itself.

A home of `cryptography.x509` beside `crypto.primitives`; importing it takes 50 ms, so it is imported
where it is needed only. P-256, because an RSA handshake costs the server ten times as much.
Clients of ours do not judge such a certificate by its chain: the server identity signs its hash
(docs/protocol.md, "Connection").
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = datetime.timedelta(days=3653)
_CLOCKS_DIFFER = datetime.timedelta(days=1)


class Facts(NamedTuple):
    """What a certificate says."""

    names: tuple[str, ...]
    """Its DNS names and IP addresses, in its order."""
    valid_from: datetime.datetime
    valid_until: datetime.datetime
    """Both in UTC."""


def make_certificate(names: Sequence[str], now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return a new certificate for DNS names and IP addresses, valid for ten years, and its key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sendall")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def read_certificate(der: bytes) -> Facts:
    """Return what a certificate says of itself; one without names has none.

    Raises:
        ValueError: `der` is no certificate.
    """
    certificate = x509.load_der_x509_certificate(der)
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names: tuple[str, ...] = ()
    else:
        addresses = (str(address) for address in alternatives.get_values_for_type(x509.IPAddress))
        names = (*alternatives.get_values_for_type(x509.DNSName), *addresses)
    return Facts(names, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
