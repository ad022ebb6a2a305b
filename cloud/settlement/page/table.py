"""A statement as a table for a spreadsheet (RFC 4180): a row for each interval, then one for whatever else moved."""

import csv
from io import StringIO

from cloud.wire import time_text

from .sheet import Part, Sheet
from .words import exact_points

HEADER = ("start", "end", "kind", "net_wh", "local_wh", "grid_wh", "direct_wh", "points", "quality", "about")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def table(sheet: Sheet) -> str:
    """Return the whole statement, opening and closing balance in rows of their own; every number exact."""
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADER)
    start, end = time_text(sheet.start), time_text(sheet.end)
    rows.writerow((start, start, "opening", "", "", "", "", exact_points(sheet.opening_micro), "", ""))
    for part in sheet.parts:
        rows.writerow(_row(part))
    for item in sheet.movements:
        at = time_text(item.at)
        rows.writerow((at, at, item.kind, "", "", "", "", exact_points(item.points_micro), "", plain(item.about)))
    for tap in sheet.hand_overs:
        at = time_text(tap.at)
        came = "tap-came" if tap.came else "tap-went"
        rows.writerow((at, at, came, "", "", "", "", "", "", plain(tap.tap)))
    rows.writerow((end, end, "closing", "", "", "", "", exact_points(sheet.closing_micro), "", ""))
    return out.getvalue()


def _row(part: Part) -> tuple[object, ...]:
    quality = "missing" if part.missing else "estimated" if part.estimated else "ok"
    energy = (part.net_wh, part.local_wh, part.grid_wh, part.direct_wh)
    times = (time_text(part.start), time_text(part.start + part.seconds))
    return *times, "interval", *energy, exact_points(part.points_micro), quality, ""


def plain(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
