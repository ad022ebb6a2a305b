"""Posts entries that may not take an owner below zero: what owners do by themselves, never what is settled."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloud.database import bucket_of
from cloud.ledger.account import OWNER_MICRO_MAX, Account
from cloud.ledger.posting import Entry
from cloud.ledger.store import Posted, account_table, entry_table, locked_head, open_accounts, post


@dataclass(frozen=True, slots=True)
class Uncovered:
    """An owner has less than the entry would take; nothing was posted."""

    owner: str
    balance_micro: int


@dataclass(frozen=True, slots=True)
class Overfull:
    """An owner would have more than an account holds; nothing was posted."""

    owner: str
    balance_micro: int


def post_covered(
    conn: Connection, entry: Entry, document: bytes, accounts: Sequence[Account]
) -> Posted | Uncovered | Overfull:
    """Open the entry's accounts and add it, unless an owner who gives has too little for it.

    Whoever posts in this community waits for the ledger's head, and so does this before it looks at a balance: of many
    at once, each sees what those before it have left. An entry that stands already is answered as it stands.
    """
    locked_head(conn, entry.community)
    if not _stands(conn, entry):
        fault = _fault(conn, entry, accounts)
        if fault is not None:
            return fault
        open_accounts(conn, entry.community, accounts, entry.made_at)
    return post(conn, entry, document)


def _stands(conn: Connection, entry: Entry) -> bool:
    rows = select(entry_table.c.number).filter_by(bucket=bucket_of(entry.community), community=entry.community)
    return conn.execute(rows.filter_by(cause=entry.cause)).one_or_none() is not None


def _fault(conn: Connection, entry: Entry, accounts: Sequence[Account]) -> Uncovered | Overfull | None:
    """Return the first owner's account that cannot bear its leg; one that is not open yet holds nothing."""
    c = account_table.c
    rows = select(c.account, c.balance_micro).filter_by(bucket=bucket_of(entry.community), community=entry.community)
    ids = [account.id for account in accounts]
    balances: dict[str, int] = dict(conn.execute(rows.where(c.account.in_(ids))).tuples().all())
    amounts = {leg.account: leg.amount_micro for leg in entry.postings}
    for account in accounts:
        if account.owner is None:
            continue
        balance_micro, amount_micro = balances.get(account.id, 0), amounts.get(account.id, 0)
        if amount_micro < 0 and balance_micro + amount_micro < 0:
            return Uncovered(account.owner, balance_micro)
        if amount_micro > 0 and balance_micro + amount_micro > OWNER_MICRO_MAX:
            return Overfull(account.owner, balance_micro)
    return None
