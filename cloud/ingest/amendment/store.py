"""Puts better readings in the place of estimated ones, and keeps what stood."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, literal, select, update

from cloud.database import WHOLE, bucket_of
from cloud.ingest.reading import Reading
from cloud.ingest.readings.store import MEMBERS, reading_table, replaced_reading_table

MEASURED = ("import_wh", "export_wh", "import_register_wh", "export_register_wh", "quality", "epoch", "seq")


def standing(conn: Connection, community: str, site: str, start: int, end: int) -> list[Reading]:
    """Return a site's readings that begin in [start, end)."""
    c = reading_table.c
    rows = select(*(c[name] for name in MEMBERS)).filter_by(bucket=bucket_of(community), community=community, site=site)
    rows = rows.where(c.start >= start, c.start < end)
    return [
        Reading(**{**row, "island": bool(row["island"]), "private": bool(row["private"])})
        for row in conn.execute(rows).mappings()
    ]


def put_in_place(conn: Connection, community: str, readings: Sequence[Reading], now: int) -> None:
    """Let readings of one batch stand where others did, which are kept beside."""
    if not readings:
        return
    c = reading_table.c
    owned = (c.bucket == bucket_of(community), c.community == community, c.site == readings[0].site)
    here = (*owned, c.start == bindparam("at_start"), c.tap == bindparam("at_tap"))
    names = ("bucket", "community", *MEMBERS)
    by = {"by_epoch": readings[0].epoch, "by_seq": readings[0].seq, "replaced_at": now}
    stood = select(*(c[name] for name in names), *(literal(value, WHOLE) for value in by.values())).where(*here)
    places = [{"at_start": item.start, "at_tap": item.tap} for item in readings]
    for place in places:
        conn.execute(insert(replaced_reading_table).from_select([*names, *by], stood), place)
    better = update(reading_table).where(*here).values({name: bindparam(f"new_{name}") for name in MEASURED})
    rows = [{f"new_{name}": getattr(item, name) for name in MEASURED} for item in readings]
    conn.execute(better, [place | row for place, row in zip(places, rows, strict=True)])
