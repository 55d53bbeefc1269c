"""What must be true of a world of `interleavings` at its end, counted from the log alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from sendall.crypto.sealing import commitment
from sendall.errors import SendallError
from sendall.protocol import bodies as b
from sendall.protocol.entry import ZERO_32, Kind
from sendall.protocol.room import RoomState
from tests.attacks.interleavings import World
from tests.attacks.participants import Person
from tests.tools.states import agreed


@dataclass
class Ledger:
    """Who could have which keys, by the log: by being in during an epoch, or by a link that was open during it."""

    epochs_of: dict[bytes, set[int]] = field(default_factory=dict)
    """By id_pk of a member, or by invite_pk of an open invite with a door."""
    commits: dict[int, bytes] = field(default_factory=dict)
    late_links: list[int] = field(default_factory=list)
    """Seqs of joins by a link from before the last removal: there must be none."""
    removals: int = 0
    joins: int = 0
    messages: int = 0


def ledger_of(world: World) -> Ledger:
    ledger = Ledger()
    state = RoomState(world.server.state.room_id, world.server.state.server_pk, Kind.PRIVATE)
    made: dict[bytes, int] = {}
    last_removal = 0
    for record in world.server.log:
        entry = record.entry
        body = b.parse_body(entry) if entry.is_control else None
        state.apply_judged(entry, record.seq, record.time_ms, record.h)
        match body:
            case None:
                ledger.messages += 1
            case b.Epoch():
                ledger.commits[body.e] = body.commit
                if body.removed:
                    last_removal = record.seq
                    ledger.removals += 1
            case b.Invite():
                made[body.invite_pk] = record.seq
            case b.Join():
                ledger.joins += 1
                if made[body.invite_pk] < last_removal:
                    ledger.late_links.append(record.seq)
            case _:
                pass
        for id_pk in state.membership.members:
            ledger.epochs_of.setdefault(id_pk, set()).add(state.epoch)
        for invite_pk, invite in state.membership.invites.items():
            if invite.door_pk != ZERO_32 and not invite.needs_admit:
                ledger.epochs_of.setdefault(invite_pk, set()).add(state.epoch)
    return ledger


def judge(world: World) -> list[str]:
    """Return everything that is wrong."""
    ledger = ledger_of(world)
    found = [f"the join at {seq} is by a link from before a removal" for seq in ledger.late_links]
    if world.is_busy():
        found.append("it did not come to rest: somebody is behind, wants something, or lacks the key")
    found += _judge_states(world)
    for person in world.people:
        if not person.is_member:
            person.grab()
        found += _judge_keys(world, ledger, person)
        found += _judge_reading(world, person)
    return found


def _judge_states(world: World) -> list[str]:
    whole = agreed(world.server.state)
    found = [f"{p.me.pk.hex()[:8]} has another state" for p in world.people if agreed(p.state) != whole]
    from_ = world.chance.randint(1, len(world.server.log))
    late = RoomState(world.server.state.room_id, world.server.state.server_pk, Kind.PRIVATE)
    for record in world.server.log[:from_]:
        if record.entry.is_control:
            late.apply_early_control(record.seq, record.time_ms, record.entry.raw)
    late.begin_at(from_, world.server.log[from_ - 1].h)
    for record in world.server.log[from_:]:
        late.apply(record.seq, record.time_ms, record.entry.raw)
    return [*found, f"who begins after {from_} has another state"] if agreed(late) != whole else found


def _judge_keys(world: World, ledger: Ledger, person: Person) -> list[str]:
    room_id, is_open = world.server.state.room_id, bool(world.server.state.history)
    names = [person.me.pk, *(keys.invite_pk for keys in person.links)]
    may = set().union(*(ledger.epochs_of.get(name, set()) for name in names))
    found = []
    for e, key in person.ring.held.items():
        if commitment(key, room_id, e) != ledger.commits[e]:
            found.append(f"{person.me.pk.hex()[:8]} holds another key of epoch {e} than the room's")
        if e not in may and not (is_open and e < max(may, default=0)):
            found.append(f"{person.me.pk.hex()[:8]} holds the key of epoch {e}, and was neither in nor had a link")
    return found


def _judge_reading(world: World, person: Person) -> list[str]:
    """What a person can open is exactly what was sealed in epochs whose key he holds."""
    found = []
    for record in world.server.log:
        if record.entry.is_control:
            continue
        opener = person.ring.opener(record.entry.epoch)
        if opener is None:
            continue
        try:
            opener.open(record.entry)
        except SendallError:
            found.append(f"{person.me.pk.hex()[:8]} cannot open the message at {record.seq}")
    return found
