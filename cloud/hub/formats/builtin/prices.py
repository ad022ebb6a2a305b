"""Markets' tables of prices, as they publish them. Pure.

JEPX, Elexon, Nord Pool and AEMO each count time their own way: half hours of a day in Japan, of a British day that has
46, 48 or 50 of them, local starts with an end beside them, ends in eastern Australian time without summer time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.hub.formats.book import Format
from cloud.hub.formats.compiled import matches_of, reads_of
from cloud.hub.formats.definition import CsvParse, Definition
from cloud.hub.formats.document import Document, UnreadableError
from cloud.hub.formats.gathered import Gathered
from cloud.hub.formats.tables import csv_table

AREAS = {
    "北海道": "hokkaido",
    "東北": "tohoku",
    "東京": "tokyo",
    "中部": "chubu",
    "北陸": "hokuriku",
    "関西": "kansai",
    "中国": "chugoku",
    "四国": "shikoku",
    "九州": "kyushu",
}
CURRENCIES = ("EUR", "SEK", "NOK", "DKK", "GBP", "PLN", "RON", "BGN")
NORD_POOL_TIME = "%d.%m.%Y %H:%M:%S"
AEMO_TIME = "%Y/%m/%d %H:%M:%S"
FIVE_MINUTES_SINCE = datetime(2021, 10, 1)  # noqa: DTZ001 - eastern Australia settles by five minutes since then
LENGTHS = {300: "5 minutes", 900: "15 minutes", 1800: "30 minutes", 3600: "an hour"}


def _definition(**members: Any) -> Definition:
    return Definition.model_validate({"ahead": True} | members)


def _jepx(day: str) -> Definition:
    """Return JEPX's spot market summary; the day's column has had two names."""
    price = {"quantity": "price", "unit": "JPY/kWh"}
    return _definition(
        name="JEPX spot market",
        find=[{"columns": [day, "時刻コード", "システムプライス(円/kWh)"]}],
        parse={"kind": "csv", "encodings": ["utf-8", "cp932"]},
        time={
            "path": day,
            "form": "%Y/%m/%d",
            "zone": "Asia/Tokyo",
            "period": {"path": "時刻コード", "minutes": 30},
        },
        values=[
            price | {"path": "システムプライス(円/kWh)", "point": {"constant": "system"}},
            price | {"columns": "エリアプライス*(円/kWh)", "point": {"part_of_column": True, "names": AREAS}},
        ],
    )


ELEXON = _definition(
    name="Elexon system prices",
    find=[{"columns": ["Settlement Date", "Settlement Period", "System Sell Price(£/MWh)"]}],
    parse={"kind": "csv", "encodings": ["utf-8", "cp1252"]},
    time={
        "path": "Settlement Date",
        "form": "%d/%m/%Y",
        "zone": "Europe/London",
        "period": {"path": "Settlement Period", "minutes": 30},
    },
    values=[
        {"quantity": "sell_price", "path": "System Sell Price(£/MWh)", "unit": "GBP/MWh"},
        {"quantity": "buy_price", "path": "System Buy Price(£/MWh)", "unit": "GBP/MWh"},
    ],
)


def _nord_pool(seconds: int) -> Definition:
    price = {"quantity": "price", "seconds": seconds, "point": {"part_of_column": True}}
    return _definition(
        name="Nord Pool day-ahead prices",
        find=[{"columns": ["Delivery Start (CET)", "Delivery End (CET)"]}],
        parse={"kind": "csv", "delimiter": ";"},
        time={
            "path": "Delivery Start (CET)",
            "form": NORD_POOL_TIME,
            "zone": "Europe/Oslo",
            "ambiguous": "in-order",
        },
        values=[price | {"columns": f"* Price ({each})", "unit": f"{each}/MWh"} for each in CURRENCIES],
    )


def _aemo(seconds: int) -> Definition:
    return _definition(
        name="AEMO price and demand",
        find=[{"columns": ["REGION", "SETTLEMENTDATE", "TOTALDEMAND", "RRP"]}],
        parse={"kind": "csv"},
        point={"path": "REGION"},
        time={"path": "SETTLEMENTDATE", "form": AEMO_TIME, "zone": "Australia/Brisbane", "label": "end"},
        values=[
            {"quantity": "price", "path": "RRP", "unit": "AUD/MWh", "seconds": seconds},
            {"quantity": "power", "path": "TOTALDEMAND", "unit": "MW"},
        ],
    )


class Either:
    """One format that comes in several forms: the first that a message is of reads it."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        """Make each form ready."""
        self.forms = [(matches_of(each), reads_of(each)) for each in definitions]

    def matches(self, document: Document) -> bool:
        """Tell whether a message is of any form."""
        return any(matches(document) for matches, _ in self.forms)

    def reads(self, document: Document, into: Gathered) -> int | None:
        """Take the readings of a message."""
        for matches, reads in self.forms:
            if matches(document):
                return reads(document, into)
        return self.forms[0][1](document, into)  # which says what is missing


class ByLength:
    """One format whose periods have been of several lengths: the first row of a table tells which."""

    def __init__(self, definitions: dict[int, Definition], start: str | None, end: str, form: str) -> None:
        """Make each length ready; without a start column the length follows from the day."""
        self.lengths = {seconds: reads_of(definition) for seconds, definition in definitions.items()}
        first = next(iter(definitions.values()))
        self.matches = matches_of(first)
        assert isinstance(first.parse, CsvParse)
        self.tabled = csv_table(first.parse, frozenset({name for name in (start, end) if name}))
        self.start, self.end, self.form = start, end, form

    def reads(self, document: Document, into: Gathered) -> int | None:
        """Take the readings of a table."""
        _, row, _ = next(self.tabled(document).rows, (0, None, None))
        if row is None:
            return None
        seconds = self._seconds(row)
        if seconds not in self.lengths:
            told = " or ".join(LENGTHS[each] for each in self.lengths)
            raise UnreadableError("not-a-period", f"a period of {seconds} s is not {told}", self.end)
        return self.lengths[seconds](document, into)

    def _seconds(self, row: dict[str, str]) -> int:
        try:
            end = datetime.strptime(row.get(self.end, ""), self.form)  # noqa: DTZ007 - only the difference counts
            if self.start is None:
                return 300 if end > FIVE_MINUTES_SINCE else 1800
            return int((end - datetime.strptime(row[self.start], self.form)).total_seconds())  # noqa: DTZ007
        except KeyError, ValueError:
            raise UnreadableError(
                "not-a-time", f"the first row tells no time in the form {self.form}", self.end
            ) from None


JEPX = Either([_jepx("受渡日"), _jepx("年月日")])
NORD_POOL = ByLength(
    {each: _nord_pool(each) for each in (900, 1800, 3600)}, "Delivery Start (CET)", "Delivery End (CET)", NORD_POOL_TIME
)
AEMO = ByLength({each: _aemo(each) for each in (300, 1800)}, None, "SETTLEMENTDATE", AEMO_TIME)

FORMATS = tuple(
    Format(code, 1, name, matches, reads, ahead=True, definition=definition, built_in=True)
    for code, name, matches, reads, definition in (
        ("jepx-spot-csv", "JEPX spot market", JEPX.matches, JEPX.reads, _jepx("受渡日")),
        ("elexon-ssp-csv", ELEXON.name, matches_of(ELEXON), reads_of(ELEXON), ELEXON),
        ("nordpool-csv", "Nord Pool day-ahead prices", NORD_POOL.matches, NORD_POOL.reads, _nord_pool(900)),
        ("aemo-price-csv", "AEMO price and demand", AEMO.matches, AEMO.reads, _aemo(300)),
    )
)
