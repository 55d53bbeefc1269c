"""TLS 1.3 by hand around a socket: handshake here, the records afterwards anywhere.

Records are counted and the traffic keys kept, so that the generator can open what comes and what a
writer says can be sealed before the clock starts. No certificate is checked: the server is our own.
"""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
from functools import cache
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_APPLICATION_DATA = 23
_HEAD = 5
_TAG = 16
MAX_PLAIN = 16_384
_CIPHERS: dict[str, tuple[hashes.HashAlgorithm, int]] = {
    "TLS_AES_256_GCM_SHA384": (hashes.SHA384(), 32),
    "TLS_AES_128_GCM_SHA256": (hashes.SHA256(), 16),
}


class UnknownCipher(Exception):
    """The generator opens AES-GCM only."""


class Traffic(NamedTuple):
    """The keys of one direction."""

    key: bytes
    iv: bytes

    def nonce(self, seq: int) -> bytes:
        return (int.from_bytes(self.iv, "big") ^ seq).to_bytes(12, "big")


class _Secrets:
    """The client's TLS, and the file to which OpenSSL writes the secrets of each handshake."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile("r", prefix="sendall-bench-")  # noqa: SIM115  # as long as the process
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.keylog_filename = self._file.name

    @classmethod
    @cache
    def shared(cls) -> _Secrets:
        """Return the one of this process: each holds a file open."""
        return cls()

    def take(self) -> dict[str, bytes]:
        """Return the secrets of the last handshake, by their labels."""
        lines = [line.split() for line in self._file if not line.startswith("#")]
        return {label: bytes.fromhex(secret) for label, _, secret in lines}


class TlsSocket:
    """The calls of a socket that a `Member` needs; between them no byte is left in here."""

    def __init__(self, plain: socket.socket) -> None:
        """Shake hands.

        Raises:
            UnknownCipher: the server chose none of `_CIPHERS`.
        """
        self.plain = plain
        self.seen = self.said = 0
        """Records under the traffic keys, from the server and to it."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        secrets = _Secrets.shared()
        self._tls = secrets.context.wrap_bio(self._in, self._out)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(self._out.read())
                self._in.write(self._record())
        given = secrets.take()
        plain.sendall(self._out.read())
        cipher = self._tls.cipher()
        if cipher is None or cipher[0] not in _CIPHERS:
            raise UnknownCipher(f"the server chose {cipher and cipher[0]}, and the generator opens AES-GCM only")
        self.theirs, self.ours = (
            _traffic(given[f"{side}_TRAFFIC_SECRET_0"], *_CIPHERS[cipher[0]]) for side in ("SERVER", "CLIENT")
        )

    def sendall(self, data: bytes) -> None:
        self._tls.write(data)
        records = self._out.read()
        at = 0
        while at < len(records):
            at += _HEAD + struct.unpack_from(">H", records, at + 3)[0]
            self.said += 1
        self.plain.sendall(records)

    def recv(self, size: int, flags: int = socket.MSG_WAITALL) -> bytes:
        """Return exactly `size` bytes; fewer only at the end."""
        data = b""
        while len(data) < size:
            try:
                data += self._tls.read(size - len(data))
            except ssl.SSLWantReadError:
                self._in.write(self._record())
                self.seen += 1
        return data

    @property
    def is_empty(self) -> bool:
        """Whether everything that was read from the socket was also given out."""
        return not self._tls.pending()

    def sealed(self, messages: list[bytes]) -> list[bytes]:
        """Return each message, at most 16 KiB, as the next record to say."""
        aead, records = AESGCM(self.ours.key), []
        for seq, message in enumerate(messages, self.said):
            head = struct.pack(">BHH", _APPLICATION_DATA, 0x0303, len(message) + 1 + _TAG)
            plain = message + bytes([_APPLICATION_DATA])
            records.append(head + aead.encrypt(self.ours.nonce(seq), plain, head))
        self.said += len(messages)
        return records

    def _record(self) -> bytes:
        head = self.plain.recv(_HEAD, socket.MSG_WAITALL)
        if len(head) < _HEAD:
            raise RuntimeError("the server closed a connection in its handshake")
        (size,) = struct.unpack_from(">H", head, 3)
        return head + self.plain.recv(size, socket.MSG_WAITALL)


def _traffic(secret: bytes, algorithm: hashes.HashAlgorithm, key_size: int) -> Traffic:
    """RFC 8446, section 7.3."""

    def expand(label: bytes, size: int) -> bytes:
        full = b"tls13 " + label
        info = struct.pack(">HB", size, len(full)) + full + b"\0"
        return HKDFExpand(algorithm, size, info).derive(secret)

    return Traffic(expand(b"key", key_size), expand(b"iv", 12))
