"""Late and better readings become corrections: what stands is never altered, and everything still adds up."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from sqlalchemy import Connection, delete, select, update

from cloud.database import Database
from cloud.ingest.readings.store import reading_table, readings_at, replaced_reading_table
from cloud.ledger import store as ledger
from cloud.ledger.evidence.store import documents
from cloud.settlement.audit.finding import Finding
from cloud.settlement.audit.rows.store import totals
from cloud.settlement.audit.store import audit
from cloud.settlement.cause import energy_cause
from cloud.settlement.correction.difference import State, merged
from cloud.settlement.correction.store import (
    corrections,
    settled_correction_table,
    settled_owner_correction_table,
)
from cloud.settlement.job import Settler, settle
from cloud.settlement.netting import net
from cloud.settlement.share import share
from cloud.settlement.store import settled_interval_table, settled_owner_interval_table, settlement_table
from cloud.settlement.sums.store import proof, statement_of
from cloud.settlement.told.store import lines, settled_between
from cloud.sites.store import community_of
from cloud.wire import Quality, digest

from .audited import HOUSE, SHED, Signer
from .ground import HALF_HOUR, NOON, PRICES, OpenDatabase, found

type Rows = Mapping[str, list[tuple[int, int, Quality]]]

DAY = 86_400
END = NOON + HALF_HOUR
LATE = END + DAY  # the grace time is over
BOOKED = LATE - LATE % HALF_HOUR
HOUSE_ROWS: Rows = {"main": [(701, 0, "ok")], "ev": [(299, 0, "ok")], "pv": [(0, 443, "ok")]}
SHED_ROWS: Rows = {"t": [(400, 0, "ok")], "lone": [(0, 1, "ok")], "lamp": [(13, 0, "ok")]}


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with a community of two sites."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn, owners=("anna", "ben", "cleo", "sun"))
    yield opened
    opened.dispose()


@pytest.fixture
def sites(database: Database) -> tuple[Signer, Signer]:
    """Let two sites join that sign what they send."""
    house, shed = Signer("house", HOUSE), Signer("shed", SHED, seed=2)
    with database.engine.begin() as conn:
        house.join(conn)
        shed.join(conn)
    return house, shed


def send(database: Database, site: Signer, rows: Rows, now: int, start: int = NOON) -> None:
    """Send a batch of one site."""
    with database.engine.begin() as conn:
        site.send(conn, start, rows, now)


def stood(conn: Connection) -> list[Any]:
    """Return every row that a correction must not touch."""
    return [conn.execute(select(table)).all() for table in (settled_interval_table, settled_owner_interval_table)]


def owed(conn: Connection) -> dict[str, int]:
    """Return what everybody should have in the end, by the plain rules over the readings as they stand."""
    points = dict.fromkeys(("anna", "ben", "cleo", "sun"), 0)
    starts = set(conn.execute(select(reading_table.c.start)).scalars())
    for start in starts:
        for owner, part in share(net(readings_at(conn, "lane", start)).net_wh, PRICES).owners.items():
            points[owner] += part.points_micro
    return points


def assert_sound(conn: Connection) -> None:
    """Hold what must hold at any time: sums are zero, and balances are what the readings say."""
    sums = proof(conn, "lane")
    assert (sums.energy_sum_wh, sums.local_sum_wh, sums.ledger_sum_micro, sums.balance_sum_micro) == (0, 0, 0, 0)
    assert sums.accounts_off == 0
    community, findings = community_of(conn, "lane"), list[Finding]()
    assert community is not None
    assert audit(conn, community, totals(conn, "lane")["lane"], findings.append).late_readings == 0
    assert findings == []
    balances = ledger.balances(conn, "lane")
    assert {owner: balances.get(f"owner:{owner}", 0) for owner in ("anna", "ben", "cleo", "sun")} == owed(conn)


async def test_late_readings_are_corrected_by_an_entry_of_their_own(
    database: Database, sites: tuple[Signer, Signer]
) -> None:
    """Nothing that stands changes; the differences are booked in the interval that is current then."""
    house, shed = sites
    send(database, house, HOUSE_ROWS, END)
    assert await settle(database, LATE) == 1
    with database.engine.begin() as conn:
        before = stood(conn)
    send(database, shed, SHED_ROWS, LATE + 7)
    with database.engine.begin() as conn:
        assert [(item.late, item.revision) for item in settled_between(conn, "lane", NOON, NOON)] == [(3, 0)]
    assert await settle(database, LATE + 7) == 1
    with database.engine.begin() as conn:
        assert stood(conn) == before
        assert_sound(conn)
        row = conn.execute(select(settled_correction_table)).one()
        assert (row.start, row.revision, row.readings, row.booked_at, row.entry) == (NOON, 1, 6, BOOKED, 2)
        (first, second) = ledger.links(conn, "lane", 0)
        assert (first.cause, second.cause) == (energy_cause(NOON), f"{energy_cause(NOON)}:1")
        assert (second.valued_at, second.made_at) == (BOOKED, LATE + 7)
        document = documents(conn, "lane", [2])[2]
        assert digest(document) == second.evidence == row.evidence
        assert b'"revision":1' in document
        assert b'"without":[]' in document
        assert [(item.late, item.revision) for item in settled_between(conn, "lane", NOON, NOON)] == [(0, 1)]
        (ben,) = corrections(conn, "lane", "ben", BOOKED, BOOKED + 1)
        assert (ben.net_wh, ben.entry, ben.quality) == (400, 2, "ok")
        assert corrections(conn, "lane", "ben", 0, BOOKED) == []
        assert [line.blind for line in lines(conn, "lane", "ben", 0, LATE)] == [ben.blind]


async def test_a_rerun_or_another_process_corrects_nothing_twice(
    database: Database, sites: tuple[Signer, Signer]
) -> None:
    """Whoever comes second finds it done, even if it forgot all it knew."""
    house, shed = sites
    send(database, house, HOUSE_ROWS, END)
    await settle(database, LATE)
    send(database, shed, SHED_ROWS, LATE)
    turns = await asyncio.gather(*(Settler(database).turn(LATE) for _ in range(3)))
    assert sum(turns) == 1
    with database.engine.begin() as conn:
        head = proof(conn, "lane").head
    for now in (LATE, LATE + 61, LATE + 10**6):
        assert await settle(database, now) == 0
    with database.engine.begin() as conn:
        assert proof(conn, "lane").head == head


async def test_each_late_site_makes_a_correction_and_their_sum_is_the_truth(
    database: Database, sites: tuple[Signer, Signer]
) -> None:
    """The second one stands on the first; a site nobody knew of reports the past too."""
    house, shed = sites
    send(database, house, HOUSE_ROWS, END)
    await settle(database, LATE)
    send(database, shed, SHED_ROWS, LATE)
    await settle(database, LATE)
    barn = Signer("barn", {"t": HOUSE["main"]}, seed=3)
    with database.engine.begin() as conn:
        barn.join(conn, now=LATE)
    send(database, barn, {"t": [(0, 2000, "ok")]}, LATE + 5)
    assert await settle(database, LATE + 5) == 1
    with database.engine.begin() as conn:
        revisions = conn.execute(select(settled_correction_table.c.revision)).scalars().all()
        assert sorted(revisions) == [1, 2]
        assert_sound(conn)


async def test_a_correction_that_changes_nothing_posts_nothing_and_is_remembered(
    database: Database, sites: tuple[Signer, Signer]
) -> None:
    """A late site that measured nothing is taken note of once."""
    house, shed = sites
    send(database, house, HOUSE_ROWS, END)
    send(database, house, HOUSE_ROWS, END + HALF_HOUR, END)
    await settle(database, LATE + HALF_HOUR)
    nothing: Rows = {tap: [(0, 0, "ok")] for tap in SHED_ROWS}
    send(database, shed, nothing, LATE + HALF_HOUR)
    assert await settle(database, LATE + HALF_HOUR) == 1
    assert await settle(database, LATE + HALF_HOUR) == 0
    with database.engine.begin() as conn:
        row = conn.execute(select(settled_correction_table)).one()
        assert (row.entry, row.grid_wh, row.grid_points_micro) == (None, 0, 0)
        assert digest(row.document) == row.evidence
        assert len(ledger.links(conn, "lane", 0)) == 2
        owners = conn.execute(select(settled_owner_correction_table.c.owner)).scalars().all()
        assert sorted(owners) == ["cleo"]  # ben's line was there; cleo's reading is new
        assert_sound(conn)


async def test_statements_add_up_with_corrections(database: Database, sites: tuple[Signer, Signer]) -> None:
    """The day of the interval keeps what it said; the day of the booking tells the correction."""
    house, shed = sites
    send(database, house, HOUSE_ROWS, END)
    await settle(database, LATE)
    with database.engine.begin() as conn:
        lane = community_of(conn, "lane")
        assert lane is not None
        before, _ = statement_of(conn, lane, "anna", (NOON, END), LATE)
    send(database, shed, SHED_ROWS, LATE)
    await settle(database, LATE)
    with database.engine.begin() as conn:
        after, _ = statement_of(conn, lane, "anna", (NOON, END), LATE)
        booked, _ = statement_of(conn, lane, "anna", (END, BOOKED + HALF_HOUR), LATE)
        assert after == before
        assert booked.opening_micro == before.closing_micro
        assert booked.closing_micro == ledger.balances(conn, "lane")["owner:anna"]


async def test_estimates_are_replaced_by_what_was_measured(database: Database, sites: tuple[Signer, Signer]) -> None:
    """Energy moves in time and none is made; what stood is kept beside, and the intervals are corrected."""
    house, shed = sites
    guessed: Rows = {
        "main": [(500, 0, "estimated"), (500, 0, "estimated")],
        "ev": [(100, 0, "ok"), (100, 0, "ok")],
        "pv": [(0, 200, "estimated"), (0, 200, "estimated")],
    }
    opening = dict(house.registers)
    send(database, house, guessed, END + HALF_HOUR)
    nothing: Rows = {tap: [(0, 0, "ok")] * 2 for tap in SHED_ROWS}
    send(database, shed, nothing, END + HALF_HOUR)
    assert await settle(database, END + HALF_HOUR) == 2
    with database.engine.begin() as conn:
        before = stood(conn)
    house.registers = opening
    measured: Rows = {
        "main": [(900, 0, "ok"), (100, 0, "ok")],
        "ev": [(100, 0, "ok"), (100, 0, "ok")],
        "pv": [(0, 0, "ok"), (0, 400, "ok")],
    }
    with database.engine.begin() as conn:
        house.send(conn, NOON, measured, LATE, amends=True)
    assert await settle(database, LATE) == 2
    with database.engine.begin() as conn:
        assert stood(conn) == before
        kept = conn.execute(select(replaced_reading_table)).all()
        assert sorted((row.tap, row.start, row.seq, row.by_seq) for row in kept) == [
            (tap, start, 1, 2) for tap in ("main", "pv") for start in (NOON, END)
        ]
        assert {row.quality for row in kept} == {"estimated"}
        assert_sound(conn)
        changes = corrections(conn, "lane", "anna", 0, 10**10)
        assert [(item.net_wh, item.quality) for item in changes] == [(200, "ok"), (-200, "ok")]


async def test_the_audit_sees_a_hand_on_what_was_replaced(database: Database, sites: tuple[Signer, Signer]) -> None:
    """What an interval was settled from first must still be what its batch says, though other readings stand now."""
    house, shed = sites
    opening = dict(house.registers)
    send(database, house, {tap: [(*rows[0][:2], "estimated")] for tap, rows in HOUSE_ROWS.items()}, END)
    send(database, shed, SHED_ROWS, END)
    await settle(database, END)
    house.registers = opening
    with database.engine.begin() as conn:
        house.send(conn, NOON, HOUSE_ROWS, LATE, amends=True)
    await settle(database, LATE)
    with database.engine.begin() as conn:
        assert_sound(conn)
        conn.execute(update(replaced_reading_table).filter_by(tap="ev").values(import_wh=298))
        community, findings = community_of(conn, "lane"), list[Finding]()
        assert community is not None
        audit(conn, community, totals(conn, "lane")["lane"], findings.append)
        assert {finding.place.check for finding in findings} == {"readings", "intervals"}
        assert any("reading(start=1795262400, site=house, tap=ev) import_wh" in str(item) for item in findings)


WRONG: dict[str, Rows] = {
    "more energy": {"main": [(901, 0, "ok"), (100, 0, "ok")], "ev": [(100, 0, "ok")] * 2, "pv": [(0, 200, "ok")] * 2},
    "a measured reading": {
        "main": [(500, 0, "ok")] * 2,
        "ev": [(50, 0, "ok"), (150, 0, "ok")],
        "pv": [(0, 200, "ok")] * 2,
    },
    "a reset": {"main": [(500, 0, "reset")] * 2, "ev": [(100, 0, "ok")] * 2, "pv": [(0, 200, "ok")] * 2},
    "fewer intervals than it covers": {
        "main": [(500, 0, "ok")] * 3,
        "ev": [(100, 0, "ok")] * 3,
        "pv": [(0, 200, "ok")] * 3,
    },
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_amendment_is_held(database: Database, sites: tuple[Signer, Signer], wrong: Rows) -> None:
    """It is stored, settles nothing, and says why."""
    house, _ = sites
    guessed: Rows = {
        "main": [(500, 0, "estimated")] * 2,
        "ev": [(100, 0, "ok")] * 2,
        "pv": [(0, 200, "missing")] * 2,
    }
    opening = dict(house.registers)
    send(database, house, guessed, END + HALF_HOUR)
    house.registers = opening
    with database.engine.begin() as conn:
        before = conn.execute(select(reading_table)).all()
        house.send(conn, NOON, wrong, LATE, amends=True, held="amends-differ")
        assert conn.execute(select(reading_table)).all() == before
        assert conn.execute(select(replaced_reading_table)).all() == []


async def test_the_watermark_is_only_a_help(database: Database, sites: tuple[Signer, Signer]) -> None:
    """Lost or never written, everything is looked at again and nothing is found to do."""
    house, shed = sites
    send(database, house, HOUSE_ROWS, END)
    send(database, shed, SHED_ROWS, END)
    await settle(database, LATE)
    with database.engine.begin() as conn:
        assert conn.execute(select(settlement_table.c.corrected_through)).scalar_one() == LATE - 600
        conn.execute(settlement_table.update().values(corrected_through=None))
    assert await settle(database, LATE) == 0
    with database.engine.begin() as conn:
        conn.execute(delete(settled_owner_correction_table))
        assert conn.execute(select(settled_correction_table)).all() == []


def test_times_are_merged_where_they_touch() -> None:
    """So that each settled interval is looked at once."""
    assert merged([(5, 9), (0, 5), (20, 30), (22, 25)]) == [(0, 9), (20, 30)]


def test_states_add_up() -> None:
    """A change put on what stood is the new state, with the new quality."""
    stood_before, now = State(5, 3, 2, -7, 1, 4, "estimated"), State(9, 9, 0, 1, 0, 0, "ok")
    assert stood_before.plus(now.minus(stood_before)) == now


LIVED = 4  # intervals of a drawn history
wh = st.integers(0, 10**6)
energies = st.lists(st.tuples(wh, wh), min_size=LIVED * 6, max_size=LIVED * 6)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(energies, st.lists(st.sampled_from("hs"), min_size=2 * LIVED, max_size=2 * LIVED), st.sets(st.integers(0, 7)))
def test_in_whatever_order_data_come_the_end_is_the_same(
    open_database: OpenDatabase,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[int, int]],
    order: list[str],
    pauses: set[int],
) -> None:
    """Settled in between or not, everybody ends with what the readings say, and the audit finds nothing."""
    opened = open_database(tmp_path_factory.mktemp("order"))
    house, shed = Signer("house", HOUSE), Signer("shed", SHED, seed=2)
    with opened.engine.begin() as conn:
        found(conn, owners=("anna", "ben", "cleo", "sun"))
        house.join(conn)
        shed.join(conn)
    sent = {"h": 0, "s": 0}
    late = NOON + LIVED * HALF_HOUR + DAY
    for step, letter in enumerate([*order, *"hs" * LIVED]):
        number = sent[letter]
        if number < LIVED:
            sent[letter] += 1
            site, taps = (house, ("main", "ev", "pv")) if letter == "h" else (shed, ("t", "lone", "lamp"))
            first = 6 * number + (0 if letter == "h" else 3)
            rows: Rows = {tap: [(*drawn[first + place], "ok")] for place, tap in enumerate(taps)}
            send(opened, site, rows, late + 60 * step, NOON + number * HALF_HOUR)
        if step in pauses:
            asyncio.run(settle(opened, late + 60 * step))
    asyncio.run(settle(opened, late + 7200))
    with opened.engine.begin() as conn:
        assert_sound(conn)
        assert proof(conn, "lane").intervals == LIVED
    opened.dispose()
