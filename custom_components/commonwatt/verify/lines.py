"""Lines: what was measured here, at the prices that were told, shared as the rule has it. Else the line is named."""

from ..wire.statement import Line, Statement
from .document import Document, Part
from .entries import Proven
from .finding import Findings
from .own import Own, OwnInterval
from .share import local_wh

CLOCKS_SECONDS = 120  # by which the clocks of a site and its cloud may differ


def check_lines(page: Statement, proven: dict[int, Proven], own: Own, found: Findings) -> None:
    """Check every line of a page."""
    seen: set[int] = set()
    for line in page.lines:
        if line.start in seen or not page.start <= line.start < page.end:
            found.altered(line.start, "start", "a line twice, or of another time", "one line in its time")
        seen.add(line.start)
        _check_line(page, line, proven, own, found)


def check_missing(page: Statement, own: Own, as_of: int, found: Findings) -> None:
    """Check that no interval is missing which this site measured something in before the statement was made."""
    told = {line.start for line in page.lines}
    for start, interval in own.intervals.items():
        here = page.start <= start < page.end and start + interval.seconds + CLOCKS_SECONDS <= as_of
        if not here or start in told or not interval.net_wh:
            continue
        if page.intervals_waiting == 0:
            found.altered(start, "line", None, f"{interval.net_wh} Wh")
        else:
            found.unwitnessed(start, "the interval is not settled yet")


def _check_line(page: Statement, line: Line, proven: dict[int, Proven], own: Own, found: Findings) -> None:
    start = line.start
    found.equal(start, "net_wh", line.net_wh, line.local_wh + line.grid_wh + line.direct_wh)
    document = _document_of(line, page, proven, found)
    _check_measured(page, line, document, own, found)
    _check_prices(line, own, found)
    _check_points(line, found)
    if document is not None:
        part = document.part(line.blind)
        if part is None:
            found.altered(start, "blind", line.blind, "a name in the document")
        else:
            _check_part(line, document, part, found)
        check_share(document, found)


def _document_of(line: Line, page: Statement, proven: dict[int, Proven], found: Findings) -> Document | None:
    """Return the document of a line's entry; the entry must be of this interval and of no correction."""
    if line.entry is None:
        found.equal(line.start, "points_micro", line.points_micro, 0)
        found.unwitnessed(line.start, "no points moved, so there is no entry")
        return None
    item = proven.get(line.entry)
    if item is None:
        if page.entries:
            found.altered(line.start, "entry", line.entry, "an entry in the proof")
        else:
            found.unwitnessed(line.start, "the statement came without proof")
        return None
    document = item.document
    if document is not None:
        said = (line.start, line.seconds, 0, page.community)
        must = (document.start, document.seconds, document.revision, document.community)
        for what, one, other in zip(("start", "seconds", "revision", "community"), said, must, strict=True):
            found.equal(line.start, what, one, other)
    elif not str(item.public.get("cause")).startswith("energy:"):
        found.altered(line.start, "entry", line.entry, "an entry of energy")
    return document


def _check_measured(page: Statement, line: Line, document: Document | None, own: Own, found: Findings) -> None:
    """Hold the line's energy against this site's registers; what was measured elsewhere is for others to verify."""
    start, here = line.start, own.intervals.get(line.start)
    if line.elsewhere_wh and page.sites == (own.site,):
        found.altered(start, "elsewhere_wh", line.elsewhere_wh, 0)
    elif line.elsewhere_wh:
        found.unwitnessed(start, "part of the energy was measured at other sites")
    if here is None:
        found.unwitnessed(start, "this site holds no record of the interval")
        return
    found.equal(start, "seconds", line.seconds, here.seconds)
    said_wh = line.net_wh - line.elsewhere_wh
    if document is not None and own.site in document.without:
        found.equal(start, "net_wh", said_wh, 0)
        found.unwitnessed(start, "settled without this site; a correction follows")
        return
    if document is not None:
        here = here.named_by(document.batches, own.site)
        check_batch(document, here, own, found)
    elif here.amended is not None and said_wh == here.amended.net_wh:
        here = here.amended
    found.equal(start, "net_wh", said_wh, here.net_wh)


def check_batch(document: Document, here: OwnInterval, own: Own, found: Findings) -> None:
    """Check that the interval was settled from the very batch that this site signed."""
    if here.batch is None:
        found.unwitnessed(document.start, "the batch of the interval is not kept here")
        return
    named = [batch[1:] for batch in document.batches if batch[0] == own.site]
    found.checked += 1
    if here.batch not in named:
        said = ", ".join(f"{epoch}/{seq} {sha}" for epoch, seq, sha in named)
        found.altered(document.start, "batch", said or None, "{}/{} {}".format(*here.batch))


def _check_prices(line: Line, own: Own, found: Findings) -> None:
    promised = own.promised.get(line.start)
    if promised is None:
        found.unwitnessed(line.start, "price not witnessed")
        return
    # also where nothing was traded: without a local price there is no share, and that may be the lie
    found.equal(line.start, "local_micro_per_wh", line.local_micro_per_wh, promised.local_micro_per_wh)
    if line.grid_wh:
        buys = line.grid_wh > 0
        price = promised.grid_buy_micro_per_wh if buys else promised.grid_sell_micro_per_wh
        found.equal(line.start, "grid_micro_per_wh", line.grid_micro_per_wh, price)


def _check_points(line: Line, found: Findings) -> None:
    cost = line.local_wh * (line.local_micro_per_wh or 0) + line.grid_wh * (line.grid_micro_per_wh or 0)
    found.equal(line.start, "points_micro", line.points_micro, line.direct_points_micro - cost)


def _check_part(line: Line, document: Document, part: Part, found: Findings) -> None:
    """Check that the line says what the document says of this owner."""
    direct_wh, direct_micro = document.direct_wh(part.blind), document.direct_points_micro(part.blind)
    for what, said, must in (
        ("net_wh", line.net_wh, part.net_wh + direct_wh),
        ("local_wh", line.local_wh, part.local_wh),
        ("grid_wh", line.grid_wh, part.grid_wh),
        ("direct_wh", line.direct_wh, direct_wh),
        ("direct_points_micro", line.direct_points_micro, direct_micro),
        ("local_micro_per_wh", line.local_micro_per_wh, document.local_micro_per_wh),
        ("grid_micro_per_wh", line.grid_micro_per_wh, part.grid_micro_per_wh),
        ("points_micro", line.points_micro, part.points_micro + direct_micro),
        ("quality", line.quality, part.quality),
    ):
        found.equal(line.start, what, said, must)


def check_share(document: Document, found: Findings) -> None:
    """Work the whole interval out once more from the anonymous list: everybody's share, price and sum."""
    parts, start = document.parts, document.start
    shares = local_wh([part.net_wh for part in parts], traded=document.local_micro_per_wh is not None)
    for place, (part, must) in enumerate(zip(parts, shares, strict=True), 1):
        found.equal(start, f"share of owner {place}", part.local_wh, must)
        found.equal(start, f"grid energy of owner {place}", part.grid_wh, part.net_wh - part.local_wh)
        cost = part.local_wh * (document.local_micro_per_wh or 0) + part.grid_wh * part.grid_micro_per_wh
        found.equal(start, f"points of owner {place}", part.points_micro, -cost)
    blinds = [part.blind for part in parts]
    found.equal(start, "owners in the document", len(set(blinds)), len(blinds))
    strangers = {name for leg in document.direct for name in (leg.giver, leg.taker)} - set(blinds)
    found.equal(start, "neighbours in the document", len(strangers), 0)
    found.equal(start, "energy of the interval", sum(part.net_wh for part in parts) + document.grid_wh, 0)
    points = sum(part.points_micro for part in parts) + document.grid_points_micro
    found.equal(start, "points of the interval", points, 0)
