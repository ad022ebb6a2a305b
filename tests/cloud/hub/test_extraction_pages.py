"""Every reading comes exactly once and in the order of its time, whatever lies where and however the pages fall."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from cloud.database import Database
from cloud.hub.extraction.pages import store as pages
from cloud.hub.extraction.pages.devices import store as devices_store
from cloud.hub.extraction.pages.sites import store as sites_store
from cloud.hub.extraction.pages.telemetry import store as telemetry_store
from cloud.hub.extraction.question import Question
from cloud.hub.extraction.row import Row
from cloud.hub.extraction.store import pairing_places, selected
from cloud.hub.reach.area import box_of, circle_of
from cloud.hub.reach.reach import WHOLE, Reach
from tests.cloud.ground import NOON, OpenDatabase, add_site, found

from .extraction_ground import (
    LANE,
    NOON_MS,
    TapReading,
    add_measured,
    add_message,
    add_system,
    add_tap_readings,
    add_telemetry_rows,
    question,
    rows_of,
)

BERLIN: dict[str, Any] = {"latitude_e6": 52_520_000, "longitude_e6": 13_405_000}
FIJI: dict[str, Any] = {"latitude_e6": -17_800_000, "longitude_e6": 179_900_000}
SAMOA: dict[str, Any] = {"latitude_e6": -13_800_000, "longitude_e6": -171_800_000}


@pytest.fixture
def database(tmp_path: Path, open_database: OpenDatabase) -> Iterator[Database]:
    """Open a database with two sites and five systems in `lane`, and a namesake of one elsewhere."""
    database = open_database(tmp_path)
    with database.engine.begin() as conn:
        found(conn, tariff_from=None)
        found(conn, "hill", tariff_from=None)
        for site in ("home", "shop"):
            add_site(conn, site)
        add_message(conn)
        add_message(conn, "hill")
        add_system(conn, "a-meter", site="home", **BERLIN)
        add_system(conn, "b-meter", site="shop")
        add_system(conn, "Car", "charger", **FIJI)
        add_system(conn, "d-car", "charger", **SAMOA)
        add_system(conn, "e-sun", "solar", maker="Sun")
        add_system(conn, "other", community="hill")
    yield database
    database.dispose()


def all_of(conn: Connection, asked: Question, limit: int = 7, reach: Reach = WHOLE) -> list[Row]:
    """Return everything that answers a question, page by page."""
    selection = selected(conn, asked, reach, pairing_places)
    rows: list[Row] = []
    position = pages.begin_of(selection)
    for _ in range(5000):
        page = pages.page(conn, selection, position, limit)
        assert len(page.rows) <= limit
        rows += page.rows
        if page.next is None:
            return rows
        assert page.next != position
        position = page.next
    raise AssertionError("the pages never end")


def filled(conn: Connection, seed: int) -> list[Row]:
    """Fill the record at random, with many readings at one time, and return what is in it."""
    random, rows = Random(seed), []
    measured = {
        (NOON_MS + random.randrange(-8, 8) * 60_000, device, random.choice(("", "l1")), quantity, 0): 0
        for device in ("a-meter", "b-meter", "Car", "d-car", "e-sun")
        for quantity in ("power", "voltage", "import_register")
        for _ in range(8)
    }
    told = [(*key, random.randrange(-500, 500)) for key in measured]
    add_measured(conn, told)
    add_measured(conn, [(NOON_MS, "other", "", "power", 0, 1)], "hill")
    known = {"a-meter": ("meter", "home"), "b-meter": ("meter", "shop"), "e-sun": ("solar", None)}
    for ms, device, point, quantity, seconds, value in told:
        kind, site = known.get(device, ("charger", None))
        rows.append((ms, site, device, kind, point, quantity, seconds, value, "given", 0))
    taps = [
        TapReading(site, tap, start, seconds, random.randrange(99), random.randrange(99), (start, start + 1), quality)
        for site in ("home", "shop")
        for tap, quality in (("main", "ok"), ("ev", random.choice(("ok", "missing", "estimated"))))
        for start, seconds in (
            [(NOON - 1800, 1800), (NOON, 900)]
            if site == "home"
            else [(NOON - 900, 300), (NOON - 600, 600), (NOON, 300)]
        )
    ]
    taps.append(TapReading("shop", "own", NOON, 300, 77, 77, (7, 7), private=True))
    add_tap_readings(conn, taps)
    telemetry = [
        (NOON_MS + n * 60_000, "shop", tap, "l1", "voltage", 230_000 + n) for n in range(4) for tap in ("main", "own")
    ]
    add_telemetry_rows(conn, telemetry, seq=len(taps))
    rows += [
        (ms, site, tap, "tap", point, q, 0, value, "given", 0)
        for ms, site, tap, point, q, value in telemetry
        if tap == "main"
    ]
    return rows + rows_of(taps)


@pytest.mark.parametrize(("seed", "step"), [(1, 3), (2, 20_000)])
def test_pages_hold_every_reading_once_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, step: int
) -> None:
    """For every question and length of a page, also where one page looks through two rows only."""
    for each in (devices_store, sites_store, telemetry_store):
        monkeypatch.setattr(each, "SCANNED_MAX", step)
    with database.engine.begin() as conn:
        rows = filled(conn, seed)
        questions: dict[Question, list[Row]] = {
            question(): rows,
            question(quantities=frozenset({"power"})): [row for row in rows if row[5] == "power"],
            question(quantities=frozenset({"import"})): [row for row in rows if row[5] == "import"],
            question(quantities=frozenset({"export_register"})): [row for row in rows if row[5] == "export_register"],
            question(kinds=frozenset({"charger"})): [row for row in rows if row[3] == "charger"],
            question(kinds=frozenset({"tap"})): [row for row in rows if row[3] == "tap"],
            question(devices=frozenset({"Car", "main"})): [row for row in rows if row[2] in ("Car", "main")],
            question(site="shop"): [row for row in rows if row[1] == "shop"],
            question(point="l1"): [row for row in rows if row[4] == "l1"],
            question(point=""): [row for row in rows if row[4] == ""],
            question(timed="received"): [],
            question(devices=frozenset({"other", "nobody"})): [],
            question(quantities=frozenset({"power"}), above=0): [r for r in rows if r[5] == "power" and r[7] > 0],
            question(quantities=frozenset({"import"}), below=50): [r for r in rows if r[5] == "import" and r[7] < 50],
            question(from_ms=NOON_MS, to_ms=NOON_MS + 60_000): [r for r in rows if NOON_MS <= r[0] < NOON_MS + 60_000],
            question(from_ms=NOON_MS - 900_000, to_ms=NOON_MS): [
                r for r in rows if r[0] < NOON_MS and r[0] >= NOON_MS - 900_000
            ],
        }
        assert len(rows) > 120
        for asked, matching in questions.items():
            expected = [row for row in matching if asked.from_ms <= row[0] < asked.to_ms]
            for limit in (1, 1000) if asked.quantities and step > 3 else (6,):
                got = all_of(conn, asked, limit)
                assert [row[0] for row in got] == sorted(row[0] for row in got)
                assert sorted(got, key=str) == sorted(expected, key=str), asked


def test_a_walk_by_time_skips_what_is_out_of_reach(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many systems are asked for, the others' readings are passed by, page after page."""
    monkeypatch.setattr(devices_store, "ALONE_MAX", 0)
    monkeypatch.setattr(devices_store, "SCANNED_MAX", 3)
    with database.engine.begin() as conn:
        rows = [row for row in filled(conn, 3) if row[3] == "charger"]
        assert sorted(all_of(conn, question(kinds=frozenset({"charger"})), 4)) == sorted(rows)


def test_a_place_is_a_box_or_a_circle(database: Database) -> None:
    """Also across the antimeridian; a system without a place stands where its site does, or nowhere."""
    with database.engine.begin() as conn:
        conn.execute(text("UPDATE site SET latitude_e6 = 52530000, longitude_e6 = 13400000 WHERE site = 'shop'"))
        names = ("a-meter", "b-meter", "Car", "d-car", "e-sun")
        add_measured(conn, [(NOON_MS, name, "", "power", 0, 1) for name in names])
        for area, inside in (
            (box_of("-20,175,-10,-170"), {"Car", "d-car"}),
            (box_of("-20,175,-10,180"), {"Car"}),
            (box_of("-90,-180,90,180"), {"Car", "d-car", "a-meter", "b-meter"}),
            (circle_of("52.52,13.405,500"), {"a-meter"}),
            (circle_of("52.52,13.405,1200"), {"a-meter", "b-meter"}),
            (circle_of("-17.8,-179.9,30000"), {"Car"}),
        ):
            assert {row[2] for row in all_of(conn, question(area=area))} == inside
            assert {row[2] for row in all_of(conn, question(), reach=Reach(areas=(area,)))} == inside


def test_what_arrives_meanwhile_moves_nothing(database: Database) -> None:
    """A page goes on behind the reading it ended with, whatever was added before or behind it."""
    with database.engine.begin() as conn:
        add_measured(conn, [(NOON_MS + n, "a-meter", "", "power", 0, n) for n in range(10)])
        selection = selected(conn, question(), WHOLE, pairing_places)
        first = pages.page(conn, selection, pages.begin_of(selection), 5)
        add_measured(conn, [(NOON_MS + n, "b-meter", "", "power", 0, n) for n in (0, 4, 8, 20)])
        assert first.next is not None
        rest = pages.page(conn, selection, first.next, 100)
        assert [(row[2], row[7]) for row in first.rows] == [("a-meter", n) for n in range(5)]
        assert [(row[2], row[7]) for row in rest.rows if row[2] == "a-meter"] == [("a-meter", n) for n in range(5, 10)]
        assert [row[7] for row in rest.rows if row[2] == "b-meter"] == [4, 8, 20]
        assert rest.next is None


def test_a_better_reading_of_a_tap_says_that_it_is_one(database: Database) -> None:
    """As a corrected reading of a system does: the revision counts from 0."""
    with database.engine.begin() as conn:
        items = [TapReading("home", "main", NOON, 900, 5, 6, (50, 60))]
        add_tap_readings(conn, items)
        conn.execute(
            text(
                "INSERT INTO replaced_reading SELECT bucket, community, start, site, tap, seconds, owner,"
                " upstream_owner, island, 1, 1, 1, 1, quality, epoch, seq, private, epoch, seq, 0 FROM reading"
            )
        )
        add_measured(conn, [(NOON_MS, "a-meter", "", "power", 0, 1)], revision=3)
        assert {(row[2], row[9]) for row in all_of(conn, question())} == {("main", 1), ("a-meter", 3)}


REACHES: dict[str, tuple[Reach, Callable[[Row], bool]]] = {
    "kinds": (Reach(kinds=frozenset({"charger"})), lambda row: row[3] == "charger"),
    "taps": (Reach(kinds=frozenset({"tap"})), lambda row: row[3] == "tap"),
    "quantities": (Reach(quantities=frozenset({"power", "import"})), lambda row: row[5] in ("power", "import")),
    "sites": (Reach(sites=frozenset({"home"})), lambda row: row[1] == "home"),
    "area": (Reach(areas=(circle_of("52.52,13.405,500"),)), lambda row: row[2] == "a-meter"),
    "both": (
        Reach(kinds=frozenset({"meter", "tap"}), sites=frozenset({"shop"}), quantities=frozenset({"power", "voltage"})),
        lambda row: row[1] == "shop" and row[5] in ("power", "voltage"),
    ),
    "nothing": (Reach(kinds=frozenset()), lambda _: False),
    "no quantity": (Reach(quantities=frozenset()), lambda _: False),
}


@pytest.mark.parametrize("name", REACHES)
def test_what_is_out_of_reach_is_not_there(database: Database, name: str) -> None:
    """Whatever is asked: the answer is that of a record without the rest."""
    reach, within = REACHES[name]
    with database.engine.begin() as conn:
        rows = filled(conn, 4)
        named = frozenset({"a-meter", "Car", "main"})
        questions: dict[Question, Callable[[Row], bool]] = {
            question(): lambda _: True,
            question(devices=named): lambda row: row[2] in named,
            question(site="shop"): lambda row: row[1] == "shop",
            question(quantities=frozenset({"voltage"})): lambda row: row[5] == "voltage",
            question(kinds=frozenset({"meter"})): lambda row: row[3] == "meter",
        }
        for asked, matches in questions.items():
            expected = [r for r in rows if within(r) and matches(r) and asked.from_ms <= r[0] < asked.to_ms]
            assert sorted(all_of(conn, asked, 1000, reach), key=str) == sorted(expected, key=str)


def test_the_same_question_has_the_same_answer_by_either_index(database: Database) -> None:
    """Few systems are read by their own index, many by time, and a cursor of one goes on with the other."""
    with database.engine.begin() as conn:
        filled(conn, 5)
        asked = question(devices=frozenset({"Car", "a-meter", "d-car"}))
        selection = selected(conn, asked, WHOLE, pairing_places)
        few = [pages.page(conn, selection, pages.begin_of(selection), limit) for limit in (3, 9, 500)]
        crowd = {f"x{n}": ("meter", None) for n in range(devices_store.ALONE_MAX)}
        assert selection.devices is not None
        many = replace(selection, devices={**selection.devices, **crowd})
        assert [pages.page(conn, many, pages.begin_of(many), 500).rows] == [few[2].rows]
        for page in few[:2]:
            assert page.next is not None
            assert pages.page(conn, many, page.next, 500).rows == few[2].rows[len(page.rows) :]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_few_systems_are_not_looked_for_among_all(database: Database) -> None:
    """Every statement of a page goes along an index by all that it asks, and only registers are sorted."""
    with database.engine.begin() as conn:
        filled(conn, 7)
        for asked, by in (
            (question(), "PRIMARY KEY (bucket=? AND community=? AND measured_ms>?"),
            (question(devices=frozenset({"Car", "a-meter"})), "INDEX ix_hub_reading_device"),
        ):
            selection = selected(conn, asked, WHOLE, pairing_places)
            statements: list[tuple[str, Any]] = []

            def note(*told: Any, into: list[tuple[str, Any]] = statements) -> None:
                into.append((told[2], told[3]))

            event.listen(conn, "before_cursor_execute", note)
            page = pages.page(conn, selection, pages.begin_of(selection), 20)
            assert page.next is not None
            pages.page(conn, selection, page.next, 20)
            event.remove(conn, "before_cursor_execute", note)
            plans = [
                (sql, [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", told)])
                for sql, told in statements
            ]
            walks = [plan for sql, plan in plans if "FROM hub_reading" in sql]
            assert walks
            assert all(by in plan[0] and len(plan) == 1 for plan in walks), walks
            assert not [plan for _, plan in plans if any("SCAN" in step for step in plan)]


def test_a_namesake_elsewhere_is_another(database: Database) -> None:
    """Readings of another community never come, whatever is named."""
    with database.engine.begin() as conn:
        filled(conn, 6)
        assert {row[2] for row in all_of(conn, question(community="hill"))} == {"other"}
        assert all_of(conn, question(community="hill", devices=frozenset({"Car"}))) == []
        assert LANE not in str(all_of(conn, question(community="hill")))
