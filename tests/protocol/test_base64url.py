"""Binary values as text: one spelling each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.protocol.base64url import from_base64, to_base64


@given(st.binary())
def test_base64url_survives(value: bytes) -> None:
    """Any bytes, without padding, in the URL-safe alphabet."""
    text = to_base64(value)
    assert from_base64(text) == value
    assert not set(text) & set("+/=")


@given(st.text(alphabet="AB_-+/=ghQ\n é", max_size=12))
def test_bytes_have_one_base64url(text: str) -> None:
    """What decodes encodes to the same text: no padding, other alphabets or stray bits."""
    try:
        value = from_base64(text)
    except ValueError:
        return
    assert to_base64(value) == text


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+/A", "AA A", "AA\n", "é", 7, None, b"AA"])
def test_what_is_no_canonical_base64url_is_refused(text: object) -> None:
    """Padding, stray bits, lengths that cannot be, other alphabets, other types."""
    with pytest.raises(ValueError, match="base64url"):
        from_base64(text)
