"""A ledger with entries of some days, posted by the door they all come in by, without the ways that lead to it."""

from sqlalchemy import Connection

from cloud.ledger.account import VOUCHER, owner_account
from cloud.ledger.posting import Entry, postings_of
from cloud.ledger.store import open_accounts, post
from cloud.wire import digest, to_bytes

DAY = 86_400
MIDNIGHT = 1_795_219_200  # 2026-11-21T00:00:00Z


def book(
    conn: Connection,
    made_at: int,
    cause: str,
    points_micro: int = 5,
    *,
    community: str = "lane",
    owner: str = "anna",
    kind: str = "gift",
) -> int:
    """Give an owner points, as a voucher does if that is the kind; return the entry's number."""
    open_accounts(conn, community, [VOUCHER, owner_account(owner)], made_at)
    document = to_bytes({"v": 1, "voucher": cause, "points_micro": points_micro})
    legs = postings_of({owner_account(owner).id: points_micro, VOUCHER.id: -points_micro})
    entry = Entry(community, f"{kind}:{cause}", made_at, made_at, digest(document), legs)
    return post(conn, entry, document).number


def book_days(conn: Connection, days: int, each: int = 3, *, community: str = "lane", since: int = MIDNIGHT) -> None:
    """Post some entries on each of some days."""
    for day in range(days):
        for number in range(each):
            made_at = since + day * DAY + number * 3600
            book(conn, made_at, f"{made_at}-{number}", 5 + number, community=community)
