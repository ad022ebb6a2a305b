"""Reads a whole statement on one snapshot, and every owner's sums for whoever runs the community."""

from sqlalchemy import Connection, func, select

from cloud.database import bucket_of
from cloud.settlement.proof.store import handovers
from cloud.settlement.store import settled_owner_interval_table
from cloud.settlement.sums.store import statement_of
from cloud.sites.store import Community, owners_of

from .laid import Whole
from .sheet import HandOver


def whole(conn: Connection, community: Community, owner: str, period: tuple[int, int], now: int) -> Whole:
    """Return an owner's statement over [start, end), with the taps that came and went."""
    statement, waiting = statement_of(conn, community, owner, period, now)
    taps = [
        HandOver(item.at, item.tap, came=item.came) for item in handovers(conn, community.community, owner, *period)
    ]
    return Whole(statement, waiting, taps)


def wholes(
    conn: Connection, community: Community, period: tuple[int, int], now: int, lines_max: int
) -> list[tuple[str, str, Whole]] | None:
    """Return every owner's statement over [start, end), each with the owner's id and name, by id.

    None where they have more lines than this together: so many are counted, and not read.
    """
    if _lines_of_all(conn, community.community, period) > lines_max:
        return None
    named = owners_of(conn, community.community)
    return [(owner, name, whole(conn, community, owner, period, now)) for owner, name in named.items()]


def _lines_of_all(conn: Connection, community: str, period: tuple[int, int]) -> int:
    start = settled_owner_interval_table.c.start
    rows = select(func.count()).select_from(settled_owner_interval_table)
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    return conn.execute(rows.where(start >= period[0], start < period[1])).scalar_one()
