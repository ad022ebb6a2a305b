"""The golden messages hold on this side too: the cloud reads, hashes and verifies what the site wrote, to the byte."""

import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
import pytest

from cloud.wire import (
    Answer,
    Batch,
    Notice,
    Tree,
    WireError,
    base64url,
    compact_parts,
    detached_parts,
    digest,
    from_base64url,
    parse_answer,
    parse_batch,
    parse_notice,
    parse_tree,
    thumbprint,
    to_bytes,
)

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "batch.json").read_text(encoding="utf-8"))


def public_key(name: str) -> Ed25519PublicKey:
    """Return a golden public key."""
    return Ed25519PublicKey.from_public_bytes(from_base64url(GOLDEN[name]["public_key"], "key"))


@pytest.mark.parametrize("name", ["site_key", "cloud_key"])
def test_a_key_has_its_thumbprint(name: str) -> None:
    """The seed's public key, and the `kid` that both sides derive from it."""
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(GOLDEN[name]["seed_hex"]))
    assert base64url(private.public_key().public_bytes_raw()) == GOLDEN[name]["public_key"]
    assert thumbprint(GOLDEN[name]["public_key"]) == GOLDEN[name]["kid"]


@pytest.mark.parametrize(
    ("message", "signer"),
    [
        ("batch", "site_key"),
        ("amending_batch", "site_key"),
        ("telling_batch", "site_key"),
        ("tree", "site_key"),
        ("answer", "cloud_key"),
    ],
)
def test_a_detached_signature_holds_over_the_raw_bytes(message: str, signer: str) -> None:
    """And over no others: one more space is another message."""
    raw = GOLDEN[message]["text"].encode()
    assert digest(raw) == GOLDEN[message]["sha256"]
    kid, signed, proof = detached_parts(GOLDEN[message]["signature"], raw)
    assert kid == GOLDEN[signer]["kid"]
    public_key(signer).verify(proof, signed)
    _, other, proof = detached_parts(GOLDEN[message]["signature"], raw + b" ")
    with pytest.raises(InvalidSignature):
        public_key(signer).verify(proof, other)


def test_a_compact_notice_carries_its_payload() -> None:
    """The signature is the cloud's own, around the text of the notice."""
    kid, payload, signed, proof = compact_parts(GOLDEN["notice"]["compact"])
    assert kid == GOLDEN["cloud_key"]["kid"]
    assert payload == GOLDEN["notice"]["text"].encode()
    public_key("cloud_key").verify(proof, signed)


def read(message: str) -> Batch | Tree | Answer | Notice:
    """Read a golden message with the parser of its kind."""
    raw = GOLDEN[message]["text"].encode()
    match message:
        case "batch" | "amending_batch" | "telling_batch":
            return parse_batch(raw)
        case "tree":
            return parse_tree(raw)
        case "answer":
            return parse_answer(raw)
    return parse_notice(raw)


@pytest.mark.parametrize("message", ["batch", "amending_batch", "telling_batch", "tree", "answer", "notice"])
def test_a_message_read_and_written_again_is_the_same_to_the_byte(message: str) -> None:
    """There is one canonical form, and both sides write it."""
    assert to_bytes(read(message)).decode() == GOLDEN[message]["text"]


def test_the_answer_is_bound_to_the_batch() -> None:
    """It names the batch's number and the hash of its bytes."""
    batch, answer = read("batch"), read("answer")
    assert isinstance(batch, Batch)
    assert isinstance(answer, Answer)
    assert (answer.site, answer.epoch, answer.seq) == (batch.site, batch.epoch, batch.seq)
    assert answer.hash == GOLDEN["batch"]["sha256"]


def test_a_batch_says_that_it_amends_only_if_it_does() -> None:
    """One that amends nothing is written as before there were amendments; anything but true and false is refused."""
    batch, amending = read("batch"), read("amending_batch")
    assert isinstance(batch, Batch)
    assert isinstance(amending, Batch)
    assert (batch.intervals and batch.intervals.amends, amending.intervals and amending.intervals.amends) == (
        False,
        True,
    )
    assert "amends" not in GOLDEN["batch"]["text"]
    with pytest.raises(WireError, match="neither true nor false"):
        parse_batch(GOLDEN["amending_batch"]["text"].replace('"amends":true', '"amends":1').encode())


def test_telemetry_comes_over_with_its_instants_and_phases() -> None:
    """Whole numbers in small units; a batch that brings none is written as before there was any."""
    telling = read("telling_batch")
    assert isinstance(telling, Batch)
    whole, phase = telling.telemetry
    assert (whole.tap, whole.point, phase.point) == ("T1", "", "l1")
    assert whole.values == {
        "power": 1_000_500,
        "reactive_power": -20_000,
        "power_factor": 980,
        "frequency": 49_987,
        "soc": 55_500,
    }
    assert phase.values == {"voltage": 230_100, "current": -4_350}
    assert phase.at_ms % 1000 == 750
    assert "telemetry" not in GOLDEN["batch"]["text"]


def test_a_newer_site_may_tell_more_than_this_cloud_knows() -> None:
    """A quantity nobody knows here is left out, and the rest stands; half a number is refused."""
    text = GOLDEN["telling_batch"]["text"]
    newer = parse_batch(text.replace('"soc":55500', '"torque":7').encode())
    assert "soc" not in newer.telemetry[0].values
    assert "torque" not in newer.telemetry[0].values
    for wrong in ('"soc":5.5', '"soc":null', '"soc":9007199254740992'):
        with pytest.raises(WireError):
            parse_batch(text.replace('"soc":55500', wrong).encode())
