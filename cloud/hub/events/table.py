"""The event log as lines for files: a table for spreadsheets, or a JSON object a line. Pure."""

from collections.abc import Sequence
import csv
from datetime import UTC, datetime
from io import StringIO

from cloud.wire import to_bytes

from .asked import KeptEvent
from .bodies import item_of

HEADER = ("event", "at", "kind", "who", "device", "count", "detail")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def csv_head() -> bytes:
    """Return the first row of the table."""
    return _csv([HEADER])


def csv_rows(events: Sequence[KeptEvent]) -> bytes:
    """Return rows of the table, none of which a spreadsheet takes for a formula."""
    return _csv(
        [
            (
                one.event,
                moment_text(one.at_ms),
                one.kind,
                _plain(one.who),
                _plain(one.device or ""),
                one.count,
                _plain(one.detail or ""),
            )
            for one in events
        ]
    )


def ndjson_rows(events: Sequence[KeptEvent]) -> bytes:
    """Return a JSON object a line."""
    return b"".join(to_bytes(item_of(one).model_dump(mode="json")) + b"\n" for one in events)


def moment_text(at_ms: int) -> str:
    """Return a time to the millisecond."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    out = StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
