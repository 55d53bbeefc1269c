from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from sendall.errors import Malformed
from sendall.protocol import frames as f
from sendall.protocol.turns import TURNS, FrameType, Side, State, after, diagram

FRAMES: tuple[FrameType, ...] = tuple(
    dict.fromkeys((*get_args(f.FromClient), *get_args(f.FromServer), f.Post, f.Logged, f.Shown, f.GrantFrame))
)

ALLOWED: dict[tuple[State, Side], dict[FrameType, State]] = {
    (State.GREETING, Side.SERVER): {f.Hello: State.PROVING},
    (State.PROVING, Side.CLIENT): {f.Auth: State.WELCOMING},
    (State.WELCOMING, Side.SERVER): {f.Welcome: State.OPEN, f.ErrorFrame: State.CLOSED},
    (State.OPEN, Side.CLIENT): dict.fromkeys(
        (f.Sub, f.Make, f.Read, f.Unsub, f.Have, f.Want, f.Ping, f.Pong, f.Post, f.GrantFrame), State.OPEN
    ),
    (State.OPEN, Side.SERVER): dict.fromkeys(
        (
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
        ),
        State.OPEN,
    ),
}


@pytest.mark.parametrize(("state", "side"), [*product(State, Side)], ids=lambda part: part.value)
def test_each_side_says_what_it_may_and_nothing_else(state: State, side: Side) -> None:
    """Every state, side and frame: the table allows exactly what the specification lists."""
    allowed = ALLOWED.get((state, side), {})
    for frame in FRAMES:
        if frame in allowed:
            assert after(state, side, frame) is allowed[frame]
        else:
            with pytest.raises(Malformed, match=f"{frame.__name__.lower()} from the {side.value}"):
                after(state, side, frame)


@pytest.mark.parametrize(
    ("side", "frames"),
    [
        (Side.CLIENT, (*get_args(f.FromClient), f.Post, f.GrantFrame)),
        (Side.SERVER, (*get_args(f.FromServer), f.Logged)),
    ],
    ids=["client", "server"],
)
def test_every_frame_has_its_turn_somewhere(side: Side, frames: tuple[FrameType, ...]) -> None:
    """A frame that nobody may ever send would be dead weight."""
    said = {frame for sides in TURNS.values() for frame in sides.get(side, {})}
    assert set(frames) <= said


def test_nothing_is_said_after_the_end() -> None:
    """CLOSED is final, and every other state leads to it or onwards."""
    assert TURNS[State.CLOSED] == {}
    assert set(TURNS) == set(State)


def test_the_diagram_shows_every_transition() -> None:
    """The picture in docs/protocol.md is made from the table, so it says all of it."""
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    for state, sides in TURNS.items():
        for side, turns in sides.items():
            for frame, following in turns.items():
                arrow = f"    {state.value} --> {following.value}: {side.value} "
                assert any(line.startswith(arrow) and frame.__name__ in line.split(": ")[1] for line in lines)
