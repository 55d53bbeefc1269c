"""The grammar of a connection: who may say what, when, as one table.

The diagram in docs/protocol.md and the exhaustive test are made from it; sessions on both sides ask
it and hold no other notion of whose turn it is. Pure.
"""

from __future__ import annotations

import enum

from sendall.errors import Malformed
from sendall.protocol import frames as f


class Side(enum.Enum):
    CLIENT = "client"
    SERVER = "server"


class State(enum.Enum):
    GREETING = "greeting"
    """Connected; the server says hello."""
    PROVING = "proving"
    """The client proves its identity."""
    WELCOMING = "welcoming"
    """The server proves its own."""
    OPEN = "open"
    CLOSED = "closed"


FrameType = type[f.FromClient] | type[f.FromServer] | type[f.Post] | type[f.Logged] | type[f.Shown] | type[f.GrantFrame]

_ASKS: tuple[FrameType, ...] = (f.Sub, f.Make, f.Read, f.Unsub, f.Have, f.Want, f.Ping, f.Pong, f.Post, f.GrantFrame)
_TELLS: tuple[FrameType, ...] = (
    f.SubOk,
    f.Page,
    f.Present,
    f.Want,
    f.RefusedFrame,
    f.ErrorFrame,
    f.Ping,
    f.Pong,
    f.Logged,
    f.Shown,
    f.GrantFrame,
)

TURNS: dict[State, dict[Side, dict[FrameType, State]]] = {
    State.GREETING: {Side.SERVER: {f.Hello: State.PROVING}},
    State.PROVING: {Side.CLIENT: {f.Auth: State.WELCOMING}},
    State.WELCOMING: {Side.SERVER: {f.Welcome: State.OPEN, f.ErrorFrame: State.CLOSED}},
    State.OPEN: {
        Side.CLIENT: dict.fromkeys(_ASKS, State.OPEN),
        Side.SERVER: dict.fromkeys(_TELLS, State.OPEN),
    },
    State.CLOSED: {},
}


def after(state: State, side: Side, frame: FrameType) -> State:
    """Return the state after `side` said `frame`.

    Raises:
        Malformed: it is not its turn to say that.
    """
    try:
        return TURNS[state][side][frame]
    except KeyError:
        raise Malformed(f"{frame.__name__.lower()} from the {side.value} while {state.value}") from None


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for docs/protocol.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.GREETING.value}"]
    for state, sides in TURNS.items():
        for side, turns in sides.items():
            by_next: dict[State, list[str]] = {}
            for frame, following in turns.items():
                by_next.setdefault(following, []).append(frame.__name__)
            for following, names in by_next.items():
                lines.append(f"    {state.value} --> {following.value}: {side.value} {', '.join(names)}")
    return "\n".join(lines)
