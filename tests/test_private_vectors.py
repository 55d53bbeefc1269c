"""The vectors of PRIVATE rooms, computed a second time by what is written here from the specification alone.

Nothing of `sendall` counts members, chains entries or stretches codes below, so a mistake would have to be
made twice to go unseen. Replays are run by the state machine itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import Kind
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from sendall.protocol.words import word_list
from tests.tools.make_private_vectors import FILES
from tests.tools.make_vectors import FOLDER, text_of
from tests.tools.states import contents

V = b"sendall-v1 "
SPKI = "308201a2300d06092a864886f70d01010105000382018f003082018a0282018100{}0203010001"
REMOVALS_BEGIN = 102


# `Any`: vector files are JSON of one documented shape (vectors/README.md).
def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


ROOM = load("private-room.json")
VERDICTS = load("private-verdicts.json")


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Tally:
    """Counts who is in and which links are open, from the bytes of entries that are OK, by their offsets."""

    def __init__(self) -> None:
        self.members: dict[bytes, tuple[int, bytes]] = {}
        self.pending: dict[bytes, tuple[int, bytes]] = {}
        self.invites: dict[bytes, list[int]] = {}
        """Uses so far, limit, flags."""
        self.default = 0
        self.auth = b""

    def count(self, entry: bytes) -> None:
        type_, sender, body = entry[1], entry[8:40], entry[104:-64]
        if type_ in (0x10, 0x11, 0x13, 0x16, 0x17, 0x18):
            self.auth = sha(entry)
        match type_:
            case 0x10:
                self.members[sender] = (1, bytes(32))
            case 0x11:
                self.invites[body[32:64]] = [0, int.from_bytes(body[96:98]), body[106]]
            case 0x12:
                self._join(sender, body)
            case 0x13:
                removed = body[REMOVALS_BEGIN:]
                for at in range(0, len(removed), 32):
                    self.members.pop(removed[at : at + 32], None)
                    self.pending.pop(removed[at : at + 32], None)
                if removed:
                    self.invites.clear()
            case 0x14:
                del self.members[sender]
            case 0x15:
                self.members[sender] = (self.members[sender][0], self._key(body))
            case 0x16:
                del self.invites[body[32:]]
            case 0x17 if body[32:64] == bytes(32):
                self.default = body[64]
            case 0x17:
                self.members[body[32:64]] = (body[64], self.members[body[32:64]][1])
            case 0x18:
                self.members[body[32:]] = self.pending.pop(body[32:])

    def _join(self, sender: bytes, body: bytes) -> None:
        invite = self.invites[body[384:416]]
        invite[0] += 1
        (self.pending if invite[2] & 1 else self.members)[sender] = (self.default, self._key(body[:384]))
        if invite[0] == invite[1]:
            del self.invites[body[384:416]]

    def _key(self, modulus: bytes) -> bytes:
        return sha(bytes.fromhex(SPKI.format(modulus.hex())))

    def members_hash(self) -> bytes:
        members = b"".join(who + bytes([role]) + key for who, (role, key) in sorted(self.members.items()))
        return sha(members + b"".join(pk + i[0].to_bytes(2) for pk, i in sorted(self.invites.items())))


def hkdf(ikm: bytes, info: bytes) -> bytes:
    extracted = hmac.digest(bytes(32), ikm, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def test_members_and_chain_are_those_counted_by_hand() -> None:
    """After every entry: the same members_hash; and h, from the bytes of the log alone."""
    tally, h = Tally(), sha(V + b"room\0" + bytes.fromhex(ROOM["log"][0]["entry"]))
    assert h.hex() == ROOM["room_id"]
    for logged in ROOM["log"]:
        entry = bytes.fromhex(logged["entry"])
        tally.count(entry)
        assert tally.members_hash().hex() == logged["members_hash"], logged["note"]
        h = sha(V + b"log\0" + h + logged["seq"].to_bytes(8) + logged["time_ms"].to_bytes(8) + sha(entry))
        assert h.hex() == logged["h"], logged["note"]


def test_every_epoch_entry_says_who_is_a_member_after_it() -> None:
    """The 32 bytes in its body are the hash that was counted, whether it removes anybody or not."""
    tally, told = Tally(), 0
    for logged in ROOM["log"]:
        entry = bytes.fromhex(logged["entry"])
        before = tally.members_hash()
        tally.count(entry)
        if entry[1] == 0x13:
            told += 1
            assert entry[104 + 68 : 104 + 100] == tally.members_hash()
            assert (before == tally.members_hash()) is (len(entry) == 168 + REMOVALS_BEGIN)
    assert told == len(ROOM["epoch_keys"])


@pytest.mark.parametrize("noted", ROOM["codes"], ids=lambda noted: f"after {noted['after']}")
def test_the_room_code_is_that_of_the_specification(noted: Any) -> None:
    """PBKDF2 over authority, members and key of that moment; eight words of its first 88 bits."""
    tally = Tally()
    for logged in ROOM["log"][: noted["after"]]:
        entry = bytes.fromhex(logged["entry"])
        tally.count(entry)
        if entry[1] == 0x13:
            commit = entry[104 + 36 : 104 + 68]
    salt = V + b"code\0" + bytes.fromhex(ROOM["room_id"])
    code = hashlib.pbkdf2_hmac("sha256", tally.auth + tally.members_hash() + commit, salt, 200_000)
    assert code.hex() == noted["code"]
    bits = "".join(f"{byte:08b}" for byte in code[:11])
    assert [word_list()[int(bits[11 * i : 11 * i + 11], 2)] for i in range(8)] == noted["words"].split()


def test_no_two_moments_have_one_room_code() -> None:
    """Membership, key or authority differ, so the words do."""
    words = [noted["words"] for noted in ROOM["codes"]]
    assert len(set(words)) == len(words) >= 5


def test_a_link_s_keys_come_from_its_secret() -> None:
    """By HKDF of the specification; the public halves stand in the invite entry whose hash the link bears."""
    for link in ROOM["links"]:
        keys = InviteKeys(bytes.fromhex(link["secret"]))
        assert (keys.invite_pk.hex(), keys.door_pk.hex()) == (link["invite_pk"], link["door_pk"])
        seed = hkdf(bytes.fromhex(link["secret"]), V + b"invite")
        assert keys.sign_join(bytes(32), bytes(32), bytes(384)) == _signed(seed, bytes(32))
        entry = bytes.fromhex(ROOM["log"][link["seq"] - 1]["entry"])
        assert sha(entry).hex() == link["invite"]
        assert entry[104 + 32 : 104 + 64].hex() == link["invite_pk"]
        assert entry[104 + 64 : 104 + 96].hex() in (link["door_pk"], bytes(32).hex())


def _signed(seed: bytes, room_id: bytes) -> bytes:
    spki = bytes.fromhex(SPKI.format(bytes(384).hex()))
    return Identity(seed).sign(V + b"join\0" + room_id + bytes(32) + sha(spki))


@pytest.mark.parametrize("replayed", VERDICTS["replays"], ids=lambda replayed: replayed["note"])
def test_a_log_with_this_entry_gets_this_verdict(replayed: Any) -> None:
    """A log replay each: what is refused changes nothing but the place in the log."""
    state = unpack(_state_after(replayed["after"]))
    before = contents(unpack(_state_after(replayed["after"])))
    verdict = state.apply(state.seq + 1, replayed["time_ms"], bytes.fromhex(replayed["entry"]))
    assert verdict is Verdict(replayed["verdict"])
    changed = {name for name, value in contents(state).items() if value != before[name]}
    assert changed >= {"seq", "h", "now"}
    assert (changed == {"seq", "h", "now"}) or verdict is Verdict.OK


_STATES: dict[int, bytes] = {}


def _state_after(count: int) -> bytes:
    if not _STATES:
        state = RoomState(bytes.fromhex(VERDICTS["room_id"]), bytes.fromhex(VERDICTS["server_pk"]), Kind.PRIVATE)
        _STATES[0] = pack(state)
        for logged in VERDICTS["log"]:
            state.apply(logged["seq"], logged["time_ms"], bytes.fromhex(logged["entry"]))
            _STATES[logged["seq"]] = pack(state)
    return _STATES[count]


def test_there_are_enough_replays_and_half_of_them_are_refused() -> None:
    """At least 100 logs with an entry to judge at their end, at least half refused, each with its reason."""
    judged = [(r["verdict"], r["note"]) for r in VERDICTS["replays"]]
    judged += [(line.get("verdict", "ok"), line["note"]) for line in load("open-room-verdicts.json")["log"]]
    refused = [note for verdict, note in judged if verdict != "ok"]
    assert len(judged) >= 100
    assert len(refused) * 2 >= len(judged)
    assert all(refused)
    assert {r["verdict"] for r in VERDICTS["replays"]} == {verdict.value for verdict in Verdict}


@pytest.mark.parametrize("name", FILES)
def test_the_vectors_of_private_rooms_are_what_our_code_writes(name: str) -> None:
    """A change of the protocol shows here; `python -m tests.tools.make_private_vectors` writes them anew."""
    assert (FOLDER / name).read_text() == text_of(FILES[name]())
