"""The cases of vectors/sealing.json: messages and signals, whole ones and each defect, and sizes of padding.

Whole ones are made by the project's own code, defects by hand: `Draft` says which part lies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from sendall.crypto.identity import Identity
from sendall.crypto.primitives import Aead, hkdf
from sendall.crypto.sealing import Sealer, pad, padded_size
from sendall.protocol.entry import HEADER_SIZE, EntryType, header, signed_context
from tests.tools.cases import Json, case, case_file, pick

V = b"sendall-v1 "
ROOM, OTHER_ROOM = pick("room", 32), pick("another room", 32)
KEYS = {1: pick("epoch key 1", 32), 2: pick("epoch key 2", 32)}
ADA, BOB = Identity(pick("ada's seed", 32)), Identity(pick("bob's seed", 32))
SESSION, HEAD = pick("session", 16), (41, pick("head", 32))
HELLO = b'{"t":"m","x":"hello","nick":"ada"}'

FIELDS = {
    "kind": "entry: parse it, check its signature, open it, read its content · size: of what is padded",
    "name": "of the case: its only defect, if it has one",
    "room_id": "the room in which all entries are read",
    "epoch_keys": "K_e by e, for all cases",
    "seeds": "Ed25519 seeds by id_pk: the authors of all cases",
    "entry": "any bytes",
    "result": "malformed: no entry, or none with a sealed body · bad_sig · unopened: the tag or the padding is wrong · "
    "unreadable: opened, but its content is not what section 4 wants · ok",
    "plaintext": "what it opens to, if it does",
    "reseals": "true: sealing `plaintext` again with the header's fields and the author's seed gives `entry`",
    "length": "bytes of plaintext",
    "padded": "bytes of it, 0x80 and the zeros",
}


class Draft(NamedTuple):
    """How an entry is made; each default is right."""

    content: bytes = HELLO
    padded: bytes | None = None
    type_: int = EntryType.MESSAGE
    epoch: int = 1
    n: int = 3
    session: bytes = SESSION
    author: Identity = ADA
    purpose: bytes = V + b"msg"
    key: bytes = KEYS[1]
    salt: bytes = ROOM
    nonce: bytes | None = None
    aad: bytes | None = None
    aad_room: bytes = ROOM
    signed_room: bytes = ROOM
    derived: tuple[int, bytes, bytes] | None = None
    """Epoch, sender and session of the derivation, where they are not those of the header."""


def written(draft: Draft) -> bytes:
    """Return the entry of a draft, signed by its author."""
    head = header(
        draft.type_,
        epoch=draft.epoch,
        sender=draft.author.pk,
        session=draft.session,
        n=draft.n,
        head_seq=HEAD[0],
        head_hash=HEAD[1],
    )
    e, sender, session = draft.derived or (draft.epoch, draft.author.pk, draft.session)
    aead = Aead(hkdf(draft.key, salt=draft.salt, info=draft.purpose + struct.pack(">I", e) + sender + session))
    nonce = struct.pack(">4xQ", draft.n) if draft.nonce is None else draft.nonce
    aad = draft.aad_room + head if draft.aad is None else draft.aad
    sealed = aead.seal(nonce, pad(draft.content) if draft.padded is None else draft.padded, aad)
    return signed(head + sealed, draft.author, draft.signed_room)


def signed(unsigned: bytes, author: Identity = ADA, room: bytes = ROOM) -> bytes:
    return unsigned + author.sign(signed_context(room, unsigned))


def entry_case(name: str, entry: bytes, result: str, plaintext: bytes | None = None, *, reseals: bool = False) -> Json:
    return case("entry", name, entry=entry, result=result, plaintext=plaintext, reseals=reseals)


def whole_cases() -> Iterator[Json]:
    """What opens, made as every client makes it."""

    def sealed(name: str, plaintext: bytes, result: str = "ok", type_: EntryType = EntryType.MESSAGE) -> Json:
        session = session_of(name)
        sealer = Sealer(KEYS[1], ROOM, 1, ADA.pk, session)
        entry = sealer.seal(type_, 3, plaintext, head_seq=HEAD[0], head_hash=HEAD[1], sign=ADA.sign)
        assert type_ is EntryType.SIGNAL or entry == written(Draft(plaintext, session=session)), (
            "the code and the draft disagree"
        )
        return entry_case(name, entry, result, plaintext, reseals=True)

    yield sealed("a message", HELLO)
    yield sealed("a signal", b'{"t":"card","name":"ada"}', type_=EntryType.SIGNAL)
    yield sealed("0 bytes", b"", "unreadable")
    yield sealed("1 byte", b"1", "unreadable")
    yield sealed("2 bytes", b"{}")
    for length in (61, 62, 63, 64, 65, 71, 72, 79, 80, 127, 128, 143, 144, 255, 256, 1023, 1024, 2111, 2112, 65_535):
        yield sealed(f"{length:,} bytes", text_of(length))


def session_of(name: str) -> bytes:
    """Return a session of the case's own: also in vectors two contents are never sealed under one (session, n)."""
    return pick(f"session of {name}", 16)


def text_of(length: int) -> bytes:
    frame = b'{"t":"m","x":""}'
    return frame[:-2] + b"x" * (length - len(frame)) + frame[-2:]


READABLE = {
    "white space around it": b' \t\r\n{"t":"m","x":"a"} \n',
    "escapes": b'{"t":"m","x":"\\u0000\\u00e9\\ud83e\\udd8a\\"\\/\\n"}',
    "characters of two, three and four bytes": '{"t":"m","x":"é‽🦊"}'.encode(),
    "an unknown t": b'{"t":"poll","x":"a"}',
    "unknown members": b'{"t":"m","x":"a","y":[true,false,null,{"z":{}}]}',
    "no t": b'{"x":"a"}',
    "a name that is empty": b'{"":1}',
    "a member twice: the last counts": b'{"t":"m","x":"a","x":"b"}',
    "2^53 - 1": b'{"t":"m","x":9007199254740991}',
    "-(2^53 - 1)": b'{"t":"m","x":-9007199254740991}',
    "fractions and exponents": b'{"t":"m","x":[0.5,-1.25e-7,1E5,0e0,-0]}',
    "64 deep": b'{"t":"m","x":' + b"[" * 63 + b"]" * 63 + b"}",
    "a byte 7f, which is no control character to JSON": b'{"t":"m","x":"\x7f"}',
}

UNREADABLE = {
    "a byte order mark": b'\xef\xbb\xbf{"t":"m","x":"a"}',
    "NaN": b'{"t":"m","x":NaN}',
    "Infinity": b'{"t":"m","x":Infinity}',
    "-Infinity": b'{"t":"m","x":-Infinity}',
    "2^53": b'{"t":"m","x":9007199254740992}',
    "-2^53": b'{"t":"m","x":-9007199254740992}',
    "2^53, deep inside": b'{"t":"m","x":"a","y":[{"z":[9007199254740992]}]}',
    "2^53, as a member that is not used": b'{"t":"m","x":"a","y":9007199254740992}',
    "2^53 with a fraction": b'{"t":"m","x":9007199254740992.0}',
    "2^53 with an exponent": b'{"t":"m","x":9.007199254740992e15}',
    "10^300": b'{"t":"m","x":1e300}',
    "10^400, beyond every float": b'{"t":"m","x":1e400}',
    "30 digits": b'{"t":"m","x":123456789012345678901234567890}',
    "an array": b'[{"t":"m"}]',
    "a string": b'"m"',
    "a number": b"7",
    "null": b"null",
    "true": b"true",
    "only white space": b"  ",
    "two objects": b"{}{}",
    "an object and more": b'{"t":"m"}x',
    "an object and a zero byte": b'{"t":"m"}\0\x80\0',
    "an object that does not end": b'{"t":"m"',
    "a comma too many": b'{"t":"m",}',
    "a comment": b'{"t":"m"/*x*/}',
    "single quotes": b"{'t':'m'}",
    "a name without quotes": b'{t:"m"}',
    "a leading zero": b'{"t":"m","x":01}',
    "a number that ends with its point": b'{"t":"m","x":1.}',
    "a plus sign": b'{"t":"m","x":+1}',
    "a line end in a string": b'{"t":"m","x":"a\nb"}',
    "an unknown escape": b'{"t":"m","x":"\\x41"}',
    "a lone surrogate, escaped": b'{"t":"m","x":"\\ud800"}',
    "surrogates in the wrong order": b'{"t":"m","x":"\\udd8a\\ud83e"}',
    "a lone surrogate in a name": b'{"t":"m","\\ud800":1}',
    "a surrogate in UTF-8": b'{"t":"m","x":"\xed\xa0\x80"}',
    "an overlong zero": b'{"t":"m","x":"\xc0\x80"}',
    "beyond Unicode": b'{"t":"m","x":"\xf4\x90\x80\x80"}',
    "a byte that is no UTF-8": b'{"t":"m","x":"\xff"}',
    "UTF-16": '{"t":"m"}'.encode("utf-16"),
    "65 deep": b'{"t":"m","x":' + b"[" * 64 + b"]" * 64 + b"}",
    "2,000 deep": b'{"t":"m","x":' + b"[" * 1_999 + b"]" * 1_999 + b"}",
}


def content_cases() -> Iterator[Json]:
    """What opens and is read, or not."""
    for result, contents in (("ok", READABLE), ("unreadable", UNREADABLE)):
        for name, content in contents.items():
            draft = Draft(content, session=session_of(name))
            yield entry_case(f"content: {name}", written(draft), result, content, reseals=True)


def sealed_wrong() -> Iterator[Json]:
    """Signed as it should be, but sealed otherwise than section 3 and 4 say."""
    right = Draft()
    for name, draft in {
        "sealed for epoch 2, with its key": right._replace(derived=(2, ADA.pk, SESSION), key=KEYS[2]),
        "sealed with the key of epoch 2": right._replace(key=KEYS[2]),
        "epoch 2 in the header, sealed for epoch 1": right._replace(epoch=2, derived=(1, ADA.pk, SESSION)),
        "sealed with a key that nobody has": right._replace(key=pick("no key", 32)),
        "sealed for bob": right._replace(derived=(1, BOB.pk, SESSION)),
        "sealed for another session": right._replace(derived=(1, ADA.pk, pick("another session", 16))),
        "sealed as a signal": right._replace(purpose=V + b"signal"),
        "a signal that is sealed as a message": right._replace(type_=EntryType.SIGNAL),
        "derived without the version": right._replace(purpose=b"msg"),
        "derived for another room": right._replace(salt=OTHER_ROOM),
        "derived without a salt": right._replace(salt=b""),
        "n + 1 in the nonce": right._replace(nonce=struct.pack(">4xQ", 4)),
        "n at the nonce's beginning": right._replace(nonce=struct.pack(">Q4x", 3)),
        "n in the other byte order": right._replace(nonce=struct.pack("<4xQ", 3)),
        "a nonce of zeros": right._replace(nonce=bytes(12)),
        "no additional data": right._replace(aad=b""),
        "no room in the additional data": right._replace(aad_room=b""),
        "another room in the additional data": right._replace(aad_room=OTHER_ROOM),
        "padding without 0x80": right._replace(padded=HELLO.ljust(64, b"\0")),
        "zeros only": right._replace(padded=bytes(64)),
        "padding that ends with 01": right._replace(padded=(HELLO + b"\x80").ljust(63, b"\0") + b"\1"),
        "PKCS #7 instead of padding": right._replace(padded=HELLO.ljust(64, b"\x1e")),
    }.items():
        yield entry_case(f"signed, {name}", written(draft), "unopened")
    stretched = Draft(padded=(HELLO + b"\x80").ljust(300, b"\0"))
    yield entry_case("more zeros than needed, which opens", written(stretched), "ok", HELLO)
    double = Draft(padded=(HELLO + b"\x80\x80").ljust(64, b"\0"))
    yield entry_case("0x80 twice: one is content", written(double), "unreadable", HELLO + b"\x80")
    yield entry_case("signed for another room", written(Draft(signed_room=OTHER_ROOM)), "bad_sig")


CHANGES = {
    "version": (0, 1, "malformed"),
    "type, to that of a signal": (1, 3, ""),
    "reserved bits": (3, 1, "malformed"),
    "epoch, to 2": (7, 3, ""),
    "sender": (8, 1, "bad_sig"),
    "session": (40, 1, ""),
    "n": (63, 1, ""),
    "head_seq": (71, 1, ""),
    "head_hash": (72, 1, ""),
    "sealed bytes": (HEADER_SIZE, 1, ""),
    "tag": (-65, 1, ""),
}
"""The byte of a part and the bits that change: the signature finds it, and the tag, where the author signs again."""


def changed_cases() -> Iterator[Json]:
    entry = written(Draft())
    for name, (place, bits, only) in CHANGES.items():
        altered = bytearray(entry)
        altered[place] ^= bits
        yield entry_case(f"changed {name}", bytes(altered), only or "bad_sig")
        if not only:
            yield entry_case(f"changed {name}; signed again", signed(bytes(altered[:-64])), "unopened")
    for name, altered_entry, result in (
        ("a bit of R", entry[:-64] + bytes([entry[-64] ^ 1]) + entry[-63:], "bad_sig"),
        ("a bit of S", entry[:-1] + bytes([entry[-1] ^ 1]), "bad_sig"),
        ("signed again by bob, as ada", signed(entry[:-64], BOB), "bad_sig"),
        ("signed again by bob, as bob", signed(entry[:8] + BOB.pk + entry[40:-64], BOB), "unopened"),
        ("a byte short", entry[:-1], "malformed"),
        ("a byte more", entry + b"\0", "bad_sig"),
        ("a byte more before the signature, signed again", signed(entry[:-64] + b"\0"), "unopened"),
        ("no body, signed again", signed(entry[:HEADER_SIZE]), "malformed"),
        ("a body of 79 bytes, signed again", signed(entry[:-65]), "malformed"),
        ("167 bytes", entry[:167], "malformed"),
        ("no bytes", b"", "malformed"),
        ("n of 2^32", signed(entry[:56] + struct.pack(">Q", 2**32) + entry[64:-64]), "malformed"),
        ("head_seq of 2^53", signed(entry[:64] + struct.pack(">Q", 2**53) + entry[72:-64]), "malformed"),
    ):
        yield entry_case(name, altered_entry, result)


def size_cases() -> Iterator[Json]:
    """All steps of Padmé begin right after a size that is one."""
    lengths = [0, 1, 62, 63]
    while lengths[-1] < 4096:
        lengths += [lengths[-1] + 1, padded_size(lengths[-1] + 2) - 1]
    lengths += [2**e + offset for e in range(13, 17) for offset in (-2, -1, 0) if 2**e + offset <= 65_535]
    for length in sorted(set(lengths)):
        yield case("size", f"{length:,} bytes", length=length, padded=padded_size(length + 1))


def sealing() -> Json:
    """Messages and signals, whole and with one defect."""
    cases = [*whole_cases(), *content_cases(), *sealed_wrong(), *changed_cases(), *size_cases()]
    what = "Sealed entries: what opens, what is read, and what is not. docs/protocol.md, sections 3 and 4."
    return case_file(
        what,
        FIELDS,
        cases,
        room_id=ROOM,
        epoch_keys={str(e): key.hex() for e, key in KEYS.items()},
        seeds={who.pk.hex(): who.seed.hex() for who in (ADA, BOB)},
    )
