"""Reads a whole statement on one snapshot, and every owner's sums for whoever runs the community."""

from sqlalchemy import Connection

from cloud.settlement.proof.store import handovers
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


def wholes(conn: Connection, community: Community, period: tuple[int, int], now: int) -> list[tuple[str, str, Whole]]:
    """Return every owner's statement over [start, end), each with the owner's id and name, by id."""
    named = owners_of(conn, community.community)
    return [(owner, name, whole(conn, community, owner, period, now)) for owner, name in named.items()]
