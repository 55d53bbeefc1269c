"""How the commands of PRIVATE rooms are written: `/invite --uses 3`, `/kick bob`. Pure.

A name is whatever stands where WHO stands, spaces and all: nothing needs quotes. What a command does is
`doing`'s. A line that is none of these is the caller's; see `parse`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sendall.errors import UsageError
from sendall.protocol.entry import Role

DAY_S = 86_400.0
EVER = "ever"
"""`--for ever`: the link has no end."""
DEFAULT = "default"
"""Who is meant by `/role default reader`: whoever joins from now on."""
ROLES = {"admin": Role.ADMIN, "member": Role.MEMBER, "reader": Role.READER}
MAX_USES = 65_535
MAX_LIFETIME_S = 3650 * DAY_S
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY_S}


@dataclass(frozen=True)
class Invite:
    """Make a link into the room."""

    uses: int = 1
    """How many may join by it; 0: no limit."""
    lifetime_s: float | None = DAY_S
    """None: no end."""
    approve: bool = False
    """An admin lets in who follows it."""


@dataclass(frozen=True)
class Kick:
    """Remove members, or who waits."""

    who: tuple[str, ...]


@dataclass(frozen=True)
class Admit:
    """Let somebody in who waits."""

    who: str


@dataclass(frozen=True)
class SetRole:
    """Give a role."""

    who: str | None
    """None: to whoever joins from now on."""
    role: Role


@dataclass(frozen=True)
class Members:
    """List all members, present or not."""


@dataclass(frozen=True)
class Code:
    """Show the room's eight words."""


@dataclass(frozen=True)
class Leave:
    """Be a member no longer."""


@dataclass(frozen=True)
class Rotate:
    """Give the room a new key."""


@dataclass(frozen=True)
class Lock:
    """Revoke all open links."""


Command = Invite | Kick | Admit | SetRole | Members | Code | Leave | Rotate | Lock


class Spelling(NamedTuple):
    """How one command is written."""

    usage: str
    """What stands after its name; in brackets what may be left out."""
    summary: str
    read: Callable[[str], Command]
    """Makes the command of what stands after its name. Raises UsageError without a hint."""

    @property
    def takes_nothing(self) -> bool:
        return not self.usage


def parse(line: str) -> Command:
    """Return the command that a line asks for: `/kick bob`, with or without white space around.

    Raises:
        UsageError: there is no such command, or what stands after its name is wrong; the hint says how it goes.
    """
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    spelling = SPELLINGS.get(name.lower())
    if spelling is None:
        raise no_command(name, SPELLINGS)
    rest = rest.strip()
    try:
        if spelling.takes_nothing and rest:
            raise UsageError(f"/{name} takes nothing after it, and there is {rest!r}")
        return spelling.read(rest)
    except UsageError as error:
        raise UsageError(str(error), hint=f"{written(name.lower())}: {spelling.summary}") from None


def no_command(name: str, known: Iterable[str]) -> UsageError:
    """Return what to say of a line that begins with a slash and is no command; the hint names the nearest."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    meant = f"did you mean /{near[0]}? " if near else ""
    return UsageError(f"/{name} is no command", hint=f"{meant}/help lists them, //{name} sends it as text")


def written(name: str) -> str:
    """Return a command as it is typed, `/kick WHO`."""
    return f"/{name} {SPELLINGS[name].usage}".rstrip()


def help_rows() -> list[tuple[str, str]]:
    """Return (how it is typed, what it does) of every command."""
    return [(written(name), spelling.summary) for name, spelling in SPELLINGS.items()]


def lifetime(text: str) -> float | None:
    """Return seconds for `90m`, `24h`, `7d`; None for `ever`.

    Raises:
        UsageError: none of these.
    """
    if text == EVER:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < seconds <= MAX_LIFETIME_S:
        raise UsageError(f"{text!r} is no lifetime of a link: 90m, 24h, 7d, at most ten years, or {EVER!r}")
    return seconds


def uses(text: str) -> int:
    """Return how many may join by a link; 0 means no limit.

    Raises:
        UsageError: no whole number from 0 to 65,535.
    """
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > MAX_USES:
        raise UsageError(f"{text!r} is no number of uses: 1 to {MAX_USES:,}, or 0 for no limit")
    return int(text)


def role(text: str) -> Role:
    """Return the role of that name.

    Raises:
        UsageError: there is none.
    """
    if text.lower() not in ROLES:
        raise UsageError(f"{text!r} is no role: admin, member or reader")
    return ROLES[text.lower()]


# -- one reader a command -------------------------------------------------------------------------


def _read_invite(rest: str) -> Command:
    words = [part for word in rest.split() for part in _split(word)]
    made = Invite()
    while words:
        match words:
            case ["--approve", *words]:
                made = Invite(made.uses, made.lifetime_s, approve=True)
            case ["--uses", value, *words]:
                made = Invite(uses(value), made.lifetime_s, approve=made.approve)
            case ["--for", value, *words]:
                made = Invite(made.uses, lifetime(value), approve=made.approve)
            case ["--uses" | "--for" as option]:
                raise UsageError(f"{option} needs a value")
            case _:
                raise UsageError(f"{words[0]!r} is no option of /invite")
    return made


def _split(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    return [name, value] if equals and name.startswith("--") else [word]


def _read_kick(rest: str) -> Command:
    return Kick((_who(rest),))


def _read_admit(rest: str) -> Command:
    return Admit(_who(rest))


def _read_role(rest: str) -> Command:
    who, _, name = rest.rpartition(" ")
    given = role(name) if name else None
    if given is None or not who.strip():
        raise UsageError("it needs a member and a role")
    return SetRole(None if who.strip().lower() == DEFAULT else who.strip(), given)


def _who(rest: str) -> str:
    if not rest:
        raise UsageError("it needs to know whom")
    return rest


SPELLINGS = {
    "invite": Spelling("[--uses N] [--for 24h] [--approve]", "make a link into the room", _read_invite),
    "kick": Spelling("WHO", "remove somebody: new key, and all links end", _read_kick),
    "admit": Spelling("WHO", "let somebody in who waits", _read_admit),
    "role": Spelling("WHO admin|member|reader", "give a role; `default` is whoever joins from now on", _read_role),
    "members": Spelling("", "all members, with eight words each to compare", lambda _: Members()),
    "code": Spelling("", "the room's eight words: who compares them has verified everybody", lambda _: Code()),
    "leave": Spelling("", "be a member no longer; to come back takes a new link", lambda _: Leave()),
    "rotate": Spelling("", "give the room a new key", lambda _: Rotate()),
    "lock": Spelling("", "revoke all open links", lambda _: Lock()),
}
