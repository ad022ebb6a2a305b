"""Streams the stored rows of a community in the order the audit looks at them: a page in memory, never a table."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import batched, groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, func, literal, select

from cloud.database import WHOLE, bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ingest.reading import Reading
from cloud.ingest.readings.store import MEMBERS, reading_table, replaced_reading_table
from cloud.ledger import store as ledger
from cloud.ledger.chain import Link
from cloud.ledger.evidence import store as evidence
from cloud.ledger.store import account_table, entry_table, posting_table
from cloud.settlement.audit.again import Kept
from cloud.settlement.audit.batches import BatchRow, KeyRow, TreeRow
from cloud.settlement.audit.books import AccountRow, Totals
from cloud.settlement.audit.intervals import IntervalRow, OwnerRow, Stored
from cloud.settlement.cause import ENERGY_PREFIX
from cloud.settlement.correction.store import settled_correction_table, settled_owner_correction_table
from cloud.settlement.store import settled_interval_table, settled_owner_interval_table, settled_without_table
from cloud.sites.access.store import site_key_table
from cloud.sites.trees.store import tree_table

PAGE_ROWS = 1000  # fetched at a time from each stream
TOGETHER = 100  # intervals whose entries are fetched at once


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}


def _stream(conn: Connection, rows: Select[Any]) -> Iterator[Row[Any]]:
    return iter(conn.execute(rows, execution_options={"yield_per": PAGE_ROWS}))


def _select(table: Table, form: type[Any], community: str, **where: Any) -> Select[Any]:
    columns = [table.c[member.name] for member in fields(form)]
    return select(*columns).filter_by(**_owned(community), **where)


def links(conn: Connection, community: str) -> Iterator[Link]:
    """Yield every entry, in the order of its number."""
    after = 0
    while page := ledger.links(conn, community, after):
        yield from page
        after = page[-1].number


def accounts(conn: Connection, community: str) -> Iterator[AccountRow]:
    """Yield every account with the sum of its postings, then those that postings name and nobody opened."""
    moved = select(posting_table.c.account, func.sum(posting_table.c.amount_micro).label("micro"))
    summed = moved.filter_by(**_owned(community)).group_by(posting_table.c.account).subquery()
    opened = select(account_table.c.account, account_table.c.balance_micro).filter_by(**_owned(community)).subquery()
    same = summed.c.account == opened.c.account
    kept = select(opened.c.account, opened.c.balance_micro, func.coalesce(summed.c.micro, 0))
    for account, balance, micro in _stream(conn, kept.join_from(opened, summed, same, isouter=True)):
        yield AccountRow(account, balance, int(micro))
    lost = select(summed).join_from(summed, opened, same, isouter=True).where(opened.c.account.is_(None))
    for account, micro in _stream(conn, lost):
        yield AccountRow(account, None, int(micro))


def opened_at(conn: Connection, community: str) -> dict[str, int]:
    """Return when each owner's account was opened."""
    c = account_table.c
    return dict(conn.execute(select(c.owner, c.opened_at).filter_by(**_owned(community), kind="owner")).tuples().all())


def intervals(conn: Connection, community: str) -> Iterator[Stored]:
    """Yield every settled interval with all that stands of it, in order of time."""
    for group in batched(_without_entries(conn, community), TOGETHER, strict=False):
        numbers = [row.entry for stored in group for row in stored.rows if row.entry is not None]
        links = {link.number: link for link in _links_numbered(conn, community, numbers)}
        kept = evidence.documents(conn, community, numbers)
        for stored in group:
            yield replace(stored, links=links, documents=kept)


def _without_entries(conn: Connection, community: str) -> Iterator[Stored]:
    readings = _ByStart(_stream(conn, _kept(reading_table, community)), lambda row: _kept_of(row, replaced=False))
    replaced = _ByStart(
        _stream(conn, _kept(replaced_reading_table, community)), lambda row: _kept_of(row, replaced=True)
    )
    parts = _ByStart(_stream(conn, _parts(settled_owner_interval_table, community)), lambda row: OwnerRow(*row))
    changes = _ByStart(_stream(conn, _parts(settled_owner_correction_table, community)), lambda row: OwnerRow(*row))
    corrected = _ByStart(_stream(conn, _corrections(community)), lambda row: IntervalRow(*row))
    absent = select(settled_without_table.c.start, settled_without_table.c.site).filter_by(**_owned(community))
    absents = _ByStart(_stream(conn, absent.order_by(settled_without_table.c.start)), lambda row: str(row.site))
    measured: tuple[_ByStart[Any], ...] = (readings, replaced, absents)
    judged: tuple[_ByStart[Any], ...] = (parts, changes)
    for row in (IntervalRow(*found) for found in _stream(conn, _settled(community))):
        yield from (_orphans(start, kept) for stream in judged for start, kept in stream.before(row.start))
        for stream in (*measured, corrected):
            for _ in stream.before(row.start):
                pass  # not settled yet, or says nothing of anything
        at = row.start
        rows, owners = (row, *corrected.at(at)), (*parts.at(at), *changes.at(at))
        kept = (*readings.at(at), *replaced.at(at))
        yield Stored(at, rows, owners, frozenset(absents.at(at)), kept, {}, {})
    yield from (_orphans(start, kept) for stream in judged for start, kept in stream.before(None))


def _orphans(start: int, owners: list[OwnerRow]) -> Stored:
    return Stored(start, (), owners, frozenset(), (), {}, {})


def _kept(table: Table, community: str) -> Select[Any]:
    """Select readings with the digests of their batches; one without a batch is not left out."""
    t, b = table.c, batch_table.c
    of = and_(*(t[name] == b[name] for name in ("bucket", "community", "site", "epoch", "seq")))
    rows = select(*(t[name] for name in MEMBERS), b.hash).join_from(table, batch_table, of, isouter=True)
    return rows.where(t.bucket == bucket_of(community), t.community == community).order_by(t.start)


def _kept_of(row: Row[Any], *, replaced: bool) -> Kept:
    *members, digest = row
    return Kept(_reading(members), digest or "", replaced)


def _settled(community: str) -> Select[Any]:
    i = settled_interval_table.c
    sums = (i.readings, i.grid_wh, i.grid_points_micro, i.evidence, i.entry)
    kept = (i.settled_at, i.local_micro_per_wh, i.batches, i.document)
    rows = select(i.start, literal(0, WHOLE), i.seconds, *sums, i.start.label("valued_at"), *kept)
    return rows.filter_by(**_owned(community)).order_by(i.start)


def _corrections(community: str) -> Select[Any]:
    c, i = settled_correction_table.c, settled_interval_table.c
    of = (c.bucket == i.bucket) & (c.community == i.community) & (c.start == i.start)
    sums = (c.readings, c.grid_wh, c.grid_points_micro, c.evidence, c.entry)
    kept = (c.made_at, i.local_micro_per_wh, c.batches, c.document)
    rows = select(c.start, c.revision, i.seconds, *sums, c.booked_at, *kept)
    rows = rows.join_from(settled_correction_table, settled_interval_table, of)
    return rows.where(c.bucket == bucket_of(community), c.community == community).order_by(c.start, c.revision)


def _parts(table: Table, community: str) -> Select[Any]:
    t = table.c
    revision = t.revision if "revision" in t else literal(0, WHOLE)
    energy = (t.net_wh, t.local_wh, t.grid_wh, t.points_micro, t.direct_wh, t.direct_points_micro)
    told = (t.quality, t.local_micro_per_wh, t.grid_micro_per_wh, t.blind)
    return select(t.start, revision, t.owner, *energy, *told).filter_by(**_owned(community)).order_by(t.start)


def _reading(row: Sequence[Any]) -> Reading:
    reading = Reading(*row)
    return replace(reading, island=bool(reading.island), private=bool(reading.private))


class _ByStart[T]:
    """Rows in order of their start, given out an interval at a time."""

    def __init__(self, rows: Iterator[Row[Any]], make: Callable[[Row[Any]], T]) -> None:
        self._groups = groupby(rows, key=lambda row: int(row.start))
        self._make = make
        self._next = self._fetch()

    def _fetch(self) -> tuple[int, list[T]] | None:
        found = next(self._groups, None)
        return None if found is None else (found[0], [self._make(row) for row in found[1]])

    def before(self, start: int | None) -> Iterator[tuple[int, list[T]]]:
        """Yield the groups before a start, or all that are left."""
        while self._next is not None and (start is None or self._next[0] < start):
            yield self._next
            self._next = self._fetch()

    def at(self, start: int) -> list[T]:
        """Return the group of a start, after those before it."""
        if self._next is None or self._next[0] != start:
            return []
        found = self._next[1]
        self._next = self._fetch()
        return found


def _links_numbered(conn: Connection, community: str, numbers: list[int]) -> list[Link]:
    """Return the entries with these numbers, as they stand."""
    return ledger.links_numbered(conn, community, numbers) if numbers else []


def entries_of_no_interval(conn: Connection, community: str) -> Iterator[tuple[int, str]]:
    """Yield number and cause of entries for energy that no settled interval and no correction names."""
    e, i, c = entry_table.c, settled_interval_table.c, settled_correction_table.c
    owned = (i.bucket == e.bucket) & (i.community == e.community)
    named = select(1).where(owned, i.start == e.valued_at, i.entry == e.number).exists()  # by key: there are many
    corrected = select(c.entry).filter_by(**_owned(community)).where(c.entry.is_not(None))
    rows = select(e.number, e.cause).filter_by(**_owned(community))
    rows = rows.where(e.cause.startswith(ENERGY_PREFIX), ~named, e.number.not_in(corrected)).order_by(e.number)
    yield from ((row.number, row.cause) for row in _stream(conn, rows))


def keys(conn: Connection, community: str, site: str) -> list[KeyRow]:
    """Return every key a site ever had."""
    return [KeyRow(*row) for row in conn.execute(_select(site_key_table, KeyRow, community, site=site))]


def trees(conn: Connection, community: str, site: str) -> list[TreeRow]:
    """Return every revision of a site's tree."""
    rows = _select(tree_table, TreeRow, community, site=site).order_by(tree_table.c.rev)
    return [TreeRow(*row) for row in conn.execute(rows)]


def batches(conn: Connection, community: str, site: str) -> Iterator[BatchRow]:
    """Yield every batch of a site, in the order of its chain."""
    rows = _select(batch_table, BatchRow, community, site=site)
    return (BatchRow(*row) for row in _stream(conn, rows.order_by(batch_table.c.epoch, batch_table.c.seq)))


def batch(conn: Connection, community: str, site: str, epoch: int, seq: int) -> BatchRow | None:
    """Return one batch."""
    row = conn.execute(_select(batch_table, BatchRow, community, site=site, epoch=epoch, seq=seq)).one_or_none()
    return None if row is None else BatchRow(*row)


def kept_between(conn: Connection, community: str, site: str, start: int, end: int) -> Sequence[Kept]:
    """Return a site's readings that begin in [start, end), and those that stood before them."""
    found = []
    for table in (reading_table, replaced_reading_table):
        rows = _select(table, Reading, community, site=site).where(table.c.start >= start, table.c.start < end)
        found += [Kept(_reading(row), "", table is replaced_reading_table) for row in conn.execute(rows)]
    return found


def kept(conn: Connection, community: str, site: str) -> Iterator[Kept]:
    """Yield every reading of a site, and every one that another took the place of."""
    for table in (reading_table, replaced_reading_table):
        rows = _select(table, Reading, community, site=site).order_by(table.c.start)
        yield from (Kept(_reading(row), "", table is replaced_reading_table) for row in _stream(conn, rows))


def kept_count(conn: Connection, community: str, site: str) -> int:
    """Count a site's readings, those among them that another took the place of."""
    counts = [
        select(func.count()).select_from(table).filter_by(**_owned(community), site=site)
        for table in (reading_table, replaced_reading_table)
    ]
    return sum(int(conn.execute(rows).scalar_one()) for rows in counts)


def totals(conn: Connection, community: str | None) -> dict[str, Totals]:
    """Add up everything by community, whatever bucket a row lies in; one community, or all."""

    def by_community(column: str, *tables: Table) -> Counter[str]:
        found = Counter[str]()
        for table in tables:
            rows = select(table.c.community, func.sum(table.c[column])).group_by(table.c.community)
            rows = rows if community is None else rows.where(table.c.community == community)
            found.update({name: int(total) for name, total in conn.execute(rows)})
        return found

    parts = settled_owner_interval_table, settled_owner_correction_table
    grid = by_community("grid_wh", settled_interval_table, settled_correction_table)
    net, local = by_community("net_wh", *parts), by_community("local_wh", *parts)
    micro = by_community("amount_micro", posting_table)
    return {
        name: Totals(grid.get(name, 0) + net.get(name, 0), local.get(name, 0), micro.get(name, 0))
        for name in grid.keys() | net.keys() | micro.keys()
    }
