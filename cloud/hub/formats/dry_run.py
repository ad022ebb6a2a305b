"""What a message would become, found by the very functions that keep it; nothing is kept. Pure."""

from dataclasses import dataclass

from cloud.hub.devices.device import DeviceState
from cloud.hub.messages.message import Arrived, Fault, Parsed, Sender
from cloud.hub.messages.resolve import resolve
from cloud.hub.reading import Reading
from cloud.hub.readings.merge import Row

from .book import Book, codes_of, read
from .document import RAW_BYTES_MAX, Document

NOBODY = "dry-run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message says: of which formats it could be, which one read it, and what is taken and what is not."""

    found: tuple[str, ...]
    parsed: Parsed | None
    readings: tuple[tuple[Reading, int], ...]  # each with its row
    faults: tuple[Fault, ...]


def dry_run(book: Book, raw: bytes, received_ms: int, hint: str | None) -> Outcome:
    """Return what a message would become if it came from somebody who speaks for every device it names."""
    found = tuple(codes_of(book, Document(raw))) if len(raw) <= RAW_BYTES_MAX else ()
    parsed = read(book, raw, received_ms, hint=hint)
    if not isinstance(parsed, Parsed):
        return Outcome(found, None, (), parsed)
    names = {reading.device for reading in parsed.readings}
    sender = Sender(NOBODY, NOBODY, {name: name for name in names}, default="")
    states: dict[tuple[str, str], DeviceState] = dict.fromkeys(((NOBODY, name) for name in names), "active")
    resolved = resolve(Arrived(sender, "upload", received_ms, raw, parsed), states, "")
    kept, rows = [], iter(resolved.rows)
    awaited = next(rows, None)
    for reading, row in zip(parsed.readings, parsed.rows, strict=True):
        if awaited is not None and _is(awaited, reading):
            kept.append((reading, row))
            awaited = next(rows, None)
    return Outcome(found, parsed, tuple(kept), tuple(resolved.faults))


def _is(row: Row, reading: Reading) -> bool:
    """Tell whether a row of the record is of this reading."""
    key, said, _ = row
    same = (reading.measured_ms, reading.device, reading.point, reading.quantity.value)
    return key[2:] == same and said[1] == reading.value
