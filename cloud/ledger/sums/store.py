"""Adds up the ledger's stored rows, for statements and for whoever asks for proof."""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, case, func, select

from cloud.database import bucket_of
from cloud.ledger.store import account_table, entry_table, posting_table


@dataclass(frozen=True, slots=True)
class Sums:
    """What the stored rows of a community's ledger add up to.

    In a sound ledger `postings_micro` and `balances_micro` are 0, and no account is off: each balance is the sum of
    its own postings.
    """

    entries: int
    postings: int
    postings_micro: int
    balances_micro: int
    accounts_off: int


def moved(conn: Connection, community: str, account: str, start: int, end: int) -> tuple[int, int]:
    """Return the sum of an account's postings valued before `start`, and of those in [start, end), in micro-points."""
    at, amount = entry_table.c.valued_at, posting_table.c.amount_micro
    same = (posting_table.c.bucket == entry_table.c.bucket) & (posting_table.c.community == entry_table.c.community)
    rows = (
        select(
            func.coalesce(func.sum(case((at < start, amount), else_=0)), 0),
            func.coalesce(func.sum(case((at >= start, amount), else_=0)), 0),
        )
        .join_from(posting_table, entry_table, same & (posting_table.c.number == entry_table.c.number))
        .where(posting_table.c.bucket == bucket_of(community), posting_table.c.community == community)
        .where(posting_table.c.account == account, at < end)
    )
    before, within = conn.execute(rows).one()
    return int(before), int(within)


def sums(conn: Connection, community: str) -> Sums:
    """Add up what is stored, for everybody who wants proof."""
    owned = {"bucket": bucket_of(community), "community": community}
    entries = conn.execute(select(func.count()).select_from(entry_table).filter_by(**owned)).scalar_one()
    legs = select(func.count(), func.coalesce(func.sum(posting_table.c.amount_micro), 0)).select_from(posting_table)
    postings, postings_micro = conn.execute(legs.filter_by(**owned)).one()
    balance_sum = select(func.coalesce(func.sum(account_table.c.balance_micro), 0)).filter_by(**owned)
    return Sums(
        entries=entries,
        postings=postings,
        postings_micro=int(postings_micro),
        balances_micro=int(conn.execute(balance_sum).scalar_one()),
        accounts_off=conn.execute(_accounts_off(community)).scalar_one(),
    )


def _accounts_off(community: str) -> Select[tuple[int]]:
    owned = {"bucket": bucket_of(community), "community": community}
    derived = (
        select(posting_table.c.account, func.sum(posting_table.c.amount_micro).label("micro"))
        .filter_by(**owned)
        .group_by(posting_table.c.account)
        .subquery()
    )
    rows = select(func.count()).select_from(
        account_table.outerjoin(derived, account_table.c.account == derived.c.account)
    )
    rows = rows.where(account_table.c.bucket == bucket_of(community), account_table.c.community == community)
    return rows.where(account_table.c.balance_micro != func.coalesce(derived.c.micro, 0))
