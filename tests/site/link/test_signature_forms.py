"""Signatures have one form each: whatever else can be read the same way is refused before anything is verified."""

import pytest

from custom_components.commonwatt.wire import WireError
from custom_components.commonwatt.wire.signature import (
    base64url,
    compact_header,
    compact_parts,
    detached_header,
    detached_parts,
    from_base64url,
)


@pytest.mark.parametrize(("encoded", "words"), [("A", "is not base64url"), ("AB", "is not canonical")])
def test_bytes_are_written_in_one_way(encoded: str, words: str) -> None:
    """Padding, and bits that nobody reads, would let one signature have many names."""
    with pytest.raises(WireError, match=words):
        from_base64url(encoded, "signature")


@pytest.mark.parametrize("signature", ["one", "a.b.c", "a..b..c", "x" * 5_000])
def test_a_detached_signature_has_two_parts(signature: str) -> None:
    """With nothing between them."""
    with pytest.raises(WireError, match="is not of the form"):
        detached_parts(signature, b"{}")


@pytest.mark.parametrize("message", ["one", "a.b", "a.b.c.d"])
def test_a_compact_signature_has_three_parts(message: str) -> None:
    """Header, payload, signature."""
    with pytest.raises(WireError, match="is not of the form"):
        compact_parts(message)


def test_no_header_but_our_own_is_taken() -> None:
    """Neither another algorithm, nor the header of the other kind."""
    with pytest.raises(WireError, match="other than EdDSA with b64 false"):
        detached_parts(f"{compact_header('key')}..AAAA", b"{}")
    with pytest.raises(WireError, match="other than EdDSA"):
        compact_parts(f"{detached_header('key')}.AAAA.AAAA")
    with pytest.raises(WireError, match="other than EdDSA"):
        compact_parts(f"{base64url(b'{"alg":"none","kid":"key"}')}.AAAA.AAAA")
