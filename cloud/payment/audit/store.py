"""Reads every payment of a community and everything the ledger says of payments, for an audit."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, or_, select

from cloud.database import bucket_of
from cloud.ledger.cause import PREFIXES
from cloud.ledger.store import entry_table, posting_table
from cloud.payment.purchases.store import all_purchases
from cloud.payment.redemptions.store import redemption_table
from cloud.payment.transfers.store import transfer_table
from cloud.payment.vouchers.store import voucher_table

from .due import Difference, Moved, Payment, differences, given, passed_on, purchased, redeemed, sums


def payment_differences(conn: Connection, community: str) -> list[Difference]:
    """Return what payments and ledger tell of each other otherwise than it must be."""
    return list(differences(_due(conn, community), sums(_legs(conn, community))))


def _due(conn: Connection, community: str) -> dict[Payment, Moved]:
    key = {"bucket": bucket_of(community), "community": community}
    due: dict[Payment, Moved] = {
        ("purchase", item.purchase): purchased(item.owner, item.credited_micro - item.returned_micro)
        for item in all_purchases(conn, community)
    }
    for row in conn.execute(select(voucher_table).filter_by(**key).where(voucher_table.c.redeemed_by.is_not(None))):
        due["voucher", row.voucher] = given(row.redeemed_by, row.points_micro)
    for row in conn.execute(select(redemption_table).filter_by(**key).where(redemption_table.c.state != "failed")):
        due["redemption", row.redemption] = redeemed(row.owner, row.points_micro, row.fee_micro)
    for row in conn.execute(select(transfer_table).filter_by(**key)):
        due["points_transfer", row.transfer] = passed_on(row.from_owner, row.to_owner, row.points_micro)
    return due


def _legs(conn: Connection, community: str) -> Iterator[tuple[str, str, int]]:
    leg, e = posting_table.c, entry_table.c
    same = and_(e.bucket == leg.bucket, e.community == leg.community, e.number == leg.number)
    rows = select(e.cause, leg.account, leg.amount_micro).select_from(posting_table.join(entry_table, same))
    rows = rows.where(leg.bucket == bucket_of(community), leg.community == community)
    rows = rows.where(or_(*(e.cause.startswith(prefix) for prefix in PREFIXES)))
    yield from (tuple(row) for row in conn.execute(rows))
