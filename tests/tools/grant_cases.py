"""The cases of vectors/grants.json: grants by RSA and by a link's door, whole ones and each defect.

Whole ones are made by the project's own code where that needs no chance, defects by hand.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sendall.crypto.invites import InviteKeys
from sendall.crypto.keylist import MAX_KEYS
from sendall.crypto.primitives import Aead, RsaKey, X25519Key, hkdf, sha256, spki_of
from tests.tools.cases import Json, case, case_file, pick
from tests.tools.oaep import RIGHT, Block, oaep_seal, pkcs1_seal, rsa

V = b"sendall-v1 "
VECTORS = Path(__file__).parent.parent.parent / "vectors"
ROOM = pick("room", 32)
ADA = pick("ada", 32)
KEK = pick("kek", 32)
SEED = pick("OAEP seed", 64)
SECRET = pick("link secret", 16)
LINK = InviteKeys(SECRET)
ONCE = pick("ephemeral key", 32)
OTHER = pick("another 32 bytes", 32)
SMALL_ORDER_U = [
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]
"""The u coordinates of X25519 whose exchange is all zeros, in every encoding below 2^255."""

FIELDS = {
    "kind": "rsa: open `grant` with the RSA key · door: open it with the door key of `secret` · modulus: may n be an "
    "RSA key? · no_door: may anything be sealed to `door_pk`?",
    "name": "of the case: its only defect, if it has one",
    "rsa_private_pkcs8": "the recipient's RSA key, for all cases of kind rsa",
    "room_id": "the room for which the grant is opened",
    "recipient": "id_pk of the member who opens it",
    "secret": "the 16 bytes of the link whose holder opens it",
    "invite_pk": "the public invite key of that secret",
    "door_pk": "the public door key of that secret; no_door: the key that an invite names",
    "grant": "any bytes",
    "keys": "what is in it, the list of u32 e and K_e, if it opens; null: it must not open",
    "eph": "with this private X25519 key for eph, sealing `keys` gives `grant`",
    "n": "384 bytes or not",
    "sane": "whether n may be used",
}


class Making(NamedTuple):
    """How a grant is made; each default is right."""

    keys: bytes
    room: bytes = ROOM
    recipient: bytes = ADA
    kek: bytes = KEK
    block: Block = RIGHT
    nonce: bytes = bytes(12)
    salt: bytes = ROOM
    info: bytes = V + b"grant"
    prefix: bytes = V + b"grant\0"


def key_list(*epochs: int) -> bytes:
    return b"".join(struct.pack(">I", e) + pick(f"epoch key {e}", 32) for e in epochs)


ONE, THREE = key_list(1), key_list(1, 2, 7)


def own_rsa() -> RsaKey:
    """Return the RSA key of open-room.json: making one is chance."""
    other = json.loads((VECTORS / "open-room.json").read_text())["grant"]["rsa_private_pkcs8"]
    return RsaKey.from_pkcs8(bytes.fromhex(other))


def label_of(making: Making, modulus: bytes) -> bytes:
    return sha256(making.prefix + making.room + making.recipient + sha256(spki_of(modulus)))


def sealed_part(making: Making, label: bytes) -> bytes:
    return Aead(hkdf(making.kek, salt=making.salt, info=making.info)).seal(making.nonce, making.keys, label)


def made(making: Making, modulus: bytes) -> bytes:
    label = label_of(making, modulus)
    return oaep_seal(modulus, making.kek, label, SEED, making.block) + sealed_part(making, label)


def rsa_cases(modulus: bytes) -> Iterator[Json]:
    def written(name: str, grant: bytes, keys: bytes | None = None) -> Json:
        return case("rsa", name, room_id=ROOM, recipient=ADA, grant=grant, keys=keys)

    many = key_list(*range(1, MAX_KEYS + 1))
    for name, keys in {
        "one key": ONE,
        "three keys": THREE,
        "the least and the highest epoch": key_list(0, 2**32 - 1),
        "1,024 keys": many,
    }.items():
        yield written(name, made(Making(keys), modulus), keys)
    right = Making(ONE)
    for name, wrong in {
        "no key": right._replace(keys=b""),
        "1,025 keys": right._replace(keys=key_list(*range(1, MAX_KEYS + 2))),
        "a byte behind the last key": right._replace(keys=ONE + b"x"),
        "the last key a byte short": right._replace(keys=THREE[:-1]),
        "epochs descending": right._replace(keys=key_list(2, 1)),
        "an epoch twice": right._replace(keys=key_list(1, 1)),
        "an epoch twice, not side by side": right._replace(keys=key_list(1, 2, 1)),
        "for another room": right._replace(room=OTHER, salt=OTHER),
        "for another room, by the label only": right._replace(room=OTHER),
        "for another room, by the salt only": right._replace(salt=OTHER),
        "for another recipient": right._replace(recipient=OTHER),
        "with the label of a door": right._replace(prefix=V + b"door\0"),
        "with a label without its zero byte": right._replace(prefix=V + b"grant"),
        "with the label of another version": right._replace(prefix=b"sendall-v2 grant\0"),
        "with the derivation of a door": right._replace(info=V + b"door"),
        "with the derivation without the version": right._replace(info=b"grant"),
        "with no salt": right._replace(salt=b""),
        "with the nonce 1": right._replace(nonce=bytes(11) + b"\1"),
        "with a kek of 31 bytes": right._replace(kek=KEK[:31]),
        "with a kek of 33 bytes": right._replace(kek=KEK + b"x"),
        "with a kek of no bytes": right._replace(kek=b""),
        "OAEP with SHA-1": right._replace(block=Block("sha1", "sha1")),
        "OAEP with SHA-384": right._replace(block=Block("sha384", "sha384")),
        "OAEP with MGF1 over SHA-1": right._replace(block=Block("sha256", "sha1")),
        "OAEP with its first byte 1": right._replace(block=Block(lead=1)),
        "OAEP without its separator": right._replace(block=Block(separator=0)),
        "OAEP with the separator 2": right._replace(block=Block(separator=2)),
        "OAEP with a filler of ones": right._replace(block=Block(filler=1)),
    }.items():
        yield written(name, made(wrong, modulus))
    for name, grant in _other_bytes(right, modulus):
        yield written(name, grant)


def _other_bytes(right: Making, modulus: bytes) -> Iterator[tuple[str, bytes]]:
    grant, label = made(right, modulus), label_of(right, modulus)
    head, tail = grant[:384], grant[384:]
    elsewhere = b"\x9f" + pick("another modulus", 382) + b"\1"
    unlabelled = oaep_seal(modulus, KEK, b"", SEED)
    yield "no bytes", b""
    yield "the RSA part only", head
    yield "the RSA part a byte short", head[:-1]
    yield "a tag without keys", head + tail[-16:]
    yield "the tag a byte short", grant[:-1]
    yield "the tag cut to 12 bytes", grant[:-4]
    yield "no tag", grant[:-16]
    yield "a byte behind the tag", grant + b"\0"
    yield "a bit of the tag", grant[:-1] + bytes([grant[-1] ^ 0x80])
    yield "a bit of the sealed keys", head + bytes([tail[0] ^ 1]) + tail[1:]
    yield "a bit of the RSA part", head[:-1] + bytes([head[-1] ^ 1]) + tail
    yield "the RSA part of another grant", oaep_seal(modulus, OTHER, label, SEED) + tail
    yield "the RSA part is zero", bytes(384) + tail
    yield "the RSA part is one", bytes(383) + b"\1" + tail
    yield "the RSA part is n", modulus + tail
    yield "the RSA part is beyond n", b"\xff" * 384 + tail
    yield "the RSA part after a zero byte", b"\0" + grant
    yield "the RSA part without a label", unlabelled + tail
    yield "the RSA part with the label not hashed", oaep_seal(modulus, KEK, _unhashed(right, modulus), SEED) + tail
    yield "the sealed part without additional data", head + sealed_part(right, b"")
    yield "to another RSA key", made(right, elsewhere)
    yield "to another RSA key, with the label of this one", oaep_seal(elsewhere, KEK, label, SEED) + tail
    yield "in the padding of PKCS #1 v1.5", pkcs1_seal(modulus, KEK) + tail
    yield "without any padding", rsa(modulus, KEK) + tail


def _unhashed(making: Making, modulus: bytes) -> bytes:
    return making.prefix + making.room + making.recipient + sha256(spki_of(modulus))


def door_grant(
    keys: bytes,
    *,
    room: bytes = ROOM,
    salt: bytes = ROOM,
    link: InviteKeys = LINK,
    shared: bytes | None = None,
    once: bytes = ONCE,
    eph: bytes | None = None,
    info: bytes | None = None,
    prefix: bytes = V + b"door\0",
) -> bytes:
    """Return a door grant; each default is right."""
    label = sha256(prefix + room + link.invite_pk + link.door_pk)
    eph = X25519Key(once).public if eph is None else eph
    info = V + b"door" + eph + link.door_pk if info is None else info
    key = hkdf(X25519Key(once).exchange(link.door_pk) if shared is None else shared, salt=salt, info=info)
    return eph + Aead(key).seal(bytes(12), keys, label)


def door_cases() -> Iterator[Json]:
    def written(name: str, grant: bytes, keys: bytes | None = None, **more: object) -> Json:
        who = {"room_id": ROOM, "secret": SECRET, "invite_pk": LINK.invite_pk, "door_pk": LINK.door_pk}
        return case("door", name, **who, grant=grant, keys=keys, **more)

    for name, keys in {"one key": ONE, "three keys": THREE}.items():
        once = pick(f"ephemeral key of {name}", 32)  # two lists are never sealed under one key
        yield written(name, door_grant(keys, once=once), keys, eph=once)
    public = X25519Key(ONCE).public
    topped = public[:31] + bytes([public[31] | 0x80])
    yield written("the top bit of eph_pk, which no exchange looks at", door_grant(ONE, eph=topped), ONE)
    other, right = InviteKeys(OTHER[:16]), door_grant(ONE)
    swapped = V + b"door" + LINK.door_pk + public
    for name, grant in {
        "no key": door_grant(b""),
        "a byte behind the last key": door_grant(ONE + b"x"),
        "epochs descending": door_grant(key_list(2, 1)),
        "an epoch twice": door_grant(key_list(1, 1)),
        "for another room": door_grant(ONE, room=OTHER, salt=OTHER),
        "for another room, by the label only": door_grant(ONE, room=OTHER),
        "for another room, by the salt only": door_grant(ONE, salt=OTHER),
        "for another link": door_grant(ONE, link=other),
        "with the label of a grant to a member": door_grant(ONE, prefix=V + b"grant\0"),
        "with the derivation without the public keys": door_grant(ONE, info=V + b"door"),
        "with the derivation of the public keys in the other order": door_grant(ONE, info=swapped),
        "a bit of eph_pk": bytes([right[0] ^ 1]) + right[1:],
        "the top bit of eph_pk, sealed without it": topped + right[32:],
        "a bit of the sealed keys": right[:32] + bytes([right[32] ^ 1]) + right[33:],
        "a bit of the tag": right[:-1] + bytes([right[-1] ^ 1]),
        "the tag a byte short": right[:-1],
        "no tag": right[:-16],
        "a byte behind the tag": right + b"\0",
        "eph_pk only": right[:32],
        "eph_pk a byte short": right[:31],
        "no bytes": b"",
        **{f"eph_pk of small order {i}": door_grant(ONE, eph=u, shared=bytes(32)) for i, u in enumerate(SMALL_ORDER_U)},
    }.items():
        yield written(name, grant)
    for i, door_pk in enumerate(SMALL_ORDER_U):
        yield case("no_door", "no door" if not i else f"a door of small order {i}", door_pk=door_pk)


def modulus_cases(modulus: bytes) -> Iterator[Json]:
    for name, n, sane in (
        ("of a real key", modulus, True),
        ("the least", b"\x80" + bytes(382) + b"\1", True),
        ("the greatest", b"\xff" * 384, True),
        ("the top bit clear", b"\x7f" + b"\xff" * 383, False),
        ("even", b"\xff" * 383 + b"\xfe", False),
        ("383 bytes", b"\xff" * 383, False),
        ("385 bytes", b"\xff" * 385, False),
        ("a zero byte before it", b"\0" + modulus, False),
        ("of RSA-2048", b"\xff" * 256, False),
        ("zeros", bytes(384), False),
        ("no bytes", b"", False),
    ):
        yield case("modulus", name, n=n, sane=sane)


def grants() -> Json:
    """All kinds of grants, whole and with one defect."""
    key = own_rsa()
    cases = [*rsa_cases(key.modulus), *door_cases(), *modulus_cases(key.modulus)]
    what = "Grants: how keys reach a member (rsa) and whoever has a link (door). docs/protocol.md, section 7."
    return case_file(what, FIELDS, cases, rsa_private_pkcs8=key.to_pkcs8())
