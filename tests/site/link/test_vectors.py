"""The golden messages hold: the site writes, reads, hashes and signs exactly these bytes."""

import json
from typing import Any

from nacl.signing import VerifyKey
import pytest

from custom_components.commonwatt.errors import BadSignature
from custom_components.commonwatt.link import verify_compact, verify_detached
from custom_components.commonwatt.wire import (
    detached_parts,
    digest,
    from_base64url,
    parse_answer,
    parse_batch,
    parse_notice,
    parse_tree,
)

from .vectors import ANSWER, BATCH, NOTICE, PATH, TELLING, TREE, text

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))


def test_the_site_writes_the_golden_messages_to_the_byte() -> None:
    """Canonical bytes, hashes, key thumbprints and deterministic signatures have not moved."""
    assert text() == PATH.read_text(encoding="utf-8")


def test_the_site_reads_back_what_it_wrote() -> None:
    """Each text is the same value again."""
    assert parse_batch(GOLDEN["batch"]["text"].encode()) == BATCH
    assert parse_batch(GOLDEN["telling_batch"]["text"].encode()) == TELLING
    assert parse_tree(GOLDEN["tree"]["text"].encode()) == TREE
    assert parse_answer(GOLDEN["answer"]["text"].encode()) == ANSWER
    assert parse_notice(GOLDEN["notice"]["text"].encode()) == NOTICE


@pytest.mark.parametrize(("message", "signer"), [("batch", "site_key"), ("tree", "site_key"), ("answer", "cloud_key")])
def test_the_site_verifies_them(message: str, signer: str) -> None:
    """The signature holds for these bytes and for no others."""
    golden, public_key = GOLDEN[message], GOLDEN[signer]["public_key"]
    raw = golden["text"].encode()
    assert digest(raw) == golden["sha256"]
    verify_detached(public_key, golden["signature"], raw)
    with pytest.raises(BadSignature):
        verify_detached(public_key, golden["signature"], raw + b" ")


def test_the_site_verifies_the_notice() -> None:
    """The compact form carries its own payload."""
    payload = verify_compact(GOLDEN["cloud_key"]["public_key"], GOLDEN["notice"]["compact"])
    assert payload == GOLDEN["notice"]["text"].encode()


def test_a_second_implementation_verifies_the_golden_batch() -> None:
    """Another library than the one that signed agrees."""
    _, signed, proof = detached_parts(GOLDEN["batch"]["signature"], GOLDEN["batch"]["text"].encode())
    assert VerifyKey(from_base64url(GOLDEN["site_key"]["public_key"], "key")).verify(signed, proof) == signed
