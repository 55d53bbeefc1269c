"""Every single case in vectors/ is run: whole values are accepted, and each defect is refused.

A file of cases explains its own fields; vectors/README.md says the rest. Whatever file of that form is
dropped in is run, and a kind of case that is not known here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sendall.client.keys import Unreadable, read_plaintext
from sendall.crypto.doors import open_door_grant, seal_door_grant
from sendall.crypto.grants import open_grant
from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.crypto.keylist import pack_keys, unpack_keys
from sendall.crypto.primitives import (
    Aead,
    CannotOpen,
    RsaKey,
    X25519Key,
    is_sane_modulus,
    is_sane_public_key,
    verify,
)
from sendall.crypto.sealing import Opener, Sealer, padded_size
from sendall.errors import Malformed
from sendall.protocol.entry import MIN_SEALED_BODY, Entry, EntryType, parse, signed_context

FOLDER = Path(__file__).parent.parent / "vectors"
FILES = {
    path.stem: json.loads(path.read_text())
    for path in sorted(FOLDER.glob("*.json"))
    if not path.name.startswith("conversation-")  # tests/test_conversation_vectors.py runs those
}
# `Any`: vector files are JSON of a documented shape.
CASES = [(stem, one) for stem, file in FILES.items() for one in file.get("cases", ())]
"""Every case with the name of its file."""

Case = Mapping[str, Any]


def bytes_of(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def opened(do: Callable[[], bytes]) -> bytes | None:
    """Return what opens, None if it does not; anything but CannotOpen is a defect of ours."""
    try:
        return do()
    except CannotOpen:
        return None


def byte_strings(case: Case, *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


# -- how each kind of case is run -------------------------------------------------------------


def run_rsa(file: Case, case: Case) -> None:
    grant, room_id, recipient = byte_strings(case, "grant", "room_id", "recipient")
    rsa = RsaKey.from_pkcs8(bytes.fromhex(file["rsa_private_pkcs8"]), is_own=True)
    assert opened(lambda: pack_keys(open_grant(grant, room_id, recipient, rsa))) == bytes_of(case["keys"])


def run_door(file: Case, case: Case) -> None:
    grant, room_id, invite_pk, secret = byte_strings(case, "grant", "room_id", "invite_pk", "secret")
    link = InviteKeys(secret)
    assert (link.invite_pk, link.door_pk.hex()) == (invite_pk, case["door_pk"])
    assert opened(lambda: pack_keys(open_door_grant(grant, room_id, invite_pk, link.door))) == bytes_of(case["keys"])
    if "eph" in case:
        keys = unpack_keys(bytes.fromhex(case["keys"]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.urandom", lambda _: bytes.fromhex(case["eph"]))
            assert seal_door_grant(room_id, invite_pk, link.door_pk, keys) == grant


def run_no_door(file: Case, case: Case) -> None:
    door_pk = bytes.fromhex(case["door_pk"])
    assert opened(lambda: seal_door_grant(bytes(32), bytes(32), door_pk, {1: bytes(32)})) is None


def run_modulus(file: Case, case: Case) -> None:
    assert is_sane_modulus(bytes.fromhex(case["n"])) is case["sane"]


def run_ed25519_key(file: Case, case: Case) -> None:
    assert is_sane_public_key(bytes.fromhex(case["public"])) is case["sane"]


def run_signature(file: Case, case: Case) -> None:
    public, message, signature = byte_strings(case, "public", "message", "signature")
    assert (is_sane_public_key(public) and verify(public, message, signature)) is case["valid"]


def run_x25519(file: Case, case: Case) -> None:
    private, public = byte_strings(case, "private", "public")
    assert opened(lambda: X25519Key(private).exchange(public)) == bytes_of(case["shared"])


def run_aes_gcm(file: Case, case: Case) -> None:
    key, nonce, aad, sealed = byte_strings(case, "key", "nonce", "aad", "sealed")
    assert opened(lambda: Aead(key).open(nonce, sealed, aad)) == bytes_of(case["plaintext"])
    if case["plaintext"] is not None:
        assert Aead(key).seal(nonce, bytes.fromhex(case["plaintext"]), aad) == sealed


def run_size(file: Case, case: Case) -> None:
    assert padded_size(case["length"] + 1) == case["padded"]


def run_entry(file: Case, case: Case) -> None:
    room_id, raw = bytes.fromhex(file["room_id"]), bytes.fromhex(case["entry"])
    keys = {int(e): bytes.fromhex(key) for e, key in file["epoch_keys"].items()}
    assert judged(raw, room_id, keys) == (case["result"], bytes_of(case["plaintext"]))
    if case["reseals"]:
        entry, author = parse(raw), Identity(bytes.fromhex(file["seeds"][parse(raw).sender.hex()]))
        sealer = Sealer(keys[entry.epoch], room_id, entry.epoch, author.pk, entry.session)
        plaintext = bytes.fromhex(case["plaintext"])
        sealed = sealer.seal(
            EntryType(entry.type),
            entry.n,
            plaintext,
            head_seq=entry.head_seq,
            head_hash=entry.head_hash,
            sign=author.sign,
        )
        assert sealed == raw


def judged(raw: bytes, room_id: bytes, keys: Mapping[int, bytes]) -> tuple[str, bytes | None]:
    """Return what a reader makes of an entry, and its plaintext."""
    entry = parsed(raw)
    if entry is None:
        return "malformed", None
    if not verify(entry.sender, signed_context(room_id, raw[:-64]), raw[-64:]):
        return "bad_sig", None
    plaintext = opened(lambda: Opener(keys[entry.epoch], room_id).open(entry))
    if plaintext is None:
        return "unopened", None
    try:
        read_plaintext(plaintext)
    except Unreadable:
        return "unreadable", plaintext
    return "ok", plaintext


def parsed(raw: bytes) -> Entry | None:
    try:
        entry = parse(raw)
    except Malformed:
        return None
    return entry if len(entry.body) >= MIN_SEALED_BODY else None


RUNS: dict[str, Callable[[Case, Case], None]] = {
    "rsa": run_rsa,
    "door": run_door,
    "no_door": run_no_door,
    "modulus": run_modulus,
    "ed25519_key": run_ed25519_key,
    "signature": run_signature,
    "x25519": run_x25519,
    "aes_gcm": run_aes_gcm,
    "size": run_size,
    "entry": run_entry,
}


# -- the tests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "case"), CASES, ids=[f"{stem}: {case['kind']}: {case['name']}" for stem, case in CASES]
)
def test_each_case_ends_as_it_says(stem: str, case: Case) -> None:
    """What is whole opens, holds or counts; what has a defect does not, and raises nothing else."""
    RUNS[case["kind"]](FILES[stem], case)


@pytest.mark.parametrize("stem", sorted({stem for stem, _ in CASES}))
def test_a_file_of_cases_explains_every_field(stem: str) -> None:
    """So that another language can run it from the file alone."""
    file = FILES[stem]
    assert file["version"] == "sendall-v1"
    used = {field for case in file["cases"] for field in case} | set(file) - {"version", "what", "fields", "cases"}
    assert used == set(file["fields"])


@pytest.mark.parametrize(("kinds", "least"), [({"rsa", "door"}, 40), ({"entry"}, 60), ({"signature"}, 20)])
def test_there_are_enough_cases(kinds: set[str], least: int) -> None:
    """Of each kind, and among them whole ones and defects: a run that finds only one of them shows nothing."""
    cases = [case for _, case in CASES if case["kind"] in kinds]
    assert len(cases) >= least
    whole = [case for case in cases if case.get("keys") or case.get("result") == "ok" or case.get("valid")]
    assert 3 <= len(whole) <= len(cases) - least // 2
