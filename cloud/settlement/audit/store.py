"""Audits a community on one snapshot of the database: every row is read, nothing is written, nothing is believed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import Connection

from cloud.ingest.reading import Reading
from cloud.ledger import store as ledger
from cloud.ledger.chain import Link
from cloud.settlement.direct.store import agreed
from cloud.settlement.store import secret_of
from cloud.sites.links import store as links
from cloud.sites.store import Community, sites_of
from cloud.tariff import store as tariffs
from cloud.wire.strict import TIME_MAX

from . import batches, books, intervals
from .again import Ground
from .batches import BatchRow, Witness
from .books import AccountRow, Totals
from .finding import CHECKS, Check, Finding, Place, Report, uncalled
from .prices import store as prices
from .rows import store as rows

type Tally = Counter[str]


def audit(
    conn: Connection,
    community: Community,
    totals: Totals,
    found: Callable[[Finding], None],
    checks: frozenset[Check] = CHECKS,
) -> Report:
    """Look at everything that is kept of a community; `found` is told each finding as it comes."""
    name, tally = community.community, Counter[str]()
    for finding in _findings(conn, community, totals, tally):
        if finding.place.check in checks:
            tally["findings"] += 1
            found(finding)
    return Report(
        community=name,
        head=ledger.head_of(conn, name).hash,
        **{
            what: tally[what]
            for what in (
                *("intervals", "corrections", "entries", "postings", "accounts", "batches", "readings"),
                *("late_readings", "findings"),
            )
        },
    )


def _findings(conn: Connection, community: Community, totals: Totals, tally: Tally) -> Iterator[Finding]:
    name = community.community
    links = _counted_links(rows.links(conn, name), tally)
    yield from books.entries(name, links, ledger.head_of(conn, name))
    yield from books.balances(name, _counted_accounts(rows.accounts(conn, name), tally))
    yield from books.totals(name, totals)
    for key, found, texts in prices.prices(conn, name):
        yield from intervals.price_findings(name, key, found, texts)
    yield from _intervals(conn, community, tally)
    for site in sites_of(conn, name):
        yield from _site(conn, community, site.site, tally)


def _counted_links(links: Iterable[Link], tally: Tally) -> Iterator[Link]:
    for link in links:
        tally["entries"] += 1
        tally["postings"] += len(link.postings)
        yield link


def _counted_accounts(accounts: Iterable[AccountRow], tally: Tally) -> Iterator[AccountRow]:
    for account in accounts:
        tally["accounts"] += account.balance_micro is not None
        yield account


def _intervals(conn: Connection, community: Community, tally: Tally) -> Iterator[Finding]:
    name = community.community
    ground = Ground(
        community=name,
        seconds=community.interval_seconds,
        opened_at=rows.opened_at(conn, name),
        book=tariffs.book(conn, name, 0, TIME_MAX),
        upstreams=links.upstreams(conn, name),
        agreed=agreed(conn, name),
        secret=secret_of(conn, name),
    )
    for stored in rows.intervals(conn, name):
        tally["intervals"] += len(stored.rows[:1])
        tally["corrections"] += len(stored.rows[1:])
        tally["late_readings"] += intervals.late(stored)
        yield from intervals.findings(ground, stored)
    for number, cause in rows.entries_of_no_interval(conn, name):
        yield uncalled(Place("intervals", name, "entry", {"number": number}), cause)


def _site(conn: Connection, community: Community, site: str, tally: Tally) -> Iterator[Finding]:
    name = community.community
    trees = rows.trees(conn, name, site)
    keys = rows.keys(conn, name, site)
    witness = Witness(name, site, community.interval_seconds, keys, {row.rev: row for row in trees})
    for tree in trees:
        yield from batches.tree_findings(witness, tree)
    accounted = 0
    for row in rows.batches(conn, name, site):
        tally["batches"] += 1
        yield from batches.batch_findings(witness, row)
        must = batches.readings_of(witness, row)
        if must:
            first, last = must[0].start, max(item.start for item in must)
            kept = batches.Stands.of(rows.kept_between(conn, name, site, first, last + 1))
            amends = batches.amends(row)
            accounted += sum(kept.own(item, exact=amends) is not None for item in must)
            yield from batches.reading_findings(name, must, kept, amends=amends)
    stored = rows.kept_count(conn, name, site)
    tally["readings"] += stored
    if stored != accounted:
        yield from _strays(conn, witness)


def _strays(conn: Connection, witness: Witness) -> Iterator[Finding]:
    """Look for readings that no batch accounts for, once their number has shown that there are some."""
    last: tuple[int, int] | None = None
    must: list[Reading] = []
    for reading in (item.reading for item in rows.kept(conn, witness.community, witness.site)):
        if (reading.epoch, reading.seq) != last:
            last = reading.epoch, reading.seq
            row: BatchRow | None = rows.batch(conn, witness.community, witness.site, *last)
            must = [] if row is None else batches.readings_of(witness, row)
        yield from batches.stray(witness.community, reading, must)
