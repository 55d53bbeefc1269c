"""The self-made certificate says what it was asked to say."""

from __future__ import annotations

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sendall.crypto.certificate import make_certificate, read_certificate

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def test_a_certificate_has_its_names_and_ten_years() -> None:
    """It is valid from a day ago, because clocks differ, for ten years."""
    certificate, _ = make_certificate(["localhost", "127.0.0.1", "::1", "chat.example.org"], NOW)
    facts = read_certificate(ssl.PEM_cert_to_DER_cert(certificate.decode()))
    assert set(facts.names) == {"localhost", "127.0.0.1", "::1", "chat.example.org"}
    assert facts.valid_from == NOW - datetime.timedelta(days=1)
    assert 3652 <= (facts.valid_until - NOW).days <= 3653


def test_each_certificate_has_a_key_of_its_own() -> None:
    """Two servers never share one."""
    assert make_certificate(["localhost"], NOW)[1] != make_certificate(["localhost"], NOW)[1]


def test_what_is_no_certificate_is_a_value_error() -> None:
    """Nothing else is raised for bytes of whatever kind."""
    with pytest.raises(ValueError, match="pars"):
        read_certificate(b"no certificate")


def test_a_certificate_without_names_has_none() -> None:
    """One of the operator's may be so."""
    key = ec.generate_private_key(ec.SECP256R1())
    nobody = x509.Name([])
    builder = x509.CertificateBuilder(nobody, nobody, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=1))
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert read_certificate(der).names == ()
