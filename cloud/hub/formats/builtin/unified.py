"""Our own format, as JSON and as a table: what a device that can be told what to say says. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from cloud.hub.formats.book import Format
from cloud.hub.formats.definition import CsvParse
from cloud.hub.formats.document import Document, UnreadableError
from cloud.hub.formats.gathered import DEVICE_LETTERS_MAX, POINT_LETTERS_MAX, ROWS_MAX, Gathered, wrong_name
from cloud.hub.formats.tables import csv_table, plain_name
from cloud.hub.formats.times import NoTimeError, Told, from_number, told_ms
from cloud.hub.formats.units import NoNumber, number_of, shortened, whole_of
from cloud.hub.quantity import MEASURES, VALUE_MAX
from cloud.hub.reading import INTERVAL_SECONDS_MAX, Reading

from .words import MEMBERS

ABOUT = frozenset({"device", "point", "measured_at", "measured_ms", "seconds"})
OUTER = frozenset({"format", "sent_at", "readings"})
TABLE = CsvParse(kind="csv")
PLAIN_MAX = VALUE_MAX // 10**6  # below, no unit makes a whole number too large
SHAPES = {name: MEASURES[quantity].shape for name, (quantity, _, _) in MEMBERS.items()}


def matches_json(document: Document) -> bool:
    """Tell whether a message says that it is of this format."""
    data = document.json() if document.is_json else None
    return isinstance(data, dict) and data.get("format") == "unified"


def matches_csv(document: Document) -> bool:
    """Tell whether a table has no columns but ours, and one with a value."""
    if document.is_json:
        return False
    try:
        columns = csv_table(TABLE, frozenset())(document).columns or ()
    except UnreadableError:
        return False
    return ABOUT.union(MEMBERS).issuperset(columns) and not ABOUT.issuperset(columns)


def reads_json(document: Document, into: Gathered) -> int | None:
    """Take the readings of a message, and the time it says it was sent."""
    data = document.json()
    rows = data.get("readings") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise UnreadableError("no-rows", "there is no list of readings", "readings")
    if len(rows) > ROWS_MAX:
        raise UnreadableError("too-many-rows", f"the message holds more than {ROWS_MAX} rows")
    for name in sorted(data.keys() - OUTER):
        into.fault(None, "unknown-member", shortened(name), "the message has no such member; rows have")
    _take(enumerate(rows), into)
    if data.get("sent_at") is None:
        return None
    try:
        return told_ms(data["sent_at"])
    except NoTimeError as error:
        into.fault(None, error.reason, "sent_at", str(error))
        return None


def reads_csv(document: Document, into: Gathered) -> int | None:
    """Take the readings of a table; cells may be empty."""
    table = csv_table(TABLE, frozenset())(document)
    columns = table.columns or ()
    for name in columns:
        if columns.count(name) > 1:
            raise UnreadableError("column-twice", f"the table has two columns {shortened(name)}", shortened(name))
    for name in sorted(set(columns) - ABOUT - MEMBERS.keys()):
        why = "no such column; the names end in their unit, as power_w does"
        raise UnreadableError("unknown-member", why, shortened(plain_name(name)))
    _take(((number, _filled(row)) for number, row, _ in table.rows), into)
    return None


def _filled(row: Mapping[str, str]) -> dict[str, Any]:
    filled: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
    seconds = filled.get("seconds", "")
    if seconds.isascii() and seconds.isdecimal() and len(seconds) < 10:
        filled["seconds"] = int(seconds)
    return filled


def _take(rows: Iterator[tuple[int, Any]], into: Gathered) -> None:
    times: dict[object, Told | NoTimeError] = {}  # many rows tell the same time
    for number, row in rows:
        if not isinstance(row, dict):
            into.fault(number, "wrong-shape", "", "the row is no object")
            continue
        told = _told(row, times, into)
        if isinstance(told, NoTimeError):
            into.fault(number, told.reason, "measured_at", str(told))
            continue
        about = _about(row, number, into)
        if about is not None:
            _take_row(row, number, told, about, into)


def _told(row: Mapping[str, Any], times: dict[object, Told | NoTimeError], into: Gathered) -> Told | NoTimeError:
    seen = row.get("measured_at")
    if seen is None:
        if row.get("measured_ms") is None:
            return Told(into.received_ms, "received")
        try:
            return Told(from_number(row["measured_ms"], "epoch_ms"))
        except NoTimeError as error:
            return error
    if not isinstance(seen, str):
        return NoTimeError("not-a-time", f"{shortened(repr(seen))} is no text of a time")
    if seen not in times:
        try:
            times[seen] = Told(told_ms(seen))
        except NoTimeError as error:
            times[seen] = error
    return times[seen]


def _about(row: Mapping[str, Any], number: int, into: Gathered) -> tuple[str, str, int] | None:
    """Return a row's device, point and seconds; None where they cannot be."""
    names = []
    for name, most in (("device", DEVICE_LETTERS_MAX), ("point", POINT_LETTERS_MAX)):
        text = row.get(name)
        text = "" if text is None else text
        wrong = wrong_name(text, most) if isinstance(text, str) else "is no text"
        if wrong is not None:
            into.fault(number, "bad-name", name, wrong)
            return None
        names.append(text)
    seconds = row.get("seconds", 0)
    if type(seconds) is not int or not 0 <= seconds <= INTERVAL_SECONDS_MAX:
        into.fault(number, "no-seconds", "seconds", f"{shortened(repr(seconds))} is no number of seconds")
        return None
    return names[0], names[1], seconds


def _take_row(row: Mapping[str, Any], number: int, told: Told, about: tuple[str, str, int], into: Gathered) -> None:
    (device, point, seconds), known = about, 0
    for name, seen in row.items():
        if name in ABOUT:
            continue
        meant = MEMBERS.get(name)
        if meant is None:
            why = "no such member; the names end in their unit, as power_w does"
            into.fault(number, "unknown-member", shortened(name), why)
            continue
        known += 1
        if seen is None:
            continue
        quantity, unit, times = meant
        if times is not None and type(seen) is int and -PLAIN_MAX < seen < PLAIN_MAX:
            whole: int | NoNumber = seen * times
        else:
            read = number_of(seen)
            whole = read if isinstance(read, NoNumber) else whole_of(read, unit)
        if isinstance(whole, NoNumber):
            into.fault(number, whole.reason, name, whole.why)
            continue
        lasts = seconds if SHAPES[name] == "interval" else 0
        into.add(number, name, Reading(device, point, quantity, told.at_ms, lasts, whole, told.timed))
    if not known:
        into.fault(number, "no-values", "", "the row tells no value")


FORMATS = (
    Format("unified", 1, "Commonwatt's own JSON", matches_json, reads_json, built_in=True),
    Format("unified-csv", 1, "Commonwatt's own table", matches_csv, reads_csv, built_in=True),
)
