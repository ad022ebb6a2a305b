"""Streams the stored rows of a community in the order the audit looks at them: a page in memory, never a table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import batched, groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select

from cloud.database import bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ingest.reading import Reading
from cloud.ingest.readings.store import reading_table
from cloud.ledger import store as ledger
from cloud.ledger.chain import Link
from cloud.ledger.store import account_table, entry_table, posting_table
from cloud.settlement.audit.batches import BatchRow, KeyRow, TreeRow
from cloud.settlement.audit.books import AccountRow, Totals
from cloud.settlement.audit.intervals import IntervalRow, OwnerRow, Stored
from cloud.settlement.cause import ENERGY_PREFIX
from cloud.settlement.store import settled_interval_table, settled_owner_interval_table, settled_without_table
from cloud.sites.access.store import site_key_table
from cloud.sites.trees.store import tree_table
from cloud.tariff.price import Prices, PriceTexts
from cloud.tariff.store import tariff_table
from cloud.tariff.validity import Tariff

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


def joined_at(conn: Connection, community: str) -> dict[str, int]:
    """Return when each site's first tree came."""
    c = tree_table.c
    rows = select(c.site, func.min(c.received_at)).filter_by(**_owned(community)).group_by(c.site)
    return dict(conn.execute(rows).tuples().all())


def tariffs(conn: Connection, community: str) -> Iterator[tuple[Tariff, PriceTexts]]:
    """Yield every tariff with the texts it was read from, in the order of their validity."""
    for row in _stream(conn, select(tariff_table).filter_by(**_owned(community)).order_by(tariff_table.c.valid_from)):
        prices = Prices(row.local_micro_per_wh, row.grid_buy_micro_per_wh, row.grid_sell_micro_per_wh)
        texts = PriceTexts(row.local_text, row.grid_buy_text, row.grid_sell_text)
        yield Tariff(row.valid_from, prices, row.used_through), texts


def intervals(conn: Connection, community: str) -> Iterator[Stored]:
    """Yield every settled interval with all that stands of it, in order of time."""
    for group in batched(_without_entries(conn, community), TOGETHER, strict=False):
        numbers = [item[0].entry for item in group if item[0] is not None and item[0].entry is not None]
        found = {link.number: link for link in _links_numbered(conn, community, numbers)}
        for row, stored in group:
            yield stored(None if row is None or row.entry is None else found.get(row.entry))


type _Part = tuple[IntervalRow | None, Callable[[Link | None], Stored]]


def _without_entries(conn: Connection, community: str) -> Iterator[_Part]:
    readings, owners = reading_table, settled_owner_interval_table
    measured = _ByStart(_stream(conn, _select(readings, Reading, community).order_by(readings.c.start)), _reading)
    parts = _ByStart(
        _stream(conn, _select(owners, OwnerRow, community).order_by(owners.c.start)), lambda r: OwnerRow(*r)
    )
    absent = select(settled_without_table.c.start, settled_without_table.c.site).filter_by(**_owned(community))
    absents = _ByStart(_stream(conn, absent.order_by(settled_without_table.c.start)), lambda row: str(row.site))
    prices = _InForce(tariffs(conn, community))
    rows = _select(settled_interval_table, IntervalRow, community).order_by(settled_interval_table.c.start)
    for row in (IntervalRow(*found) for found in _stream(conn, rows)):
        yield from (_orphans(start, kept) for start, kept in parts.before(row.start))
        for _ in measured.before(row.start):
            pass  # not settled yet
        for _ in absents.before(row.start):
            pass  # says nothing of anything
        yield row, _whole(row, parts.at(row.start), absents.at(row.start), measured.at(row.start), prices.at(row.start))
    yield from (_orphans(start, kept) for start, kept in parts.before(None))


def _whole(
    row: IntervalRow, owners: list[OwnerRow], without: list[str], readings: list[Reading], tariff: Tariff | None
) -> Callable[[Link | None], Stored]:
    named = {part.owner: part for part in owners}
    return lambda link: Stored(row.start, row, named, tuple(sorted(without)), readings, tariff, link)


def _orphans(start: int, owners: list[OwnerRow]) -> _Part:
    return None, lambda link: Stored(start, None, {part.owner: part for part in owners}, (), (), None, link)


def _reading(row: Row[Any]) -> Reading:
    return replace(Reading(*row), island=bool(row.island))


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


class _InForce:
    """The tariff in force, followed through time."""

    def __init__(self, rows: Iterator[tuple[Tariff, PriceTexts]]) -> None:
        self._rows = rows
        self._now: Tariff | None = None
        self._next = next(rows, None)

    def at(self, start: int) -> Tariff | None:
        """Return the tariff of the interval that begins at `start`; starts only grow."""
        while self._next is not None and self._next[0].valid_from <= start:
            self._now, self._next = self._next[0], next(self._rows, None)
        return self._now


def _links_numbered(conn: Connection, community: str, numbers: list[int]) -> list[Link]:
    """Return the entries with these numbers, as they stand."""
    return ledger.links_numbered(conn, community, numbers) if numbers else []


def entries_of_no_interval(conn: Connection, community: str) -> Iterator[tuple[int, str]]:
    """Yield number and cause of entries for energy that the settled interval of their time does not name."""
    e, i = entry_table.c, settled_interval_table.c
    owned = (i.bucket == e.bucket) & (i.community == e.community)
    named = select(1).where(owned, i.start == e.valued_at, i.entry == e.number).exists()  # by key: there are many
    rows = select(e.number, e.cause).filter_by(**_owned(community))
    rows = rows.where(e.cause.startswith(ENERGY_PREFIX), ~named).order_by(e.number)
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


def readings_between(
    conn: Connection, community: str, site: str, start: int, end: int
) -> Mapping[tuple[int, str], Reading]:
    """Return a site's readings that begin in [start, end), by start and tap."""
    rows = _select(reading_table, Reading, community, site=site)
    rows = rows.where(reading_table.c.start >= start, reading_table.c.start < end)
    return {(row.start, row.tap): _reading(row) for row in conn.execute(rows)}


def readings(conn: Connection, community: str, site: str) -> Iterator[Reading]:
    """Yield every reading of a site."""
    rows = _select(reading_table, Reading, community, site=site)
    return (_reading(row) for row in _stream(conn, rows.order_by(reading_table.c.start)))


def readings_count(conn: Connection, community: str, site: str) -> int:
    """Count a site's readings."""
    rows = select(func.count()).select_from(reading_table).filter_by(**_owned(community), site=site)
    return int(conn.execute(rows).scalar_one())


def totals(conn: Connection, community: str | None) -> dict[str, Totals]:
    """Add up everything by community, whatever bucket a row lies in; one community, or all."""

    def by_community(table: Table, column: str) -> dict[str, int]:
        rows = select(table.c.community, func.sum(table.c[column])).group_by(table.c.community)
        rows = rows if community is None else rows.where(table.c.community == community)
        return {name: int(total) for name, total in conn.execute(rows)}

    grid = by_community(settled_interval_table, "grid_wh")
    net = by_community(settled_owner_interval_table, "net_wh")
    local = by_community(settled_owner_interval_table, "local_wh")
    micro = by_community(posting_table, "amount_micro")
    return {
        name: Totals(grid.get(name, 0) + net.get(name, 0), local.get(name, 0), micro.get(name, 0))
        for name in grid.keys() | net.keys() | micro.keys()
    }
