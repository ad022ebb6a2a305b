"""The golden notice of credit: what the cloud writes is the same on both sides, to the byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from cloud.wire import WireError, to_bytes
from cloud.wire.credit import Credit, OwnerCredit, breaker_detail, parse_breaker_detail, parse_credit

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "credit.json").read_text())


def test_the_golden_notice_is_read_and_written() -> None:
    """Its text is these values, and these values are its text."""
    credit = Credit({owner: OwnerCredit(*members) for owner, members in GOLDEN["owners"].items()})
    assert parse_credit(json.loads(GOLDEN["text"])) == credit
    assert to_bytes(credit).decode() == GOLDEN["text"]


@pytest.mark.parametrize("body", GOLDEN["refused"], ids=json.dumps)
def test_a_body_that_says_something_else_is_refused(body: Any) -> None:
    """Nothing is guessed, for somebody would be dark for it."""
    with pytest.raises(WireError):
        parse_credit(body)


def test_an_incident_of_a_breaker_names_owner_and_reason() -> None:
    """And one that does not is refused."""
    golden = GOLDEN["incident"]
    assert breaker_detail(golden["owner"], golden["reason"]) == golden["detail"]
    assert parse_breaker_detail(golden["detail"]) == (golden["owner"], golden["reason"])
    for detail in ("ben", "", "b/n cut"):
        with pytest.raises(WireError):
            parse_breaker_detail(detail)
