"""Every scenario in vectors/ is run: our code agrees with an independent implementation, and with itself of yesterday.

The format is described in vectors/README.md; whatever file of that format is dropped in is run. Files of
single cases are run by tests/test_case_vectors.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sendall.crypto.grants import open_grant
from sendall.crypto.identity import (
    Identity,
    client_proof,
    person_fingerprint,
    server_fingerprint,
    server_proof,
    token_proof,
)
from sendall.crypto.primitives import RsaKey, spki_of, verify
from sendall.crypto.sealing import Opener, Sealer, commitment
from sendall.errors import Malformed
from sendall.protocol.bodies import room_id_of
from sendall.protocol.entry import EntryType, Kind, parse, signed_context
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from sendall.protocol.words import words_of
from tests.tools.make_vectors import FILES, text_of

FOLDER = Path(__file__).parent.parent / "vectors"
# The other files are those of tests/test_case_vectors.py and tests/test_conversation_vectors.py.
VECTORS = [
    path
    for path in sorted(FOLDER.glob("*.json"))
    if '"log": [' in path.read_text() and not path.name.startswith("conversation-")
]


# `Any`: vector files are JSON of one documented shape (vectors/README.md).
def load(path: Path) -> Any:
    return json.loads(path.read_text())


def begin(vector: Any) -> RoomState:
    kind = Kind[vector.get("kind", "open").upper()]
    return RoomState(bytes.fromhex(vector["room_id"]), bytes.fromhex(vector["server_pk"]), kind)


def replay(vector: Any) -> RoomState:
    state = begin(vector)
    for logged in vector["log"]:
        verdict = state.apply(logged["seq"], logged["time_ms"], bytes.fromhex(logged["entry"]))
        expected = Verdict(logged.get("verdict", "ok"))
        assert verdict is expected, logged["note"]
        assert state.h.hex() == logged["h"], logged["note"]
    return state


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_log_replays_to_the_same_chain(path: Path) -> None:
    """Every entry gets its verdict and every chain value is reached."""
    vector = load(path)
    assert vector["version"] == "sendall-v1"
    assert room_id_of(bytes.fromhex(vector["log"][0]["entry"])).hex() == vector["room_id"]
    replay(vector)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_message_opens_and_seals_to_the_same_bytes(path: Path) -> None:
    """Opening gives the plaintext; sealing it again with its author's seed gives the very entry."""
    vector = load(path)
    room_id = bytes.fromhex(vector["room_id"])
    keys = {int(e): bytes.fromhex(k) for e, k in vector["epoch_keys"].items()}
    members = {m["id_pk"]: Identity(bytes.fromhex(m["seed"])) for m in vector["members"]}
    for name, key in keys.items():
        if f"commit_{name}" in vector:
            assert commitment(key, room_id, name).hex() == vector[f"commit_{name}"]
    for logged in vector["log"]:
        if "plaintext" not in logged:
            continue
        entry = parse(bytes.fromhex(logged["entry"]))
        plaintext = logged["plaintext"].encode()
        assert Opener(keys[entry.epoch], room_id).open(entry) == plaintext
        author = members[entry.sender.hex()]
        sealer = Sealer(keys[entry.epoch], room_id, entry.epoch, author.pk, entry.session)
        sealed = sealer.seal(
            EntryType(entry.type),
            entry.n,
            plaintext,
            head_seq=entry.head_seq,
            head_hash=entry.head_hash,
            sign=author.sign,
        )
        assert sealed == entry.raw


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_reject_is_rejected(path: Path) -> None:
    """An entry with one defect is refused at parsing, by its signature, or by the state's rules."""
    vector = load(path)
    for reject in vector["rejects"]:
        raw = bytes.fromhex(reject["entry"])
        state = replay(vector)
        try:
            entry = parse(raw)
        except Malformed:
            continue
        unsigned = entry.raw[:-64]
        is_signed = verify(entry.sender, signed_context(state.room_id, unsigned), entry.raw[-64:])
        assert not is_signed, reject["note"]
        assert state.apply(state.seq + 1, state.now, raw) is not Verdict.OK, reject["note"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_grant_opens_to_the_committed_keys(path: Path) -> None:
    """A grant made elsewhere opens with the recipient's RSA key and holds the epoch keys."""
    vector = load(path)
    grant = vector.get("grant")
    if grant is None:
        return
    rsa = RsaKey.from_pkcs8(bytes.fromhex(grant["rsa_private_pkcs8"]))
    assert spki_of(rsa.modulus).hex() == grant["spki"]
    room_id, recipient = bytes.fromhex(vector["room_id"]), bytes.fromhex(grant["recipient"])
    keys = open_grant(bytes.fromhex(grant["grant"]), room_id, recipient, rsa)
    assert {str(e): k.hex() for e, k in keys.items()} == vector["epoch_keys"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_late_reader_comes_to_the_same_end(path: Path) -> None:
    """Beginning after each seq of `late`, with the control entries before it: same verdicts, same chain, same state."""
    vector = load(path)
    whole = replay(vector)
    for from_ in vector.get("late", ()):
        state = begin(vector)
        for logged in vector["log"][:from_]:
            raw = bytes.fromhex(logged["entry"])
            if parse(raw).is_control:
                assert state.apply_early_control(logged["seq"], logged["time_ms"], raw) is Verdict.OK
        state.begin_at(from_, bytes.fromhex(vector["log"][from_ - 1]["h"]))
        for logged in vector["log"][from_:]:
            verdict = state.apply(logged["seq"], logged["time_ms"], bytes.fromhex(logged["entry"]))
            assert verdict is Verdict(logged.get("verdict", "ok")), logged["note"]
        assert (state.h, state.auth, state.epoch, state.floor) == (whole.h, whole.auth, whole.epoch, whole.floor)
        assert (vars(state.roles), vars(state.membership), state.lastc) == (
            vars(whole.roles),
            vars(whole.membership),
            whole.lastc,
        )


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_proofs_of_a_handshake_hold(path: Path) -> None:
    """Signatures and token proof over exactly these bytes, and the words of those who made them."""
    vector = load(path)
    server = bytes.fromhex(vector["server_pk"])
    if "handshake" in vector:
        proofs = {name: bytes.fromhex(value) for name, value in vector["handshake"].items()}
        ns, nc, leaf, client = proofs["ns"], proofs["nc"], proofs["leaf"], proofs["client"]
        assert spki_of(proofs["n"]) == proofs["spki"]
        assert verify(client, client_proof(server, ns, nc, proofs["n"], leaf), proofs["auth_sig"])
        assert verify(server, server_proof(nc, ns, client, leaf), proofs["welcome_sig"])
        assert token_proof(proofs["token"], server, ns, nc, client) == proofs["auth_proof"]
    if "words" in vector:
        assert words_of(server_fingerprint(server)) == vector["words"]["server"]
        for id_pk, words in vector["words"]["persons"].items():
            assert words_of(person_fingerprint(bytes.fromhex(id_pk))) == words


@pytest.mark.parametrize("name", FILES)
def test_our_own_vectors_are_what_our_code_writes(name: str) -> None:
    """A change of the protocol shows here; `python -m tests.tools.make_vectors` writes them anew."""
    assert (FOLDER / name).read_text() == text_of(FILES[name]())


def test_the_vectors_have_every_verdict_and_every_section() -> None:
    """No part of the format goes untested."""
    vectors = [load(path) for path in VECTORS]
    found = {Verdict(logged.get("verdict", "ok")) for vector in vectors for logged in vector["log"]}
    assert found == set(Verdict)
    assert {"grant", "late", "handshake", "words"} <= set().union(*vectors)
