"""TLS of the server: 1.3 only, with the operator's certificate or one of our own making.

The self-made certificate and its key are one file in the data folder, so that a crash cannot leave
a certificate beside another's key. Knows nothing of connections; `listener` uses the context, the
composition root signs the leaf hash and lets the Host allow-list have the names.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import socket
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sendall.errors import UsageError
from sendall.server.hosts import host_name

OWN_FILE = "tls.pem"
_ALWAYS_NAMES = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("", "0.0.0.0", "::")
_RENEW_BEFORE = datetime.timedelta(days=30)


class TlsMaterial(NamedTuple):
    """What TLS needs, and what others need to know of it."""

    context: ssl.SSLContext
    leaf_hash: bytes
    """SHA-256 of the DER form of the leaf certificate."""
    names: tuple[str, ...]
    """DNS names and IP addresses the certificate is for."""


def given_tls(certificate: Path, key: Path) -> TlsMaterial:
    """Use the operator's certificate chain and key (PEM).

    Raises:
        UsageError: a file cannot be read or is no such thing, the key is encrypted or another certificate's.
    """
    from sendall.crypto.certificate import read_certificate

    chain = _read(certificate, "--cert")
    _read(key, "--key")
    try:
        names = read_certificate(_leaf(chain)).names
    except ValueError:
        raise UsageError(f"{certificate} holds no certificate", hint="give a PEM certificate with --cert") from None
    try:
        return TlsMaterial(_context(certificate, key), _leaf_hash(chain), names)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            sentence, hint = f"{key} is not the key of {certificate}", "give the --key that belongs to --cert"
        else:
            sentence, hint = f"{key} holds no private key that can be used", "give an unencrypted PEM key with --key"
        raise UsageError(sentence, hint=hint) from None


def own_tls(folder: Path, hosts: Iterable[str], now: datetime.datetime) -> TlsMaterial:
    """Use the self-made certificate in `folder`; make one if there is none, it expires, or the names changed.

    It is for loopback, this machine's name and `hosts` (what the server listens on, configured names).
    Folder and file are for their owner alone (0700, 0600). `now` is in UTC.

    Raises:
        UsageError: the folder or the file in it cannot be read or written.
    """
    path = folder / OWN_FILE
    names = _own_names(hosts)
    try:
        material = _kept(path, names, now)
        if material is None:
            _make(path, names, now)
            material = _kept(path, names, now)
    except OSError as error:
        raise UsageError(
            f"cannot keep the TLS certificate in {path}: {error.strerror}",
            hint="make the folder readable and writable for you, or choose another with --data",
        ) from None
    assert material is not None, "a certificate made just now is good"
    return material


def _own_names(hosts: Iterable[str]) -> tuple[str, ...]:
    named = [host_name(host) for host in hosts if host not in _EVERYWHERE]
    # A machine's name need not be a host name; then nobody asks for it by that name.
    with contextlib.suppress(UsageError):
        named.append(host_name(socket.gethostname()))
    return tuple(dict.fromkeys((*_ALWAYS_NAMES, *named)))


def _kept(path: Path, names: Sequence[str], now: datetime.datetime) -> TlsMaterial | None:
    """Return what the file holds, or None if it is missing, damaged, out of date or for other names.

    Its first line, which PEM readers skip, repeats dates and names, because parsing a certificate
    would cost every start the import of an X.509 library.
    """
    try:
        text = path.read_text()
        begin, end, *for_names = text.partition("\n")[0].split()
        current = datetime.datetime.fromisoformat(begin) <= now < datetime.datetime.fromisoformat(end) - _RENEW_BEFORE
        if not current or for_names != list(names):
            return None
        return TlsMaterial(_context(path, path), _leaf_hash(text), tuple(names))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, ssl.SSLError):
        return None  # our own file, damaged: its certificate is worth nothing that a new one is not


def _make(path: Path, names: Sequence[str], now: datetime.datetime) -> None:
    from sendall.crypto.certificate import make_certificate, read_certificate

    certificate, key = make_certificate(names, now)
    facts = read_certificate(ssl.PEM_cert_to_DER_cert(certificate.decode()))
    head = " ".join((facts.valid_from.isoformat(), facts.valid_until.isoformat(), *names))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(head.encode() + b"\n" + key + certificate)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the server context: TLS 1.3 alone, no tickets (they are what 0-RTT needs), HTTP/1.1.

    Raises:
        OSError, ssl.SSLError: as `load_cert_chain`; an encrypted key is an SSLError, never a prompt.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key, password="")
    return context


def _leaf_hash(pem: str) -> bytes:
    """Return the SHA-256 of the first certificate in a PEM text.

    Raises:
        ValueError: there is none.
    """
    return hashlib.sha256(_leaf(pem)).digest()


def _leaf(pem: str) -> bytes:
    _, begin, rest = pem.partition(ssl.PEM_HEADER)
    body, end, _ = rest.partition(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(begin + body + end)


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM file"
        raise UsageError(f"cannot read {path}: {reason}", hint=f"give a readable PEM file with {option}") from None
