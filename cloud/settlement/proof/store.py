"""Reads what moved an owner's points, and the proof of each: entries, documents, and their places under the roots."""

from collections.abc import Mapping, Sequence
from itertools import batched

from sqlalchemy import Connection, and_, case, func, or_, select

from cloud.database import bucket_of
from cloud.ingest.readings.store import reading_table
from cloud.ledger import store as ledger
from cloud.ledger.account import AGGREGATOR, FEE, owner_account
from cloud.ledger.cause import kind_of
from cloud.ledger.evidence import store as evidence
from cloud.ledger.evidence.store import entry_evidence_table
from cloud.ledger.root.store import hashes, roots_over
from cloud.ledger.store import entry_table, posting_table
from cloud.settlement.cause import ENERGY_PREFIX
from cloud.settlement.correction.store import settled_correction_table
from cloud.settlement.statement import Correction, Line, Movement
from cloud.settlement.store import settled_interval_table
from cloud.sites.links.store import upstreams
from cloud.sites.transfer.store import transfers_of
from cloud.wire import statement as wire
from cloud.wire.merkle import levels

from .message import Place, Proof, proven
from .pages import DOCUMENT_BYTES_MAX, Weight

NUMBERS_PAGE = 500  # entries read together
REVISIONS = 2  # a correction comes with the document of what stood before


def weights(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Weight]:
    """Return how large the entries on an owner's account are that are valued in [start, end), in order of time."""
    leg, e, document = posting_table.c, entry_table.c, entry_evidence_table.c
    same = and_(e.bucket == leg.bucket, e.community == leg.community, e.number == leg.number)
    made_from = and_(document.bucket == e.bucket, document.community == e.community, document.number == e.number)
    joined = posting_table.join(entry_table, same).outerjoin(entry_evidence_table, made_from)
    rows = select(e.valued_at, e.cause, func.coalesce(func.length(document.raw), 0)).select_from(joined)
    rows = rows.where(leg.bucket == bucket_of(community), leg.community == community)
    rows = rows.where(leg.account == owner_account(owner).id, e.valued_at >= start, e.valued_at < end)
    found = []
    for at, cause, size in conn.execute(rows.order_by(e.valued_at, e.number)):
        copies = REVISIONS if cause.startswith(ENERGY_PREFIX) and cause.count(":") > 3 else 1
        found.append(Weight(at, int(size) * copies * 9 // 8))  # quotation marks take two bytes within JSON
    return found


def movements(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Movement]:
    """Return every entry on an owner's account valued in [start, end) that is not of energy, in the ledger's order."""
    legs, others = posting_table.alias("leg"), posting_table.alias("other")
    leg, other, e = legs.c, others.c, entry_table.c
    same = and_(e.bucket == leg.bucket, e.community == leg.community, e.number == leg.number)
    beside = and_(other.bucket == leg.bucket, other.community == leg.community, other.number == leg.number)
    amount = {
        account.id: func.sum(case((other.account == account.id, other.amount_micro), else_=0))
        for account in (FEE, AGGREGATOR)
    }
    rows = select(e.number, e.cause, e.valued_at, leg.amount_micro, amount[FEE.id], amount[AGGREGATOR.id])
    rows = rows.select_from(legs.join(entry_table, same).join(others, beside))
    rows = rows.where(leg.bucket == bucket_of(community), leg.community == community)
    rows = rows.where(leg.account == owner_account(owner).id, e.valued_at >= start, e.valued_at < end)
    rows = rows.where(~e.cause.startswith(ENERGY_PREFIX))
    rows = rows.group_by(e.number, e.cause, e.valued_at, leg.amount_micro).order_by(e.number)
    return [
        Movement(at, kind_of(cause) or ("reward" if rewarded else "other"), cause, int(points), int(fee), number)
        for number, cause, at, points, fee, rewarded in conn.execute(rows)
    ]


def handovers(conn: Connection, community: str, owner: str, start: int, end: int) -> list[wire.Handover]:
    """Return the taps that came to an owner or went from it in [start, end)."""
    return [
        wire.Handover(item.effective_from, item.site, item.tap, came=item.to_owner == owner)
        for item in transfers_of(conn, community, owner, start, end)
        if item.effective_from is not None
    ]


def entries_of(
    conn: Connection,
    community: str,
    lines: Sequence[Line],
    corrections: Sequence[Correction],
    moved: Sequence[Movement],
) -> list[int]:
    """Return the entries that a page is about; with a correction also the one of what stood before it."""
    told: list[Line | Correction | Movement] = [*lines, *corrections, *moved]
    numbers = {item.entry for item in told}
    interval, c = settled_interval_table.c, settled_correction_table.c
    owned = {"bucket": bucket_of(community), "community": community}
    for item in corrections:
        earlier = select(c.entry).filter_by(**owned, start=item.start)
        earlier = earlier.where(c.revision < item.revision, c.entry.is_not(None)).order_by(c.revision.desc()).limit(1)
        first = select(interval.entry).filter_by(**owned, start=item.start)
        numbers.add(conn.execute(earlier).scalar_one_or_none() or conn.execute(first).scalar_one_or_none())
    return sorted(number for number in numbers if number is not None)


def proof_of(conn: Connection, community: str, owner: str, numbers: Sequence[int]) -> Proof:
    """Return the proof of these entries: each as the owner may see it, under the root of its day if it has one."""
    places, signed = _places(conn, community, numbers)
    found = []
    for some in batched(numbers, NUMBERS_PAGE, strict=False):
        documents = evidence.documents(conn, community, some)
        for link in sorted(ledger.links_numbered(conn, community, some), key=lambda link: link.number):
            document = documents.get(link.number)
            sent = None if document is None or len(document) > DOCUMENT_BYTES_MAX else document
            found.append(proven(link, sent, places.get(link.number), owner))
    return Proof(entries=tuple(entry for entry in found if entry is not None), roots=signed)


def _places(conn: Connection, community: str, numbers: Sequence[int]) -> tuple[Mapping[int, Place], tuple[str, ...]]:
    places, signed = {}, []
    for kept in roots_over(conn, community, numbers):
        tree = levels([bytes.fromhex(item) for item in hashes(conn, community, kept.first, kept.last)])
        for number in numbers:
            if kept.first <= number <= kept.last:
                places[number] = Place(kept.day, number - kept.first, tree)
        signed.append(kept.signed)
    return places, tuple(signed)


def had_tap(conn: Connection, community: str, site: str, owner: str, period: tuple[int, int]) -> bool:
    """Tell whether an owner had a tap at a site that was measured in [start, end)."""
    r = reading_table.c
    rows = select(r.start).filter_by(bucket=bucket_of(community), community=community, site=site)
    rows = rows.where(r.start >= period[0], r.start < period[1], or_(r.owner == owner, r.upstream_owner == owner))
    return conn.execute(rows.limit(1)).first() is not None


def measured_at(conn: Connection, community: str, owner: str, lines: Sequence[Line], now: int) -> tuple[str, ...]:
    """Return the sites that measured energy of an owner in these intervals, also what passes on to a site below."""
    if not lines:
        return ()
    r = reading_table.c
    rows = select(r.site).distinct().filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(
        r.start.between(lines[0].start, lines[-1].start), or_(r.owner == owner, r.upstream_owner == owner)
    )
    above = upstreams(conn, community)
    below = {site for site in above.forest.links if any(above.owner(site, line.start, now) == owner for line in lines)}
    return tuple(sorted({*conn.execute(rows).scalars(), *below}))


def elsewhere(conn: Connection, community: str, who: tuple[str, str], lines: Sequence[Line]) -> Mapping[int, int]:
    """Return, for a site and an owner, how much of each line's energy does not stand in the site's own records."""
    site, owner = who
    r, here_wh = reading_table.c, dict.fromkeys((line.start for line in lines), 0)
    rows = select(r.start, r.owner, r.upstream_owner, r.island, r.import_wh - r.export_wh)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, site=site)
    for start, taker, giver, island, wh in conn.execute(rows.where(r.start.between(lines[0].start, lines[-1].start))):
        if start in here_wh and not island:
            here_wh[start] += wh * ((taker == owner) - (giver == owner))
    return {line.start: line.net_wh + line.direct_wh - here_wh[line.start] for line in lines}
