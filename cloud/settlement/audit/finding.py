"""What an audit tells: one finding for each stored value that does not follow, one report for each community."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

type Check = Literal["chain", "postings", "balances", "intervals", "readings", "sums", "payments", "v2g"]

# what `audit` looks at by itself; payments and cables are held against the ledger by their own rooms
CHECKS: frozenset[Check] = frozenset({"chain", "postings", "balances", "intervals", "readings", "sums"})
ABSENT = "no row"


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a table, by its key within a community, and the check that looks at it."""

    check: Check
    community: str
    table: str
    key: Mapping[str, object]

    def __str__(self) -> str:
        """Name the row as one would ask a database for it."""
        key = ", ".join(f"{name}={value}" for name, value in self.key.items())
        return f"{self.community}: {self.table}({key})"


@dataclass(frozen=True, slots=True)
class Finding:
    """A stored value that is not what it must be."""

    place: Place
    column: str
    stored: object
    recomputed: object

    def __str__(self) -> str:
        """Say it in one line, with both values."""
        return f"{self.place} {self.column}: stored {self.stored}, recomputed {self.recomputed}"


@dataclass(frozen=True, slots=True)
class Report:
    """How much of a community was looked at, and what came of it.

    `late_readings` came after their interval was settled and are not corrected yet, which is no finding.
    `head` is the newest entry's hash: whoever noted it down elsewhere sees that the whole chain was not written anew.
    """

    community: str
    intervals: int
    corrections: int
    entries: int
    postings: int
    accounts: int
    batches: int
    readings: int
    late_readings: int
    head: str
    findings: int

    def __str__(self) -> str:
        """Say it in one line."""
        names = ("intervals", "corrections", "entries", "postings", "accounts", "batches", "readings")
        counts = ", ".join(f"{getattr(self, name)} {name}" for name in names)
        late = (
            f"; note: {self.late_readings} readings came late and are not corrected yet" if self.late_readings else ""
        )
        verdict = f"{self.findings} findings" if self.findings else "sound"
        return f"{self.community}: {verdict}; {counts}; head {self.head}{late}"


def compare(place: Place, stored: Mapping[str, object], recomputed: Mapping[str, object]) -> Iterator[Finding]:
    """Find the columns of a row that differ from what they must be."""
    for column, value in recomputed.items():
        if stored[column] != value:
            yield Finding(place, column, stored[column], value)


def absent(place: Place, recomputed: object) -> Finding:
    """Find that a row is not there."""
    return Finding(place, "row", ABSENT, recomputed)


def uncalled(place: Place, stored: object) -> Finding:
    """Find a row that nothing accounts for."""
    return Finding(place, "row", stored, ABSENT)
