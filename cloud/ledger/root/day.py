"""Which entries a day's root covers, what the root is, and what is wrong with roots that stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloud.wire import GENESIS, digest, to_bytes
from cloud.wire.merkle import root
from cloud.wire.root import DAY_SECONDS, DayRoot

CLOSES_AFTER_SECONDS = 60  # a transaction that began before midnight may still post in the old day


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where the chain of roots stands: its newest day, the last entry under it, the hash of its payload."""

    day: int
    last: int
    hash: str


UNSEALED = Sealed(-DAY_SECONDS, 0, GENESIS)


@dataclass(frozen=True, slots=True)
class EntryMark:
    """An entry as its day's root sees it."""

    number: int
    made_at: int
    hash: str


def day_of(at: int) -> int:
    """Return the start of the UTC day a time lies in."""
    return at - at % DAY_SECONDS


def next_day(first: EntryMark, sealed: Sealed) -> int:
    """Return the day whose root comes next: that of the first entry under no root, but never a day that is sealed.

    An entry that comes in after its day was sealed (a clock behind, a long transaction) belongs to the day after.
    """
    return max(day_of(first.made_at), sealed.day + DAY_SECONDS)


def is_over(day: int, now: int) -> bool:
    """Tell whether nothing more is expected of a day."""
    return now >= day + DAY_SECONDS + CLOSES_AFTER_SECONDS


def of_day(marks: Sequence[EntryMark], day: int) -> Sequence[EntryMark]:
    """Return the entries, of those that follow the newest root, up to the first one made after the day."""
    end = next((at for at, mark in enumerate(marks) if mark.made_at >= day + DAY_SECONDS), len(marks))
    return marks[:end]


def seal(community: str, day: int, marks: Sequence[EntryMark], previous: str) -> DayRoot:
    """Return the root over a day's entries."""
    leaves = [bytes.fromhex(mark.hash) for mark in marks]
    return DayRoot(community, day, marks[0].number, len(marks), root(leaves).hex(), previous)


def payload_of(sealed: DayRoot) -> bytes:
    """Return the bytes that are signed."""
    return to_bytes(sealed)


def after(sealed: DayRoot) -> Sealed:
    """Return where the chain of roots stands with this one."""
    return Sealed(sealed.day, sealed.last, digest(payload_of(sealed)))


@dataclass(frozen=True, slots=True)
class Fault:
    """A member of a root that is not what it must be."""

    day: int
    member: str
    stored: object
    recomputed: object


def faults(stands: DayRoot, marks: Sequence[EntryMark], before: Sealed) -> Iterator[Fault]:
    """Hold a root against the entries it names and the root before it."""
    if stands.first != before.last + 1:
        yield Fault(stands.day, "first", stands.first, before.last + 1)
    if stands.day <= before.day:
        yield Fault(stands.day, "day", stands.day, f"later than {before.day}")
    if stands.previous != before.hash:
        yield Fault(stands.day, "previous", stands.previous, before.hash)
    if len(marks) != stands.count:
        yield Fault(stands.day, "count", stands.count, len(marks))
    elif (found := root([bytes.fromhex(mark.hash) for mark in marks]).hex()) != stands.root:
        yield Fault(stands.day, "root", stands.root, found)
    late = [mark.number for mark in marks if mark.made_at >= stands.day + DAY_SECONDS]
    if late:
        yield Fault(stands.day, "last", late[0], "an entry of this day or one before")
