"""The cases of vectors/keys.json: keys and signatures that libraries judge differently, and AES-GCM's edges.

Points and signatures that no library makes come from `edwards`; what counts is what the protocol says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sendall.crypto.primitives import SigningKey, X25519Key
from tests.tools.cases import Json, case, case_file, pick
from tests.tools.edwards import BASE, L, P, Point, add, challenge, decoded, encoded, secret_scalar, signature, times
from tests.tools.grant_cases import SMALL_ORDER_U

SIGN = 2**255
MESSAGE = b"sendall-v1 entry\0and so on"

FIELDS = {
    "kind": "ed25519_key: may this be a member's public key? · signature: does it count? (the key may be one, and "
    "Ed25519 holds, without the cofactor) · x25519: what is shared · aes_gcm: open it (AES-256, 12-byte nonces, "
    "16-byte tags)",
    "name": "of the case: its only defect, if it has one",
    "public": "a public key; x25519: the peer's",
    "sane": "whether it may be used",
    "message": "the signed bytes",
    "signature": "64 bytes or not",
    "valid": "whether it counts",
    "private": "the own private key",
    "shared": "the 32 bytes shared; null: the exchange must be refused",
    "key": "32 bytes",
    "nonce": "12 bytes or not",
    "aad": "the additional data",
    "sealed": "ciphertext and tag",
    "plaintext": "what it opens to; null: it must not open",
}


def number(value: int) -> bytes:
    return value.to_bytes(32, "little")


def torsion() -> Point:
    """Return a point of order 8."""
    y = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
    point = decoded(number(y))
    assert point is not None
    return point


def key_cases() -> Iterator[Json]:
    def written(name: str, public: bytes, *, sane: bool) -> Json:
        return case("ed25519_key", name, public=public, sane=sane)

    for i in range(4):
        yield written(f"real {i}", SigningKey(pick(f"seed {i}", 32)).public, sane=True)
    mixed = add(times(secret_scalar(pick("seed 0", 32)), BASE), torsion())
    yield written("of mixed order, which no rule forbids", encoded(mixed), sane=True)
    yield written("y = 2, on no point: no signature will hold", number(2), sane=True)
    yield written("y = p - 2, the last that is canonical but for p - 1", number(P - 2), sane=True)
    for i in range(8):
        point = times(i, torsion())
        yield written(f"of small order: {i} times a point of order 8", encoded(point), sane=False)
    for y in (1, P - 1):
        yield written(
            f"of small order: y = {'1' if y == 1 else 'p - 1'} with the sign bit", number(y + SIGN), sane=False
        )
    for y in range(P, SIGN):
        yield written(f"not canonical: y = p + {y - P}", number(y), sane=False)
        yield written(f"not canonical: y = p + {y - P} with the sign bit", number(y + SIGN), sane=False)
    real = SigningKey(pick("seed 0", 32)).public
    for name, public in {"31 bytes": real[:31], "33 bytes": real + b"\0", "no bytes": b""}.items():
        yield written(name, public, sane=False)


def signature_cases() -> Iterator[Json]:
    key, other = SigningKey(pick("seed 0", 32)), SigningKey(pick("seed 1", 32))
    scalar, right = secret_scalar(key.seed), key.sign(MESSAGE)
    r, s = right[:32], int.from_bytes(right[32:], "little")

    def written(
        name: str, signed: bytes, *, valid: bool = False, public: bytes = key.public, m: bytes = MESSAGE
    ) -> Json:
        return case("signature", name, public=public, message=m, signature=signed, valid=valid)

    yield written("right", right, valid=True)
    yield written("right, of no bytes", key.sign(b""), valid=True, m=b"")
    yield written("right, and R is the identity", signature(number(1), 0, scalar, key.public, MESSAGE), valid=True)
    for name, signed in {
        "S + L": r + number(s + L),
        "S + 2 L": r + number(s + 2 * L),
        "S is L": r + number(L),
        "S with the top bit": r + number(s + SIGN),
        "S is zero": r + bytes(32),
        "a bit of S": r + number(s ^ 1),
        "a bit of R": bytes([r[0] ^ 1]) + right[1:],
        "the sign bit of R": r[:31] + bytes([r[31] ^ 0x80]) + right[32:],
        "R and S exchanged": right[32:] + r,
        "zeros": bytes(64),
        "63 bytes": right[:-1],
        "65 bytes": right + b"\0",
        "no bytes": b"",
        "by another key": other.sign(MESSAGE),
        "R is the identity, not canonical": signature(number(P + 1), 0, scalar, key.public, MESSAGE),
        "R with a point of small order: only the cofactor would make it right": _shifted(key, scalar),
    }.items():
        yield written(name, signed)
    yield written("of another message", right, m=MESSAGE + b"x")
    yield from _mixed(written, scalar)
    for name, public in {"order 1": number(1), "order 2": number(P - 1)}.items():
        # With k even, R = [0]B - [k]A is the identity: the equation holds for messages that nobody signed.
        message = next(m for m in _messages() if challenge(number(1), public, m) % 2 == 0)
        yield written(f"under a key of small order, {name}", number(1) + bytes(32), public=public, m=message)


def _messages() -> Iterator[bytes]:
    return (b"message %d" % i for i in range(1000))


def _shifted(key: SigningKey, scalar: int) -> bytes:
    nonce = int.from_bytes(pick("nonce", 32), "little") % L
    r = encoded(add(times(nonce, BASE), torsion()))
    return signature(r, nonce, scalar, key.public, MESSAGE)


def _mixed(written: Callable[..., Json], scalar: int) -> Iterator[Json]:
    """Signatures under a key of mixed order: k times the small part vanishes for one message in eight only."""
    public = encoded(add(times(scalar, BASE), torsion()))
    nonce = int.from_bytes(pick("nonce", 32), "little") % L
    r = encoded(times(nonce, BASE))
    for rest, name in ((0, "and it holds by luck"), (1, "only the cofactor would make it right")):
        message = next(m for m in _messages() if challenge(r, public, m) % 8 == rest)
        signed = signature(r, nonce, scalar, public, message)
        yield written(f"under a key of mixed order, {name}", signed, valid=not rest, public=public, m=message)


def x25519_cases() -> Iterator[Json]:
    def written(name: str, private: bytes, public: bytes, shared: bytes | None) -> Json:
        return case("x25519", name, private=private, public=public, shared=shared)

    for name, private, public, shared in (
        (
            "RFC 7748, section 5.2, the first",
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "RFC 7748, section 5.2, the second, with the top bit",
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ):
        yield written(name, *map(bytes.fromhex, (private, public, shared)))
    own, peer = X25519Key(pick("own", 32)), X25519Key(pick("peer", 32))
    yield written("two keys", pick("own", 32), peer.public, own.exchange(peer.public))
    yield written("not canonical: u = p + 9", pick("own", 32), number(P + 9), own.exchange(number(9)))
    for i, u in enumerate(SMALL_ORDER_U):
        topped = u[:31] + bytes([u[31] | 0x80])
        yield written(f"of small order {i}", pick("own", 32), u, None)
        yield written(f"of small order {i}, with the top bit", pick("own", 32), topped, None)
    for size in (0, 31, 33):
        yield written(f"{size} bytes", pick("own", 32), (peer.public + b"\0")[:size], None)


def aes_cases() -> Iterator[Json]:
    key, nonce, aad, plaintext = pick("AES key", 32), pick("nonce", 12), pick("aad", 20), pick("plaintext", 40)
    gcm = AESGCM(key)

    def written(name: str, sealed: bytes, opened: bytes | None = None, nonce: bytes = nonce, aad: bytes = aad) -> Json:
        return case("aes_gcm", name, key=key, nonce=nonce, aad=aad, sealed=sealed, plaintext=opened)

    right, second, third = gcm.encrypt(nonce, plaintext, aad), pick("second nonce", 12), pick("third nonce", 12)
    yield written("right", right, plaintext)
    yield written("right, nothing sealed", gcm.encrypt(second, b"", aad), b"", second)
    yield written("right, no additional data", gcm.encrypt(third, plaintext, b""), plaintext, third, aad=b"")
    yield written("right, the nonce is zero", gcm.encrypt(bytes(12), plaintext, aad), plaintext, bytes(12))
    for size in (0, 4, 8, 12, 13, 14, 15):
        yield written(f"the tag cut to {size} bytes", right[:-16] + right[-16:][:size])
    for name, sealed in {
        "a byte behind the tag": right + b"\0",
        "a bit of the tag": right[:-1] + bytes([right[-1] ^ 1]),
        "the first bit of the tag": right[:-16] + bytes([right[-16] ^ 0x80]) + right[-15:],
        "a bit of the ciphertext": bytes([right[0] ^ 1]) + right[1:],
        "a tag of zeros": right[:-16] + bytes(16),
        "only a tag": right[-16:],
        "no bytes": b"",
    }.items():
        yield written(name, sealed)
    yield written("other additional data", right, aad=aad[:-1])
    yield written("another nonce", right, nonce=nonce[:-1] + bytes([nonce[-1] ^ 1]))
    for size in (8, 11, 13, 16):
        odd = pick("odd nonce", size)
        yield written(f"a nonce of {size} bytes, though the tag fits it", gcm.encrypt(odd, plaintext, aad), nonce=odd)
    yield written("a nonce of no bytes", right, nonce=b"")


def keys() -> Json:
    """What libraries judge differently, judged once."""
    cases = [*key_cases(), *signature_cases(), *x25519_cases(), *aes_cases()]
    return case_file("Edges of the primitives, on which libraries differ. docs/protocol.md, section 3.", FIELDS, cases)
