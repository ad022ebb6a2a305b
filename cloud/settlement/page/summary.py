"""Every owner's sums over a time in one table (RFC 4180), for billing and bookkeeping."""

from collections.abc import Sequence
import csv
from dataclasses import dataclass
from io import StringIO

from cloud.wire import time_text

from .sheet import Sheet
from .table import plain
from .words import KINDS, exact_points

HEADER = (
    *("owner", "name", "from", "to", "opening_points", "used_wh", "supplied_wh"),
    *("community_wh", "neighbour_link_wh", "grid_wh", "energy_points"),
    *(f"{kind}_points" for kind in KINDS),
    *("closing_points", "intervals_waiting"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """An owner's id and sheet."""

    owner: str
    sheet: Sheet


def summary(accounts: Sequence[Account]) -> str:
    """Return a row for each owner; opening, energy and every kind of movement add up to closing."""
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADER)
    for account in accounts:
        sheet, total = account.sheet, account.sheet.total
        moved = dict.fromkeys(KINDS, 0)
        for item in sheet.movements:
            moved[item.kind] += item.points_micro
        rows.writerow(
            (
                *(account.owner, plain(sheet.owner), time_text(sheet.start), time_text(sheet.end)),
                *(exact_points(sheet.opening_micro), total.flows.used_wh, total.flows.supplied_wh),
                *(total.local_wh, total.direct_wh, total.grid_wh, exact_points(total.points_micro)),
                *(exact_points(micro) for micro in moved.values()),
                *(exact_points(sheet.closing_micro), sheet.waiting),
            )
        )
    return out.getvalue()
