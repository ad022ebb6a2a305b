"""The journal an accountant imports: every posting once, in order, in stretches that fit together."""

import csv
from decimal import Decimal
from io import StringIO

from sqlalchemy import Connection

from cloud.ledger.account import GRID, owner_account
from cloud.ledger.posting import Entry, postings_of
from cloud.ledger.store import open_accounts, post
from cloud.wire import digest

from .conftest import COMMUNITY, NOON, Cloud

DOCUMENT = b"{}"


async def post_some(cloud: Cloud, count: int) -> None:
    """Post entries between anna and the grid."""

    def work(conn: Connection) -> None:
        open_accounts(conn, COMMUNITY, [GRID, owner_account("anna")], NOON)
        for number in range(count):
            legs = postings_of({"owner:anna": -number - 1, "grid": number + 1})
            entry = Entry(COMMUNITY, f"energy:{number}", NOON, NOON, digest(DOCUMENT), legs)
            post(conn, entry, DOCUMENT)

    await cloud.database.write(work)


async def test_the_journal_has_every_posting_once(cloud: Cloud) -> None:
    """Read stretch by stretch along its links, it is the whole ledger, and every entry sums to zero."""
    await cloud.found()
    await post_some(cloud, 5)
    token = await cloud.token("operator", cloud.operator_secret)
    path: str | None = f"/v1/communities/{COMMUNITY}/journal.csv?limit=2"
    rows: list[dict[str, str]] = []
    stretches = 0
    while path is not None:
        reply = await cloud.call("GET", path, token=token)
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "attachment" in reply.headers["Content-Disposition"]
        rows += csv.DictReader(StringIO(reply.raw.decode()))
        link = reply.headers.get("Link")
        path = None if link is None else link.removeprefix("<").partition(">")[0]
        stretches += 1
    assert stretches == 3
    assert [(int(row["entry"]), row["account"]) for row in rows] == [
        (number, account) for number in range(1, 6) for account in ("grid", "owner:anna")
    ]
    assert sum(Decimal(row["points"]) for row in rows) == 0
    assert rows[-1]["points"] == "-0.000005"
