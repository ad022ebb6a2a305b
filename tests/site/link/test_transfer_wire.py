"""The golden words about taps that change hands hold on the site too: read, refused and written to the byte."""

from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.commonwatt.wire import WireError, digest, to_bytes
from custom_components.commonwatt.wire.transfer import (
    OwnerChange,
    TransferKept,
    parse_owner_change,
    parse_tap_standings,
    parse_transfer_kept,
)

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "transfer.json").read_text())


def test_how_the_taps_stand_is_one_text() -> None:
    """Read and written again it is the same bytes."""
    raw = GOLDEN["standings"]["text"].encode()
    standings = parse_tap_standings(raw)
    assert to_bytes(standings) == raw
    assert digest(raw) == GOLDEN["standings"]["sha256"]
    assert [tap for tap, standing in standings.taps.items() if standing.pending is not None] == ["T3"]


@pytest.mark.parametrize("refused", GOLDEN["standings"]["refused"], ids=lambda case: str(case["where"]))
def test_what_does_not_say_what_it_must_is_refused(refused: dict[str, Any]) -> None:
    """With the name of the member that is wrong."""
    said = json.loads(GOLDEN["standings"]["text"]) | refused["change"]
    with pytest.raises(WireError) as error:
        parse_tap_standings(json.dumps(said).encode())
    assert error.value.where == refused["where"]


def test_a_notice_names_tap_owner_and_boundary() -> None:
    """Read and written again it is the same text."""
    golden = dict(GOLDEN["owner_change"])
    text = golden.pop("text")
    change = parse_owner_change(json.loads(text))
    assert change == OwnerChange(**golden)
    assert to_bytes(change).decode() == text


def test_the_answer_to_a_transfer_says_from_when() -> None:
    """Of all it holds a site needs who, what and when."""
    golden = dict(GOLDEN["kept"])
    text = golden.pop("text")
    assert asdict(parse_transfer_kept(text.encode())) == golden | {"effective_from": None}
    done = text.replace('"effective_from":null', '"effective_from":"2026-11-21T13:00:00Z"')
    assert parse_transfer_kept(done.encode()) == TransferKept(**golden, effective_from=golden["not_before"] + 1800)
