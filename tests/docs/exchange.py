"""The generated parts of docs/protocol.md: the diagram of turns, and two whole exchanges in hex.

They are real ones: relay, steward and members, with all randomness replaced by bytes that follow from a
label. Run `python -m tests.docs.exchange` to write them into the page. Here: that of an OPEN room.
"""

from __future__ import annotations

import json
from pathlib import Path

from sendall.crypto.identity import Identity, client_proof, server_proof
from sendall.crypto.primitives import RsaKey, hkdf, sha256, spki_of
from sendall.crypto.sealing import pad
from sendall.protocol import frames as f
from sendall.protocol.entry import VERSION_TAG, entry_hash, signed_context
from sendall.protocol.turns import diagram
from tests.docs.private_exchange import private_exchange
from tests.docs.transcript import Transcript, fixed, without_chance
from tests.server.members import ListWire, Member, RelayWorld

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "protocol.md"
VECTOR = ROOT / "vectors" / "open-room.json"
HELLO = '{"t":"m","x":"hello","nick":"ada"}'


def exchange() -> str:
    """Return the exchange as Markdown."""
    rsa = _rsa()
    with without_chance() as drawn:
        world = RelayWorld(identity=Identity(fixed("server seed", 32)))
        wire = ListWire()
        ada = Member(world, rsa, wire, Identity(fixed("ada seed", 32)))
        out = Transcript(wire)
        _shake_hands(out, world, ada)
        _enter(out, world, ada, drawn)
        _post(out, world, ada)
        _leave(out, world, ada)
    return "\n".join(out.lines).rstrip()


def exchange_of_a_private_room() -> str:
    """Return the exchange of a PRIVATE room as Markdown."""
    rsa = _rsa()
    with without_chance():
        return "\n".join(private_exchange(rsa)).rstrip()


def _rsa() -> RsaKey:
    return RsaKey.from_pkcs8(bytes.fromhex(json.loads(VECTOR.read_text())["grant"]["rsa_private_pkcs8"]))


def _shake_hands(out: Transcript, world: RelayWorld, ada: Member) -> None:
    out.text("The two identities. The client's RSA key is the one in `vectors/open-room.json`.")
    out.values(
        server_seed=world.identity.seed, server_pk=world.identity.pk, ada_seed=ada.identity.seed, ada_id=ada.identity.pk
    )
    out.text("The server greets as soon as the WebSocket is open.")
    hello = ada.frames()[0]
    assert isinstance(hello, f.Hello)
    out.server()
    nc = fixed("nc", 32)
    leaf = bytes(32)
    signed = client_proof(hello.server, hello.ns, nc, ada.modulus, leaf)
    out.text("Ada proves her identity. `leaf` is zero: this connection has no TLS. She signs these bytes:")
    out.values(H_SPKI=sha256(spki_of(ada.modulus)), signed=signed)
    ada.prove(nc=nc)
    auth = f.Auth(
        id=f.B64(ada.identity.pk),
        nc=f.B64(nc),
        n=f.B64(ada.modulus),
        leaf=f.B64(leaf),
        sig=f.B64(ada.identity.sign(signed)),
    )
    out.client(f.encode(auth))
    out.text("The server proves its own, over:")
    out.values(signed=server_proof(nc, hello.ns, ada.identity.pk, leaf))
    world.run()
    out.server()


def _enter(out: Transcript, world: RelayWorld, ada: Member, drawn: list[bytes]) -> None:
    out.text("Ada asks for the room `lobby`, which the server makes. She begins at 0, so `h` is the room_id.")
    out.client(f.encode(f.Sub(q=1, name="lobby", after=0, create=True)))
    ada.enter("lobby", create=True)
    genesis, epoch = ada.logged()
    out.text(
        "Then come the log's entries, one message of two frames 02 (genesis and epoch 1), who is present, and a "
        "frame 04, the grant."
    )
    out.server()
    out.values(
        room_id=ada.room_id,
        h_1=world.relay.rooms[ada.room_id].reading.h_at(1) or b"",
        h_2=ada.head[1],
        prev_auth=entry_hash(genesis.entry),
    )
    kek = drawn[-1]
    out.text("The grant was made with this kek and OAEP seed; it opens to the key of epoch 1, which `commit` admits.")
    out.values(
        kek=kek,
        OAEP_seed=fixed("OAEP seed", 32),
        grant_key=hkdf(kek, salt=ada.room_id, info=VERSION_TAG + b"grant"),
        K_1=ada.keys[1],
        commit_1=epoch.entry[140:172],
    )
    out.text("Ada says that she has it. An OPEN room's server does nothing then.")
    out.client(f.encode(f.Have(rid=ada.rid, e=1)))
    ada.say(f.Have(rid=ada.rid, e=1))


def _post(out: Transcript, world: RelayWorld, ada: Member) -> None:
    entry = ada.sealed(HELLO)
    info = VERSION_TAG + b"msg" + (1).to_bytes(4, "big") + ada.identity.pk + ada.session
    out.text("She seals a message: n = 0 of her session, on the head h[2].")
    out.values(
        plaintext=HELLO,
        padded=pad(HELLO.encode()),
        message_key=hkdf(ada.keys[1], salt=ada.room_id, info=info),
        nonce=bytes(12),
        header_aad=ada.room_id + entry[:104],
        signed=signed_context(ada.room_id, entry[:-64]),
    )
    out.text("It goes up as a frame 01 and comes back as a frame 02, with seq 3 and the server's time: the receipt.")
    out.client(f.post_frame(ada.rid, entry))
    ada.post(entry)
    world.run()
    out.server()
    out.values(h_3=world.relay.rooms[ada.room_id].state.h)
    out.text("Sent again, as after a lost connection, it is refused: it stands in the log already.")
    out.client(f.post_frame(ada.rid, entry))
    ada.post(entry)
    world.run()
    out.server()


def _leave(out: Transcript, world: RelayWorld, ada: Member) -> None:
    out.text("A page of what is older, which must chain up to the h[3] she knows.")
    read = f.Read(q=2, rid=ada.rid, from_=3, to=3)
    out.client(f.encode(read))
    ada.say(read)
    out.server()
    out.text("After 20 s of silence either side pings. Then she leaves the room, and closes with code 1000.")
    for frame in (f.Ping(), f.Unsub(rid=ada.rid)):
        out.client(f.encode(frame))
        ada.say(frame)
        world.run()
        out.server()


def blocks() -> dict[str, str]:
    """Return the generated parts of the page by the name of their markers."""
    return {
        "turns": f"```mermaid\n{diagram()}\n```",
        "exchange": exchange(),
        "private exchange": exchange_of_a_private_room(),
    }


def filled(page: str) -> str:
    """Return the page with its generated parts made anew.

    Raises:
        ValueError: a marker is missing.
    """
    for name, text in blocks().items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, middle, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not (middle and found):
            raise ValueError(f"the page has no {begin} … {end}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
