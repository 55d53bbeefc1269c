"""Writes the vector files that come from our own code: `python -m tests.tools.make_vectors`.

Every byte follows from fixed labels, so a file changes only if the protocol does; a test compares.
`open-room.json` is not written here: an independent implementation made it. The format is described
in vectors/README.md.
"""

from __future__ import annotations

import json
from pathlib import Path

from sendall.crypto.identity import (
    Identity,
    client_proof,
    person_fingerprint,
    server_fingerprint,
    server_proof,
    token_proof,
)
from sendall.crypto.primitives import RsaKey, spki_of
from sendall.crypto.sealing import commitment
from sendall.protocol.bodies import Epoch
from sendall.protocol.entry import ZERO_32, EntryType, Role
from sendall.protocol.verdict import Verdict
from sendall.protocol.words import words_of
from tests.tools.grant_cases import grants
from tests.tools.key_cases import keys
from tests.tools.scribe import Line, Scribe
from tests.tools.sealing_cases import sealing

FOLDER = Path(__file__).parent.parent.parent / "vectors"

Json = dict[str, object]


def vector_of(scribe: Scribe, **more: object) -> Json:
    """Return what the scribe wrote, as a vector."""
    members = {"ada": scribe.ada, "bob": scribe.bob, "server": scribe.server}
    return {
        "version": "sendall-v1",
        "server_pk": scribe.server.pk.hex(),
        "room_id": scribe.room_id.hex(),
        "epoch_keys": {str(e): key.hex() for e, key in scribe.keys.items()},
        **{f"commit_{e}": commitment(key, scribe.room_id, e).hex() for e, key in scribe.keys.items()},
        "members": [{"name": n, "seed": who.seed.hex(), "id_pk": who.pk.hex()} for n, who in members.items()],
        "log": [_logged(line) for line in scribe.lines],
        "rejects": [],
        **more,
    }


def _logged(line: Line) -> Json:
    logged: Json = {
        "seq": line.seq,
        "time_ms": line.time_ms,
        "entry": line.entry.hex(),
        "h": line.h.hex(),
        "note": line.note,
    }
    if line.verdict is not Verdict.OK:
        logged["verdict"] = line.verdict.value
    if line.plaintext is not None:
        logged["plaintext"] = line.plaintext.decode()
    return logged


def verdicts() -> Json:
    """Every verdict, of messages and of control entries; roles, a restart, a second epoch."""
    s = Scribe("vector verdicts", "verdicts")
    s.found()
    s.say("one")
    first = s.lines[-1].entry
    ada, bob, closed = s.ada, s.bob, Epoch(s.state.auth, 2, ZERO_32, ZERO_32, ())
    s.log(b"", "no bytes at all")
    s.log(first[:-1], "one byte short, which leaves a sealed body of 79 bytes")
    s.log(first[:200], "the signature cut")
    s.log(b"\2" + first[1:], "version 2")
    s.log(first[:2] + b"\0\1" + first[4:], "a reserved bit")
    s.log(s.message(head=(s.state.seq + 1, ZERO_32)), "a head that is not before the entry")
    s.log(s.control(EntryType.MESSAGE, bytes(79), ada, n=1), "a message of 79 sealed bytes")
    s.log(s.control(EntryType.SIGNAL, bytes(80), ada, n=0), "a signal in the log")
    s.log(s.control(0x12, bytes(480), ada, n=0), "a join, which OPEN rooms do not have")
    s.log(s.control(0x7F, b""), "an unknown type")
    s.log(s.genesis, "a second genesis")
    s.log(s.epoch(e=3), "an epoch that skips one")
    s.keys.pop(3)
    s.log(s.control(EntryType.EPOCH, closed._replace(removed=(ada.pk,)).pack()), "an epoch that removes somebody")
    s.log(s.control(EntryType.ROLE, s.state.auth + ada.pk + b"\4"), "role 4")
    s.log(s.control(EntryType.RESTART, b"x"), "a restart with a body")
    message = s.message(n=1)
    s.log(message[:-1] + bytes([message[-1] ^ 1]), "a broken signature: its number is not used up")
    s.log(s.control(EntryType.RESTART, b"", room_id=ZERO_32), "a restart signed for another room")
    s.log(s.message(n=1, epoch=2), "sealed in an epoch that is not there yet")
    s.log(s.control(EntryType.RESTART, b"", epoch=0), "a restart of epoch 0")
    s.log(first, "the first message again")
    s.log(s.message(n=2), "a number ahead")
    s.log(s.control(EntryType.RESTART, b"", n=1), "a control number ahead")
    s.log(s.control(EntryType.EPOCH, closed.pack(), ada, n=0), "an epoch by a member")
    s.log(s.role(bob.pk, Role.BANNED, who=ada), "a role by a member")
    s.log(s.restart(who=ada), "a restart by a member")
    s.log(s.restart(head_seq=s.state.seq - 1), "a restart whose head is not right before it")
    s.log(s.role(ZERO_32, Role.ADMIN), "admin as the default")
    s.log(s.role(bob.pk, Role.READER, prev_auth=ZERO_32), "a role on an old state")
    s.log(s.control(EntryType.EPOCH, closed.pack()), "an epoch with another members_hash")
    s.log(s.role(bob.pk, Role.READER), "bob may only read")
    s.log(s.message(who=bob), "bob posts nevertheless")
    s.say("two")
    s.log(s.role(ZERO_32, Role.READER), "all others may only read")
    s.log(s.message(), "ada posts nevertheless")
    s.log(s.role(ada.pk, Role.ADMIN), "ada is admin, which lets her post and no more")
    s.say("three")
    s.log(s.role(bob.pk, Role.BANNED), "bob is banned")
    before = s.message(b'{"t":"m","x":"before"}')
    s.log(s.epoch(), "epoch 2: all numbers begin again")
    s.log(before, "sealed in epoch 1")
    s.say("four")
    before = s.message(b'{"t":"m","x":"before"}')
    s.log(s.restart(), "a restart: all numbers begin again")
    s.log(before, "sealed on a head before the restart")
    s.say("five")
    assert {line.verdict for line in s.lines} == set(Verdict)
    return vector_of(s)


def padding() -> Json:
    """Plaintexts around the edges of padded sizes, with the size of each entry."""
    s = Scribe("vector padding", "padding")
    s.found()
    frame = '{"t":"m","x":""}'
    for length in (len(frame), 62, 63, 64, 71, 72, 79, 80, 127, 128, 143, 144, 255, 256, 1023, 1024, 1087, 1088, 4095):
        plaintext = frame.replace('""', '"' + "x" * (length - len(frame)) + '"').encode()
        s.log(s.message(plaintext), f"{length} bytes of plaintext", plaintext)
    plaintext = '{"t":"m","x":"\\u0000 é 🦊 \\"","nick":"ada"}'.encode()
    s.log(s.message(plaintext), "escapes, two-byte and four-byte characters", plaintext)
    return vector_of(s)


def late_reader() -> Json:
    """A log that may be begun anywhere: whoever is late gets the same verdicts and the same state."""
    s = Scribe("vector late reader", "late")
    s.found()
    for text in ("a", "b", "c"):
        s.say(text)
    s.log(s.role(s.bob.pk, Role.READER), "bob may only read")
    s.say("d")
    s.log(s.epoch(), "epoch 2")
    for text in ("e", "f"):
        s.say(text)
    s.log(s.role(s.bob.pk, Role.MEMBER), "bob may post")
    s.say("g")
    s.say("from bob", s.bob)
    s.log(s.restart(), "a restart")
    for text in ("h", "i"):
        s.say(text)
    return vector_of(s, late=list(range(1, len(s.lines) + 1)))


def handshake() -> Json:
    """The proofs of a handshake, and the words of its two identities."""
    s = Scribe("vector handshake")
    s.log(s.genesis, "genesis")
    ns, nc, leaf, token = (s.pick(label, 32) for label in ("ns", "nc", "leaf", "token"))
    # The RSA key of another vector: only its modulus counts here.
    other = json.loads((FOLDER / "open-room.json").read_text())["grant"]["rsa_private_pkcs8"]
    modulus = RsaKey.from_pkcs8(bytes.fromhex(other)).modulus
    proofs = {
        "ns": ns.hex(),
        "nc": nc.hex(),
        "n": modulus.hex(),
        "spki": spki_of(modulus).hex(),
        "leaf": leaf.hex(),
        "token": token.hex(),
        "client": s.ada.pk.hex(),
        "auth_sig": s.ada.sign(client_proof(s.server.pk, ns, nc, modulus, leaf)).hex(),
        "auth_proof": token_proof(token, s.server.pk, ns, nc, s.ada.pk).hex(),
        "welcome_sig": s.server.sign(server_proof(nc, ns, s.ada.pk, leaf)).hex(),
    }
    people: list[Identity] = [s.ada, s.bob]
    words = {
        "server": words_of(server_fingerprint(s.server.pk)),
        "persons": {who.pk.hex(): words_of(person_fingerprint(who.pk)) for who in people},
    }
    return vector_of(s, handshake=proofs, words=words)


FILES = {
    "open-room-verdicts.json": verdicts,
    "padding.json": padding,
    "late-reader.json": late_reader,
    "handshake.json": handshake,
    "grants.json": grants,
    "keys.json": keys,
    "sealing.json": sealing,
}


def text_of(vector: Json) -> str:
    return json.dumps(vector, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    for name, make in FILES.items():
        (FOLDER / name).write_text(text_of(make()))
