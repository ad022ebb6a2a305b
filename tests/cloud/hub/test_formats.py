"""Formats as rules: exact units, days of 23 and 25 hours, bounds on everything, and no bytes that break them."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
import json
from pathlib import Path
import re
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.hub.formats import document, gathered, members
from cloud.hub.formats.book import Book, book_with, read
from cloud.hub.formats.builtin import BUILT_IN
from cloud.hub.formats.builtin.words import MEMBERS
from cloud.hub.formats.compiled import compiled
from cloud.hub.formats.definition import Definition
from cloud.hub.formats.path import DefinitionError, UnfindableError, finder
from cloud.hub.formats.times import texts_of
from cloud.hub.formats.units import UNITS, NoNumber, number_of, unit_of, whole_of
from cloud.hub.messages.message import Fault, Parsed
from cloud.hub.quantity import MEASURES, VALUE_MAX, Quantity

from .test_format_vectors import OURS

NOON_MS = 1_795_262_400_000  # 2026-11-21T12:00:00Z
PRICES = Path(__file__).parents[2] / "data" / "prices" / "elexon_changes_of_the_clock.csv"
POWER = {"quantity": "power", "path": "w", "unit": "W"}
SIMPLE: dict[str, Any] = {"name": "Simple", "parse": {"kind": "json"}, "values": [POWER]}
TABLE: dict[str, Any] = {"name": "Table", "parse": {"kind": "csv"}, "values": [POWER]}


def defined(**members: Any) -> Definition:
    """Return a definition with other members than the simple one."""
    return Definition.model_validate(SIMPLE | members)


def parsed(definition: dict[str, Any], data: Any, received_ms: int = NOON_MS) -> Parsed:
    """Return what a definition reads out of data."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    book = book_with([compiled("mine", 3, Definition.model_validate(definition))])
    said = read(book, raw, received_ms, hint="mine")
    assert isinstance(said, Parsed), said
    return said


def refused(definition: dict[str, Any], raw: bytes) -> Fault:
    """Return why a definition reads nothing out of bytes."""
    said = read(book_with([compiled("mine", 1, Definition.model_validate(definition))]), raw, NOON_MS, hint="mine")
    assert isinstance(said, tuple), said
    return said[0]


# units


def test_every_quantity_has_units_and_every_unit_of_our_own_format_is_one() -> None:
    """A new quantity is not forgotten here."""
    assert UNITS.keys() == MEASURES.keys() == {quantity for quantity, _, _ in MEMBERS.values()}


@given(
    number=st.decimals(-(10**6), 10**6, places=9),
    pair=st.sampled_from([(quantity, name) for quantity, units in UNITS.items() for name in units]),
)
def test_a_number_becomes_the_nearest_whole_one_of_its_quantity(number: Decimal, pair: tuple[Quantity, str]) -> None:
    """Exactly what fractions say, rounded once, half to even."""
    unit = unit_of(*pair)
    assert unit is not None
    exact = (Fraction(number) + Fraction(unit.plus)) * Fraction(unit.times) / unit.per
    assert whole_of(number, unit) == round(exact)


@given(
    whole=st.integers(-(10**12), 10**12),
    pair=st.sampled_from([(quantity, name) for quantity, units in UNITS.items() for name in units]),
)
def test_a_whole_number_survives_the_way_into_a_unit_and_back(whole: int, pair: tuple[Quantity, str]) -> None:
    """What a maker writes of it with thirty digits is read as it was."""
    unit = unit_of(*pair)
    assert unit is not None
    exact = Fraction(whole) * unit.per / Fraction(unit.times) - Fraction(unit.plus)
    written = Decimal(exact.numerator) / Decimal(exact.denominator)  # 28 digits
    assert whole_of(written, unit) == whole


@pytest.mark.parametrize(
    ("quantity", "name", "number", "whole"),
    [
        ("price", "GBP/MWh", "-12.81861", -12_819),
        ("price", "ct/kWh", "31.5", 315_000),
        ("price", "JPY/kWh", "10.01", 10_010_000),
        ("temperature", "°F", "212", 100_000),
        ("temperature", "℃", "21.5", 21_500),
        ("temperature", "K", "273.15", 0),
        ("import_register", "MJ", "3.6", 1000),
        ("irradiance", "W/m²", "812.3", 812_300),
        ("power", "\uff4b\uff37", "0.0005", 500),
        ("voltage", "V", "0.0005", 0),
        ("voltage", "V", "0.0015", 2),
        ("power_factor", "", "0.95", 950),
    ],
)
def test_units_are_read_as_makers_write_them(quantity: str, name: str, number: str, whole: int) -> None:
    """Wide letters, signs of degree and powers included."""
    unit = unit_of(Quantity(quantity), name)
    assert unit is not None
    assert whole_of(Decimal(number), unit) == whole


@pytest.mark.parametrize(
    "seen", [True, None, "", "NaN", "inf", "-Infinity", "1_000", "\uff11", "0x10", [], {}, "1" * 61, "1 2"]
)
def test_what_is_no_number_is_not_taken_for_one(seen: object) -> None:
    """Not even where Python would."""
    assert isinstance(number_of(seen), NoNumber)


@pytest.mark.parametrize(
    "seen", [10**60, "1E41", Decimal("1E999999999"), 1e300, Decimal("1E-41"), 1 << 300, "1E99999999"]
)
def test_numbers_without_end_are_refused_before_they_are_reckoned_with(seen: object) -> None:
    """A short text may stand for a number of a gigabyte."""
    assert isinstance(number_of(seen), NoNumber)


def test_a_number_of_more_digits_than_can_be_kept_exact_is_refused() -> None:
    """A megabyte of decimals says nothing about a voltage."""
    unit = unit_of(Quantity.VOLTAGE, "V")
    assert unit is not None
    number = number_of(Decimal("230." + "1" * 100_000))
    assert isinstance(number, Decimal)
    assert isinstance(whole_of(number, unit), NoNumber)


@given(at=st.datetimes(), form=st.sampled_from(["%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M", "%m/%d/%Y", "%H:%M %d-%m-%Y"]))
def test_times_of_digits_are_read_as_python_reads_them(at: datetime, form: str) -> None:
    """The short way gives what the long way gives."""
    read_text = texts_of(form, "here")
    assert read_text is not None
    text = f"{at:{form}}" if at.year >= 1000 else "24.12.2026 10:00:00"
    try:
        expected = datetime.strptime(text, form)  # noqa: DTZ007 - as the rule reads it
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            read_text(text)
    else:
        assert read_text(text) == expected


def test_a_value_too_large_for_every_reader_of_json_is_out_of_range() -> None:
    """At the limit it is taken, one beyond it is not."""
    unit = unit_of(Quantity.IMPORT_REGISTER, "Wh")
    assert unit is not None
    assert whole_of(Decimal(VALUE_MAX), unit) == VALUE_MAX
    assert isinstance(whole_of(Decimal(VALUE_MAX + 1), unit), NoNumber)


# times


def test_british_days_have_46_and_50_half_hours_and_all_lie_end_to_end() -> None:
    """Real prices of both days: no half hour is missing, none is there twice, negative ones are kept."""
    said = read(OURS, PRICES.read_bytes(), NOON_MS)
    assert isinstance(said, Parsed)
    assert (said.format, said.faults) == ("elexon-ssp-csv", ())
    sold = [(each.measured_ms, each.value) for each in said.readings if each.quantity is Quantity.SELL_PRICE]
    spring, autumn, (negative,) = sold[:46], sold[46:96], sold[96:]
    assert [at for at, _ in spring] == [1_490_486_400_000 + 1_800_000 * number for number in range(46)]
    assert [at for at, _ in autumn] == [1_509_231_600_000 + 1_800_000 * number for number in range(50)]
    assert negative == (1_466_371_800_000, -12_819)


def test_a_period_that_a_day_does_not_have_is_refused() -> None:
    """The 47th half hour of a day of 23 hours would be the next day's."""
    lines = PRICES.read_text().splitlines()
    said = read(OURS, f"{lines[0]}\n26/03/2017,47,1,1,1\n26/03/2017,0,1,1,1\n".encode(), NOON_MS)
    assert isinstance(said, Parsed)
    assert [(fault.row, fault.reason) for fault in said.faults] == [(0, "no-such-period"), (1, "no-such-period")]


@pytest.mark.parametrize(
    ("ambiguous", "expected"),
    [("earlier", [0, 0]), ("later", [1, 1]), ("in-order", [0, 1]), ("refuse", [])],
)
def test_the_hour_that_comes_twice_is_told_as_the_format_says(ambiguous: str, expected: list[int]) -> None:
    """Or refused by name."""
    time = {"path": "t", "form": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin", "ambiguous": ambiguous}
    said = parsed(SIMPLE | {"time": time}, [{"t": "2026-10-25 02:30", "w": 1}, {"t": "2026-10-25 02:30", "w": 2}])
    first_ms = 1_792_888_200_000
    assert [(each.measured_ms - first_ms) // 3_600_000 for each in said.readings] == expected
    assert [fault.reason for fault in said.faults] == ["ambiguous-time"] * (2 - len(expected))


LONG: dict[str, Any] = {
    "name": "Meter service",
    "parse": {"kind": "csv", "delimiter": ";"},
    "device": {"path": "meter"},
    "time": {"path": "at", "form": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin", "ambiguous": "in-order"},
    "values": [
        {"quantity": "power", "path": "value", "unit": "W", "where": {"what": "P"}, "missing": [""]},
        {"quantity": "voltage", "path": "value", "unit": "V", "where": {"what": "U"}, "missing": [""]},
    ],
}


@pytest.mark.parametrize("by", ["time", "meter", "quantity"])
def test_rows_follow_one_another_within_a_meter_and_a_quantity(by: str) -> None:
    """Another meter's row of the same time is not the hour's second coming; a row without a value takes its turn."""
    turns = [(wall, hour) for hour in (0, 1) for wall in ("02:00", "02:30")]
    rows = [(meter, what, wall, hour) for wall, hour in turns for meter in "AB" for what in "PU"]
    if by != "time":
        rows.sort(key=lambda row: row[0] if by == "meter" else row[1])
    empty = [("U", 0)]
    lines = [
        f"25.10.2026 {wall};{meter};{what};{'' if (what, hour) in empty else hour + 1}"
        for meter, what, wall, hour in rows
    ]
    said = parsed(LONG, "\n".join(["at;meter;what;value", *lines]).encode())
    first_ms = 1_792_886_400_000  # 02:00 by summer time
    assert said.faults == ()
    assert [((each.measured_ms - first_ms) // 3_600_000, each.value // 1000 - 1) for each in said.readings] == [
        (hour, hour) for _, what, _, hour in rows if (what, hour) not in empty
    ]


@pytest.mark.parametrize(
    ("form", "seen", "reason"),
    [
        ("rfc3339", "2026-02-30T00:00:00Z", "not-a-time"),
        ("rfc3339", "2026-11-21T24:00:00Z", "not-a-time"),
        ("rfc3339", "0001-01-01T00:00:00+14:00", "not-a-time"),
        ("rfc3339", "9999-12-31T23:59:59-14:00", "not-a-time"),
        ("rfc3339", 5, "not-a-time"),
        ("epoch_s", "now", "not-a-time"),
        ("epoch_s", 10**30, "not-a-time"),
        ("epoch_ms", 10, "past"),
        ("%d/%m/%Y", "2026-11-21", "not-a-time"),
        ("%d/%m/%Y", "x" * 5000, "not-a-time"),
    ],
)
def test_a_time_that_is_none_is_a_fault_of_its_row(form: str, seen: Any, reason: str) -> None:
    """With the row, the member and the reason; the next row is taken."""
    time = {"path": "t", "form": form, "zone": None if form.startswith("epoch") else "UTC"}
    good = {"rfc3339": "2026-11-21T11:00:00Z", "epoch_s": 1_795_258_800, "epoch_ms": 1_795_258_800_000}
    said = parsed(SIMPLE | {"time": time}, [{"t": seen, "w": 1}, {"t": good.get(form, "20/11/2026"), "w": 2}])
    assert [(fault.row, fault.reason) for fault in said.faults] == [(0, reason)]
    assert said.rows == (1,)


def test_forecasts_may_lie_ahead_and_measurements_may_not() -> None:
    """A price of tomorrow in any format, a power of tomorrow in a format that says so, nothing of next year."""
    rows = [{"t": NOON_MS + hours * 3_600_000, "w": 1} for hours in (0, 24, 24 * 365)]
    time = {"path": "t", "form": "epoch_ms"}
    measured, forecast = (parsed(SIMPLE | {"time": time, "ahead": ahead}, rows) for ahead in (False, True))
    price = {"quantity": "price", "path": "w", "unit": "/kWh", "seconds": 3600}
    priced = parsed(SIMPLE | {"time": time, "values": [price]}, rows)
    assert (len(measured.readings), len(forecast.readings), len(priced.readings)) == (1, 2, 2)
    assert {fault.reason for fault in measured.faults} == {"future"}
    assert measured.ahead_ms < 24 * 3_600_000 < forecast.ahead_ms == priced.ahead_ms


def test_without_a_time_it_is_that_of_receipt_and_marked_so() -> None:
    """Where the format has none, and where it may be missing; else the row is refused."""
    assert [each.timed for each in parsed(SIMPLE, {"w": 1}).readings] == ["received"]
    optional = {"path": "t", "optional": True}
    said = parsed(SIMPLE | {"time": optional}, [{"w": 1}, {"w": 1, "t": "2026-11-21T11:00:00Z"}])
    assert [each.timed for each in said.readings] == ["received", "given"]
    assert [fault.reason for fault in parsed(SIMPLE | {"time": {"path": "t"}}, {"w": 1}).faults] == ["no-time"]


# finding


def test_two_formats_that_fit_are_refused_with_both_codes() -> None:
    """Nobody guesses; a hint or the data's own word decides."""
    one, two = (compiled(code, 1, defined(find=[{"path": "w"}])) for code in ("acme", "other"))
    said = read(book_with([one, two]), b'{"w": 5}', NOON_MS)
    assert isinstance(said, tuple)
    assert (said[0].reason, said[0].where) == ("ambiguous-format", "acme, other")
    for raw, hint in ((b'{"w": 5}', "other"), (b'{"w": 5, "format": "other"}', None)):
        named = read(book_with([one, two]), raw, NOON_MS, hint=hint)
        assert isinstance(named, Parsed)
        assert named.format == "other"


def test_what_a_sender_usually_sends_holds_unless_the_data_name_another() -> None:
    """A meter with a format of its own may be told to speak ours; what came with the message stands above both."""
    book = OURS.with_format(compiled("acme", 1, defined()))
    for raw, hint, found in (
        (b'{"w": 1}', None, "acme"),
        (b'{"w": 1, "format": "ours"}', None, "acme"),
        (b'{"format": "unified", "readings": []}', None, "unified"),
        (b'{"format": "unified", "readings": []}', "acme", "acme"),
    ):
        said = read(book, raw, NOON_MS, hint=hint, usual="acme")
        assert isinstance(said, Parsed)
        assert said.format == found


def test_a_rule_compares_types_too() -> None:
    """1 is neither true nor "1"."""
    for equals, found in ((1, True), ("1", False), (True, False)):
        book = book_with([compiled("acme", 1, defined(find=[{"path": "v", "equals": equals}]))])
        assert isinstance(read(book, b'{"v": 1, "w": 5}', NOON_MS), Parsed) is found


def test_a_retired_code_is_told_apart_from_one_that_never_was() -> None:
    """So that its maker is not sent looking for a typing error."""
    said = read(Book({}, frozenset({"acme"})), b"{}", NOON_MS, hint="acme")
    assert isinstance(said, tuple)
    assert said[0].why == "the format acme is no longer in use"


# definitions that cannot be used


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"values": [POWER | {"unit": "V"}]}, "values[0].unit"),
        ({"values": [POWER | {"path": "w["}]}, "values[0].path"),
        ({"values": [POWER | {"path": "[[@,@],[@,@],[@,@],[@,@]]"}]}, "values[0].path"),
        ({"values": [POWER | {"path": "`[1,1,1]`"}]}, "values[0].path"),
        ({"values": [{"quantity": "import", "path": "w", "unit": "Wh"}]}, "values[0].seconds"),
        ({"time": {"path": "t", "zone": "Mars/Phobos"}}, "time.zone"),
        ({"time": {"path": "t", "zone": "../../etc/passwd"}}, "time.zone"),
        ({"time": {"path": "t", "form": "%H:%M"}}, "time.form"),
        ({"time": {"path": "t", "form": "iso"}}, "time.form"),
        ({"time": {"path": "t", "form": "%Q"}}, "time.form"),
        ({"time": {"path": "t", "form": "%Y-%m-%d", "period": {"path": "n", "minutes": 30}}}, "time.zone"),
        ({"time": {"path": "t", "of": "outer"}}, "time.path"),
        ({"find": [{"columns": ["a"]}]}, "find[0]"),
        ({"parse": {"kind": "binary", "record": {"struct": ">9999999s", "names": ["w"]}}}, "parse.record.struct"),
        ({"parse": {"kind": "binary", "record": {"struct": ">hh", "names": ["w"]}}}, "parse.record.names"),
        ({"parse": {"kind": "binary", "record": {"struct": ">h", "names": ["x"]}}}, "values[0].path"),
        ({"parse": {"kind": "binary", "record": {"struct": ">P", "names": ["w"]}}}, "parse.record.struct"),
    ],
)
def test_a_definition_that_cannot_be_used_says_which_member_is_wrong(members: dict[str, Any], where: str) -> None:
    """Before any message is read by it."""
    with pytest.raises(DefinitionError) as caught:
        compiled("mine", 1, defined(**members))
    assert caught.value.where == where


# bounds


def test_a_path_that_asks_for_nonsense_is_a_fault_and_no_mistake_of_ours() -> None:
    """JMESPath has functions, and data need not suit them."""
    with pytest.raises(UnfindableError):
        finder("sort(@)", "here")([1, "a"])
    said = parsed(SIMPLE | {"values": [POWER | {"path": "sum(@)"}]}, [{"w": 1}])
    assert [fault.reason for fault in said.faults] == ["wrong-shape"]


def test_rows_readings_and_faults_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message neither fills the memory nor the answer."""
    monkeypatch.setattr(gathered, "FAULTS_MAX", 3)
    said = parsed(SIMPLE, [{"w": "x"}] * 10)
    assert [fault.reason for fault in said.faults] == ["not-a-number"] * 3 + ["more-faults"]
    assert refused(SIMPLE, json.dumps([{}] * (gathered.ROWS_MAX + 1)).encode()).reason == "too-many-rows"
    monkeypatch.setattr(gathered, "READINGS_MAX", 5)
    assert refused(SIMPLE, json.dumps([{"w": 1}] * 6).encode()).reason == "too-many-readings"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[" * 100 + b"]" * 100, "not-json"),
        (b"[" * 200_000, "not-json"),
        (b'{"w": ' + b"9" * 5000 + b"}", "not-json"),
        (b'{"w": 1, "w": 2}', "not-json"),
        (b"\xff\xfe{}", "not-json"),
        (b'"text"', "not-json"),
        (b"[1] 2", "not-json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_json_is_read_strictly(raw: bytes, reason: str) -> None:
    """Nesting, doubled members and numbers without end are refused before they are used."""
    assert refused(SIMPLE, raw).reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "no-rows"),
        (b"v\n1\n", "missing-column"),
        (b"w,w\n1,2\n", "column-twice"),
        (b"," * 500, "too-many-columns"),
        (b'w\n"never ends', "not-csv"),
        (b"w\n\xff\n", "not-text"),
        (b"w\n" + b"1\n" * 20_001, "too-many-rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_a_table_is_read_strictly(raw: bytes, reason: str) -> None:
    """It says which column is missing and where it breaks off."""
    assert refused(TABLE, raw).reason == reason


def test_no_column_of_a_pattern_hides_another_of_its_name() -> None:
    """Which of the two is meant nobody can tell."""
    power = {"quantity": "power", "columns": "power_*", "unit": "W", "point": {"part_of_column": True}}
    assert refused(TABLE | {"values": [power]}, b"power_a,power_b,power_a\n1,2,3\n").reason == "column-twice"
    assert len(parsed(TABLE | {"values": [power]}, b"power_a,power_b,other,other\n1,2,3,4\n").readings) == 2


def test_what_belongs_to_the_whole_message_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the work for a message would grow with the square of its length. What cannot be looked up is said of all."""
    looked: list[Any] = []

    def counting(path: str, where: str) -> Any:
        def find(data: Any) -> Any:
            looked.append(path)
            return finder(path, where)(data)

        return find

    monkeypatch.setattr(members, "finder", counting)
    for path, taken in (("meter", 50), ("sum(meter)", 0)):
        of_message = {"parse": {"kind": "json", "rows": "rows"}, "device": {"path": path, "of": "message"}}
        said = parsed(SIMPLE | of_message, {"meter": "m-1", "rows": [{"w": 1}] * 50})
        assert (len(said.readings), len(said.faults), looked.count(path)) == (taken, 50 - taken, 1)


def test_a_table_without_a_header_goes_by_numbers() -> None:
    """Behind lines that say who made it, in the first encoding that fits, with blanks around the cells."""
    parse = {"kind": "csv", "delimiter": "\t", "header": False, "skip": 2, "encodings": ["utf-8", "cp932"]}
    value = {"quantity": "price", "path": "3", "unit": "JPY/kWh", "seconds": 1800, "where": {"2": "東京"}}
    table = TABLE | {"parse": parse, "time": {"path": "1"}, "values": [value]}
    raw = "会社\n\n2026-11-21T00:00:00+09:00\t東京\t 12.5 \n2026-11-21T00:00:00+09:00\t関西\t9\n".encode("cp932")
    said = parsed(table, raw)
    assert [(each.measured_ms, each.value) for each in said.readings] == [(1_795_186_800_000, 12_500_000)]
    assert said.faults == ()


@pytest.mark.parametrize(
    "raw", [b"", b"CW", b"CW\x00\x01\xaa", b"CW\x00\x02\x00\x05\xaa\xbb", b"CW\x00\x01\x00\x05\x00\xaa\xbb"]
)
def test_binary_messages_have_the_size_they_say(raw: bytes) -> None:
    """Cut short, too long, or with another count than records."""
    parse = {
        "kind": "binary",
        "header": {"struct": ">2sH", "names": ["magic", "count"]},
        "record": {"struct": ">h", "names": ["w"]},
        "count": "count",
        "trailer_bytes": 2,
    }
    assert refused(SIMPLE | {"parse": parse}, raw).reason == "wrong-size"
    good = parsed(SIMPLE | {"parse": parse}, b"CW\x00\x01\x00\x05\xaa\xbb")
    assert [each.value for each in good.readings] == [5000]


def test_a_message_larger_than_a_body_is_refused_whole() -> None:
    """By whatever way it came."""
    said = read(OURS, b" " * (document.RAW_BYTES_MAX + 1), NOON_MS)
    assert isinstance(said, tuple)
    assert said[0].reason == "too-large"


# the documentation


def documented() -> list[dict[str, Any]]:
    """Return the JSON examples of the page about formats."""
    page = (Path(__file__).parents[3] / "docs" / "hub" / "formats.md").read_text()
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def test_examples_of_the_documentation_work() -> None:
    """Definitions can be used, and messages are read to the last row."""
    definitions = [Definition.model_validate(each) for each in documented() if "parse" in each]
    messages = [each for each in documented() if "parse" not in each]
    assert (len(definitions), len(messages)) == (2, 2)
    book = OURS.with_format(compiled("acme-meter", 1, definitions[0])).with_format(compiled("b", 1, definitions[1]))
    for message in messages:
        said = read(book, json.dumps(message).encode(), NOON_MS)
        assert isinstance(said, Parsed)
        assert (len(said.readings) > 0, said.faults) == (True, ())


def test_every_reason_and_format_is_documented() -> None:
    """Programs rely on reasons, and people look them up."""
    page = (Path(__file__).parents[3] / "docs" / "hub" / "formats.md").read_text()
    folder = Path(document.__file__).parent
    code = "".join(path.read_text() for path in folder.rglob("*.py"))
    raised = r'(?:UnreadableError|NoTimeError|NoNumber|MemberError)\(\s*"([a-z-]+)"'
    reasons = {*re.findall(raised, code), *re.findall(r'fault\((?:\w+|place\.number), "([a-z-]+)"', code)}
    assert len(reasons) > 25
    assert {each for each in reasons | set(BUILT_IN) if f"`{each}`" not in page} == set()
