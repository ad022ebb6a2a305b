"""Verifies kept statements one after another, each by itself and against those before it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..wire import WireError
from ..wire.statement import Statement
from .entries import prove, roots_of
from .finding import Findings, Report
from .lines import check_lines, check_missing
from .own import Own
from .rewards import check_rewards
from .sums import check_corrections, check_movements, check_order, check_sums

FAR = 2**62  # as of a time after everything


@dataclass(frozen=True, slots=True)
class Kept:
    """A page of a statement as it is kept here, and the payloads of its roots whose signatures were believed.

    `as_of` is when it was fetched: of later intervals it could not know. `earlier` is what it said before of the same.
    """

    page: Statement
    roots: tuple[bytes, ...]
    roots_refused: int = 0
    earlier: tuple[Statement, ...] = ()
    as_of: int = FAR


def verify(kept: Sequence[Kept], own: Own) -> Report:
    """Recompute all that these pages say from what this site holds; nothing is asked of anybody."""
    found = Findings()
    ordered = sorted(kept, key=lambda item: item.page.start)
    for item in ordered:
        page = item.page
        found.equal(None, "owner", page.owner, own.owner)
        found.equal(None, "community", page.community, own.community)
        found.equal(None, "roots with a signature that does not hold", item.roots_refused, 0)
        try:
            _verify_page(item, own, found)
        except WireError as error:
            found.altered(None, error.where, error.reason, "a member of the language")
        for earlier in item.earlier:
            check_same(earlier, page, found)
    check_order([item.page for item in ordered], found)
    return found.report(sum(len(item.page.lines) for item in ordered))


def _verify_page(item: Kept, own: Own, found: Findings) -> None:
    page = item.page
    check_sums(page, found)
    proven = prove(page.entries, roots_of(item.roots, own, found), own, found)
    check_lines(page, proven, own, found)
    check_missing(page, own, item.as_of, found)
    check_corrections(page, proven, own, found)
    check_movements(page, proven, found)
    check_rewards(page, proven, found)


def check_same(earlier: Statement, page: Statement, found: Findings) -> None:
    """Check that nothing a statement said once is said otherwise, or no more, by a later one of the same time."""
    lines = {line.start: line for line in page.lines}
    for line in earlier.lines:
        if page.start <= line.start < page.end:
            found.equal(line.start, "line as it was told before", lines.get(line.start), line)
    movements = {item.entry: item for item in page.movements}
    for moved in earlier.movements:
        if page.start <= moved.at < page.end:
            found.equal(None, f"{moved.cause} as it was told before", movements.get(moved.entry), moved)
    corrections = {(item.start, item.revision): item for item in page.corrections}
    for item in earlier.corrections:
        if page.start <= item.booked_at < page.end:
            now = corrections.get((item.start, item.revision))
            found.equal(item.start, "correction as it was told before", now, item)
