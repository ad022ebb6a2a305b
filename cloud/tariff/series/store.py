"""Keeps the prices of series: each for some time, with the texts it was read from."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, delete, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.tariff.book import TariffKey
from cloud.tariff.price import Prices, PriceTexts
from cloud.tariff.terms import SERIES_SECONDS_MAX, SeriesPrice

tariff_price_table = Table(
    "tariff_price",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("seconds", WHOLE, nullable=False),
    Column("local_text", TEXT),
    Column("grid_buy_text", TEXT, nullable=False),
    Column("grid_sell_text", TEXT, nullable=False),
    Column("local_micro_per_wh", WHOLE),
    Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
    Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
    Column("added_at", WHOLE, nullable=False),
    CheckConstraint("seconds > 0", name="of_some_time"),
    CheckConstraint("(local_text IS NULL) = (local_micro_per_wh IS NULL)", name="local_with_its_text"),
    CheckConstraint("owner = '' OR local_text IS NULL", name="local_of_the_community"),
    ForeignKeyConstraint(
        ["bucket", "community", "owner", "valid_from"],
        ["tariff.bucket", "tariff.community", "tariff.owner", "tariff.valid_from"],
    ),
    **STRICT,
)


def known_between(
    conn: Connection, community: str, tariff: TariffKey, first: int, last: int
) -> tuple[SeriesPrice, ...]:
    """Return the prices of a series that hold at some time between two instants, both included, in order."""
    start, key = tariff_price_table.c.start, _key(community, tariff)
    rows = select(tariff_price_table).filter_by(**key).where(start > first - SERIES_SECONDS_MAX, start <= last)
    found = [price_of(row) for row in conn.execute(rows.order_by(start))]
    return tuple(price for price in found if price.end > first)


def known_until(conn: Connection, community: str, tariff: TariffKey) -> int | None:
    """Return the end of a series' last price, None while it has none."""
    start, seconds = tariff_price_table.c.start, tariff_price_table.c.seconds
    rows = select(start + seconds).filter_by(**_key(community, tariff)).order_by(start.desc()).limit(1)
    until: int | None = conn.execute(rows).scalar_one_or_none()
    return until


def add(conn: Connection, community: str, tariff: TariffKey, prices: Iterable[SeriesPrice], now: int) -> None:
    """Keep prices that are not known yet."""
    key = _key(community, tariff) | {"added_at": now}
    rows = [
        key
        | {"start": price.start, "seconds": price.seconds}
        | {f"{name}_text": text for name, text in asdict(price.texts).items()}
        | asdict(price.prices)
        for price in prices
    ]
    if rows:
        conn.execute(tariff_price_table.insert(), rows)


def replace_prices(
    conn: Connection, community: str, tariff: TariffKey, prices: Sequence[SeriesPrice], now: int
) -> None:
    """Put prices in the place of those of the same times, by which nothing was settled yet."""
    if prices:
        start = tariff_price_table.c.start
        rows = delete(tariff_price_table).filter_by(**_key(community, tariff))
        conn.execute(rows.where(start.in_([price.start for price in prices])))
        add(conn, community, tariff, prices, now)


def drop(conn: Connection, community: str, tariff: TariffKey) -> None:
    """Forget the prices of a series that settled nothing."""
    conn.execute(delete(tariff_price_table).filter_by(**_key(community, tariff)))


def price_of(row: Row[Any]) -> SeriesPrice:
    """Read one price."""
    prices = Prices(row.local_micro_per_wh, row.grid_buy_micro_per_wh, row.grid_sell_micro_per_wh)
    texts = PriceTexts(row.local_text, row.grid_buy_text, row.grid_sell_text)
    return SeriesPrice(row.start, row.seconds, prices, texts)


def _key(community: str, tariff: TariffKey) -> dict[str, Any]:
    owner, valid_from = tariff
    return {"bucket": bucket_of(community), "community": community, "owner": owner, "valid_from": valid_from}
