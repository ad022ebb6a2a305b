"""Sums: corrections are the differences they must be, movements are of their entries, all adds up to the balance."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ..wire import parse_time
from ..wire.statement import Correction, Movement, Statement, Totals
from .document import Document
from .entries import Proven
from .finding import Findings
from .lines import check_batch, check_share
from .own import Own
from .rewards import REWARD_KINDS


def check_corrections(page: Statement, proven: Mapping[int, Proven], own: Own, found: Findings) -> None:
    """Check each correction against the documents of its revision and of the one before."""
    documents = {
        (item.document.start, item.document.revision): item.document
        for item in proven.values()
        if item.document is not None
    }
    for item in page.corrections:
        if not page.start <= item.booked_at < page.end:
            found.altered(item.start, "booked_at", item.booked_at, "a time in the statement")
        found.equal(item.start, "net_wh", item.net_wh, item.local_wh + item.grid_wh + item.direct_wh)
        now = _document_of(page, item, proven, found)
        if now is not None:
            check_share(now, found)
            _check_measured(page, item, now, own, found)
            _check_difference(item, now, _before(documents, item), found)


def _document_of(page: Statement, item: Correction, proven: Mapping[int, Proven], found: Findings) -> Document | None:
    """Return the document of a correction's entry; the entry must be of this interval and revision."""
    if item.entry is None:
        found.equal(item.start, "points_micro", item.points_micro, 0)
        found.unwitnessed(item.start, "no points moved by the correction, so there is no entry")
        return None
    entry = proven.get(item.entry)
    if entry is None and page.entries:
        found.altered(item.start, "entry", item.entry, "an entry in the proof")
        return None
    if entry is None or entry.document is None:
        found.unwitnessed(item.start, "the correction came without its document")
        return None
    now = entry.document
    found.equal(item.start, "start", item.start, now.start)
    found.equal(item.start, "revision", item.revision, now.revision)
    booked_at = parse_time(entry.public.get("valued_at"), "valued_at")
    found.equal(item.start, "booked_at", item.booked_at, booked_at)
    return now


def _before(documents: Mapping[tuple[int, int], Document], item: Correction) -> Document | None:
    """Return the document of the newest revision before a correction; one that moved no points has none."""
    earlier = [revision for start, revision in documents if start == item.start and revision < item.revision]
    return documents[item.start, max(earlier)] if earlier else None


def _check_measured(page: Statement, item: Correction, now: Document, own: Own, found: Findings) -> None:
    here = own.intervals.get(item.start)
    if here is None or own.site in now.without:
        found.unwitnessed(item.start, "the correction is of energy that was not measured here")
        return
    here = here.named_by(now.batches, own.site)
    check_batch(now, here, own, found)
    if now.part(item.blind) is not None and page.sites == (own.site,):
        found.equal(item.start, "net_wh after the correction", _state(now, item.blind)[0], here.net_wh)


def _check_difference(item: Correction, now: Document, was: Document | None, found: Findings) -> None:
    if was is None:
        found.unwitnessed(item.start, "what stood before the correction is not in the statement")
        return
    names = ("net_wh", "local_wh", "grid_wh", "direct_wh", "points_micro")
    said = (item.net_wh, item.local_wh, item.grid_wh, item.direct_wh, item.points_micro)
    for name, value, after, before in zip(names, said, _state(now, item.blind), _state(was, item.blind), strict=True):
        found.equal(item.start, name, value, after - before)


def _state(document: Document, blind: str | None) -> tuple[int, int, int, int, int]:
    """Return an owner's energy in all, local, of the grid and direct, and the points, as a document has them."""
    part = document.part(blind)
    if part is None:
        return 0, 0, 0, 0, 0
    direct_wh, direct_micro = document.direct_wh(part.blind), document.direct_points_micro(part.blind)
    return part.net_wh + direct_wh, part.local_wh, part.grid_wh, direct_wh, part.points_micro + direct_micro


def check_movements(page: Statement, proven: Mapping[int, Proven], found: Findings) -> None:
    """Check each movement against the postings of its entry; who else it concerned stays hidden, and unwitnessed."""
    for item in page.movements:
        if not page.start <= item.at < page.end:
            found.altered(None, f"{item.cause}, at", item.at, "a time in the statement")
        entry = proven.get(item.entry)
        if entry is None:
            if page.entries:
                found.altered(None, item.cause, f"entry {item.entry}", "an entry in the proof")
            else:
                found.unwitnessed(None, f"{item.cause}: the statement came without proof")
            continue
        found.equal(None, f"entry {item.entry}, cause", item.cause, entry.public.get("cause"))
        found.equal(None, f"{item.cause}, at", item.at, parse_time(entry.public.get("valued_at"), "valued_at"))
        _check_amounts(page, item, entry, found)


def _check_amounts(page: Statement, item: Movement, entry: Proven, found: Findings) -> None:
    postings = entry.entry.postings
    if postings is None:
        found.unwitnessed(None, f"{item.cause}: the entry also concerns others")
        return
    amounts = dict(postings)
    found.equal(None, f"{item.cause}, points_micro", item.points_micro, amounts.get(f"owner:{page.owner}", 0))
    found.equal(None, f"{item.cause}, fee_micro", item.fee_micro, amounts.get("fee", 0))


def check_sums(page: Statement, found: Findings) -> None:
    """Check that opening and everything in between are closing, to the millionth of a point."""
    lines, corrections, movements = page.lines, page.corrections, page.movements
    totals = Totals(
        net_wh=sum(line.net_wh for line in lines) + sum(item.net_wh for item in corrections),
        local_wh=sum(line.local_wh for line in lines) + sum(item.local_wh for item in corrections),
        grid_wh=sum(line.grid_wh for line in lines) + sum(item.grid_wh for item in corrections),
        direct_wh=sum(line.direct_wh for line in lines) + sum(item.direct_wh for item in corrections),
        points_micro=sum(line.points_micro for line in lines),
        corrections_micro=sum(item.points_micro for item in corrections),
        movements_micro=sum(item.points_micro for item in movements),
        fees_micro=sum(item.fee_micro for item in movements),
        rewards_micro=sum(item.points_micro for item in movements if item.kind in REWARD_KINDS),
    )
    for name in Totals.__dataclass_fields__:
        found.equal(None, f"totals, {name}", getattr(page.totals, name), getattr(totals, name))
    moved = totals.points_micro + totals.corrections_micro + totals.movements_micro
    found.equal(None, "closing_micro", page.closing_micro, page.opening_micro + moved)


def check_order(pages: Sequence[Statement], found: Findings) -> None:
    """Check that where one statement ends, the next begins with the same balance."""
    for before, after in pairwise(pages):
        if after.start == before.end:
            found.equal(after.start, "opening_micro", after.opening_micro, before.closing_micro)
        elif after.start < before.end:
            found.altered(after.start, "from", after.start, before.end)
        else:
            found.unwitnessed(before.end, "no statement is kept of the time after this")
