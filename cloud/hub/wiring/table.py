"""Reads a file of grid equipment: a header, then a piece a row. Pure."""

from collections.abc import Iterator
import csv
from dataclasses import dataclass
import io
from typing import Any

from pydantic import ValidationError

from cloud.endpoint import wrong_members
from cloud.wire.strict import IDENTIFIER

from .bodies import IMPORTED_MAX, GridEquipmentBody
from .equipment import MEMBERS

COLUMNS = ("equipment", *MEMBERS)
NUMBERS = ("limit_va", "limit_a", "nominal_mv", "phases")
LISTS = ("sites", "devices")
DIGITS_MAX = 15  # more are no whole number here
CELL_LETTERS_MAX = 100_000  # a thousand ids


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that cannot be read, by its number as a spreadsheet shows it (0: the file itself), and why."""

    row: int
    why: str


type Read = dict[str, dict[str, Any]]


def read_table(raw: bytes) -> Read | list[RowFault]:
    """Return the pieces of a file with the members its columns name, or every row that is wrong.

    Commas or semicolons; ids within a cell are divided by spaces; an empty cell takes a member away.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [RowFault(0, "is not UTF-8")]
    first = text.split("\n", 1)[0]
    csv.field_size_limit(CELL_LETTERS_MAX)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if (why := _wrong_header(header)) is not None:
            return [RowFault(0, why)]
        return _read(header, [row for _, row in zip(range(IMPORTED_MAX + 1), rows, strict=False)])
    except csv.Error as error:
        return [RowFault(0, f"is no table: {error}")]


def _wrong_header(header: list[str]) -> str | None:
    if unknown := [name for name in header if name not in COLUMNS]:
        return f"has a column {unknown[0][:40]!r}; known are {', '.join(COLUMNS)}"
    if len(set(header)) != len(header):
        return "names a column twice"
    missing = [name for name in ("equipment", "name") if name not in header]
    return f"has no column {missing[0]}" if missing else None


def _read(header: list[str], rows: list[list[str]]) -> Read | list[RowFault]:
    if len(rows) > IMPORTED_MAX:
        return [RowFault(0, f"has more than {IMPORTED_MAX} rows")]
    found: Read = {}
    faults = []
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            name, members = _piece(header, row, found)
            found[name] = members
        except ValidationError as error:
            faults.append(RowFault(number, wrong_members(error, "row", 1)[:200]))
        except ValueError as error:
            faults.append(RowFault(number, str(error)))
    if not found and not faults:
        return [RowFault(0, "has no rows")]
    return faults or found


def _piece(header: list[str], row: list[str], before: Read) -> tuple[str, dict[str, Any]]:
    if len(row) != len(header):
        raise ValueError(f"has {len(row)} cells where the header has {len(header)}")
    cells = dict(_cells(header, row))
    name = cells.pop("equipment")
    if name in before:
        raise ValueError(f"{name} is there twice")
    return name, GridEquipmentBody.model_validate(cells).members()


def _cells(header: list[str], row: list[str]) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(header, (cell.strip() for cell in row), strict=True):
        if name == "equipment":
            yield name, _identifier(cell)
        elif name in LISTS:
            yield name, cell.split()
        elif name in NUMBERS and cell:
            if not (cell.isascii() and cell.isdigit() and len(cell) <= DIGITS_MAX):
                raise ValueError(f"{name}: is not a whole number")
            yield name, int(cell)
        else:
            yield name, cell or None


def _identifier(cell: str) -> str:
    if not IDENTIFIER.fullmatch(cell):
        raise ValueError("equipment: is not an identifier (letters, digits, _ . -, at most 64)")
    return cell
