"""What the endpoints of credit read and answer."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body, Query
from cloud.ledger.account import OWNER_MICRO_MAX
from cloud.sites.bodies import Identifier, Time

type CreditStanding = Annotated[
    Literal["ok", "low", "warning", "cut"],
    Field(description="`warning`: used up by one who pays later; `cut`: used up by one who pays ahead"),
]


class LimitBody(Body):
    """Below what balance an owner is told that it is low, in micro-points."""

    low_balance_micro: Annotated[int, Field(ge=0, le=OWNER_MICRO_MAX)]


class LimitAnswer(LimitBody):
    """The limit as it stands; without an owner it is the community's, for all who have none of their own."""

    community: Identifier
    owner: Identifier | None


class ChangesQuery(Query):
    """A page of changes: `before` is the `next` of the page before."""

    before: int | None = Field(default=None, ge=1)
    limit: int = Field(default=20, ge=1, le=100)


class HeardItem(Body):
    """Since when a site knows, null while it has not acknowledged."""

    site: Identifier
    acknowledged_at: Time | None


class ChangeItem(Body):
    """The credit came to stand otherwise, and what that asked of the owner's sites."""

    number: int
    at: Time
    state: CreditStanding
    asked: Annotated[Literal["cut", "restore"] | None, Field(description="null: it only says how things stand")]
    balance_micro: int
    sites: list[HeardItem]


class CreditAnswer(Body):
    """How an owner's credit stands and stood, the newest change first; `state` is null before the first judgement."""

    owner: Identifier
    prepaid: bool
    balance_micro: int
    low_balance_micro: int
    state: CreditStanding | None
    since: Time | None
    changes: list[ChangeItem]
    next: int | None


class ReportsQuery(Query):
    """A page of reports: those before a time, of the newest first."""

    before: str | None = Field(default=None, max_length=20, examples=["2026-11-21T05:30:00Z"])
    limit: int = Field(default=100, ge=1, le=1000)


class ReportItem(Body):
    """What a site reported of a tap's breaker, in a signed batch, and why it acted."""

    site: Identifier
    tap: Identifier | None
    at: Time
    kind: Literal["cut-off-done", "restore-done", "breaker-failed"]
    reason: str
    epoch: int
    seq: int


class ReportsAnswer(Body):
    """What sites reported of an owner's breakers."""

    reports: list[ReportItem]
