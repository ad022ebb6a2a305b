"""What is wrong with a request is said in words that help: the member, and what it must be."""

from typing import Any, Self

from pydantic import BaseModel, ValidationError, model_validator
import pytest

from cloud.endpoint import wrong_members
from cloud.sites.bodies import Time


class Span(BaseModel):
    """From one time to another."""

    start: Time = "2026-11-21T00:00:00Z"
    end: Time = "2026-11-22T00:00:00Z"

    @model_validator(mode="after")
    def _follows(self) -> Self:
        if self.start >= self.end:
            raise ValueError("end does not lie after start")
        return self


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"start": "yesterday"}, "start: must be a time like 2026-11-21T12:00:00Z"),
        ({"end": "2026-11-21T00:00:00Z"}, "query: end does not lie after start"),
        ({"end": 5}, "end: Input should be a valid string"),
    ],
)
def test_a_person_reads_what_is_wrong(data: dict[str, Any], expected: str) -> None:
    """No pattern that only programs read, and none of the library's own words before ours."""
    with pytest.raises(ValidationError) as caught:
        Span.model_validate(data)
    assert wrong_members(caught.value, "query") == expected
