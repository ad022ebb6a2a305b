"""Reads a list of devices from a table as spreadsheets write it, and says of each row that is bad why. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
import csv
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from io import StringIO
from typing import Any

from pydantic import ValidationError

from cloud.endpoint import wrong_members

from .bodies import DeviceBody

ROWS_MAX = 10_000  # a maker's delivery; more come in several files
CELL_CHARACTERS_MAX = 1000
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
DELIMITERS = (",", ";", "\t")
PLACES = {"latitude": ("latitude_e6", 90), "longitude": ("longitude_e6", 180)}  # whose degrees go so far
COLUMNS = (
    *("device", "initial_password", "kind", "name", "maker", "model"),
    *(*PLACES, "site", "source", "format", "currency"),
)
NEEDED = ("device", "kind")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be taken: its number as a spreadsheet shows it, the device it names, and why.

    `reason` is one of: `malformed`, `cells`, `twice`, `password-twice`, `other-device`, `device-taken`, `no-site`.
    """

    row: int
    device: str | None
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class BadSheet:
    """A file that is no list of devices at all, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file says: a device for each good row, under the row's number, and the rows that are bad."""

    rows: dict[int, DeviceBody]
    bad: tuple[BadRow, ...]


def read(raw: bytes) -> Sheet | BadSheet:
    """Read a table in UTF-8 with `,`, `;` or tabs between the cells, and the columns' names in its first row."""
    try:
        text = raw.decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError as error:
        return BadSheet(f"byte {error.start} is not UTF-8; save the table as CSV UTF-8")
    if "\0" in text:
        return BadSheet("it holds a NUL character; save the table as CSV UTF-8")
    heads, delimiter = _heads(text)
    if wrong := _wrong_heads(heads):
        return BadSheet(wrong)
    try:
        lines = [*csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)][1:]
    except csv.Error as error:
        return BadSheet(f"it is no table: {error}")
    if len(lines) > ROWS_MAX:
        return BadSheet(f"it has more than {ROWS_MAX} rows; send it in parts")
    return _judged(heads, lines, delimiter)


def _heads(text: str) -> tuple[list[str], str]:
    first = text.partition("\n")[0].rstrip("\r")
    delimiter = max(DELIMITERS, key=first.count)
    return [head.strip().strip('"').lower() for head in first.split(delimiter)], delimiter


def _wrong_heads(heads: list[str]) -> str | None:
    if unknown := [head for head in heads if head not in COLUMNS]:
        return f"its first row names no column of ours: {unknown[0][:40]!r}; known are {', '.join(COLUMNS)}"
    if missing := [name for name in NEEDED if name not in heads]:
        return f"its first row does not name the column {missing[0]}"
    if len(heads) != len(set(heads)):
        return "its first row names a column twice"
    return None


def _judged(heads: list[str], lines: list[list[str]], delimiter: str) -> Sheet:
    rows: dict[int, DeviceBody] = {}
    bad: list[BadRow] = []
    for number, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        read_row = _row(number, heads, cells, delimiter)
        if isinstance(read_row, BadRow):
            bad.append(read_row)
        else:
            rows[number] = read_row
    bad += _repeated(rows)
    return Sheet(rows, tuple(sorted(bad, key=lambda one: one.row)))


def _row(number: int, heads: list[str], cells: list[str], delimiter: str) -> DeviceBody | BadRow:
    if len(cells) != len(heads) or any(len(cell) > CELL_CHARACTERS_MAX for cell in cells):
        why = f"has {len(cells)} cells instead of {len(heads)}, or one that is too long"
        return BadRow(number, None, "cells", why)
    values = {head: cell.strip() for head, cell in zip(heads, cells, strict=True) if cell.strip()}
    device = values.get("device", "")[:64]
    try:
        return DeviceBody.model_validate(_members(values, delimiter))
    except ValidationError as error:
        return BadRow(number, device, "malformed", wrong_members(error, "row", 3)[:300])
    except ValueError as error:
        return BadRow(number, device, "malformed", str(error))


def _members(values: Mapping[str, str], delimiter: str) -> dict[str, Any]:
    """Return a row as the members of a device; a place in degrees as millionths; raises ValueError."""
    found: dict[str, Any] = {name: value for name, value in values.items() if name not in PLACES}
    for name, (member, most) in PLACES.items():
        if name in values:
            text = values[name].replace(",", ".") if delimiter != "," else values[name]
            found[member] = _millionths(name, text, most)
    return found


def _millionths(name: str, text: str, most: int) -> int:
    """Return degrees as millionths; raises ValueError, with the column's name, where they are none."""
    try:
        degrees = Decimal(text)
    except InvalidOperation:
        degrees = Decimal("NaN")
    if not (degrees.is_finite() and abs(degrees) <= most):
        raise ValueError(f"{name}: is not a number of degrees from -{most} to {most}")
    return int((degrees * 1_000_000).to_integral_value(ROUND_HALF_EVEN))


def _repeated(rows: Mapping[int, DeviceBody]) -> Iterator[BadRow]:
    """Yield rows that name a device again, or a password that another row has: one for all is no secret."""
    devices = Counter(body.device for body in rows.values())
    passwords = Counter(body.initial_password for body in rows.values() if body.initial_password)
    for number, body in rows.items():
        if devices[body.device] > 1:
            yield BadRow(number, body.device, "twice", "another row names the same device")
        elif body.initial_password and passwords[body.initial_password] > 1:
            yield BadRow(number, body.device, "password-twice", "another row has the same initial password")
