"""Writes an extraction as text: a JSON answer, JSON lines, a CSV table. Pure."""

from collections.abc import Callable, Iterator, Sequence
import json
import re
from typing import Any, Final

from cloud.hub.extraction.row import Row, Window

from .form import ROW_NAMES, UNITS, WINDOW_NAMES, Texts, Times

# what a spreadsheet would take for a formula, and what would end a cell
DANGEROUS: Final = re.compile(r"^[=+\-@\t\r]")
SPECIAL: Final = re.compile(r"[\",\n\r#]")


class JsonLines:
    """One JSON object a line; the last one says that this is all, or where the rest begins."""

    content_type = "application/x-ndjson"
    suffix = "ndjson"

    def __init__(self, community: str) -> None:
        """Begin for a community."""
        self._texts, self._times, self._community = Texts(), Times(), community

    def begin(self) -> bytes:
        """Return nothing: every line stands alone."""
        return b""

    def add(self, rows: Sequence[Row] | Sequence[Window]) -> bytes:
        """Return the rows' lines."""
        lines = list(_lines(rows, self._texts, self._times.text, self._prefix))
        return ("\n".join(lines) + "\n").encode() if lines else b""

    def end(self, count: int, following: str | None) -> bytes:
        """Return the last line."""
        return json.dumps({"complete": following is None, "rows": count, "next": following}).encode() + b"\n"

    def _prefix(self, series: tuple[Any, ...]) -> str:
        site, device, kind, point, quantity = series
        named = {"community": self._community, "site": site, "device": device, "kind": kind, "point": point}
        named |= {"quantity": quantity, "unit": UNITS[quantity]}
        return json.dumps(named, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"measured_at":"'


class JsonPage(JsonLines):
    """One JSON object with the rows of a page and where the next one begins."""

    content_type = "application/json"
    suffix = "json"

    def __init__(self, community: str) -> None:
        """Begin for a community."""
        super().__init__(community)
        self._any = False

    def begin(self) -> bytes:
        """Return the head."""
        return b'{"readings":['

    def add(self, rows: Sequence[Row] | Sequence[Window]) -> bytes:
        """Return the rows, with a comma between each two."""
        lines = ",\n".join(_lines(rows, self._texts, self._times.text, self._prefix))
        before = ",\n" if self._any and lines else ""
        self._any |= bool(lines)
        return (before + lines).encode()

    def end(self, count: int, following: str | None) -> bytes:
        """Return the end."""
        _ = count
        return f'],"next":{json.dumps(following)}}}'.encode()


def _lines(
    rows: Sequence[Row] | Sequence[Window],
    texts: Texts,
    time: Callable[[int], str],
    prefix: Callable[[tuple[Any, ...]], str],
) -> Iterator[str]:
    for row in rows:
        series = row[1:6]
        head = texts.get(series) or texts.keep(series, prefix(series))
        if len(row) == 10:
            ms, *_, seconds, value, timed, revision = row
            yield (f'{head}{time(ms)}","seconds":{seconds},"value":{value},"timed":"{timed}","revision":{revision}}}')
        else:
            begun, *_, length, gathered, least, most, count, change, estimated = row
            yield (
                f'{head}{time(begun)}","seconds":{length},"value":{gathered},"min":{_null(least)},"max":{_null(most)},'
                f'"count":{count},"change":{_null(change)},"estimated":{"true" if estimated else "false"}}}'
            )


def _null(value: object) -> str:
    return "null" if value is None else str(value)


class Table:
    """A CSV table (RFC 4180); its last line is a comment that says that this is all, or where the rest begins."""

    content_type = "text/csv"
    suffix = "csv"

    def __init__(self, community: str, *, windows: bool = False) -> None:
        """Begin for a community, with readings or with windows."""
        self._texts, self._times, self._community, self._windows = Texts(), Times(), community, windows

    def begin(self) -> bytes:
        """Return the names of the columns."""
        return ",".join(WINDOW_NAMES if self._windows else ROW_NAMES).encode() + b"\r\n"

    def add(self, rows: Sequence[Row] | Sequence[Window]) -> bytes:
        """Return the rows' lines."""
        lines, texts, time = [], self._texts, self._times.text
        for row in rows:
            series = row[1:6]
            head = texts.get(series) or texts.keep(series, self._head(series))
            if len(row) == 10:
                ms, *_, seconds, value, timed, revision = row
                lines.append(f"{head}{time(ms)},{seconds},{value},{timed},{revision}\r\n")
            else:
                begun, *_, length, gathered, least, most, count, change, estimated = row
                others = ",".join("" if item is None else str(item) for item in (least, most, count, change))
                lines.append(f"{head}{time(begun)},{length},{gathered},{others},{'true' if estimated else 'false'}\r\n")
        return "".join(lines).encode()

    def end(self, count: int, following: str | None) -> bytes:
        """Return the last line."""
        return f"# complete rows={count}\r\n".encode() if following is None else f"# next={following}\r\n".encode()

    def _head(self, series: tuple[Any, ...]) -> str:
        site, device, kind, point, quantity = series
        cells = (self._community, site or "", device, kind, point, quantity, UNITS[quantity])
        return ",".join(map(cell, cells)) + ","


def cell(text: str) -> str:
    """Return a text as a cell: quoted where it must be, and with `'` before what a spreadsheet would calculate."""
    if DANGEROUS.match(text):
        text = "'" + text
        return '"' + text.replace('"', '""') + '"'
    return '"' + text.replace('"', '""') + '"' if SPECIAL.search(text) else text
