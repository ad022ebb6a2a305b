"""Holds the owners whose points are to move, and tells everybody whom a moved balance concerns."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select

from cloud.database import bucket_of
from cloud.ledger.account import owner_account
from cloud.ledger.store import account_table
from cloud.notice.balance.store import tell_balances
from cloud.sites.store import owner_table

# (connection, community, owner, now): called within the transaction, after the entry stands
type Moved = Callable[[Connection, str, str, int], None]


def tell_moved(conn: Connection, community: str, owners: Sequence[str], now: int, hooks: Sequence[Moved]) -> None:
    """Tell the sites of these owners their balances, and whoever has hung itself in; ring the bell afterwards."""
    account = account_table.c
    rows = select(account.owner, account.balance_micro).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(account.account.in_([owner_account(owner).id for owner in owners]))
    tell_balances(conn, community, dict(conn.execute(rows).tuples().all()), now)
    for owner in owners:
        for hook in hooks:
            hook(conn, community, owner, now)


def hold_owners(conn: Connection, community: str, owners: Sequence[str]) -> bool:
    """Keep these owners' other requests waiting until this transaction ends; False if one of them is not there.

    Owners are held before the ledger is, and always in the same order: two at once never wait for each other.
    """
    rows = select(owner_table.c.owner).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(owner_table.c.owner.in_(owners)).order_by(owner_table.c.owner)
    return len(conn.execute(rows.with_for_update(key_share=True)).all()) == len(owners)
