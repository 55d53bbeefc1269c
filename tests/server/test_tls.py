"""Where the server's certificate comes from, and what its context allows."""

from __future__ import annotations

import datetime
import hashlib
import ssl
from pathlib import Path

import pytest

from sendall.crypto.certificate import make_certificate
from sendall.errors import UsageError
from sendall.server.tls import OWN_FILE, given_tls, own_tls

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)


def write_pair(folder: Path, name: str = "given") -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    pem, key_pem = make_certificate(["chat.example.org", "203.0.113.7"], NOW)
    certificate.write_bytes(pem)
    key.write_bytes(key_pem)
    return certificate, key


def test_the_own_certificate_is_kept(tmp_path: Path) -> None:
    """A second start finds the first one's certificate; its file is for the owner alone."""
    first = own_tls(tmp_path / "data", ["0.0.0.0", "Chat.example.org"], NOW)
    assert own_tls(tmp_path / "data", ["0.0.0.0", "chat.example.org"], NOW + YEAR).leaf_hash == first.leaf_hash
    assert {"localhost", "127.0.0.1", "::1", "chat.example.org"} <= set(first.names)
    assert "0.0.0.0" not in first.names
    assert (tmp_path / "data" / OWN_FILE).stat().st_mode & 0o777 == 0o600


def test_the_leaf_hash_is_that_of_the_certificate(tmp_path: Path) -> None:
    """SHA-256 of the DER form, which clients compare with what TLS showed them."""
    material = own_tls(tmp_path, [], NOW)
    pem = (tmp_path / OWN_FILE).read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(ssl.PEM_HEADER) :])
    assert material.leaf_hash == hashlib.sha256(der).digest()


@pytest.mark.parametrize(
    ("hosts", "now"),
    [
        pytest.param(["other.example.org"], NOW, id="names changed"),
        pytest.param([], NOW + 10 * YEAR, id="expires"),
        pytest.param([], NOW - YEAR, id="clock went back"),
    ],
)
def test_the_own_certificate_is_renewed(tmp_path: Path, hosts: list[str], now: datetime.datetime) -> None:
    """When it would not be believed any more, a new one takes its place."""
    first = own_tls(tmp_path, [], NOW)
    second = own_tls(tmp_path, hosts, now)
    assert second.leaf_hash != first.leaf_hash
    assert own_tls(tmp_path, hosts, now).leaf_hash == second.leaf_hash


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"2026 2027 localhost\n"])
def test_a_damaged_own_certificate_is_replaced(tmp_path: Path, damage: bytes) -> None:
    """It is worth nothing that a new one is not, so nobody is bothered."""
    first = own_tls(tmp_path, [], NOW)
    path = tmp_path / OWN_FILE
    path.write_bytes(damage + path.read_bytes()[:200] if damage else path.read_bytes()[:400])
    assert own_tls(tmp_path, [], NOW).leaf_hash != first.leaf_hash


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """The message names the path and the option."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=OWN_FILE) as caught:
        own_tls(tmp_path / "file" / "data", [], NOW)
    assert "--data" in caught.value.hint


def test_a_given_certificate_is_used(tmp_path: Path) -> None:
    """Its names go to the Host allow-list, whatever form they have."""
    certificate, key = write_pair(tmp_path)
    material = given_tls(certificate, key)
    assert set(material.names) == {"chat.example.org", "203.0.113.7"}
    assert material.leaf_hash == hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).digest()


def test_given_files_that_do_not_fit_are_usage_errors(tmp_path: Path) -> None:
    """Missing, not PEM, mixed up, or of two pairs: each sentence names the file, each hint the option."""
    certificate, key = write_pair(tmp_path)
    _, other_key = write_pair(tmp_path, "other")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\x00")
    for pair, sentence, hint in [
        ((tmp_path / "none", key), "none: No such file", "--cert"),
        ((certificate, tmp_path / "none"), "none: No such file", "--key"),
        ((binary, key), "binary: it is no PEM file", "--cert"),
        ((key, key), "given.key holds no certificate", "--cert"),
        ((certificate, certificate), "given.crt holds no private key", "--key"),
        ((certificate, other_key), "other.key is not the key of", "--key"),
    ]:
        with pytest.raises(UsageError, match=sentence) as caught:
            given_tls(*pair)
        assert hint in caught.value.hint


def test_only_tls_13_without_tickets(tmp_path: Path) -> None:
    """There is nothing to downgrade to, and nothing that 0-RTT could start from."""
    context = own_tls(tmp_path, [], NOW).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.num_tickets == 0
