"""The golden messages about V2G cables hold on this side too, to the byte."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import pytest

from cloud.wire import (
    Notice,
    compact_parts,
    detached_parts,
    from_base64url,
    parse_batch,
    parse_notice,
    parse_permission_change,
    parse_standing,
    parse_visit,
    to_bytes,
)

VECTORS = Path(__file__).parents[1] / "vectors"
GOLDEN: dict[str, Any] = json.loads((VECTORS / "cable.json").read_text(encoding="utf-8"))
KEYS: dict[str, Any] = json.loads((VECTORS / "batch.json").read_text(encoding="utf-8"))

READERS: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "batch": (parse_batch, "site_key"),
    "batch_of_records": (parse_batch, "site_key"),
    "visit": (parse_visit, "site_key"),
    "short_visit": (parse_visit, "site_key"),
    "standing": (parse_standing, "cloud_key"),
    "stranger": (parse_standing, "cloud_key"),
}


def public_key(name: str) -> Ed25519PublicKey:
    """Return a golden public key."""
    return Ed25519PublicKey.from_public_bytes(from_base64url(KEYS[name]["public_key"], "key"))


@pytest.mark.parametrize("message", READERS)
def test_a_message_about_a_cable_is_read_and_written_again_to_the_byte(message: str) -> None:
    """There is one canonical form; the signature is that of who says it."""
    parse, signer = READERS[message]
    raw = GOLDEN[message]["text"].encode()
    assert to_bytes(parse(raw)) == raw
    _, signed, proof = detached_parts(GOLDEN[message]["signature"], raw)
    public_key(signer).verify(proof, signed)


def test_a_change_of_permission_is_read_and_written_again_to_the_byte() -> None:
    """Within the notice that carries it."""
    raw = GOLDEN["permission"]["text"].encode()
    notice: Notice = parse_notice(raw)
    assert to_bytes(notice) == raw
    change = parse_permission_change(notice.body)
    assert change.plain() == notice.body
    assert change.cables["CWC-7"] == ("denied", "two-places")
    _, payload, signed, proof = compact_parts(GOLDEN["permission"]["compact"])
    assert payload == raw
    public_key("cloud_key").verify(proof, signed)


def test_what_the_site_measured_at_each_cable_comes_over() -> None:
    """Numbers, people and places are those that were sent; what was left out is None."""
    batch = parse_batch(GOLDEN["batch"]["text"].encode())
    assert batch.intervals is not None
    assert [(cable.at, cable.cable, cable.energy_wh, cable.agreement) for cable in batch.intervals.cables] == [
        (0, "CWC-7", -1500, "match"),
        (0, "CWC-8", 0, "match"),
        (1, "CWC-7", -1500, "suspect"),
        (1, "CWC-8", 12, "unknown"),
    ]
    first, last = batch.intervals.cables[0], batch.intervals.cables[-1]
    assert (first.user, first.vehicle, first.place) == ("dora", "JN1AZ0000", (35_681_236, 139_767_125))
    assert (last.connected, last.user, last.place, last.meter_wh) == (False, None, None, None)
    assert [record.cable for record in batch.records] == ["CWC-7", "CWC-8"]
