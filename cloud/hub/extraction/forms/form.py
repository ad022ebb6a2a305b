"""What every way of writing an extraction can do, and the texts they share. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from cloud.hub.extraction.row import Row, Window
from cloud.hub.quantity import MEASURES

UNITS: Final = {str(name): measure.unit for name, measure in MEASURES.items()}
SERIES_MAX: Final = 100_000  # whose texts are kept at hand, a few hundred bytes each

NAMES: Final = ("community", "site", "device", "kind", "point", "quantity", "unit", "measured_at", "seconds", "value")
ROW_NAMES: Final = (*NAMES, "timed", "revision")
WINDOW_NAMES: Final = (*NAMES, "min", "max", "count", "change", "estimated")


class Form(Protocol):
    """Writes one extraction: its beginning, rows as they come, and an end that says how it ended."""

    content_type: str
    suffix: str

    def begin(self) -> bytes:
        """Return what stands before the rows."""
        ...

    def add(self, rows: Sequence[Row] | Sequence[Window]) -> bytes:
        """Return what is written once these rows are added; some forms write later."""
        ...

    def end(self, count: int, following: str | None) -> bytes:
        """Return the end: how many rows there were, and where the rest begins, if this is not all."""
        ...


class Times:
    """Writes times as RFC 3339 in UTC to the millisecond; most readings share theirs with their neighbours."""

    def __init__(self) -> None:
        """Begin with no time."""
        self._ms, self._text = -1, ""
        self._day, self._date = -1, ""

    def text(self, ms: int) -> str:
        """Return a time as text."""
        if ms != self._ms:
            day, rest = divmod(ms, 86_400_000)
            if day != self._day:
                self._day, self._date = day, datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
            seconds, milli = divmod(rest, 1000)
            minutes, second = divmod(seconds, 60)
            hour, minute = divmod(minutes, 60)
            self._ms, self._text = ms, f"{self._date}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        return self._text


class Texts(dict[tuple[Any, ...], str]):
    """What stands before the time in each row of a series, written once."""

    def keep(self, series: tuple[Any, ...], text: str) -> str:
        """Keep and return a text."""
        if len(self) >= SERIES_MAX:
            self.clear()
        self[series] = text
        return text
