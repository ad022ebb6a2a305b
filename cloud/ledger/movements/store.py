"""Reads what moved an owner's points beside energy off the ledger itself, for statements."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select

from cloud.database import bucket_of
from cloud.ledger.account import FEE, owner_account
from cloud.ledger.cause import PREFIXES, Kind, kind_of, reference_of
from cloud.ledger.store import entry_table, posting_table


@dataclass(frozen=True, slots=True)
class Movement:
    """Points an owner gained (positive) or gave; `fee_micro` is what of it the community keeps (given back: negative).

    `reference` is the name that the list of purchases, vouchers, redemptions or transfers has for it.
    """

    kind: Kind
    at: int
    points_micro: int
    fee_micro: int
    entry: int
    reference: str


def movements(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Movement]:
    """Return what is valued within [start, end) of an owner's account, in the order of the ledger."""
    legs, fees = posting_table.alias("leg"), posting_table.alias("fee")
    leg, fee, e, bucket = legs.c, fees.c, entry_table.c, bucket_of(community)
    same = and_(e.bucket == leg.bucket, e.community == leg.community, e.number == leg.number)
    with_fee = and_(fee.bucket == leg.bucket, fee.community == leg.community, fee.number == leg.number)
    joined = legs.join(entry_table, same)
    joined = joined.outerjoin(fees, and_(with_fee, fee.account == FEE.id))
    rows = select(e.cause, e.valued_at, leg.amount_micro, func.coalesce(fee.amount_micro, 0), e.number)
    rows = rows.select_from(joined).where(leg.bucket == bucket, leg.community == community)
    rows = rows.where(leg.account == owner_account(owner).id, e.valued_at >= start, e.valued_at < end)
    rows = rows.where(or_(*(e.cause.startswith(prefix) for prefix in PREFIXES))).order_by(e.number)
    return [
        Movement(kind, at, int(points_micro), int(fee_micro), number, reference_of(cause))
        for cause, at, points_micro, fee_micro, number in conn.execute(rows)
        if (kind := kind_of(cause)) is not None
    ]
