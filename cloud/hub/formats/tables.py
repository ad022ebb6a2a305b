"""From a message to its rows: JSON lists, lists side by side, tables of text, binary records. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
import csv
from dataclasses import dataclass
import io
from itertools import islice, pairwise
import struct
from typing import Any
import unicodedata

from .definition import BINARY_BYTES_MAX, COLUMNS_MAX, BinaryParse, CsvParse, JsonParse, Part
from .document import Document, UnreadableError
from .gathered import ROWS_MAX
from .path import DefinitionError, Finder, UnfindableError, finder
from .units import shortened


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a message, each with what it stands in, and what belongs to the whole message.

    `columns` are the names of a table's header; None where a row names its own members.
    """

    message: Any
    rows: Iterator[tuple[int, Any, Any]]  # its number, the row, what it stands in
    columns: tuple[str, ...] | None = None


type Tabled = Callable[[Document], Table]  # raises UnreadableError, also while the rows are read


def plain_name(name: str) -> str:
    """Return a column's name as it is compared: without the widths that Japanese letters come in."""
    return unicodedata.normalize("NFKC", name).strip()


def json_table(parse: JsonParse) -> Tabled:
    """Return what takes JSON apart."""
    if parse.zip is not None:
        return _zipped({name: finder(path, f"parse.zip.{name}") for name, path in parse.zip.items()})
    outer = finder(parse.rows, "parse.rows") if parse.rows != "@" else None
    inner = finder(parse.inner, "parse.inner") if parse.inner is not None else None

    def tabled(document: Document) -> Table:
        data = document.json()
        outers = _listed(data if outer is None else _found(outer, data, "parse.rows"), "parse.rows")
        if inner is None:
            return Table(data, _bounded((row, None) for row in outers))
        rows = ((row, each) for each in outers for row in _listed(_found(inner, each, "parse.inner"), "parse.inner"))
        return Table(data, _bounded(rows))

    return tabled


def _found(find: Finder, data: Any, where: str) -> Any:
    try:
        return find(data)
    except UnfindableError as error:
        raise UnreadableError("wrong-shape", str(error), where) from None


def _listed(found: Any, where: str) -> list[Any]:
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    raise UnreadableError("no-rows", "it leads to no list of rows" if found is None else "it leads to no list", where)


def _bounded(rows: Iterator[tuple[Any, Any]]) -> Iterator[tuple[int, Any, Any]]:
    for number, (row, outer) in enumerate(rows):
        if number >= ROWS_MAX:
            raise UnreadableError("too-many-rows", f"the message holds more than {ROWS_MAX} rows")
        yield number, row, outer


def _zipped(columns: Mapping[str, Finder]) -> Tabled:
    """Return what lays lists side by side; a list that is not there is a column of nothing."""

    def tabled(document: Document) -> Table:
        data = document.json()
        found: dict[str, list[Any]] = {}
        for name, find in columns.items():
            column = _found(find, data, f"parse.zip.{name}")
            if column is None:
                continue
            if not isinstance(column, list):
                raise UnreadableError("no-rows", "it leads to no list", f"parse.zip.{name}")
            found[name] = column
        lengths = {name: len(column) for name, column in found.items()}
        if not lengths:
            raise UnreadableError("no-rows", "none of the lists is there", "parse.zip")
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in sorted(lengths.items()))
            raise UnreadableError(
                "wrong-shape", f"the lists are not of one length: {shortened(told, 200)}", "parse.zip"
            )
        cells = zip(*found.values(), strict=True)
        return Table(data, _bounded((dict(zip(found, row, strict=True)), None) for row in cells))

    return tabled


def csv_table(parse: CsvParse, needed: frozenset[str]) -> Tabled:
    """Return what takes a table of text apart; `needed` are the columns that must be there, once each."""

    def tabled(document: Document) -> Table:
        lines = csv_lines(parse, document)
        header = _header(lines) if parse.header else None
        if header is not None:
            _check_header(header, needed)
        return Table({}, _bounded(_cells(lines, header)), header)

    return tabled


def csv_lines(parse: CsvParse, document: Document) -> Iterator[list[str]]:
    """Yield the lines of a table as cells, the skipped and the empty ones left out; raises UnreadableError."""
    text = io.StringIO(document.text(tuple(parse.encodings)), newline="")
    for _ in islice(text, parse.skip):
        pass
    try:
        for cells in csv.reader(text, delimiter=parse.delimiter, strict=True):
            if len(cells) > COLUMNS_MAX:
                raise UnreadableError("too-many-columns", f"a table has at most {COLUMNS_MAX} columns")
            if any(cells):
                yield [cell.strip() for cell in cells]
    except csv.Error as error:
        raise UnreadableError("not-csv", f"the table breaks off: {error}") from None


def _header(lines: Iterator[list[str]]) -> tuple[str, ...]:
    first = next(lines, None)
    if first is None:
        raise UnreadableError("no-rows", "the table is empty")
    return tuple(plain_name(name) for name in first)


def _check_header(header: tuple[str, ...], needed: frozenset[str]) -> None:
    missing = sorted(needed.difference(header))
    if missing:
        raise UnreadableError(
            "missing-column", f"the table has no column {shortened(', '.join(missing), 200)}", missing[0]
        )
    for name in sorted(needed):
        if header.count(name) > 1:
            raise UnreadableError("column-twice", f"the table has two columns {shortened(name)}", name)


def columns_like(pattern: tuple[str, str], names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the columns between whose two ends something stands, and what; raises UnreadableError for one told twice.

    Of two columns of one name nobody can tell which is meant.
    """
    before, behind = pattern
    found = [
        (name, name[len(before) : len(name) - len(behind)])
        for name in names
        if name.startswith(before) and name.endswith(behind) and len(name) > len(before) + len(behind)
    ]
    for (name, _), (following, _) in pairwise(sorted(found)):
        if name == following:
            raise UnreadableError("column-twice", f"the table has two columns {shortened(name)}", shortened(name))
    return found


def _cells(lines: Iterator[list[str]], header: tuple[str, ...] | None) -> Iterator[tuple[Any, Any]]:
    for cells in lines:
        names = header if header is not None else tuple(str(number) for number in range(1, len(cells) + 1))
        yield dict(zip(names, cells, strict=False)), None


def binary_table(parse: BinaryParse) -> Tabled:
    """Return what takes binary records apart."""
    record, header = _layout(parse.record, "parse.record"), None
    if parse.header is not None:
        header = _layout(parse.header, "parse.header")
    if not record.size:
        raise DefinitionError("parse.record.struct", "has no bytes")

    def tabled(document: Document) -> Table:
        raw, message = document.raw, dict[str, Any]()
        around = parse.trailer_bytes + (0 if header is None else header.size)
        if len(raw) < around:
            raise UnreadableError("wrong-size", f"{len(raw)} bytes are fewer than the {around} around the records")
        if header is not None:
            message = _fields(header, parse.header, raw[: header.size])
        body = raw[0 if header is None else header.size : len(raw) - parse.trailer_bytes]
        count = message.get(parse.count) if parse.count is not None else len(body) // record.size
        if type(count) is not int or count * record.size != len(body):
            told = f"{len(body)} bytes are not {count!r} records of {record.size} bytes"
            raise UnreadableError("wrong-size", told, "parse.record")
        parts = (body[at : at + record.size] for at in range(0, len(body), record.size))
        return Table(message, _bounded((_fields(record, parse.record, part), None) for part in parts))

    return tabled


def _layout(part: Part, where: str) -> struct.Struct:
    try:
        layout = struct.Struct(part.struct)
    except struct.error as error:
        raise DefinitionError(f"{where}.struct", f"is no struct text: {error}") from None
    if layout.size > BINARY_BYTES_MAX:
        raise DefinitionError(f"{where}.struct", f"is longer than {BINARY_BYTES_MAX} bytes")
    if (count := len(layout.unpack(bytes(layout.size)))) != len(part.names):
        raise DefinitionError(f"{where}.names", f"names {len(part.names)} of {count} fields")
    return layout


def _fields(layout: struct.Struct, part: Part | None, raw: bytes) -> dict[str, Any]:
    assert part is not None
    return {name: _plain(value) for name, value in zip(part.names, layout.unpack(raw), strict=True)}


def _plain(value: Any) -> Any:
    """Return a field as a number or text: bytes are ASCII where they can be printed, else hex."""
    if not isinstance(value, bytes):
        return value
    text = value.rstrip(b"\0 ").decode("latin-1")
    return text if text.isascii() and text.isprintable() else value.hex()
