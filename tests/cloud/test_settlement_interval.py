"""Intervals in one transaction: netted and shared as by the rules, posted once, and everything kept or nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from sqlalchemy import Connection, Table, select

from cloud.database import Database
from cloud.ingest.readings.store import readings_at
from cloud.ledger import store as ledger
from cloud.ledger.chain import verify
from cloud.ledger.evidence.store import documents
from cloud.ledger.store import entry_table, posting_table
from cloud.notice import store as notices
from cloud.notice.store import notice_table
from cloud.settlement.engine.columns import ENERGY_WH_MAX
from cloud.settlement.evidence import BatchName, Outcome, Part, document_of
from cloud.settlement.interval.store import NotSettled, Settled, settle_intervals
from cloud.settlement.netting import QUALITIES, net
from cloud.settlement.share import Share, share
from cloud.settlement.store import (
    expected,
    settled_interval_table,
    settled_owner_interval_table,
    settled_through,
    settled_without_table,
)
from cloud.settlement.sums.store import Proof, proof
from cloud.settlement.told.store import lines, settled_between
from cloud.sites.store import community_of
from cloud.tariff.price import PriceTexts
from cloud.tariff.store import book, tariffs_of
from cloud.wire import GENESIS, ISLAND, Balance, Quality, digest, parse_balance

from .ground import HALF_HOUR, NOON, PRICES, OpenDatabase, Tap, add_site, found, report, set_tariff

VECTORS = Path(__file__).parent.parent / "vectors"
END = NOON + HALF_HOUR
PART = ("net_wh", "local_wh", "grid_wh", "grid_micro_per_wh", "points_micro", "quality")
HOUSE = {
    "main": Tap("anna", None, import_wh=700),
    "ev": Tap("ben", "anna", import_wh=300),
    "pv": Tap("sun", "anna", export_wh=450),
}


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with one community, its tariff and a site."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn)
        add_site(conn, "house")
    yield opened
    opened.dispose()


def settle(conn: Connection, start: int = NOON, now: int = END) -> Settled | NotSettled:
    """Settle an interval of the lane."""
    community = community_of(conn, "lane")
    assert community is not None
    return settle_intervals(conn, community, [start], expected(conn, "lane"), now)[start]


def everything(conn: Connection) -> list[list[Any]]:
    """Return every row settlement writes."""
    tables: list[Table] = [settled_interval_table, settled_owner_interval_table, settled_without_table]
    tables += [entry_table, posting_table, ledger.account_table, ledger.ledger_head_table]
    return [
        [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))] for table in tables
    ]


def assert_sound(conn: Connection) -> Proof:
    """Hold what must hold at any time."""
    found_proof = proof(conn, "lane")
    sums = (found_proof.energy_sum_wh, found_proof.local_sum_wh, found_proof.ledger_sum_micro)
    assert (*sums, found_proof.balance_sum_micro, found_proof.accounts_off) == (0, 0, 0, 0, 0)
    assert verify(ledger.links(conn, "lane", 0)) == ledger.head_of(conn, "lane")
    return found_proof


def test_an_interval_becomes_lines_postings_and_balances(database: Database) -> None:
    """Anna takes 850 of which 450 are the sun's, ben's 300 among them priced by the same split."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, HOUSE)
        assert settle(conn) == Settled(NOON, 1)
        parts = {row.owner: tuple(row)[4:9] for row in conn.execute(select(settled_owner_interval_table))}
        assert parts == {
            "anna": (850, 333, 517, -(333 * 20_000 + 517 * 30_000), "ok"),
            "ben": (300, 117, 183, -(117 * 20_000 + 183 * 30_000), "ok"),
            "sun": (-450, -450, 0, 450 * 20_000, "ok"),
        }
        assert ledger.balances(conn, "lane") == {
            **{f"owner:{owner}": part[3] for owner, part in parts.items()},
            "grid": 700 * 30_000,
        }
        interval = conn.execute(select(settled_interval_table)).one()
        assert (interval.grid_wh, interval.grid_points_micro, interval.readings) == (-700, 700 * 30_000, 3)
        assert assert_sound(conn).postings == 4


def test_what_is_settled_stays_as_it_is(database: Database) -> None:
    """Done again, later, it posts nothing and changes no row."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, HOUSE)
        settle(conn)
        before = everything(conn)
        assert settle(conn, now=END + 10**6) == "settled-already"
        assert everything(conn) == before


def test_readings_that_come_late_are_counted_until_they_are_corrected(database: Database) -> None:
    """Settling again does not do it; corrections have their own rows."""
    with database.engine.begin() as conn:
        add_site(conn, "shed")
        report(conn, "house", NOON, HOUSE)
        settle(conn)
        (before,) = settled_between(conn, "lane", NOON, NOON)
        assert (before.without, before.late) == (("shed",), 0)
        rows = everything(conn)
        report(conn, "shed", NOON, {"t1": Tap("ben", import_wh=5), "t2": Tap("sun", "ben", import_wh=1)})
        assert settle(conn) == "settled-already"
        (after,) = settled_between(conn, "lane", NOON, NOON)
        assert (after.without, after.late) == (("shed",), 2)
        assert everything(conn) == rows


def test_who_has_an_account_and_no_reading_has_a_line_that_says_so(database: Database) -> None:
    """Nothing measured, nothing moved, and quality missing; the interval's own readings keep theirs."""
    with database.engine.begin() as conn:
        add_site(conn, "shed")
        report(conn, "shed", NOON, {"t": Tap("ben", import_wh=5, quality="estimated")})
        settle(conn)
        report(conn, "house", END, {"main": Tap("anna", import_wh=7)})
        settle(conn, END, END + HALF_HOUR)
        assert [(line.net_wh, line.points_micro, line.quality) for line in lines(conn, "lane", "ben", 0, 10**10)] == [
            (5, -150_000, "estimated"),
            (0, 0, "missing"),
        ]
        assert [line.net_wh for line in lines(conn, "lane", "anna", 0, 10**10)] == [7]
        assert_sound(conn)


def test_an_interval_in_which_nothing_moved_is_settled_without_an_entry(database: Database) -> None:
    """An entry without postings would say nothing; the lines are there."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, {"main": Tap("anna", quality="missing"), "ev": Tap("ben", "anna")})
        assert settle(conn) == Settled(NOON, None)
        (line,) = lines(conn, "lane", "anna", 0, 10**10)
        assert (line.net_wh, line.quality) == (0, "missing")
        assert settle(conn) == "settled-already"
        found_proof = assert_sound(conn)
        assert (found_proof.intervals, found_proof.entries, found_proof.postings) == (1, 0, 0)


def test_an_owner_whose_energy_nets_to_nothing_posts_no_leg(database: Database) -> None:
    """What came through and went on is not a movement of points."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, {"main": Tap("anna", import_wh=300), "ev": Tap("ben", "anna", import_wh=300)})
        settle(conn)
        legs = {row.account: row.amount_micro for row in conn.execute(select(posting_table))}
        assert legs == {"owner:ben": -9_000_000, "grid": 9_000_000}
        assert [line.points_micro for line in lines(conn, "lane", "anna", 0, 10**10)] == [0]


@pytest.mark.parametrize("taps", [{}, HOUSE])
def test_without_readings_or_without_a_price_nothing_is_written(
    open_database: OpenDatabase, tmp_path: Path, taps: dict[str, Tap]
) -> None:
    """Settlement waits: no row, no account, no notice."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn, tariff_from=END)
        add_site(conn, "house")
        if taps:
            report(conn, "house", NOON, taps)
        assert settle(conn) == ("no-tariff" if taps else "no-readings")
        assert not any(everything(conn))
        assert not conn.execute(select(notice_table)).all()
    opened.dispose()


@pytest.mark.parametrize(
    ("taps", "buy"),
    [
        ({"t1": Tap("anna", import_wh=ENERGY_WH_MAX + 1)}, "0"),
        ({f"t{n}": Tap("anna", export_wh=2**53 - 1) for n in range(1100)}, "0"),
        ({"t1": Tap("anna", import_wh=10**6 + 1)}, "999999.999999"),
    ],
)
def test_what_is_beyond_all_bounds_is_not_settled(database: Database, taps: dict[str, Tap], buy: str) -> None:
    """Not even a sum that no 64-bit number holds does harm: nothing is written, and the tariff may still change."""
    with database.engine.begin() as conn:
        assert set_tariff(conn, "lane", 0, PriceTexts(None, buy, "0")) == "replaced"
        report(conn, "house", NOON, taps)
        assert settle(conn) == "beyond-limits"
        assert not any(everything(conn))
        assert set_tariff(conn, "lane", 0) == "replaced"


def test_every_site_is_told_its_main_owners_balance_in_the_same_transaction(database: Database) -> None:
    """A newer notice overtakes the one not yet fetched; its time is the end of the newest settled interval."""
    with database.engine.begin() as conn:
        add_site(conn, "shed", main_owner="sun")
        for start in (END, NOON):
            report(conn, "house", start, HOUSE)
            settle(conn, start, END + HALF_HOUR)
        told = [notices.waiting(conn, "lane", site, END + HALF_HOUR) for site in ("house", "shed")]
        bodies = [[parse_balance(item.body) for item in items if item.kind == "balance"] for items in told]
        balances = ledger.balances(conn, "lane")
        assert bodies == [
            [Balance("anna", balances["owner:anna"], END + HALF_HOUR)],
            [Balance("sun", balances["owner:sun"], END + HALF_HOUR)],
        ]
        assert settled_through(conn, "lane") == END + HALF_HOUR


def test_a_failure_at_the_very_end_undoes_everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, entry, balances, the mark on the tariff: all of it or nothing; the next try does it all."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, HOUSE)

    def refuse(*_args: object, **_more: object) -> str:
        raise KeyError("power cut")

    def settle_alone() -> None:
        with database.engine.begin() as conn:
            settle(conn)

    with monkeypatch.context() as patch:
        patch.setattr("cloud.notice.balance.store.post_many", refuse)  # the last thing a settlement writes
        with pytest.raises(KeyError):
            settle_alone()
    with database.engine.begin() as conn:
        assert not any(everything(conn))
        assert [tariff.used_through for tariff in tariffs_of(conn, "lane", "")] == [None]
        assert settle(conn) == Settled(NOON, 1)


def test_a_tariff_that_settled_an_interval_stands(database: Database) -> None:
    """Up to its end, not beyond."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, HOUSE)
        settle(conn)
        cheap = PriceTexts(None, "1", "1")
        assert set_tariff(conn, "lane", NOON, cheap) == "settled"
        assert set_tariff(conn, "lane", END, cheap) == "created"


def test_the_evidence_can_be_worked_out_again_from_what_is_stored(database: Database) -> None:
    """Whoever has the rows can check that the chain seals exactly them."""
    with database.engine.begin() as conn:
        add_site(conn, "shed")
        report(conn, "house", NOON, HOUSE)
        settle(conn)
        report(conn, "shed", NOON, {"late": Tap("ben", import_wh=1)})
        (settled,) = settled_between(conn, "lane", NOON, NOON)
        batches = {(item.site, item.epoch, item.seq, GENESIS) for item in readings_at(conn, "lane", NOON)}
        rows = conn.execute(select(settled_owner_interval_table)).all()
        again = Outcome(
            community="lane",
            start=NOON,
            seconds=HALF_HOUR,
            revision=0,
            batches=[BatchName(*name) for name in batches if name[0] not in settled.without],
            without=settled.without,
            local_micro_per_wh=PRICES.local_micro_per_wh,
            parts={row.owner: Part(*(getattr(row, name) for name in PART)) for row in rows},
            directs=(),
            grid_wh=-700,
            grid_points_micro=700 * 30_000,
        )
        (link,) = ledger.links(conn, "lane", 0)
        document = document_of(again, {row.owner: row.blind for row in rows})
        assert link.evidence == digest(document)
        assert documents(conn, "lane", [1]) == {1: document}
        assert b"anna" not in document
        assert len(link.evidence) == len(digest(b""))


@pytest.mark.parametrize(
    "case", json.loads((VECTORS / "netting.json").read_text())["cases"], ids=lambda case: case["name"]
)
def test_what_is_settled_agrees_with_the_worked_cases(database: Database, case: Any) -> None:
    """The same cases as the pure rule's, stored as readings."""
    taps = case["taps"]
    kept = {}
    for name, tap in taps.items():
        upstream = None if tap["parent"] in (None, ISLAND) else taps[tap["parent"]]["owner"]
        if upstream != tap["owner"]:
            imported, exported = case["readings_wh"][name]
            island = tap["parent"] == ISLAND
            kept[name] = Tap(tap["owner"], upstream, imported, exported, island=island)
    with database.engine.begin() as conn:
        report(conn, "house", NOON, kept)
        settle(conn)
        net_wh = {row.owner: row.net_wh for row in conn.execute(select(settled_owner_interval_table))}
        grid_wh = conn.execute(select(settled_interval_table.c.grid_wh)).scalar_one()
    assert net_wh == case["expect"]["net_wh"]
    assert grid_wh == case["expect"]["grid_wh"]


OWNERS = ("anna", "ben", "sun")


@st.composite
def house(draw: st.DrawFn) -> dict[str, Tap]:
    """Draw the boundary taps of a site in one interval."""
    taps = {}
    for number in range(draw(st.integers(1, 4))):
        owner = draw(st.sampled_from(OWNERS))
        upstream = draw(st.sampled_from([None, *(other for other in OWNERS if other != owner)]))
        island = upstream is None and draw(st.booleans())
        energy = st.integers(0, 10**6)
        quality: Quality = draw(st.sampled_from(QUALITIES))
        taps[f"t{number}"] = Tap(owner, upstream, draw(energy), draw(energy), quality, island=island)
    return taps


type History = list[dict[str, dict[str, Tap]]]
histories = st.lists(st.dictionaries(st.sampled_from("xyz"), house(), min_size=1), min_size=1, max_size=4)
texts = st.integers(-(10**6), 10**6).map(lambda micro: f"{micro / 1000:.3f}")
prices = st.builds(PriceTexts, st.none() | texts, texts, texts)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(histories, prices, st.randoms())
def test_whatever_is_measured_and_whatever_it_costs_everything_sums_to_zero(
    open_database: OpenDatabase,
    tmp_path_factory: pytest.TempPathFactory,
    history: History,
    cost: PriceTexts,
    chance: Any,
) -> None:
    """Nets are the rule's, lines are the share's, balances are the lines', in whatever order it is settled."""
    opened = open_database(tmp_path_factory.mktemp("settled"))
    with opened.engine.begin() as conn:
        found(conn, tariff_from=None)
        set_tariff(conn, "lane", 0, cost)
        tell(conn, history)
        starts = [NOON + number * HALF_HOUR for number in range(len(history))]
        chance.shuffle(starts)
        points = dict.fromkeys(OWNERS, 0)
        for start in starts:
            assert isinstance(settle(conn, start, NOON + 10**6), Settled)
        priced = book(conn, "lane", NOON, NOON).at(NOON, "")
        assert priced is not None
        for row in conn.execute(select(settled_owner_interval_table)):
            netting = net(readings_at(conn, "lane", row.start))
            part = share(netting.net_wh, priced.prices).owners.get(row.owner, Share(0, 0, 0))
            assert row.quality == netting.quality.get(row.owner, "missing")
            assert (row.local_wh, row.grid_wh, row.points_micro) == (part.local_wh, part.grid_wh, part.points_micro)
            points[row.owner] += row.points_micro
        balances = ledger.balances(conn, "lane")
        assert {owner: balances.get(f"owner:{owner}", 0) for owner in OWNERS} == points
        assert assert_sound(conn).intervals == len(history)
    opened.dispose()


def tell(conn: Connection, history: History) -> None:
    """Let three sites report a history."""
    for site in "xyz":
        add_site(conn, site)
    for number, sites in enumerate(history):
        for site, taps in sites.items():
            report(conn, site, NOON + number * HALF_HOUR, taps)


def settle_all(database: Database, intervals: int) -> int:
    """Settle so many intervals in order, a transaction each; return how many were settled here."""
    settled = 0
    for number in range(intervals):
        with database.engine.begin() as conn:
            settled += isinstance(settle(conn, NOON + number * HALF_HOUR, NOON + 10**6), Settled)
    return settled


def test_two_settlers_at_once_leave_the_same_ledger_as_one(
    open_database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes on one file: every interval is settled by one of them, and the chain ends at the same hash."""
    monkeypatch.setattr("secrets.token_hex", lambda length: "5a" * length)  # salts and blinds, else never the same
    intervals = 25
    heads = []
    for settlers in (1, 2):
        (tmp_path / str(settlers)).mkdir()
        opened = [open_database(tmp_path / str(settlers)) for _ in range(settlers)]
        with opened[0].engine.begin() as conn:
            found(conn)
            tell(conn, [{"x": HOUSE, "y": {"t": Tap("ben", import_wh=number)}} for number in range(intervals)])
        with ThreadPoolExecutor(settlers) as pool:
            assert sum(pool.map(settle_all, opened, [intervals] * settlers)) == intervals
        with opened[0].engine.begin() as conn:
            heads.append(assert_sound(conn).head)
        for each in opened:
            each.dispose()
    assert heads[0] == heads[1]


def test_the_first_tap_of_an_island_moves_nothing(database: Database) -> None:
    """No grid feeds it; its owner has a line, and nobody pays."""
    with database.engine.begin() as conn:
        report(conn, "house", NOON, {"line": Tap("anna", None, 500, 0, island=True)})
        assert settle(conn) == Settled(NOON, None)
        assert [line.net_wh for line in lines(conn, "lane", "anna", 0, 10**10)] == [0]
