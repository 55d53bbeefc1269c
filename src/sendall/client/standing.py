"""What one identity is in a PRIVATE room, and what is known of the room: asked, never changed, here.

Between `client.room`, which knows no members, and `client.private_room`, which acts. Pure.
"""

from __future__ import annotations

from sendall.client import events as ev
from sendall.client.chronicle import Chronicle
from sendall.client.origin import Origin
from sendall.client.private_following import PrivateFollowing
from sendall.client.room import RoomFollower
from sendall.protocol.entry import Kind, Role
from sendall.protocol.members import Membership


class Standing(RoomFollower):
    """A PRIVATE room, as far as it can be asked about."""

    kind = Kind.PRIVATE
    place_in_log: PrivateFollowing
    _origin: Origin
    names: dict[bytes, str]
    """What members called themselves last, also those who are away; bounded by the members there ever were."""
    """What members who are away called themselves."""

    @property
    def chronicle(self) -> Chronicle:
        return self.place_in_log.chronicle

    @property
    def membership(self) -> Membership:
        return self.log.state.membership

    @property
    def me(self) -> bytes:
        return self._identity.pk

    def knows_link(self, invite_hash: bytes) -> bool:
        """Whether a link leads into this room."""
        door = self._origin.door
        return invite_hash in self.chronicle.invites or (door is not None and door.invite_hash == invite_hash)

    @property
    def is_reading_many(self) -> bool:
        return not self.log.is_caught_up

    @property
    def is_member(self) -> bool:
        return self.me in self.membership.members

    @property
    def is_pending(self) -> bool:
        return self.me in self.membership.pending

    @property
    def is_ready(self) -> bool:
        """Whether this identity is a member, at the head, and holds the current key."""
        return self.is_member and self.log.is_caught_up and self.keys.key(self.log.state.epoch) is not None

    @property
    def is_settled(self) -> bool:
        """Whether a program may go on with the room: it waits to be admitted, or is a member at the head."""
        return (self.is_pending and self.place_in_log.is_foyer_read) or self._is_at_home

    @property
    def _is_at_home(self) -> bool:
        return self.is_member and self.log.is_caught_up and not self.place_in_log.is_foyer and not self.is_beginning

    @property
    def is_beginning(self) -> bool:
        """Whether this program is making the room and its first epoch is yet to come back."""
        return self._origin.genesis is not None and not self.log.state.epoch

    @property
    def is_gone(self) -> bool:
        return self.why_gone is not None

    @property
    def my_role(self) -> Role | None:
        member = self.membership.members.get(self.me)
        return None if member is None else member.role

    @property
    def has_doors(self) -> bool:
        """Whether links of this room open it by themselves, also while no member is online."""
        return not self.chronicle.is_knock

    def nick_of(self, id_pk: bytes) -> str:
        """Return how a person is called in a sentence: the name they gave, and the tag of their key."""
        return f"{self.name_of(id_pk)} ({ev.tag_of(id_pk)})"

    def name_of(self, id_pk: bytes) -> str:
        """Return what a person called themselves last; "?" if that was never heard."""
        return self.people.nicks.get(id_pk) or self.names.get(id_pk, ev.NO_NICK)

    def take_events(self) -> list[ev.Event]:
        told = super().take_events()
        for event in told:
            match event:
                case ev.Message(sender=id_pk, nick=nick) | ev.Came(id_pk, nick) | ev.Named(id_pk, nick):
                    if nick != ev.NO_NICK:
                        self.names[id_pk] = nick
                case _:
                    pass
        return told
