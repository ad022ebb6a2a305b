"""Keeps tariffs of communities and of owners: prices, the texts they were read from, and how far they settled."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.sites.owners.store import owner_of
from cloud.sites.store import Changed, community_of, community_table

from .book import PriceBook, TariffKey
from .kept import rules_of, rules_text
from .market import store as market
from .price import Prices, PriceTexts
from .series import store as series
from .series.merge import Added, Contradicts, Misplaced, merge, misplaced
from .terms import Series, SeriesPrice, Terms, TimeOfUse, kind_of
from .validity import COMMUNITY, Overlap, Tariff, Verdict, judge, settled_times

TARIFFS_MAX = 5000  # of a community, or of one owner: a new one every day for a dozen years

type NotKept = Literal["no-community", "no-owner", "off-boundary", "ends-before", "too-many"]

tariff_table = Table(
    "tariff",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),  # empty: the community's
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("valid_until", WHOLE),
    Column("kind", TEXT, nullable=False),
    Column("local_text", TEXT),
    Column("grid_buy_text", TEXT),
    Column("grid_sell_text", TEXT),
    Column("local_micro_per_wh", WHOLE),
    Column("grid_buy_micro_per_wh", WHOLE),
    Column("grid_sell_micro_per_wh", WHOLE),
    Column("time_zone", TEXT),
    Column("rules", TEXT),
    Column("used_through", WHOLE),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("kind IN ('flat', 'time_of_use', 'series')", name="kind_known"),
    CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="ends_after_it_begins"),
    CheckConstraint("(local_text IS NULL) = (local_micro_per_wh IS NULL)", name="local_with_its_text"),
    CheckConstraint("owner = '' OR local_text IS NULL", name="local_of_the_community"),
    CheckConstraint("(kind = 'series') = (grid_buy_text IS NULL)", name="buy_unless_series"),
    CheckConstraint("(kind = 'series') = (grid_sell_text IS NULL)", name="sell_unless_series"),
    CheckConstraint("(grid_buy_text IS NULL) = (grid_buy_micro_per_wh IS NULL)", name="buy_with_its_text"),
    CheckConstraint("(grid_sell_text IS NULL) = (grid_sell_micro_per_wh IS NULL)", name="sell_with_its_text"),
    CheckConstraint("(kind = 'time_of_use') = (rules IS NOT NULL)", name="rules_by_the_clock"),
    CheckConstraint("(rules IS NULL) = (time_zone IS NULL)", name="rules_of_a_time_zone"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)


def put_tariff(
    conn: Connection,
    community: str,
    wanted: Tariff,
    texts: PriceTexts | None,
    now: int,
    *,
    changed: Changed | None = None,
) -> Verdict | Overlap | NotKept:
    """Keep a tariff unless that would change what is settled; `texts` are its prices as written (a series has none).

    Rules by the clock are bound to the community's time zone as it is now.
    """
    settings = community_of(conn, community)
    if settings is None:
        return "no-community"
    if wanted.owner != COMMUNITY and owner_of(conn, community, wanted.owner) is None:
        return "no-owner"
    ends = 0 if wanted.valid_until is None else wanted.valid_until
    if wanted.valid_from % settings.interval_seconds or ends % settings.interval_seconds:
        return "off-boundary"
    if wanted.valid_until is not None and wanted.valid_until <= wanted.valid_from:
        return "ends-before"
    if isinstance(wanted.terms, TimeOfUse):
        wanted = replace(wanted, terms=replace(wanted.terms, time_zone=settings.time_zone))
    hold(conn, community)
    own = tariffs_of(conn, community, wanted.owner)
    general = own if wanted.owner == COMMUNITY else tariffs_of(conn, community, COMMUNITY)
    verdict = judge(wanted, own, settled_times(general))
    if verdict == "created" and len(own) >= TARIFFS_MAX:
        return "too-many"
    if verdict in ("created", "replaced"):
        _keep(conn, community, wanted, texts, now)
        if changed is not None:
            changed(conn, community, now)
    return verdict


def _keep(conn: Connection, community: str, wanted: Tariff, texts: PriceTexts | None, now: int) -> None:
    key = _owned(community) | {"owner": wanted.owner, "valid_from": wanted.valid_from}
    terms = wanted.terms
    if not isinstance(terms, Series):
        market.drop(conn, community, (wanted.owner, wanted.valid_from))
        series.drop(conn, community, (wanted.owner, wanted.valid_from))
    written: dict[str, Any] = dict.fromkeys(PRICE_COLUMNS) | dict.fromkeys(("time_zone", "rules"))
    if not isinstance(terms, Series):
        assert texts is not None
        written |= {f"{name}_text": text for name, text in asdict(texts).items()}
        written |= asdict(terms.default if isinstance(terms, TimeOfUse) else terms)
    if isinstance(terms, TimeOfUse):
        written |= {"time_zone": terms.time_zone, "rules": rules_text(terms.rules)}
    values = written | {"valid_until": wanted.valid_until, "kind": kind_of(terms), "made_at": now}
    upsert(conn, tariff_table, [*key], key | values)


PRICE_COLUMNS = (
    "local_text",
    "grid_buy_text",
    "grid_sell_text",
    "local_micro_per_wh",
    "grid_buy_micro_per_wh",
    "grid_sell_micro_per_wh",
)


def delete_tariff(
    conn: Connection, community: str, tariff: TariffKey, now: int, *, changed: Changed | None = None
) -> Literal["deleted", "not-found", "settled"]:
    """Forget a tariff that never settled anything."""
    hold(conn, community)
    key = _owned(community) | {"owner": tariff[0], "valid_from": tariff[1]}
    row = conn.execute(select(tariff_table.c.used_through).filter_by(**key)).one_or_none()
    if row is None:
        return "not-found"
    if row.used_through is not None:
        return "settled"
    market.drop(conn, community, tariff)
    series.drop(conn, community, tariff)
    conn.execute(delete(tariff_table).filter_by(**key))
    if changed is not None:
        changed(conn, community, now)
    return "deleted"


def add_prices(
    conn: Connection,
    community: str,
    tariff: TariffKey,
    prices: Sequence[SeriesPrice],
    now: int,
    *,
    changed: Changed | None = None,
) -> Added | Contradicts | Misplaced | Literal["not-found", "no-series"]:
    """Add prices to a series, all of them or none; those it knows already change nothing."""
    settings = community_of(conn, community)
    if settings is None:
        return "not-found"
    hold(conn, community)
    row = conn.execute(
        select(tariff_table).filter_by(**_owned(community), owner=tariff[0], valid_from=tariff[1])
    ).one_or_none()
    if row is None:
        return "not-found"
    if row.kind != "series":
        return "no-series"
    for price in prices:
        if (wrong := misplaced(price, tariff_of(row), settings.interval_seconds)) is not None:
            return wrong
    first, last = min(price.start for price in prices), max(price.end for price in prices)
    merged = merge(series.known_between(conn, community, tariff, first, last), prices)
    if isinstance(merged, Contradicts):
        return merged
    series.add(conn, community, tariff, merged.new, now)
    if merged.new and changed is not None:
        changed(conn, community, now)
    until = series.known_until(conn, community, tariff)
    assert until is not None
    return Added(len(merged.new), merged.known, until)


def book(conn: Connection, community: str, first: int, last: int) -> PriceBook:
    """Return all prices, of the community and of its owners, of the intervals that begin between two times."""
    rows = conn.execute(_in_force_between(community, first, last)).all()
    return PriceBook.of(_with_prices(conn, community, tariff_of(row), first, last) for row in rows)


def held_book(conn: Connection, community: str, first: int, last: int) -> PriceBook:
    """Return the prices intervals are to be settled by, and keep them from changing until this transaction ends."""
    hold(conn, community)
    return book(conn, community, first, last)


def mark_used(conn: Connection, community: str, keys: Mapping[TariffKey, int]) -> None:
    """Let tariffs stand for every interval up to a time each, for one that ends then was settled by it."""
    used = tariff_table.c.used_through
    for (owner, valid_from), through in keys.items():
        rows = update(tariff_table).filter_by(**_owned(community), owner=owner, valid_from=valid_from)
        conn.execute(rows.where(or_(used.is_(None), used < through)).values(used_through=through))


def tariffs_of(conn: Connection, community: str, owner: str) -> list[Tariff]:
    """Return every tariff of a community, or of an owner alone, in order; series without their prices."""
    rows = select(tariff_table).filter_by(**_owned(community), owner=owner)
    return [tariff_of(row) for row in conn.execute(rows.order_by(tariff_table.c.valid_from))]


def first_valid_from(conn: Connection, community: str) -> int | None:
    """Return when a community's first tariff begins: nothing before has a price."""
    rows = select(func.min(tariff_table.c.valid_from)).filter_by(**_owned(community), owner=COMMUNITY)
    first: int | None = conn.execute(rows).scalar_one()
    return first


def hold(conn: Connection, community: str) -> None:
    """Keep other transactions from changing or using this community's tariffs until this one ends."""
    rows = select(community_table.c.community).filter_by(**_owned(community))
    conn.execute(rows.with_for_update(key_share=True))


def tariff_of(row: Row[Any]) -> Tariff:
    """Read a tariff's row; a series comes without its prices."""
    return Tariff(row.valid_from, _terms(row), row.used_through, row.valid_until, row.owner)


def _terms(row: Row[Any]) -> Terms:
    if row.kind == "series":
        return Series()
    prices = Prices(row.local_micro_per_wh, row.grid_buy_micro_per_wh, row.grid_sell_micro_per_wh)
    return prices if row.kind == "flat" else TimeOfUse(row.time_zone, prices, rules_of(row.rules))


def _with_prices(conn: Connection, community: str, tariff: Tariff, first: int, last: int) -> Tariff:
    if not isinstance(tariff.terms, Series):
        return tariff
    known = series.known_between(conn, community, (tariff.owner, tariff.valid_from), first, last)
    return replace(tariff, terms=Series(known))


def _in_force_between(community: str, first: int, last: int) -> Select[Any]:
    """Select for each owner the tariff begun last before a time, and those that begin up to another one."""
    own, begun = tariff_table.c, tariff_table.alias().c
    newest = select(begun.owner, func.max(begun.valid_from).label("valid_from"))
    newest = newest.where(begun.bucket == bucket_of(community), begun.community == community)
    last_begun = newest.where(begun.valid_from <= first).group_by(begun.owner).subquery()
    same = and_(last_begun.c.owner == own.owner, last_begun.c.valid_from == own.valid_from)
    rows = select(tariff_table).outerjoin(last_begun, same)
    rows = rows.where(own.bucket == bucket_of(community), own.community == community, own.valid_from <= last)
    return rows.where(or_(own.valid_from > first, last_begun.c.owner.is_not(None)))


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
