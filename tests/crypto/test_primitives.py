from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sendall.crypto.primitives import (
    RSA_BYTES,
    Aead,
    CannotOpen,
    RsaKey,
    SigningKey,
    X25519Key,
    argon2id,
    equal,
    hkdf,
    hmac_sha256,
    is_sane_modulus,
    is_sane_public_key,
    pbkdf2_sha256,
    rsa_encrypt,
    sha256,
    spki_of,
    verify,
)

FIELD_PRIME = 2**255 - 19
SIGN = 2**255

# The y coordinates of the eight points of small order (ed25519, cofactor 8).
SMALL_ORDER_Y = [
    0,
    1,
    FIELD_PRIME - 1,
    *(
        int.from_bytes(bytes.fromhex(y), "little")
        for y in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    ),
]


def encoded(y: int) -> bytes:
    return y.to_bytes(32, "little")


def test_hashes_and_derivations_are_the_standard_ones() -> None:
    """SHA-256, HMAC-SHA256, and the first test case of RFC 5869."""
    assert sha256(b"x") == hashlib.sha256(b"x").digest()
    assert hmac_sha256(b"k", b"x") == hmac.new(b"k", b"x", "sha256").digest()
    okm = hkdf(b"\x0b" * 22, salt=bytes(range(13)), info=bytes(range(0xF0, 0xFA)), length=42)
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert okm.hex() == expected
    assert len(hkdf(b"ikm", salt=b"", info=b"")) == 32


def test_slow_derivations_are_the_standard_ones() -> None:
    """PBKDF2 of the second test case of RFC 7914, section 11, and Argon2id as its reference program prints it."""
    derived = pbkdf2_sha256(b"Password", salt=b"NaCl", rounds=80_000)
    assert derived.hex() == "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
    derived = argon2id(b"password", salt=b"somesalt", memory_kib=65_536, passes=2, lanes=1)
    assert derived.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


def test_x25519_is_that_of_rfc_7748() -> None:
    """Section 6.1: both sides share the same 32 bytes."""
    alice = X25519Key(bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    bob = X25519Key(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    assert alice.public.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert alice.exchange(bob.public) == bob.exchange(alice.public)
    assert alice.exchange(bob.public).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


# Every encoding of the points of small order that a peer could send (cr.yp.to/ecdh.html, "small order").
SMALL_ORDER_U = [
    0,
    1,
    FIELD_PRIME - 1,
    FIELD_PRIME,
    FIELD_PRIME + 1,
    *(
        int.from_bytes(bytes.fromhex(u), "little")
        for u in (
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        )
    ),
]


@pytest.mark.parametrize("u", SMALL_ORDER_U)
@pytest.mark.parametrize("top", [0, SIGN], ids=["plain", "top bit"])
def test_nothing_is_shared_with_a_point_of_small_order(u: int, top: int) -> None:
    """Everybody would share the same zeros."""
    with pytest.raises(CannotOpen):
        X25519Key(b"k" * 32).exchange(encoded(u + top))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_nothing_is_shared_with_what_is_no_key(size: int) -> None:
    """The same error: a peer's bytes raise nothing else."""
    with pytest.raises(CannotOpen):
        X25519Key(b"k" * 32).exchange(b"\5" * size)


def test_equal_compares_all_bytes() -> None:
    """Also those of other lengths."""
    assert equal(b"abc", b"abc")
    assert not equal(b"abc", b"abd")
    assert not equal(b"abc", b"abcd")


def test_signatures_are_those_of_rfc_8032() -> None:
    """Section 7.1, test 2."""
    key = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = key.sign(b"\x72")
    assert signature.hex().startswith("92a009a9f0d4cab8720e820b5f642540")
    assert verify(key.public, b"\x72", signature)


@pytest.mark.parametrize("defect", ["message", "signature", "key", "short signature", "short key", "no point"])
def test_what_does_not_verify_is_false_and_no_error(defect: str) -> None:
    """Whatever is wrong with key, message or signature."""
    key, message = SigningKey(bytes(32)), b"message"
    public, signature = key.public, key.sign(message)
    match defect:
        case "message":
            message = b"massage"
        case "signature":
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        case "key":
            public = SigningKey(b"\1" * 32).public
        case "short signature":
            signature = signature[:-1]
        case "short key":
            public = public[:-1]
        case _:
            public = encoded(2)
    assert not verify(public, message, signature)


@pytest.mark.parametrize("y", SMALL_ORDER_Y)
@pytest.mark.parametrize("sign", [0, SIGN], ids=["plain", "sign bit"])
def test_public_keys_of_small_order_are_refused(y: int, sign: int) -> None:
    """All eight points, with either sign bit: under them signatures prove nothing."""
    assert not is_sane_public_key(encoded(y + sign))


@pytest.mark.parametrize("y", [FIELD_PRIME, FIELD_PRIME + 1, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, SIGN], ids=["plain", "sign bit"])
def test_public_keys_that_are_not_canonical_are_refused(y: int, sign: int) -> None:
    """A second encoding of the same point would be a second name of the same member."""
    assert not is_sane_public_key(encoded(y + sign))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_public_keys_of_another_size_are_refused(size: int) -> None:
    """An Ed25519 key has 32 bytes."""
    assert not is_sane_public_key(b"\2" * size)


@given(st.binary(min_size=32, max_size=32))
def test_real_public_keys_are_sane(seed: bytes) -> None:
    """No key made from a seed is refused."""
    assert is_sane_public_key(SigningKey(seed).public)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_what_is_sealed_opens_with_the_same_key_nonce_and_data_only(plaintext: bytes, aad: bytes) -> None:
    """Any change anywhere, and it does not open."""
    aead, nonce = Aead(bytes(32)), bytes(12)
    sealed = aead.seal(nonce, plaintext, aad)
    assert aead.open(nonce, sealed, aad) == plaintext
    for key, n, s, a in (
        (b"\1" * 32, nonce, sealed, aad),
        (bytes(32), b"\1" * 12, sealed, aad),
        (bytes(32), nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), aad),
        (bytes(32), nonce, sealed[:-1], aad),
        (bytes(32), nonce, sealed, aad + b"x"),
    ):
        with pytest.raises(CannotOpen):
            Aead(key).open(n, s, a)


@pytest.mark.parametrize("size", [0, 1, 15])
def test_what_is_shorter_than_a_tag_does_not_open(size: int) -> None:
    """One error for everything, also for what can be no ciphertext."""
    with pytest.raises(CannotOpen, match="wrong key or altered bytes"):
        Aead(bytes(32)).open(bytes(12), bytes(size), b"")


def test_the_spki_is_that_of_the_library(rsa: RsaKey) -> None:
    """Head and tail around the modulus are what pyca writes for a key of this size."""
    loaded = serialization.load_der_public_key(spki_of(rsa.modulus))
    written = loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert written == spki_of(rsa.modulus)


@pytest.mark.parametrize(
    ("modulus", "sane"),
    [
        (b"\x80" + bytes(382) + b"\1", True),
        (b"\x7f" + b"\xff" * 383, False),
        (b"\xff" * 383 + b"\xfe", False),
        (b"\xff" * 383, False),
        (b"\xff" * 385, False),
        (b"", False),
    ],
    ids=["least", "top bit clear", "even", "short", "long", "empty"],
)
def test_a_sane_modulus_has_384_bytes_its_top_bit_and_is_odd(modulus: bytes, sane: bool) -> None:
    """What cannot be an RSA-3072 modulus never reaches the library."""
    assert is_sane_modulus(modulus) is sane


@given(st.binary(min_size=RSA_BYTES - 2, max_size=RSA_BYTES - 2))
def test_sealing_to_any_sane_modulus_never_fails(middle: bytes) -> None:
    """A hostile member's modulus gets its grant, and nobody else is delayed."""
    modulus = b"\x80" + middle + b"\1"
    assert is_sane_modulus(modulus)
    assert len(rsa_encrypt(modulus, bytes(32), bytes(32))) == RSA_BYTES


def test_an_rsa_key_survives_its_encoding(rsa: RsaKey) -> None:
    """The modulus stays, and what was sealed before still opens."""
    again = RsaKey.from_pkcs8(rsa.to_pkcs8())
    assert again.modulus == rsa.modulus
    assert is_sane_modulus(rsa.modulus)
    assert again.decrypt(rsa_encrypt(rsa.modulus, b"kek", b"label"), b"label") == b"kek"


def test_other_private_keys_are_refused() -> None:
    """Another size, another algorithm, and bytes that are no key."""
    for key in (rsa_key(2048), ec.generate_private_key(ec.SECP256R1())):
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValueError, match="RSA-3072"):
            RsaKey.from_pkcs8(der)
    with pytest.raises(ValueError):  # noqa: PT011  # the library's own sentence
        RsaKey.from_pkcs8(b"no key")


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def test_an_rsa_ciphertext_opens_with_its_key_and_label_only(rsa: RsaKey, other_rsa: RsaKey) -> None:
    """One error, whatever was wrong."""
    sealed = rsa_encrypt(rsa.modulus, b"kek", b"label")
    for key, ciphertext, label in (
        (other_rsa, sealed, b"label"),
        (rsa, sealed, b"lapel"),
        (rsa, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"label"),
        (rsa, sealed[:-1], b"label"),
        (rsa, b"", b"label"),
        (rsa, b"\xff" * RSA_BYTES, b"label"),
    ):
        with pytest.raises(CannotOpen):
            key.decrypt(ciphertext, label)
