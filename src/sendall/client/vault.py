"""The vault: what a device keeps about PRIVATE rooms for longer than one program runs.

Which rooms it is in and what they are called, the state each was followed to, the epoch keys, and the
RSA keys that grants are sealed to. Several programs of a user share it. What its methods wrote is on
disk when they return. Everything in its file is sealed under the identity (`vault_file`). Of wrap keys
and epochs it knows nothing but numbers: what is kept, and for how long, is the caller's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from sendall.client.address import callable_name
from sendall.client.events import tag_of
from sendall.client.keyring import identity_changed
from sendall.client.vault_file import Place, VaultFile
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey

_ROOM, _STATE, _KEY, _WRAP, _NAME = b"room", b"state", b"epoch key", b"wrap key", b"name"
_EVERYBODY = b""
"""Owner of the one shelf on which the rooms stand."""
_EPOCH = struct.Struct(">I")
_ID_BYTES = 32
_SEQ = struct.Struct(">Q")
_WRAP_HEAD = struct.Struct(">Q?")


class KnownRoom(NamedTuple):
    """A PRIVATE room that this device is in, or was."""

    name: str
    """Under which it can be called here; no two rooms have the same."""
    address: str
    """`host:port` of its server, where it was met last."""
    server_pk: bytes
    room_id: bytes


class WrapKey(NamedTuple):
    """An RSA key that grants of one room are sealed to."""

    rsa: RsaKey
    made_ms: int
    is_used: bool
    """Whether a grant was opened with it."""


class Vault:
    """What one identity keeps in one folder."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Raises UsageError, as every method does: the file cannot be used, is damaged, or is another identity's."""
        self._file = VaultFile(folder, identity)

    # -- rooms --------------------------------------------------------------------------------

    def rooms(self) -> list[KnownRoom]:
        """Return all known rooms, the first met first."""
        with self._file.view():
            return self._rooms()

    def find(self, name: str) -> KnownRoom | None:
        """Return the room that is known by this name."""
        return next((room for room in self.rooms() if room.name == name), None)

    def remember(self, room: KnownRoom) -> str:
        """Keep a room and return the name under which it is known from now on.

        That is `callable_name(room.name)`, with a tag of the room behind it where another room has the name:
        "ops~k7qd". A room that is known already keeps its name, and only its address is kept anew.

        Raises:
            SecurityAlarm: the room is known as one of another server identity; nothing is changed.
        """
        with self._file.commit():
            rooms = {known.room_id: known for known in self._rooms()}
            known = rooms.get(room.room_id)
            if known is not None and known.server_pk != room.server_pk:
                raise identity_changed(room.address)
            name = _free_name(room, {other.name for other in rooms.values()}) if known is None else known.name
            self._file.put(Place(_ROOM, _EVERYBODY, room.room_id), msgspec.msgpack.encode(room._replace(name=name)))
            return name

    def forget(self, room_id: bytes) -> bool:
        """Overwrite all that is kept of a room: its name, state and keys; return whether it was known."""
        with self._file.commit():
            was_known = self._file.drop(Place(_ROOM, _EVERYBODY, room_id))
            for kind in (_STATE, _KEY, _WRAP, _NAME):
                self._file.clear(kind, room_id)
        self._file.sweep()
        return was_known

    def _rooms(self) -> list[KnownRoom]:
        packed = self._file.shelf(_ROOM, _EVERYBODY)
        return [msgspec.msgpack.decode(one, type=KnownRoom) for one in packed]

    def keep_names(self, room_id: bytes, names: Mapping[bytes, str]) -> None:
        """Keep what members of a room called themselves last, by id; those that are not named stay as they were."""
        with self._file.commit():
            for id_pk, nick in names.items():
                self._file.put(Place(_NAME, room_id, id_pk), id_pk + nick.encode())

    def names(self, room_id: bytes) -> dict[bytes, str]:
        """Return what members of a room called themselves last."""
        with self._file.view():
            kept = self._file.shelf(_NAME, room_id)
        return {packed[:_ID_BYTES]: packed[_ID_BYTES:].decode() for packed in kept}

    # -- state --------------------------------------------------------------------------------

    def save_state(self, room_id: bytes, seq: int, packed: bytes) -> None:
        """Keep the state after `seq`, unless a program of this user has kept a later one."""
        place = Place(_STATE, room_id)
        with self._file.commit():
            kept = self._file.get(place)
            if kept is None or _SEQ.unpack_from(kept)[0] <= seq:
                self._file.put(place, _SEQ.pack(seq) + packed)

    def replace_state(self, room_id: bytes, packed: bytes, seq: int) -> None:
        """Keep the state after `seq`, also where a later one is kept: a restart took entries back."""
        with self._file.commit():
            self._file.put(Place(_STATE, room_id), _SEQ.pack(seq) + packed)

    def state(self, room_id: bytes) -> bytes | None:
        """Return the packed state; None before the first."""
        with self._file.view():
            kept = self._file.get(Place(_STATE, room_id))
        return None if kept is None else kept[_SEQ.size :]

    # -- epoch keys ---------------------------------------------------------------------------

    def keep_keys(self, room_id: bytes, keys: Iterable[tuple[int, bytes]]) -> None:
        """Keep keys by epoch; several for one epoch are kept beside each other until one is settled.

        Durable when it returns: the key of an epoch of one's own must be, before its epoch entry is sent.
        """
        with self._file.commit():
            for e, key in keys:
                place = _key_place(room_id, e, key)
                if self._file.get(place) is None:  # a grant after each reconnection brings the same keys
                    self._file.put(place, _EPOCH.pack(e) + key)

    def keys(self, room_id: bytes) -> dict[int, list[bytes]]:
        """Return all keys by epoch, ascending; the candidates of one epoch in the order in which they came."""
        with self._file.view():
            kept = self._file.shelf(_KEY, room_id)
        found: dict[int, list[bytes]] = {}
        for packed in kept:
            found.setdefault(_EPOCH.unpack_from(packed)[0], []).append(packed[_EPOCH.size :])
        return dict(sorted(found.items()))

    def settle_key(self, room_id: bytes, e: int, key: bytes) -> None:
        """Keep `key` as the only one of epoch `e`: its commitment is known."""
        with self._file.commit():
            for packed in self._file.shelf(_KEY, room_id):
                other = packed[_EPOCH.size :]
                if _EPOCH.unpack_from(packed)[0] == e and other != key:
                    self._file.drop(_key_place(room_id, e, other))
            self._file.put(_key_place(room_id, e, key), _EPOCH.pack(e) + key)

    # -- wrap keys ----------------------------------------------------------------------------

    def wrap_keys(self, room_id: bytes) -> list[WrapKey]:
        """Return the RSA keys of a room, the newest last."""
        with self._file.view():
            kept = self._file.shelf(_WRAP, room_id)
        found = [_unpack_wrap(packed) for packed in kept]
        return sorted(found, key=lambda key: key.made_ms)

    def keep_wrap_key(self, room_id: bytes, rsa: RsaKey, made_ms: int) -> None:
        """Keep an RSA key, not used yet. Durable when it returns, so that its rekey or join may be sent."""
        with self._file.commit():
            self._file.put(Place(_WRAP, room_id, rsa.modulus), _WRAP_HEAD.pack(made_ms, False) + rsa.to_pkcs8())

    def mark_used(self, room_id: bytes, modulus: bytes) -> None:
        """Note that a grant was opened with this key; nothing happens if it is not kept."""
        place = Place(_WRAP, room_id, modulus)
        with self._file.commit():
            kept = self._file.get(place)
            if kept is not None:
                made_ms, _ = _WRAP_HEAD.unpack_from(kept)
                self._file.put(place, _WRAP_HEAD.pack(made_ms, True) + kept[_WRAP_HEAD.size :])

    def drop_wrap_keys(self, room_id: bytes, *, keep: bytes) -> int:
        """Overwrite all RSA keys of a room but the one of this modulus; return how many.

        Nothing is dropped if that one is not kept, so that a room is never left without.
        """
        with self._file.commit():
            moduli = [_unpack_wrap(packed).rsa.modulus for packed in self._file.shelf(_WRAP, room_id)]
            dropped = [modulus for modulus in moduli if modulus != keep] if keep in moduli else []
            for modulus in dropped:
                self._file.drop(Place(_WRAP, room_id, modulus))
        if dropped:
            self._file.sweep()
        return len(dropped)

    # -- the file -----------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child of a fork: open the file anew; the parent's connection stays the parent's."""
        self._file.after_fork()

    def close(self) -> None:
        """May be repeated."""
        self._file.close()


def _key_place(room_id: bytes, e: int, key: bytes) -> Place:
    return Place(_KEY, room_id, _EPOCH.pack(e) + key)


def _unpack_wrap(packed: bytes) -> WrapKey:
    made_ms, is_used = _WRAP_HEAD.unpack_from(packed)
    return WrapKey(RsaKey.from_pkcs8(packed[_WRAP_HEAD.size :], is_own=True), made_ms, is_used)


def _free_name(room: KnownRoom, taken: set[str]) -> str:
    name = callable_name(room.name)
    for free in (name, f"{name}~{tag_of(room.room_id)}"):
        if free not in taken:
            return free
    return f"{name}~{room.room_id.hex()}"
