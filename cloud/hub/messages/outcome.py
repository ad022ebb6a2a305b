"""What became of a message, in the words of its row, of its sender's answer and of the event log. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloud.hub.events.event import Event, Kind
from cloud.hub.readings.merge import Counts
from cloud.wire import to_bytes

from .message import Arrived, Fault, Taken
from .resolve import REFUSED, Resolved, by_its_receipt

FAULTS_KEPT_MAX = 20  # whoever mends a format or a device sees by the first ones what is wrong
WORDS_MAX = 200  # of one fault, as it is kept

type Detail = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Before:
    """What became of the same bytes of the same sender when they came before."""

    message: str
    format: str | None
    version: int | None
    readings: int
    faults: int


def nothing_new(item: Arrived, before: Before | None) -> Taken | None:
    """Return the answer to bytes that were taken before and would change nothing; None where they may.

    They may where rows were refused or could not be read then, or where today's formats read them otherwise.
    """
    if before is None:
        return None
    if item.parsed is None:
        return Taken(before.message, 0, before.readings, 0, item.faults, offset_of(item))
    same = (before.format, before.version, before.faults) == (item.parsed.format, item.parsed.version, 0)
    return Taken(before.message, 0, before.readings, 0, (), offset_of(item)) if same else None


def known_by_its_bytes(item: Arrived) -> bool:
    """Tell whether the same bytes again are the same message: not where the time of their receipt is part of it."""
    return item.parsed is None or not by_its_receipt(item.parsed)


def guessed(found: Resolved) -> Counts:
    """Return the counts of a message whose readings are all new, as nearly always."""
    return Counts(len(found.rows), found.again)


def taken_of(item: Arrived, message: str, counts: Counts, faults: Sequence[Fault]) -> Taken:
    """Return what the sender is told."""
    return Taken(message, counts.stored, counts.existed, counts.revised, tuple(faults), offset_of(item))


def offset_of(item: Arrived) -> int | None:
    """Return how many milliseconds the sender's clock is ahead of ours, by what it says; its way here included."""
    sent_ms = item.sent_ms if item.sent_ms is not None or item.parsed is None else item.parsed.sent_ms
    if sent_ms is None or (item.waited and sent_ms < item.received_ms):
        return None
    return sent_ms - item.received_ms


def plain_faults(faults: Sequence[Fault]) -> list[dict[str, str | int | None]]:
    """Return the first faults as plain data."""
    return [
        {"row": fault.row, "reason": fault.reason, "where": _plain(fault.where), "why": _plain(fault.why)}
        for fault in faults[:FAULTS_KEPT_MAX]
    ]


def fault_text(faults: Sequence[Fault]) -> str | None:
    """Return the first faults as they are kept."""
    return to_bytes(plain_faults(faults)).decode() if faults else None


def events_of(item: Arrived, taken: Taken, *, again_ms: int | None = None) -> Iterator[Event]:
    """Yield what the event log says of a message: its receipt, what was kept, what was not and why.

    `again_ms`: when it was taken again, if it had arrived before.
    """
    at_ms = item.received_ms if again_ms is None else again_ms
    about: Detail = {"message": taken.message, "way": item.way}
    if again_ms is not None:
        about["again"] = "yes"
    else:
        yield _event(item, at_ms, "receipt", len(item.raw), about | _from(item))
    if taken.stored or taken.existed or taken.revised:
        counts: Detail = {"stored": taken.stored, "existed": taken.existed, "revised": taken.revised}
        yield _event(item, at_ms, "save", taken.stored + taken.revised, about | counts)
    refused = [fault for fault in taken.faults if fault.reason in REFUSED]
    wrong = [fault for fault in taken.faults if fault.reason not in REFUSED]
    if wrong:
        yield _event(item, at_ms, "format-error", len(wrong), about | _why(wrong))
    if refused:
        yield _event(item, at_ms, "refused", len(refused), about | _why(refused))


def _event(item: Arrived, at_ms: int, kind: Kind, count: int, detail: Detail) -> Event:
    sender = item.sender
    return Event(sender.community, at_ms, kind, sender.who, sender.default, count, detail)


def _from(item: Arrived) -> Detail:
    return {} if item.address is None else {"address": item.address}


def _why(faults: Sequence[Fault]) -> Detail:
    reasons = Counter(fault.reason for fault in faults)
    first = faults[0]
    listed = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(5))
    where = first.where if first.row is None else f"row {first.row}: {first.where}"
    return {"reasons": listed, "where": _plain(where), "why": _plain(first.why)}


def _plain(text: str) -> str:
    """Return a sender's words shortened, and without the halves of characters that no text can be written with."""
    return text[:WORDS_MAX].encode(errors="replace").decode()
