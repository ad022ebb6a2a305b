"""Finds the hosts whose legs are to be looked at, and the periods whose drivers were not paid yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from cloud.database import bucket_of, upsert
from cloud.settlement.correction.store import settled_correction_table
from cloud.settlement.store import settled_interval_table
from cloud.sites.store import community_table
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.records.store import signed_between, signed_record_table
from cloud.v2g.reward.evidence import Period, Record
from cloud.v2g.reward.host.store import Key, period_of, period_with
from cloud.v2g.reward.reward import Rate
from cloud.v2g.reward.store import PERIOD_KEY, host_leg_table, reward_horizon_table, rewarded_period_table
from cloud.v2g.terms.store import v2g_terms_table

LOOK_MAX = 10_000  # rows looked at in one turn; they are small
UNPAID_MAX = 500
CHOICES_MAX = 1000  # looked at for one period: as many as can honestly be needed, many times over


@dataclass(frozen=True, slots=True)
class Horizon:
    """What was decided, or corrected, before these times is dealt with."""

    decided_from: int
    corrected_from: int


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A period that is in its host's leg, and the rate by which its driver is to be paid."""

    period: Period
    rate: Rate


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to do in a host's community; `first_open` is when the first period was decided that is in no leg.

    `legs` are of new periods, `corrected` of intervals that later data changed.
    """

    horizon: Horizon
    legs: list[Key]
    corrected: list[Key]
    unpaid: list[Unpaid]
    first_open: int | None


def active(conn: Connection) -> list[str]:
    """Return the communities that were hosts to a cable, wherever they lie."""
    j, c = judged_period_table.c, community_table.c
    there = select(1).where(j.bucket == c.bucket, j.community == c.community)
    return list(conn.execute(select(c.community).where(there.exists()).order_by(c.community)).scalars())


def look(conn: Connection, community: str) -> Look:
    """Look for everything there is to do in a host's community."""
    horizon = _horizon(conn, community)
    return Look(
        horizon,
        _due(conn, community, horizon.decided_from),
        _corrected(conn, community, horizon.corrected_from),
        _unpaid(conn, community),
        _first_open(conn, community, horizon.decided_from),
    )


def _horizon(conn: Connection, community: str) -> Horizon:
    """Return from when on there may be something to do."""
    row = conn.execute(select(reward_horizon_table).filter_by(**_owned(community))).one_or_none()
    return Horizon(0, 0) if row is None else Horizon(row.decided_from, row.corrected_from)


def set_horizon(conn: Connection, community: str, horizon: Horizon) -> None:
    """Remember from when on there may be something to do."""
    key = _owned(community)
    values = {"decided_from": horizon.decided_from, "corrected_from": horizon.corrected_from}
    upsert(conn, reward_horizon_table, [*key], key | values)


def _due(conn: Connection, community: str, decided_from: int) -> list[Key]:
    """Return the hosts' intervals that are settled and have a final period that is in no leg yet."""
    j, r, i = judged_period_table.c, rewarded_period_table.c, settled_interval_table.c
    same = and_(*(j[name] == r[name] for name in PERIOD_KEY))
    settled = and_(*(j[name] == i[name] for name in ("bucket", "community", "start")))
    joined = judged_period_table.outerjoin(rewarded_period_table, same).join(settled_interval_table, settled)
    rows = select(j.start, j.host_owner).select_from(joined).where(*_open(community, decided_from), r.cable.is_(None))
    found = conn.execute(rows.order_by(j.decided_at, j.start).limit(LOOK_MAX)).tuples()
    return list(dict.fromkeys((int(start), str(host)) for start, host in found))


def _first_open(conn: Connection, community: str, decided_from: int) -> int | None:
    """Return when the first final period was decided that is in no leg yet, settled or not."""
    j, r = judged_period_table.c, rewarded_period_table.c
    same = and_(*(j[name] == r[name] for name in PERIOD_KEY))
    rows = select(func.min(j.decided_at)).select_from(judged_period_table.outerjoin(rewarded_period_table, same))
    first: int | None = conn.execute(rows.where(*_open(community, decided_from), r.cable.is_(None))).scalar_one()
    return first


def _open(community: str, decided_from: int) -> tuple[ColumnElement[bool], ...]:
    """Select what is final and under terms: before a community has set any, no cable's energy has a price."""
    j, t = judged_period_table.c, v2g_terms_table.c
    first_terms = select(func.min(t.valid_from)).where(t.bucket == j.bucket, t.community == j.community)
    mine = j.bucket == bucket_of(community), j.community == community
    return *mine, j.decided_at >= decided_from, j.state == "final", j.start >= first_terms.scalar_subquery()


def _corrected(conn: Connection, community: str, corrected_from: int) -> list[Key]:
    """Return the hosts' intervals that were corrected by later data after their leg was worked out."""
    c, leg, later = settled_correction_table.c, host_leg_table.c, host_leg_table.alias().c
    same = and_(*(leg[name] == c[name] for name in ("bucket", "community", "start")))
    looked = select(1).where(
        *(later[name] == leg[name] for name in ("bucket", "community", "start", "host")),
        later.settled_revision >= c.revision,
    )
    rows = select(c.start, leg.host).distinct().select_from(settled_correction_table.join(host_leg_table, same))
    rows = rows.where(c.bucket == bucket_of(community), c.community == community, c.made_at >= corrected_from)
    rows = rows.where(~looked.exists()).order_by(c.start, leg.host).limit(LOOK_MAX)
    return [(int(start), str(host)) for start, host in conn.execute(rows).tuples()]


def periods_of(conn: Connection, community: str, key: Key) -> list[Period]:
    """Return the final periods of a host's interval that are in no leg yet, each with its signed records.

    The records lie in the buckets of their cables; they are never altered, so they may be read before.
    """
    j, r = judged_period_table.c, rewarded_period_table.c
    same = and_(*(j[name] == r[name] for name in PERIOD_KEY))
    rows = select(judged_period_table).select_from(judged_period_table.outerjoin(rewarded_period_table, same))
    rows = rows.where(*_open(community, 0), j.start == key[0], j.host_owner == key[1], r.cable.is_(None))
    return [_period(conn, row) for row in conn.execute(rows.order_by(j.site, j.cable)).all()]


def _period(conn: Connection, row: Row[Any]) -> Period:
    records = records_of(conn, row.cable, row.site, (row.start, row.start + row.seconds))
    return period_with(row, row.host_owner, _judged(records, row))


def records_of(conn: Connection, cable: str, site: str, time: tuple[int, int]) -> list[tuple[Record, int]]:
    """Return what a cable signed at a site in [start, end), and when each record came.

    Those count that lie in the time whole and name the site, as they do for who judges.
    """
    signed = [
        item
        for item in signed_between(conn, cable, *time)
        if item.site == site and item.start >= time[0] and item.end <= time[1]
    ]
    s = signed_record_table.c
    rows = select(s.number, s.stored_at).filter_by(bucket=bucket_of(cable), cable=cable)
    stored_at = dict(conn.execute(rows.where(s.number.in_([item.number for item in signed]))).tuples().all())
    return [
        (Record(item.number, item.payload_hash, item.import_wh, item.export_wh), stored_at[item.number])
        for item in signed
    ]


def _judged(records: Sequence[tuple[Record, int]], row: Row[Any]) -> tuple[Record, ...]:
    """Return the records a period was judged by: what came after it had ended changes nothing any more.

    They are as many as were judged and add up to what was judged, those that came first if several do: a record may
    bear a time before the period's end and have been committed after it.
    """
    ordered = sorted(records, key=lambda item: (item[1], item[0].number))
    choices: Iterator[tuple[Record, ...]] = combinations([record for record, _ in ordered], row.records)
    for chosen in islice(choices, CHOICES_MAX):
        if sum(record.import_wh - record.export_wh for record in chosen) == row.energy_wh:
            return chosen
    return tuple(record for record, _ in records)


def _unpaid(conn: Connection, community: str) -> list[Unpaid]:
    """Return periods that are in a leg of this host's community and whose drivers were not paid yet."""
    rows = select(rewarded_period_table).filter_by(**_owned(community), rewarded_at=None)
    found: Sequence[Row[Any]] = conn.execute(
        rows.where(rewarded_period_table.c.driver.is_not(None))
        .order_by(rewarded_period_table.c.start, rewarded_period_table.c.site, rewarded_period_table.c.cable)
        .limit(UNPAID_MAX)
    ).all()
    return [Unpaid(period_of(row), Rate(row.base_micro, row.price_micro_per_wh)) for row in found]


def mark_paid(conn: Connection, period: Period, now: int) -> None:
    """Note in the host's community that the driver's side is done."""
    rows = update(rewarded_period_table).filter_by(
        **_owned(period.community), site=period.site, start=period.start, cable=period.cable, rewarded_at=None
    )
    conn.execute(rows.values(rewarded_at=now))


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
