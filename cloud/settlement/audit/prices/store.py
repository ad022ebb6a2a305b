"""Streams every price of a community with its text: of flat tariffs, of those by the clock, and of series."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from cloud.database import bucket_of
from cloud.settlement.direct.store import neighbour_link_table
from cloud.tariff.kept import rules_of
from cloud.tariff.price import Prices, PriceTexts
from cloud.tariff.series.store import tariff_price_table
from cloud.tariff.store import tariff_table

type Priced = tuple[Mapping[str, object], Prices, PriceTexts]


def prices(conn: Connection, community: str) -> Iterator[Priced]:
    """Yield every price, by the tariff it is of and its place there."""
    owned = {"bucket": bucket_of(community), "community": community}
    t, s = tariff_table.c, tariff_price_table.c
    for row in conn.execute(select(tariff_table).filter_by(**owned).order_by(t.owner, t.valid_from)):
        key = {"owner": row.owner, "valid_from": row.valid_from}
        if row.grid_buy_text is not None:
            yield key, *_of(row)
        if row.rules is not None:
            for place, rule in enumerate(rules_of(row.rules)):
                yield key | {"rule": place}, rule.prices, rule.texts
    for row in conn.execute(select(tariff_price_table).filter_by(**owned).order_by(s.owner, s.valid_from, s.start)):
        yield {"owner": row.owner, "valid_from": row.valid_from, "start": row.start}, *_of(row)
    n = neighbour_link_table.c
    for row in conn.execute(select(neighbour_link_table).filter_by(**owned).where(n.price_text.is_not(None))):
        key = {"owner_a": row.owner_a, "owner_b": row.owner_b, "valid_from": row.valid_from}
        price, text = row.price_micro_per_wh, row.price_text
        yield key, Prices(None, price, price), PriceTexts(None, text, text)


def _of(row: Row[Any]) -> tuple[Prices, PriceTexts]:
    prices = Prices(row.local_micro_per_wh, row.grid_buy_micro_per_wh, row.grid_sell_micro_per_wh)
    return prices, PriceTexts(row.local_text, row.grid_buy_text, row.grid_sell_text)
