"""What the endpoints of a site's permission read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.sites.bodies import Identifier, Time, printed
from cloud.wire import time_text
from cloud.wire.cable import Cause

from .rule import SiteStanding
from .store import Flag

NOTE_MAX = 500

type FlagNote = Annotated[
    str,
    Field(min_length=1, max_length=NOTE_MAX, examples=["the electrician has mended the meter's wiring"]),
    AfterValidator(printed),
]
type SiteAllows = Literal["allowed", "charge_only", "denied"]


class FlagBody(Body):
    """What a site's cables may do from now on, and why: kept for ever. `allowed` lifts a flag."""

    permission: SiteAllows
    note: FlagNote


class PermissionLiftBody(Body):
    """Why a site may be trusted again: kept for ever."""

    note: FlagNote


class FlagItem(Body):
    """A flag as it was set: by the cloud's judgement, with the periods that spoke against the site, or by a person."""

    number: int
    permission: SiteAllows
    cause: Cause
    set_at: Time
    set_by: Annotated[str, Field(description="`cloud`, or the client of a person")]
    note: str | None
    evidence: Annotated[list[Time], Field(description="starts of periods")]


class HistoryQuery(Query):
    """A page of the history, the newest first: what was before the number that is the page before's `next`."""

    before: Annotated[int | None, Field(ge=1)] = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class PermissionAnswer(Body):
    """What a site lets any cable do now, by its flag and by its grid equipment, and all the flags there ever were.

    A cable may do less: for its own state, or because it says to be elsewhere.
    """

    site: Identifier
    permission: SiteAllows
    cause: Cause
    since: Time | None
    history: list[FlagItem]
    next: int | None


class FlagAnswer(Body):
    """The flag as it stands."""

    site: Identifier
    flag: FlagItem
    result: Literal["created", "exists"]


def item_of(flag: Flag) -> FlagItem:
    """Return a flag as it is told."""
    return FlagItem(
        number=flag.number,
        permission=flag.permission,
        cause=flag.cause,
        set_at=time_text(flag.set_at),
        set_by=flag.set_by,
        note=flag.note,
        evidence=[time_text(start) for start in flag.evidence],
    )


def answer_of(site: str, stands: SiteStanding, flags: list[Flag], following: int | None) -> PermissionAnswer:
    """Return how a site stands, with a page of its flags."""
    return PermissionAnswer(
        site=site,
        permission=stands.permission,
        cause=stands.cause,
        since=time_text(stands.since) if stands.since else None,
        history=[item_of(flag) for flag in flags],
        next=following,
    )
