"""Keeps corrections for power providers: numbered without gaps in each community, and only ever added."""

import json
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Row,
    Table,
    UniqueConstraint,
    func,
    select,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.ingest.readings.store import reading_table
from cloud.v2g.reward.evidence import read_records
from cloud.v2g.reward.store import rewarded_period_table

from .correction import Correction, Supply

supply_correction_table = Table(
    "supply_correction",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("site", TEXT, nullable=False),
    Column("start", WHOLE, nullable=False),
    Column("seconds", WHOLE, nullable=False),
    Column("revision", WHOLE, nullable=False),
    Column("meter_import_wh", WHOLE),
    Column("meter_export_wh", WHOLE),
    Column("cable_import_wh", WHOLE, nullable=False),
    Column("cable_export_wh", WHOLE, nullable=False),
    Column("cables", TEXT, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("number > 0 AND revision >= 0", name="counted"),
    CheckConstraint("(meter_import_wh IS NULL) = (meter_export_wh IS NULL)", name="meter_whole"),
    UniqueConstraint("bucket", "community", "site", "start", "revision"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


def add_supply(conn: Connection, community: str, site: str, start: int, now: int) -> bool:
    """Add what there is to tell of a supply point and an interval now, unless it was told; whether it was added.

    The caller keeps others off the community: numbers are given one after another.
    """
    found = _supply(conn, community, site, start)
    if found is None:
        return False
    seconds, supply = found
    c, owned = supply_correction_table.c, _owned(community)
    last = select(supply_correction_table).filter_by(**owned, site=site, start=start).order_by(c.revision.desc())
    before = conn.execute(last.limit(1)).one_or_none()
    if before is not None and _correction(before).supply == supply:
        return False
    newest = conn.execute(select(func.coalesce(func.max(c.number), 0)).filter_by(**owned)).scalar_one()
    values = {
        "number": newest + 1,
        "site": site,
        "start": start,
        "seconds": seconds,
        "revision": 0 if before is None else before.revision + 1,
        "meter_import_wh": supply.meter_import_wh,
        "meter_export_wh": supply.meter_export_wh,
        "cable_import_wh": supply.cable_import_wh,
        "cable_export_wh": supply.cable_export_wh,
        "cables": json.dumps(supply.cables),
        "made_at": now,
    }
    conn.execute(supply_correction_table.insert().values(owned | values))
    return True


def _supply(conn: Connection, community: str, site: str, start: int) -> tuple[int, Supply] | None:
    owned = _owned(community) | {"site": site, "start": start}
    periods = conn.execute(select(rewarded_period_table).filter_by(**owned)).all()
    if not periods:
        return None
    records = [record for period in periods for record in read_records(period.records)]
    r = reading_table.c
    rows = select(func.sum(r.import_wh), func.sum(r.export_wh)).filter_by(**owned, island=0)
    imported, exported = conn.execute(rows.where(r.upstream_owner.is_(None))).one()
    return max(period.seconds for period in periods), Supply(
        meter_import_wh=None if imported is None else int(imported),
        meter_export_wh=None if exported is None else int(exported),
        cable_import_wh=sum(record.import_wh for record in records),
        cable_export_wh=sum(record.export_wh for record in records),
        cables=tuple(sorted({period.cable for period in periods})),
    )


def corrections_after(conn: Connection, community: str, after: int, limit: int) -> list[Correction]:
    """Return the corrections numbered above `after`, in order."""
    rows = select(supply_correction_table).filter_by(**_owned(community))
    rows = rows.where(supply_correction_table.c.number > after).order_by(supply_correction_table.c.number)
    return [_correction(row) for row in conn.execute(rows.limit(limit))]


def _correction(row: Row[Any]) -> Correction:
    supply = Supply(
        meter_import_wh=row.meter_import_wh,
        meter_export_wh=row.meter_export_wh,
        cable_import_wh=row.cable_import_wh,
        cable_export_wh=row.cable_export_wh,
        cables=tuple(json.loads(row.cables)),
    )
    return Correction(row.community, row.number, row.site, row.start, row.seconds, row.revision, supply, row.made_at)


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
