"""Tells sites where the balance of their main owner stands, within the transaction that moved it."""

from collections.abc import Mapping
import json

from sqlalchemy import Connection, select

from cloud.database import bucket_of
from cloud.notice.kind import BALANCE
from cloud.notice.store import notice_table, post_many
from cloud.sites.store import Site, sites_of
from cloud.wire import Balance, parse_balance

BALANCE_VALID_SECONDS = 45 * 86_400  # how long a site may be off line and still hear where its balance stood


def tell_balances(
    conn: Connection, community: str, balances_micro: Mapping[str, int], now: int, settled_through: int | None = None
) -> None:
    """Tell the sites of these main owners their balances; `settled_through` None: what is settled has not changed."""
    bodies = {
        site.site: Balance(
            owner=site.main_owner,
            balance_micro=balances_micro[site.main_owner],
            settled_through=_told_through(conn, site) if settled_through is None else settled_through,
        ).plain()
        for site in sites_of(conn, community)
        if site.main_owner in balances_micro
    }
    post_many(conn, community, BALANCE, bodies, issued_at=now, expires_at=now + BALANCE_VALID_SECONDS)


def _told_through(conn: Connection, site: Site) -> int:
    """Return through when a site was told last that all is settled; at first, that is since it exists."""
    rows = select(notice_table.c.body).filter_by(bucket=bucket_of(site.community), community=site.community)
    rows = rows.filter_by(site=site.site, kind=BALANCE).order_by(notice_table.c.notice.desc()).limit(1)
    body = conn.execute(rows).scalar_one_or_none()
    return site.paired_at if body is None else parse_balance(json.loads(body)).settled_through
