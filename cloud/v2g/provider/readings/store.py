"""Keeps a provider's readings of supply points for ever: a correction stands beside what it corrects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    RowMapping,
    Table,
    func,
    select,
    tuple_,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.sites.store import community_of, site_table

supply_reading_table = Table(
    "supply_reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("revision", WHOLE, primary_key=True, autoincrement=False),
    Column("seconds", WHOLE, nullable=False),
    Column("import_wh", WHOLE, nullable=False),
    Column("export_wh", WHOLE, nullable=False),
    Column("provider", TEXT, nullable=False),  # the client that told it
    Column("stored_at", WHOLE, nullable=False),
    CheckConstraint("seconds > 0", name="of_some_time"),
    CheckConstraint("import_wh >= 0 AND export_wh >= 0", name="energy_not_negative"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_supply_reading_stored_at", "stored_at"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class SupplyReading:
    """What a provider read at a site's supply point in [start, start + seconds), in whole Wh each way."""

    site: str
    start: int
    seconds: int
    import_wh: int
    export_wh: int

    @property
    def net_wh(self) -> int:
        """The net import."""
        return self.import_wh - self.export_wh


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A reading as it is kept: which revision of its time it is (the first is 1), and when it was told."""

    reading: SupplyReading
    revision: int
    stored_at: int


@dataclass(frozen=True, slots=True)
class Told:
    """What became of readings: how many are new, correct an earlier one, or stood so already."""

    created: int
    corrected: int
    existed: int


@dataclass(frozen=True, slots=True)
class NoSites:
    """Sites that a community does not have: nothing was kept."""

    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OtherLength:
    """A site and a time of which a reading of another length is kept: nothing of what was told now is."""

    site: str
    start: int
    seconds: int


def add_readings(
    conn: Connection, community: str, readings: Sequence[SupplyReading], *, provider: str, now: int
) -> Told | NoSites | OtherLength | Literal["no-community"]:
    """Keep readings, all or none; what is told again changes nothing, what differs becomes the newest revision."""
    if community_of(conn, community, locked=True) is None:
        return "no-community"
    owned = {"bucket": bucket_of(community), "community": community}
    asked = {reading.site for reading in readings}
    known = conn.execute(select(site_table.c.site).filter_by(**owned).where(site_table.c.site.in_(asked))).scalars()
    if missing := asked - set(known):
        return NoSites(tuple(sorted(missing)))
    newest = _newest(conn, community, readings)
    rows, told = [], {"created": 0, "corrected": 0, "existed": 0}
    for reading in readings:
        before = newest.get((reading.site, reading.start))
        if before is not None and before.reading.seconds != reading.seconds:
            return OtherLength(reading.site, reading.start, before.reading.seconds)
        if before is not None and before.reading == reading:
            told["existed"] += 1
            continue
        told["created" if before is None else "corrected"] += 1
        revision = 1 if before is None else before.revision + 1
        values = {name: getattr(reading, name) for name in ("site", "start", "seconds", "import_wh", "export_wh")}
        rows.append(owned | values | {"revision": revision, "provider": provider, "stored_at": now})
    if rows:
        conn.execute(supply_reading_table.insert(), rows)
    return Told(**told)


def _newest(conn: Connection, community: str, readings: Sequence[SupplyReading]) -> dict[tuple[str, int], KeptReading]:
    c = supply_reading_table.c
    rows = select(supply_reading_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(tuple_(c.site, c.start).in_([(reading.site, reading.start) for reading in readings]))
    found = [_kept(row) for row in conn.execute(rows.order_by(c.site, c.start, c.revision)).mappings()]
    return {(kept.reading.site, kept.reading.start): kept for kept in found}


def _kept(row: RowMapping) -> KeptReading:
    reading = SupplyReading(row["site"], row["start"], row["seconds"], row["import_wh"], row["export_wh"])
    return KeptReading(reading, row["revision"], row["stored_at"])


def readings_between(conn: Connection, community: str, site: str, start: int, end: int) -> list[SupplyReading]:
    """Return the readings of a supply point that lie within a span, the newest revision of each, in order."""
    c = supply_reading_table.c
    rows = select(supply_reading_table).filter_by(bucket=bucket_of(community), community=community, site=site)
    rows = rows.where(c.start >= start, c.start + c.seconds <= end).order_by(c.start, c.revision)
    return [*{row["start"]: _kept(row).reading for row in conn.execute(rows).mappings()}.values()]


def page(
    conn: Connection, community: str, site: str | None, after: tuple[str, int, int], limit: int
) -> list[KeptReading]:
    """Return a page of all revisions of readings, by site, time and revision."""
    c = supply_reading_table.c
    rows = select(supply_reading_table).filter_by(bucket=bucket_of(community), community=community)
    if site is not None:
        rows = rows.filter_by(site=site)
    rows = rows.where(tuple_(c.site, c.start, c.revision) > after)
    return [_kept(row) for row in conn.execute(rows.order_by(c.site, c.start, c.revision).limit(limit)).mappings()]


def told_since(conn: Connection, since: int) -> list[tuple[str, str, int, int, int, int]]:
    """Return what providers told since a time: community, site, first and last start, when last, and how many."""
    c = supply_reading_table.c
    columns = (func.min(c.start), func.max(c.start), func.max(c.stored_at), func.count())
    rows = select(c.community, c.site, *columns).where(c.stored_at >= since)
    found = conn.execute(rows.group_by(c.community, c.site)).tuples()
    return [(str(row[0]), str(row[1]), int(row[2]), int(row[3]), int(row[4]), int(row[5])) for row in found]
