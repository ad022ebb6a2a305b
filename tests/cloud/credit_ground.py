"""What tests of credit build on: owners who pay ahead, points given by an entry, and what sites were told."""

import json
from typing import Any

from sqlalchemy import Connection, select, update

from cloud.database import bucket_of
from cloud.ledger import store as ledger
from cloud.ledger.account import VOUCHER, owner_account
from cloud.ledger.posting import Entry, postings_of
from cloud.notice.kind import CREDIT
from cloud.notice.store import notice_table
from cloud.settlement.credit.store import judge_balances
from cloud.sites.store import owner_table
from cloud.sites.trees.store import newest_rev, tree_table
from cloud.wire import Tree, TreeTap, digest, to_bytes

POINT = 1_000_000


def pays_ahead(conn: Connection, *owners: str, community: str = "lane", prepaid: bool = True) -> None:
    """Let owners pay ahead, or no longer."""
    rows = update(owner_table).filter_by(community=community).where(owner_table.c.owner.in_(owners))
    conn.execute(rows.values(prepaid=int(prepaid)))


def give(conn: Connection, owner: str, points: int, now: int, *, community: str = "lane") -> bool:
    """Give an owner points, or take some, and judge in the same transaction, as a top-up does."""
    account = owner_account(owner)
    ledger.open_accounts(conn, community, [account, VOUCHER], now)
    document = to_bytes({"owner": owner, "points": points, "at": now})
    moved = postings_of({account.id: points * POINT, VOUCHER.id: -points * POINT})
    ledger.post(conn, Entry(community, f"test:{digest(document)}", now, now, digest(document), moved), document)
    return judge_balances(conn, community, now)


def hang(conn: Connection, site: str, *owners: str, community: str = "lane") -> None:
    """Let the next revision of a site's tree hold a tap of each of these owners."""
    taps = {f"T{number}": TreeTap(owner, None) for number, owner in enumerate(owners, 1)}
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    rev = newest_rev(conn, community, site) + 1
    raw = to_bytes(Tree(site, rev, 0, taps))
    values = {"rev": rev, "valid_from": 0, "hash": digest(raw), "raw": raw, "signature": "", "received_at": 0}
    conn.execute(tree_table.insert().values(owned | values))


def told(conn: Connection, site: str, *, standing: bool = False) -> list[dict[str, Any]]:
    """Return what a site was told of its owners, one notice after another; or only what still stands."""
    rows = select(notice_table.c.body, notice_table.c.superseded_by).filter_by(site=site, kind=CREDIT)
    found = conn.execute(rows.order_by(notice_table.c.notice)).all()
    bodies = [json.loads(row.body)["owners"] for row in found if not (standing and row.superseded_by)]
    assert all(isinstance(body, dict) for body in bodies)
    return bodies
