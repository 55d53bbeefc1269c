"""The primitives, and the only importer of `cryptography` beside `crypto.certificate`.

Thin: bytes in, bytes out, one exception for everything that does not verify or open. Pure but for
the random bytes of key generation. Source: docs/protocol.md, "Keys".
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sendall.errors import SendallError

NONCE_BYTES = 12
RSA_BITS = 3072
RSA_BYTES = RSA_BITS // 8
_SPKI_HEAD = bytes.fromhex("308201a2300d06092a864886f70d01010105000382018f003082018a0282018100")
_SPKI_TAIL = bytes.fromhex("0203010001")
_FIELD_PRIME = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    [0, 1, _FIELD_PRIME - 1]
    + [
        int.from_bytes(bytes.fromhex(y), "little") & (2**255 - 1)
        for y in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    ]
)


class CannotOpen(SendallError):
    """Something sealed did not open. One sentence for every cause: the cause would help an attacker."""

    def __init__(self) -> None:
        super().__init__("cannot open: wrong key or altered bytes")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hkdf(ikm: bytes, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(ikm)


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def pbkdf2_sha256(password: bytes, *, salt: bytes, rounds: int) -> bytes:
    """Return 32 bytes; 200,000 rounds take about 0.1 s of one core, without the GIL."""
    return hashlib.pbkdf2_hmac("sha256", password, salt, rounds)


def argon2id(password: bytes, *, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    """Return 32 bytes after RFC 9106; the caller has bounded the costs. Releases the GIL."""
    return Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib).derive(password)


def equal(a: bytes, b: bytes) -> bool:
    """Compare in a time that tells nothing about where they differ."""
    return hmac.compare_digest(a, b)


class SigningKey:
    """An Ed25519 key pair from its 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.seed = seed
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the Ed25519 signature holds; False also for bytes that are no key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_sane_public_key(public: bytes) -> bool:
    """Return whether an Ed25519 public key is canonical and not of small order.

    Libraries differ on such keys; refusing all of them keeps every client's verdict the same.
    """
    if len(public) != 32:
        return False
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return y < _FIELD_PRIME and y not in _SMALL_ORDER_Y


class X25519Key:
    """An X25519 key pair from its 32 private bytes."""

    def __init__(self, private: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes_raw()

    def exchange(self, peer: bytes) -> bytes:
        """Return the 32 bytes shared with the holder of `peer`.

        Raises:
            CannotOpen: `peer` is no key, or of small order, so that everybody would share the same zeros.
        """
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise CannotOpen from None


class Aead:
    """AES-256-GCM under one key, with nonces of 12 bytes."""

    def __init__(self, key: bytes) -> None:
        self._gcm = AESGCM(key)

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        assert len(nonce) == NONCE_BYTES, "GCM would hash another nonce, and might meet one that was used"
        return self._gcm.encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Raises CannotOpen."""
        if len(nonce) != NONCE_BYTES:
            raise CannotOpen
        try:
            return self._gcm.decrypt(nonce, sealed, aad)
        except (InvalidTag, ValueError):
            raise CannotOpen from None


def spki_of(modulus: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of an RSA-3072 key with exponent 65537."""
    return _SPKI_HEAD + modulus + _SPKI_TAIL


def is_sane_modulus(modulus: bytes) -> bool:
    """Return whether these can be the bytes of an RSA-3072 modulus: 384, top bit set, odd."""
    return len(modulus) == RSA_BYTES and modulus[0] >= 0x80 and modulus[-1] % 2 == 1


class RsaKey:
    """An RSA-3072 key pair; only its modulus travels."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self.modulus = key.public_key().public_numbers().n.to_bytes(RSA_BYTES, "big")

    @classmethod
    def generate(cls) -> RsaKey:
        """Make a key. Takes 0.1 to 1 s of one core; releases the GIL, so a thread helps."""
        return cls(rsa.generate_private_key(65537, RSA_BITS))

    @classmethod
    def from_pkcs8(cls, der: bytes, *, is_own: bool = False) -> RsaKey:
        """Read a key; 0.1 s, because its numbers are checked, unless `is_own`: bytes that we kept sealed ourselves.

        Raises:
            ValueError: not an RSA-3072 private key.
        """
        key = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=is_own)
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != RSA_BITS:
            raise ValueError("not an RSA-3072 private key")
        return cls(key)

    def to_pkcs8(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def decrypt(self, sealed: bytes, label: bytes) -> bytes:
        """Open an RSA-OAEP-SHA256 ciphertext. Raises CannotOpen, whatever was wrong."""
        try:
            return self._key.decrypt(sealed, _oaep(label))
        except ValueError:
            raise CannotOpen from None


def rsa_encrypt(modulus: bytes, plaintext: bytes, label: bytes) -> bytes:
    """Seal up to 318 bytes to the holder of `modulus`; about 53 µs.

    The key is built from its numbers, so that no ASN.1 of a peer is ever parsed. `is_sane_modulus`
    must have held.
    """
    key = rsa.RSAPublicNumbers(65537, int.from_bytes(modulus, "big")).public_key()
    return key.encrypt(plaintext, _oaep(label))


def _oaep(label: bytes) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
