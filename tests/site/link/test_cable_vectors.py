"""The golden messages about V2G cables hold: the site writes and reads exactly these bytes."""

import json
from typing import Any

import pytest

from custom_components.commonwatt.link import verify_compact, verify_detached
from custom_components.commonwatt.wire import (
    WireError,
    digest,
    parse_batch,
    parse_notice,
    parse_permission_change,
    parse_standing,
    parse_visit,
)

from .cable_vectors import (
    BATCH,
    CHANGE,
    NOTICE,
    ONLY_RECORDS,
    PATH,
    SHORT_VISIT,
    STANDING,
    STRANGER,
    VISIT,
    text,
)
from .vectors import PATH as KEYS_PATH

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
KEYS: dict[str, Any] = json.loads(KEYS_PATH.read_text(encoding="utf-8"))


def test_the_site_writes_the_golden_messages_about_cables_to_the_byte() -> None:
    """Canonical bytes, hashes and deterministic signatures have not moved."""
    assert text() == PATH.read_text(encoding="utf-8")


def test_the_site_reads_back_what_was_written_about_cables() -> None:
    """Each text is the same value again."""
    raw = {name: item["text"].encode() for name, item in GOLDEN.items() if name != "rule"}
    assert parse_batch(raw["batch"]) == BATCH
    assert parse_batch(raw["batch_of_records"]) == ONLY_RECORDS
    assert (parse_visit(raw["visit"]), parse_visit(raw["short_visit"])) == (VISIT, SHORT_VISIT)
    assert (parse_standing(raw["standing"]), parse_standing(raw["stranger"])) == (STANDING, STRANGER)
    notice = parse_notice(raw["permission"])
    assert notice == NOTICE
    assert parse_permission_change(notice.body) == CHANGE


@pytest.mark.parametrize(
    ("message", "signer"),
    [
        ("batch", "site_key"),
        ("batch_of_records", "site_key"),
        ("visit", "site_key"),
        ("standing", "cloud_key"),
        ("stranger", "cloud_key"),
    ],
)
def test_messages_about_cables_are_signed_by_who_says_them(message: str, signer: str) -> None:
    """A visit and a batch by the site, a standing by the cloud."""
    golden = GOLDEN[message]
    assert digest(golden["text"].encode()) == golden["sha256"]
    verify_detached(KEYS[signer]["public_key"], golden["signature"], golden["text"].encode())


def test_the_site_verifies_a_change_of_permission() -> None:
    """The notice carries its own payload."""
    payload = verify_compact(KEYS["cloud_key"]["public_key"], GOLDEN["permission"]["compact"])
    assert payload == GOLDEN["permission"]["text"].encode()


def test_a_cable_stands_once_in_an_interval() -> None:
    """Two words about one cable in one interval are none."""
    twice = GOLDEN["batch"]["text"].replace('"cable":"CWC-8","connected":true', '"cable":"CWC-7","connected":true')
    with pytest.raises(WireError, match="names a cable twice"):
        parse_batch(twice.encode())
