"""docs/protocol.md is normative: what it shows and lists is what the code does."""

from __future__ import annotations

import re

import msgspec
import pytest

from sendall.config import Limits as Settings
from sendall.errors import CloseCode, Code
from sendall.log.roomlog import GRANTS_PER_RECIPIENT
from sendall.protocol import frames as f
from sendall.protocol.entry import MAX_ENTRY, EntryType
from sendall.protocol.verdict import Verdict
from sendall.server.connection import MAX_SIGNAL
from sendall.server.reading import PAGE_BYTES, PAGE_ENTRIES
from tests.docs.exchange import PAGE, filled

LIMITS = Settings()
FRAMES = (
    *(f.Hello, f.Auth, f.Welcome, f.Sub, f.SubOk, f.Make, f.Read, f.Page, f.Unsub, f.Have, f.Want, f.Present),
    *(f.Ping, f.Pong, f.RefusedFrame, f.ErrorFrame),
)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


def test_the_generated_parts_are_up_to_date(page: str) -> None:
    """The diagram is made from the table of turns, the exchange by the real server; `python -m tests.docs.exchange`."""
    assert filled(page) == page


def test_the_exchange_holds_no_chance() -> None:
    """Made twice, it is the same: every value in it can be made again."""
    assert filled(PAGE.read_text()) == filled(PAGE.read_text())


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.__name__)
def test_every_frame_is_described_with_all_its_members(page: str, frame: type[msgspec.Struct]) -> None:
    """Its name, and each member by name, in the sections about the connection and the requests."""
    sections = page[page.index("## 8 Connection") : page.index("## 10 Codes")]
    name = str(frame.__struct_config__.tag)
    assert re.search(rf"`{name}[` ]", sections)
    for field in msgspec.structs.fields(frame):
        assert re.search(rf"[`{{ ]{field.encode_name}[`:,?}} ]", sections), f"{name}.{field.encode_name}"


def test_every_code_is_in_its_table(page: str) -> None:
    """Codes of refusals and errors, close codes, verdicts, entry types."""
    codes = page[page.index("## 10 Codes") : page.index("## 11 Limits")]
    assert [code.value for code in Code if f"`{code.value}`" not in codes] == []
    assert [code.value for code in CloseCode if f"| {code.value} |" not in codes] == []
    assert [verdict.name for verdict in Verdict if not re.search(rf"\b{verdict.name}\b", page)] == []
    assert [type_ for type_ in EntryType if f"| {type_:02x} | {type_.name.lower()} |" not in page] == []


def test_close_codes_say_whether_to_come_back_as_the_code_does(page: str) -> None:
    """A client that follows the page and one that follows the enum do the same."""
    for code in CloseCode:
        (row,) = re.findall(rf"^\| {code.value} \|.*$", page, re.MULTILINE)
        assert ("comes back" in row) is code.reconnects
        assert ("stops" in row) is not code.reconnects


@pytest.mark.parametrize(
    "shown",
    [
        f"{MAX_ENTRY:,} bytes",
        f"{MAX_SIGNAL:,} bytes",
        f"{f.MAX_MESSAGE:,} · {f.MAX_JSON:,} · {f.MAX_BATCH:,} bytes",
        f"{LIMITS.dead_s:.0f} s · {LIMITS.stall_s:.0f} s",
        f"{LIMITS.inflight:,} and 1 MiB",
        f"per member {LIMITS.member_rate:.0f}/s, {LIMITS.member_burst:,} at once",
        f"per room {LIMITS.room_rate:,.0f}/s, {2 * LIMITS.room_rate:,.0f} at once",
        f"per address {LIMITS.address_rate:,.0f}/s, {2 * LIMITS.address_rate:,.0f} at once",
        f"{LIMITS.signal_rate:.0f}/s per connection, {2 * LIMITS.signal_rate:.0f} at once",
        f"{LIMITS.request_rate:.0f}/s per connection, {5 * LIMITS.request_rate:.0f} at once",
        f"{LIMITS.rooms:,} per server · {LIMITS.rooms_per_connection} per connection",
        f"{LIMITS.room_members:,} per room, those who wait included",
        f"{LIMITS.control_rate:.0f}/s per connection, {10 * LIMITS.control_rate:.0f} at once",
        f"joins {LIMITS.join_rate:.0f}/s per room, {100 * LIMITS.join_rate:.0f} at once",
        f"{LIMITS.grant_rate:.0f}/s per connection, {10 * LIMITS.grant_rate:,.0f} at once",
        f"· {GRANTS_PER_RECIPIENT} kept per recipient",
        f"{LIMITS.room_creations_per_hour:.0f} new ones an hour",
        f"{LIMITS.sessions_per_sender:,} per sender and {LIMITS.sessions_per_room:,} per room",
        f"{LIMITS.connections_per_address:,} per address",
        f"{LIMITS.handshakes_per_s:.0f} handshakes a second",
        f"≤ {LIMITS.presence_ids} ids are present",
        f"{PAGE_ENTRIES:,} entries and about {PAGE_BYTES // 1024} KiB · 1,024 keys",
    ],
)
def test_limits_are_those_of_the_settings(page: str, shown: str) -> None:
    """Each default stands in the section about limits."""
    assert shown in page[page.index("## 11 Limits") : page.index("## 12 ")]
