"""What the endpoints of judged periods read and answer, as OpenAPI shows it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.sites.bodies import Identifier, Time, printed
from cloud.wire import Verdict, time_text

NOTE_MAX = 500
# not named types: the parameters of a query are written out one by one, and a name would point nowhere
StateText = Annotated[str | None, Field(pattern=r"^(pending|final|withheld|void)$")]
IdText = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
PlaceText = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/[^/]{1,64}/[^/]{1,64})?$")]

type DecisionNote = Annotated[
    str,
    Field(min_length=1, max_length=NOTE_MAX, examples=["the sub-meter was mounted the wrong way round"]),
    AfterValidator(printed),
]


class PeriodsQuery(Query):
    """A page of judged periods: `after` is the `next` of the page before."""

    cable: IdText = None
    state: StateText = None
    after: PlaceText = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class CommunityPeriodsQuery(PeriodsQuery):
    """As above, also of one site only."""

    site: IdText = None


class PeriodDecisionBody(Body):
    """What an operator or manager makes of a period that has not ended, and why: kept for ever."""

    decision: Literal["release", "void"]
    note: DecisionNote


class JudgedItem(Body):
    """A period of a cable at a site as it is judged.

    `energy_wh` is towards the car, as the cable signed it in `records` records; `claimed_wh` as the site reported it.
    `verdict` and `cause` say whether the meter shows it, `basis` what that was compared with. `utility_wh` and
    `utility_verdict` are what the power provider's readings say. `state`: pending, until a `witness` makes it final;
    withheld, until a person or another witness decides; final; void.
    """

    site: Identifier
    start: Time
    seconds: int
    cable: Identifier
    connected: bool
    energy_wh: int
    claimed_wh: int
    records: int
    meter_wh: int | None
    utility_wh: int | None
    verdict: Verdict
    utility_verdict: Verdict | None
    basis: Literal["consumption", "before", "utility", "none"]
    cause: Literal["none", "waiting", "unsigned", "gap", "scaled", "meter", "utility", "stopped", "pending-cap"]
    witness: Literal["utility", "lookback"] | None
    state: Literal["pending", "final", "withheld", "void"]
    judged_at: Time
    decided_at: Time | None
    decided_by: str | None
    note: str | None


class PeriodsAnswer(Body):
    """A page of judged periods by time, site and cable; `next` is the `after` of the next page, null on the last."""

    periods: list[JudgedItem]
    next: str | None


class PeriodDecisionAnswer(Body):
    """The period as it was decided."""

    period: JudgedItem
    result: Literal["created", "exists"]


SAME = (
    *("site", "seconds", "cable", "energy_wh", "claimed_wh", "records", "meter_wh", "utility_wh", "verdict"),
    *("utility_verdict", "basis", "cause", "witness", "state", "decided_by", "note"),
)


METERS = ("meter_wh", "utility_wh")  # of the host's home: no driver's business


def item_of(row: Any, *, for_driver: bool = False) -> JudgedItem:
    """Return a judged period as it is told."""
    decided_at = None if row.decided_at is None else time_text(row.decided_at)
    times: dict[str, Any] = {
        "start": time_text(row.start),
        "judged_at": time_text(row.judged_at),
        "decided_at": decided_at,
    }
    same: dict[str, Any] = {name: None if for_driver and name in METERS else getattr(row, name) for name in SAME}
    return JudgedItem(**same, **times, connected=bool(row.connected))
