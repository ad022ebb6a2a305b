"""Writes entries as the rows of a journal (RFC 4180): one posting a row, every entry's rows summing to zero."""

from collections.abc import Iterable
import csv
from decimal import Decimal
from io import StringIO

from cloud.ledger.chain import Link
from cloud.wire import time_text

HEADER = ("entry", "made_at", "valued_at", "cause", "account", "points", "entry_hash")
MICRO = 1_000_000


def table(links: Iterable[Link]) -> str:
    """Return the journal of these entries; points with every decimal, positive where the account gains."""
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADER)
    for link in links:
        place = (link.number, time_text(link.made_at), time_text(link.valued_at), link.cause)
        for leg in link.postings:
            rows.writerow((*place, leg.account, f"{Decimal(leg.amount_micro) / MICRO:.6f}", link.hash))
    return out.getvalue()
