"""The second exchange of docs/protocol.md: a PRIVATE room is made, and entered by a link.

As in `tests.docs.exchange`, relay and clients are real and all randomness is replaced. Of what both
exchanges have alike (the handshake, bytes of entries that came up already) it shows nothing again.
"""

from __future__ import annotations

from sendall.crypto.doors import open_door_grant, seal_door_grant
from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import RsaKey
from sendall.protocol import frames as f
from sendall.protocol.base64url import to_base64
from sendall.protocol.bodies import Invite, Join
from sendall.protocol.entry import EntryType, entry_hash
from tests.docs.transcript import Transcript, fixed
from tests.server.insiders import Insider, genesis_of
from tests.server.members import ListWire, RelayWorld

EXPIRES_MS = 1_700_086_400_000


def private_exchange(rsa: RsaKey) -> list[str]:
    """Return the lines of the exchange; everything random must have been replaced."""
    world = RelayWorld(identity=Identity(fixed("server seed", 32)))
    ada, bob = (Insider(world, rsa, ListWire(), Identity(fixed(f"{name} seed", 32))) for name in ("ada", "bob"))
    for member in (ada, bob):
        member.prove()
        world.run()
    secret = fixed("link secret", 16)
    keys = InviteKeys(secret)
    out = Transcript(ada.wire)
    out.skip()
    _make(out, ada)
    invited = _invite(out, ada, keys, secret)
    theirs = Transcript(bob.wire)
    theirs.skip()
    theirs.lines = out.lines
    _join(theirs, bob, invited, keys)
    _enter(theirs, bob, keys)
    return theirs.lines


def _make(out: Transcript, ada: Insider) -> None:
    out.text("Ada makes a room. Its genesis entry is hers; the room_id is its hash. She begins at 0.")
    genesis = genesis_of(ada.identity)
    make = f.Make(q=1, genesis=f.B64(genesis))
    out.client(f.encode(make))
    ada.ask(make)
    out.server()
    out.values(room_id=ada.room_id)
    out.text(
        "She gives her RSA key (a rekey entry) and makes epoch 1. `members_hash` covers her key, so it is made on the "
        "state behind the rekey. Both come back as frames 02, which are not shown."
    )
    for entry in (ada.rekey, ada.epoch):
        made = entry()
        out.client(f.post_frame(ada.rid, made))
        ada.act(made)
    out.values(members_hash=ada.room.membership.members_hash(), K_1=ada.keys[1])
    out.skip()


def _invite(out: Transcript, ada: Insider, keys: InviteKeys, secret: bytes) -> bytes:
    out.text("She makes an invite: one use, 24 h. From the secret of its link come the two keys.")
    body = Invite(ada.state.auth, keys.invite_pk, keys.door_pk, 1, EXPIRES_MS)
    entry = ada.control(EntryType.INVITE, body.pack())
    out.values(link_secret=secret, invite_pk=keys.invite_pk, door_pk=keys.door_pk)
    out.client(f.post_frame(ada.rid, entry))
    ada.act(entry)
    invited = entry_hash(entry)
    out.text(
        "When it came back she leaves the key of epoch 1 at its door, for who joins by it; then she shows the link."
    )
    grant = seal_door_grant(ada.room_id, keys.invite_pk, keys.door_pk, ada.keys)
    out.client(f.grant_frame(ada.rid, keys.invite_pk, grant))
    ada.give(keys.invite_pk, grant)
    pinned = ada.world.identity.pk + invited + secret
    out.values(invite_hash=invited, link=f"https://host:12345/#{to_base64(pinned)}")
    return invited


def _join(out: Transcript, bob: Insider, invited: bytes, keys: InviteKeys) -> None:
    out.text("Bob, on a connection of his own, names the invite. He watches: the four control entries, and a count.")
    sub = f.Sub(q=1, invite=f.B64(invited), after=0)
    out.client(f.encode(sub))
    bob.ask(sub)
    out.server()
    out.text(
        "He finds the invite entry among them, with the keys of his secret, and joins. When his own entry comes back, "
        "he is in."
    )
    signature = keys.sign_join(bob.room_id, bob.identity.pk, bob.modulus)
    join = bob.control(EntryType.JOIN, Join(bob.modulus, keys.invite_pk, signature).pack())
    out.client(f.post_frame(bob.rid, join))
    bob.act(join)
    out.skip()


def _enter(out: Transcript, bob: Insider, keys: InviteKeys) -> None:
    out.text(
        "He subscribes anew, as a member, from where he is. What lay at the door is his now, under the invite's key."
    )
    sub = f.Sub(q=2, room=f.B64(bob.room_id), after=bob.state.seq)
    out.client(f.encode(sub))
    bob.ask(sub)
    ((recipient, grant),) = bob.grants()
    out.server()
    opened = open_door_grant(grant, bob.room_id, recipient, keys.door)
    out.values(K_1=opened[1])
    out.text(
        "It opens to the key that the commitment of epoch 1 admits. He says so, and the server keeps it no longer."
    )
    out.client(f.encode(f.Have(rid=bob.rid, e=1)))
    bob.say(f.Have(rid=bob.rid, e=1))
