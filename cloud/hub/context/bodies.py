"""What the endpoint of context data reads and answers, as OpenAPI shows it."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body, Query
from cloud.sites.bodies import Identifier, Time

DAYS_MAX = 92  # of one question: a quarter of a year
DEVICES_MAX = 100

# not a named type: the parameters of a query are written out one by one, and a name would point nowhere
TimeText = Annotated[str | None, Field(max_length=20, examples=["2026-11-21T05:30:00Z"])]


class ContextQuery(Query):
    """Which devices, and of which time, half open: by default from a week ago to a week from now."""

    start: TimeText = Field(default=None, alias="from")
    end: TimeText = Field(default=None, alias="to")
    after: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    limit: Annotated[int, Field(ge=1, le=DEVICES_MAX)] = 20


class ContextGapItem(Body):
    """A time that no value covers, half open."""

    start: Time
    end: Time


class ContextHeldItem(Body):
    """What there is of a quantity at a point: whole numbers of `unit`; `until` is when the last of them ends."""

    point: str
    quantity: str
    unit: str
    values: int
    first: Time
    until: Time
    gaps: list[ContextGapItem]


class ContradictionItem(Body):
    """Two words on one time: `noticed_at` is when the second took the first one's place, null where both stand."""

    point: str
    quantity: str
    start: Time
    value_before: int
    value: int
    noticed_at: Time | None


class ContextItem(Body):
    """A device that brings context data, and what it holds in the time asked for."""

    device: Identifier
    name: str
    maker: str | None
    currency: Annotated[str | None, Field(description="of its prices")]
    state: str
    holds: list[ContextHeldItem]
    contradictions: list[ContradictionItem]


class ContextAnswer(Body):
    """A page of context devices; `next` is the `after` of the next page, null on the last."""

    community: Identifier
    start: Time
    end: Time
    devices: list[ContextItem]
    next: Identifier | None
