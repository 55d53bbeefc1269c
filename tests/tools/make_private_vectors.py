"""Writes the vector files of PRIVATE rooms: `python -m tests.tools.make_private_vectors`.

Like `tests.tools.make_vectors`, whose format they have: every byte follows from fixed labels, and a
test compares. Described in vectors/README.md.
"""

from __future__ import annotations

from sendall.crypto.identity import person_fingerprint, server_fingerprint
from sendall.crypto.roomcode import room_code
from sendall.protocol.entry import ZERO_32, Role, entry_hash
from sendall.protocol.verdict import Verdict
from sendall.protocol.words import words_of
from tests.attacks.evil_member import CASES, Stage
from tests.tools.make_vectors import FOLDER, Json, text_of, vector_of
from tests.tools.private_scribe import PrivateScribe
from tests.tools.scribe import FIRST_TIME_MS, Line

DAY_MS = 86_400_000


class Chronicler(PrivateScribe):
    """Notes the members_hash after each entry, and the room code where it is asked to."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.hashes: dict[int, str] = {}
        self.codes: list[Json] = []
        self.links: dict[str, int] = {}

    def log(
        self, entry: bytes, note: str = "", plaintext: bytes | None = None, *, time_ms: int | None = None
    ) -> Verdict:
        verdict = super().log(entry, note, plaintext, time_ms=time_ms)
        self.hashes[self.state.seq] = self.membership.members_hash().hex()
        return verdict

    def link_made(self, label: str, entry: bytes, note: str) -> None:
        self.log(entry, note)
        self.links[label] = self.state.seq

    def note_code(self) -> None:
        state = self.state
        code = room_code(self.room_id, state.auth, self.membership.members_hash(), state.commit)
        self.codes.append({"after": state.seq, "code": code.hex(), "words": words_of(code)})

    def vector(self, **more: object) -> Json:
        vector = private_vector(self, links=self._links(), codes=self.codes, **more)
        log = vector["log"]
        assert isinstance(log, list)
        for line in log:
            line["members_hash"] = self.hashes[line["seq"]]
        return vector

    def _links(self) -> list[Json]:
        made: list[Json] = []
        for label, seq in self.links.items():
            link = self.link(label)
            made.append(
                {
                    "secret": self.secret(label).hex(),
                    "seq": seq,
                    "invite": entry_hash(self.lines[seq - 1].entry).hex(),
                    "invite_pk": link.invite_pk.hex(),
                    "door_pk": link.door_pk.hex(),
                }
            )
        return made


def private_vector(scribe: PrivateScribe, **more: object) -> Json:
    """Return what the scribe wrote, as a vector of a PRIVATE room."""
    known = {"server": scribe.server, **scribe.people}
    members = [{"name": name, "seed": who.seed.hex(), "id_pk": who.pk.hex()} for name, who in known.items()]
    return {**vector_of(scribe), "kind": "private", "members": members, **more}


def whole_life() -> Json:
    """A room from its genesis to a restart: links of each kind, roles, a leave, kicks, and coming back."""
    s = Chronicler("vector private room")
    s.found()
    s.note_code()
    s.link_made("bob", s.invite("bob", expires_ms=FIRST_TIME_MS + DAY_MS), "a link for one, for a day")
    s.log(s.join(s.bob, "bob"), "bob joins by it, and it is used up")
    s.say("welcome bob")
    s.say("hello from bob", s.bob)
    s.link_made("crowd", s.invite("crowd", uses=0), "a link without limit or expiry")
    s.log(s.join(s.cyd, "crowd"), "cyd joins by it, and it stays open")
    s.link_made("knock", s.invite("knock", approve=True, has_door=False), "a link whose users an admin lets in")
    s.log(s.join(s.dan, "knock"), "dan waits")
    s.note_code()
    s.log(s.admit(s.dan.pk), "ada lets dan in")
    s.note_code()
    s.log(s.role(s.bob.pk, Role.ADMIN), "bob is an admin")
    s.link_made("two", s.invite("two", uses=2, who=s.bob), "bob's link for two")
    s.log(s.join(s.eve, "two"), "eve joins by it")
    s.log(s.role(ZERO_32, Role.READER), "who comes from now on may only read")
    s.log(s.join(s.fay, "two"), "fay joins by it as a reader, and it is used up")
    s.log(s.role(s.fay.pk, Role.MEMBER, who=s.bob), "fay may write")
    s.say("hello from fay", s.fay)
    s.log(s.role(ZERO_32, Role.MEMBER), "who comes from now on may write")
    s.log(s.epoch(who=s.bob), "bob rotates: epoch 2, nobody is removed, links stay open")
    s.say("in epoch 2", s.cyd)
    s.log(s.leave(s.cyd), "cyd leaves")
    s.log(s.epoch(), "ada rotates for it: epoch 3")
    s.note_code()
    s.log(s.rekey(s.bob, label=" of the second week"), "bob's new wrap key")
    s.log(s.revoke("crowd"), "ada takes the open link back")
    s.link_made("again", s.invite("again", uses=0), "another link without limit")
    s.log(s.epoch(removed=[s.eve], who=s.bob), "bob kicks eve: epoch 4, every link is ended")
    s.note_code()
    s.say("without eve", s.dan)
    s.link_made("eve", s.invite("eve"), "a new link for eve")
    s.log(s.join(s.eve, "eve"), "eve is back")
    s.say("back", s.eve)
    s.log(s.restart(), "the server lost its newest entries: all numbers begin again")
    s.say("after the restart", s.eve)
    s.link_made("late", s.invite("late", approve=True), "one more link with a knock")
    s.log(s.join(s.cyd, "late"), "cyd waits")
    s.log(s.epoch(removed=[s.cyd, s.fay]), "ada kicks fay and who waits: epoch 5")
    s.log(s.role(s.bob.pk, Role.MEMBER), "bob is an admin no more")
    s.say("the end", s.bob)
    s.note_code()
    assert {line.verdict for line in s.lines} == {Verdict.OK}
    words = {
        "server": words_of(server_fingerprint(s.server.pk)),
        "persons": {who.pk.hex(): words_of(person_fingerprint(who.pk)) for who in s.people.values()},
    }
    return s.vector(late=list(range(1, len(s.lines) + 1)), words=words)


def verdicts() -> Json:
    """A room with everybody in it who could be evil, and what becomes of what each tries: one replay each."""
    s = Stage("vector private verdicts")
    s.found()
    time_ms = s.state.now + 1_000
    replays: list[Json] = [
        {
            "after": len(s.lines),
            "time_ms": time_ms,
            "entry": case.make(s).hex(),
            "verdict": case.verdict.value,
            "note": f"{case.by}: {case.name}",
        }
        for case in CASES
    ]
    replays += [_replay_of(line) for line in s.lines]
    for e in [e for e in s.keys if e > s.state.epoch]:
        s.keys.pop(e)
    return private_vector(s, replays=replays)


def _replay_of(line: Line) -> Json:
    """Return the entry at its own place, which is right."""
    entry, note = line.entry.hex(), f"right: {line.note}"
    return {"after": line.seq - 1, "time_ms": line.time_ms, "entry": entry, "verdict": line.verdict.value, "note": note}


FILES = {"private-room.json": whole_life, "private-verdicts.json": verdicts}


if __name__ == "__main__":
    for name, make in FILES.items():
        (FOLDER / name).write_text(text_of(make()))
