"""Statements verify from the site's own records alone, and whatever is altered in one is named with its line."""

from collections.abc import Iterator
from dataclasses import replace
import json
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from cloud.tariff.price import Prices
from custom_components.commonwatt.verify import Altered, Kept, Own, Report, verify
from custom_components.commonwatt.wire import to_bytes
from custom_components.commonwatt.wire.statement import Statement
from custom_components.commonwatt.wire.statement_reader import parse_statement

from .scribe import CORRECTED, DAY, HALF_HOUR, NETS, PRICES, Scribe, kept, own

type Path = tuple[str | int, ...]

FREE = {"intervals_waiting"}  # says what is still to come, and moves nothing


def report(item: Kept, mine: Own | None = None) -> Report:
    """Verify one kept statement."""
    return verify([item], mine or own())


def names(found: Report) -> set[tuple[int | None, str]]:
    """Return interval, counted from the day's first, and name of what was altered."""
    return {(None if a.start is None else (a.start - DAY) // HALF_HOUR, a.what) for a in found.altered}


def test_an_honest_statement_is_verified() -> None:
    """Every line, correction, movement, entry and root: nothing is altered, nothing without a witness."""
    found = report(kept())
    assert found.altered == ()
    assert found.unwitnessed == ()
    assert found.verified
    assert (found.lines, found.checked > 100) == (len(NETS), True)


def test_the_wire_keeps_a_statement_as_it_is() -> None:
    """Written, read and written again it is the same to the byte."""
    page, _ = Scribe().statement()
    assert parse_statement(to_bytes(page)) == page


def leaves(data: Any, path: Path = ()) -> Iterator[tuple[Path, int]]:
    """Yield every number of JSON data with the way to it."""
    if isinstance(data, dict):
        for key, member in data.items():
            yield from leaves(member, (*path, key))
    elif isinstance(data, list):
        for at, member in enumerate(data):
            yield from leaves(member, (*path, at))
    elif type(data) is int:
        yield path, data


def with_number(data: Any, path: Path, number: int) -> Any:
    """Return JSON data with another number at a place."""
    copy = json.loads(json.dumps(data))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = number
    return copy


HONEST = Scribe().statement()[0].plain()
NUMBERS = [(path, number) for path, number in leaves(HONEST) if path[-1] not in FREE and path != ("v",)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NUMBERS), st.integers(-1000, 1000).filter(bool))
def test_any_number_altered_in_a_statement_is_found(leaf: tuple[Path, int], off: int) -> None:
    """By one or by many, wherever it stands; a statement that can no longer be read is not believed either."""
    path, number = leaf
    raw = to_bytes(with_number(HONEST, path, number + off))
    try:
        page = parse_statement(raw)
    except ValueError:
        return
    assert not report(replace(kept(), page=page)).verified, path


@pytest.mark.parametrize("member", ["net_wh", "local_wh", "grid_wh", "points_micro", "grid_micro_per_wh"])
@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_line_that_was_altered_is_named(member: str, at: int) -> None:
    """By its interval, by what of it, and with both values."""
    page = kept().page
    line = page.lines[at]
    altered = replace(line, **{member: getattr(line, member) + 1})
    lines = (*page.lines[:at], altered, *page.lines[at + 1 :])
    found = report(kept(lines=lines))
    assert {start for start, _ in names(found)} <= {at, None}
    assert (at, member) in names(found)
    told = next(item for item in found.altered if item.what == member and item.start == line.start)
    assert told.said == str(getattr(altered, member))


def documents(page: Statement) -> list[int]:
    """Return the places of the entries of energy."""
    return [at for at, item in enumerate(page.entries) if item.public["cause"].startswith("energy:")]


@pytest.mark.parametrize("place", range(len(NETS) + 1))
@pytest.mark.parametrize("column", [1, 2, 3, 4, 5])
def test_a_document_that_was_altered_is_named(place: int, column: int) -> None:
    """One Wh, one price, one point, of whomever: it no longer hashes to the evidence, and its interval is named."""
    page = kept().page
    at = documents(page)[place]
    entry = page.entries[at]
    assert entry.document is not None
    document = json.loads(entry.document)
    document["nets"][1][column] += 1
    altered = replace(entry, document=to_bytes(document).decode())
    found = report(kept(entries=(*page.entries[:at], altered, *page.entries[at + 1 :])))
    interval = place if place < len(NETS) else CORRECTED
    assert (interval, f"entry {entry.public['number']}, document") in names(found)


@pytest.mark.parametrize("member", ["evidence", "postings_hash", "prev_hash", "made_at", "cause", "number"])
def test_an_entry_that_was_altered_is_named(member: str) -> None:
    """It no longer lies under the root of its day."""
    page = kept().page
    at = documents(page)[1]
    entry = page.entries[at]
    other = {"made_at": "2026-11-21T01:02:03Z", "cause": "energy:x", "number": 44}.get(member, "ab" * 32)
    altered = replace(entry, public=dict(entry.public) | {member: other})
    found = report(kept(entries=(*page.entries[:at], altered, *page.entries[at + 1 :])))
    assert {start for start, what in names(found) if "root" in what} == {1}


def test_another_root_than_the_one_kept_is_named() -> None:
    """Also where it proves the statement: what was published first stands."""
    item = kept()
    other = replace(own(), roots={DAY: item.roots[0].replace(b'"count":8', b'"count":9')})
    assert "root of 2026-11-21T00:00:00Z" in {what for _, what in names(report(item, other))}
    assert report(item, replace(own(), roots={DAY: item.roots[0]})).verified


def test_a_root_whose_signature_was_refused_is_no_root() -> None:
    """The shell believes signatures; what it refused counts against the statement."""
    assert not report(replace(kept(), roots=(), roots_refused=1)).verified


def nets_with(at: int, **owners: int) -> tuple[Any, ...]:
    """Return the day's nets with other energy in one interval."""
    return (*NETS[:at], NETS[at] | owners, *NETS[at + 1 :])


@pytest.mark.parametrize("at", range(len(NETS)))
def test_books_written_anew_with_one_watt_hour_more_are_found_by_the_meter(at: int) -> None:
    """Lines, documents, entries and roots all agree: only what the house measured tells, and the line is named."""
    found = report(kept(Scribe(nets=nets_with(at, anna=NETS[at]["anna"] + 1))))
    assert (at, "net_wh") in names(found)
    assert {start for start, _ in names(found)} == {at}
    told = next(item for item in found.altered if item.what == "net_wh")
    assert told == Altered(DAY + at * HALF_HOUR, "net_wh", str(NETS[at]["anna"] + 1), str(NETS[at]["anna"]))


@pytest.mark.parametrize(
    ("at", "prices", "what"),
    [
        (0, Prices(20_001, 30_000, 8_000), "local_micro_per_wh"),
        (0, Prices(20_000, 30_001, 8_000), "grid_micro_per_wh"),
        (4, Prices(20_000, 30_000, 7_999), "grid_micro_per_wh"),
        (1, Prices(None, 30_000, 8_000), "local_micro_per_wh"),
    ],
)
def test_books_written_anew_with_another_price_are_found_by_the_promise(at: int, prices: Prices, what: str) -> None:
    """The cloud had told, and signed, what each interval would cost before it began."""
    found = report(kept(Scribe(prices=(*(PRICES,) * at, prices, *(PRICES,) * (len(NETS) - at - 1)))))
    assert (at, what) in names(found)
    assert {start for start, _ in names(found)} == {at}


def test_a_share_that_favours_a_neighbour_is_found() -> None:
    """The anonymous list shows what everybody gave and took: who got whose Wh follows from it."""
    page, _ = Scribe().statement()
    at = documents(page)[0]
    entry = page.entries[at]
    assert entry.document is not None
    document = json.loads(entry.document)
    for row, off in ((document["nets"][0], -1), (document["nets"][1], 1)):
        row[2] += off
        row[3] -= off
        row[5] -= off * (PRICES.local_micro_per_wh or 0) - off * row[4]
    altered = replace(entry, document=to_bytes(document).decode())
    found = report(kept(entries=(*page.entries[:at], altered, *page.entries[at + 1 :])))
    assert any(start == 0 and what.startswith("share of owner") for start, what in names(found))


def test_an_interval_left_out_is_named() -> None:
    """The house measured something in it."""
    page = kept().page
    found = report(kept(lines=page.lines[:1] + page.lines[2:]))
    assert (1, "line") in names(found)


def test_an_interval_not_settled_yet_is_no_alteration() -> None:
    """The statement says how many wait."""
    page, root = Scribe().statement()
    waiting = replace(page, lines=(), corrections=(), intervals_waiting=len(NETS))
    found = verify([Kept(waiting, (root,))], own())
    assert {item.what for item in found.unwitnessed} >= {"the interval is not settled yet"}
    assert all(start is None for start, _ in names(found))


def test_batches_of_the_house_that_were_not_used_are_named() -> None:
    """Settled from other bytes than the ones that the house signed."""
    mine = own()
    start = DAY + HALF_HOUR
    other = replace(mine.intervals[start], batch=(1, 2, "00" * 32))
    found = report(kept(), replace(mine, intervals=dict(mine.intervals) | {start: other}))
    assert names(found) == {(1, "batch")}


def test_what_no_record_here_can_tell_is_said() -> None:
    """Without a kept price, without a record of the interval, or with an open day it is no alteration."""
    mine, item = own(), kept()
    gone = replace(mine, promised={}, intervals={})
    assert report(item, gone).verified
    assert {found.what for found in report(item, gone).unwitnessed} >= {
        "price not witnessed",
        "this site holds no record of the interval",
    }
    opened = tuple(replace(entry, day=None, index=0, path=()) for entry in item.page.entries)
    found = report(replace(kept(entries=opened), roots=()))
    assert found.verified
    assert any("no root yet" in what.what for what in found.unwitnessed)


def test_energy_of_other_sites_is_told_apart() -> None:
    """An owner with taps elsewhere verifies the part that was measured here; of one with none elsewhere it is a lie."""
    more = nets_with(0, anna=NETS[0]["anna"] + 40)
    page = kept(Scribe(nets=more)).page
    lines = (replace(page.lines[0], elsewhere_wh=40), *page.lines[1:])
    found = report(kept(Scribe(nets=more), lines=lines, sites=("barn", "house")))
    assert found.verified
    assert any("other sites" in item.what for item in found.unwitnessed)
    lie = report(kept(Scribe(nets=more), lines=lines))
    assert names(lie) == {(0, "elsewhere_wh")}


def test_statements_follow_from_one_another() -> None:
    """Where one ends the next begins, with the same balance; what was said once is not said otherwise later."""
    item = kept()
    end = item.page.end
    following = Statement(
        community="lane",
        owner="anna",
        start=end,
        end=end + 86_400,
        opening_micro=item.page.closing_micro,
        closing_micro=item.page.closing_micro,
        totals=replace(item.page.totals, **dict.fromkeys(item.page.totals.__dataclass_fields__, 0)),
        intervals_waiting=0,
        lines=(),
    )
    assert verify([item, Kept(following, ())], own()).verified
    off = replace(following, opening_micro=following.opening_micro + 1, closing_micro=following.closing_micro + 1)
    assert "opening_micro" in {what for _, what in names(verify([item, Kept(off, ())], own()))}
    line = replace(item.page.lines[2], points_micro=1)
    before = replace(item.page, lines=(*item.page.lines[:2], line, *item.page.lines[3:]))
    assert names(verify([replace(item, earlier=(before,))], own())) == {(2, "line as it was told before")}


def test_a_purchase_of_another_amount_is_found() -> None:
    """Its entry's postings, which the owner is shown with their salt, say what was bought."""
    page = kept().page
    less = replace(page.movements[0], points_micro=page.movements[0].points_micro - 5)
    moved = replace(page.totals, movements_micro=less.points_micro)
    found = report(kept(movements=(less,), totals=moved, closing_micro=page.closing_micro - 5))
    assert {what for _, what in names(found)} == {"purchase:p1, points_micro"}


def test_a_statement_of_somebody_else_is_not_mine() -> None:
    """Nor one of another community."""
    assert "owner" in {what for _, what in names(report(kept(owner="ben")))}
    assert "community" in {what for _, what in names(report(kept(community="row")))}
