"""Worked examples of every format: what a message says, to the last digit, and what of it cannot be taken."""

from base64 import b64decode
import json
from pathlib import Path
from typing import Any

import pytest

from cloud.hub.formats.book import Book, book_with, codes_of, read
from cloud.hub.formats.builtin import BUILT_IN
from cloud.hub.formats.compiled import compiled
from cloud.hub.formats.definition import Definition
from cloud.hub.formats.document import Document
from cloud.hub.messages.message import Parsed
from cloud.wire import parse_time

VECTORS = Path(__file__).parents[2] / "vectors" / "formats.json"
OURS = book_with(BUILT_IN.values())


def bytes_of(vector: dict[str, Any]) -> bytes:
    """Return the message of an example."""
    if "base64" in vector:
        return b64decode(vector["base64"])
    if "text" in vector:
        return str(vector["text"]).encode()
    return json.dumps(vector["json"]).encode()


def book_of(vector: dict[str, Any]) -> Book:
    """Return the book of an example: ours, and the format it registers."""
    if "definition" not in vector:
        return OURS
    return OURS.with_format(compiled("registered", 1, Definition.model_validate(vector["definition"])))


def taken(vector: dict[str, Any]) -> dict[str, Any]:
    """Return what is read of an example, as it is written down."""
    received_ms = parse_time(vector["received_at"], "received_at") * 1000
    said = read(book_of(vector), bytes_of(vector), received_ms, hint=vector.get("format"))
    if not isinstance(said, Parsed):
        return {"read_by": None, "sent_ms": None, "readings": [], "faults": [_fault(fault) for fault in said]}
    rows = zip(said.rows, said.readings, strict=True)
    return {
        "read_by": said.format,
        "sent_ms": said.sent_ms,
        "readings": [
            [row, each.device, each.point, each.quantity.value, each.measured_ms, each.seconds, each.value, each.timed]
            for row, each in rows
        ],
        "faults": [_fault(fault) for fault in said.faults],
    }


def _fault(fault: Any) -> list[Any]:
    return [fault.row, fault.reason, fault.where, fault.why]


def all_vectors() -> list[dict[str, Any]]:
    """Return the examples."""
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())
    return found


@pytest.mark.parametrize("vector", all_vectors() if VECTORS.exists() else [], ids=lambda vector: vector["name"])
def test_a_message_says_what_stands_beside_it(vector: dict[str, Any]) -> None:
    """Every reading in its unit, at its time, and every fault with its row, reason and place."""
    expected = {name: vector[name] for name in ("read_by", "sent_ms", "readings", "faults")}
    assert taken(vector) == expected


def test_every_format_of_ours_has_an_example_that_is_found_without_its_name() -> None:
    """By what the data look like, or say of themselves; and by one format alone."""
    found = {each for vector in all_vectors() for each in codes_of(book_of(vector), Document(bytes_of(vector)))}
    assert set(BUILT_IN) - found == {"elexon-ssp-csv"}  # which has real days of its own
    assert all(len(codes_of(book_of(vector), Document(bytes_of(vector)))) < 2 for vector in all_vectors())
