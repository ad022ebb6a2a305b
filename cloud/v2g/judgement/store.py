"""Keeps the second judgement: one row for each cable at a site in each period, and what became of it."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Row,
    Table,
    select,
    text,
    tuple_,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata

WAITING = text("cause = 'waiting'")  # as a literal: with a parameter, no planner would use the index

judged_period_table = Table(
    "judged_period",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),  # the host's
    Column("site", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("cable", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("host_owner", TEXT, nullable=False),  # of the tap the cable was plugged in below
    Column("driver_community", TEXT),  # NULL: nobody has registered this cable
    Column("driver", TEXT),
    Column("connected", WHOLE, nullable=False),
    Column("energy_wh", WHOLE, nullable=False),  # towards the car, as the cable signed it; 0 while it signed nothing
    Column("claimed_wh", WHOLE, nullable=False),  # as the site reported it
    Column("records", WHOLE, nullable=False),  # how many signed records the energy is the sum of
    Column("meter_wh", WHOLE),  # by the site
    Column("basis", TEXT, nullable=False),
    Column("utility_wh", WHOLE),  # by the provider, in the span its readings have in common with whole periods
    Column("utility_verdict", TEXT),  # what the provider's readings say, also of what is final already
    Column("verdict", TEXT, nullable=False),
    Column("cause", TEXT, nullable=False),
    Column("witness", TEXT),
    Column("state", TEXT, nullable=False),
    Column("judged_at", WHOLE, nullable=False),
    Column("decided_at", WHOLE),
    Column("decided_by", TEXT),  # NULL: by the rule
    Column("note", TEXT),
    CheckConstraint("verdict IN ('match', 'mismatch', 'suspect', 'unknown')", name="verdict_known"),
    CheckConstraint("basis IN ('consumption', 'before', 'utility', 'none')", name="basis_known"),
    CheckConstraint("utility_verdict IN ('match', 'mismatch', 'suspect', 'unknown')", name="utility_verdict_known"),
    CheckConstraint("state IN ('pending', 'final', 'withheld', 'void')", name="state_known"),
    CheckConstraint(
        "cause IN ('none', 'waiting', 'unsigned', 'gap', 'scaled', 'meter', 'utility', 'stopped', 'pending-cap')",
        name="cause_known",
    ),
    CheckConstraint("witness IN ('utility', 'lookback')", name="witness_known"),
    CheckConstraint("(state IN ('final', 'void')) = (decided_at IS NOT NULL)", name="decided_when_it_ends"),
    CheckConstraint("(driver IS NULL) = (driver_community IS NULL)", name="driver_of_a_community"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_judged_period_state", "bucket", "community", "state", "start"),
    Index("ix_judged_period_cable", "cable", "start"),
    Index("ix_judged_period_driver", "driver_community", "driver", "start"),
    Index(
        "ix_judged_period_waiting",
        *("bucket", "community", "site", "start"),
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    ),
    Index("ix_judged_period_decided_at", "bucket", "community", "decided_at"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which judged periods are asked for: at a community's sites, or of a driver's cables (community and owner)."""

    community: str | None = None
    driver: tuple[str, str] | None = None
    site: str | None = None
    cable: str | None = None
    state: str | None = None


type Decision = Literal["release", "void"]
type NotDecided = Literal["no-period", "ended-otherwise"]
type PagePlace = tuple[int, str, str]  # start, site, cable

DECIDED: dict[Decision, str] = {"release": "final", "void": "void"}


def page(conn: Connection, wanted: Filter, after: PagePlace, limit: int) -> list[Row[Any]]:
    """Return a page of judged periods, by time, site and cable."""
    j = judged_period_table.c
    rows = select(judged_period_table)
    if wanted.community is not None:
        rows = rows.where(j.bucket == bucket_of(wanted.community), j.community == wanted.community)
    if wanted.driver is not None:
        rows = rows.where(j.driver_community == wanted.driver[0], j.driver == wanted.driver[1])
    for name in ("site", "cable", "state"):
        if getattr(wanted, name) is not None:
            rows = rows.where(j[name] == getattr(wanted, name))
    rows = rows.where(tuple_(j.start, j.site, j.cable) > after).order_by(j.start, j.site, j.cable).limit(limit)
    return list(conn.execute(rows))


def period_of(conn: Connection, community: str, site: str, start: int, cable: str) -> Row[Any] | None:
    """Return a judged period."""
    key = {"bucket": bucket_of(community), "community": community, "site": site, "start": start, "cable": cable}
    return conn.execute(select(judged_period_table).filter_by(**key)).one_or_none()


def decide(
    conn: Connection,
    community: str,
    place: tuple[str, int, str],
    decision: Decision,
    *,
    by: str,
    note: str,
    now: int,
) -> tuple[Row[Any], bool] | NotDecided:
    """Release or void a period (site, start, cable) that has not ended; the flag is False where it was so before.

    What the rule made final, or what somebody has decided otherwise, stays.
    """
    before = period_of(conn, community, *place)
    if before is None:
        return "no-period"
    state = DECIDED[decision]
    if before.state in DECIDED.values():
        same = (before.state, before.decided_by, before.note) == (state, by, note)
        return (before, False) if same else "ended-otherwise"
    j = judged_period_table.c
    key = {"bucket": bucket_of(community), "community": community, "site": place[0], "start": place[1]}
    row = update(judged_period_table).filter_by(**key, cable=place[2]).where(j.state.in_(("pending", "withheld")))
    conn.execute(row.values(state=state, decided_at=now, decided_by=by, note=note))
    after = period_of(conn, community, *place)
    assert after is not None
    return (after, True) if after.decided_by == by else "ended-otherwise"
