"""The settling job: what is due is settled, what waits is left, and on a broken chain nothing is built."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, text, update

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.notice.store import notice_table
from cloud.settlement import job
from cloud.settlement.cycle import LATE_SECONDS_MAX, Terms
from cloud.settlement.engine.columns import ENERGY_WH_MAX
from cloud.settlement.job import Settler, settle
from cloud.settlement.listing import Open, listed
from cloud.settlement.store import horizon, settlement_table
from cloud.settlement.sums.store import Proof, proof, statement_of
from cloud.settlement.told.store import SettledInterval, overview
from cloud.sites.store import Community, community_of, quarantine
from cloud.wire import parse_balance

from .ground import HALF_HOUR, NOON, OpenDatabase, Tap, add_site, found, report, set_tariff

DAY = 86_400
HOUSE = {"main": Tap("anna", import_wh=700), "pv": Tap("sun", "anna", export_wh=450)}
SHED = {"t": Tap("ben", import_wh=100)}


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with a community of two sites."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn)
        add_site(conn, "house")
        add_site(conn, "shed", main_owner="ben")
    yield opened
    opened.dispose()


def interval(number: int) -> int:
    """Return the start of an interval, counted from noon."""
    return NOON + number * HALF_HOUR


def do(database: Database, *steps: Callable[[Connection], Any]) -> None:
    """Do something in one transaction."""
    with database.engine.begin() as conn:
        for step in steps:
            step(conn)


def reports(site: str, *numbers: int) -> Callable[[Connection], None]:
    """Let a site report intervals."""

    def told(conn: Connection) -> None:
        for number in numbers:
            report(conn, site, interval(number), HOUSE if site == "house" else SHED)

    return told


def states(database: Database, now: int, community: str = "lane") -> dict[int, str]:
    """Return what is told of every interval, by its number: `settled` or what it waits for."""
    with database.engine.begin() as conn:
        owned = known(conn, community)
        found_now = overview(conn, owned, -1, 1000, now)
        terms = Terms(owned.interval_seconds, owned.cycle_seconds, owned.grace_seconds)
        items = listed(found_now, terms, now) if found_now else []
    return {(item.start - NOON) // HALF_HOUR: _state(item) for item in items}


def _state(item: SettledInterval | Open) -> str:
    if isinstance(item, Open):
        return " ".join([item.reason, *item.sites])
    return " ".join(
        ["settled", *(["without", *item.without] if item.without else []), *(["late"] if item.late else [])]
    )


def known(conn: Connection, community: str = "lane") -> Community:
    owned = community_of(conn, community)
    assert owned is not None
    return owned


def sums(database: Database) -> Proof:
    with database.engine.begin() as conn:
        return proof(conn, "lane")


async def test_complete_intervals_are_settled_and_others_left_waiting(database: Database) -> None:
    """An interval that waits holds up no later one."""
    do(database, reports("house", 0, 1, 2), reports("shed", 0, 2))
    assert await settle(database, interval(3)) == 2
    assert states(database, interval(3)) == {0: "settled", 1: "sites shed", 2: "settled"}
    do(database, reports("shed", 1))
    assert await settle(database, interval(3)) == 1
    assert states(database, interval(3)) == {0: "settled", 1: "settled", 2: "settled"}


async def test_a_rerun_finds_nothing_to_do(database: Database) -> None:
    """The proof, head of the chain included, is the same to the byte."""
    do(database, reports("house", 0, 1), reports("shed", 0, 1))
    assert await settle(database, interval(2)) == 2
    before = sums(database)
    for now in (interval(2), interval(200)):
        assert await settle(database, now) == 0
        assert sums(database) == before


async def test_an_interval_is_not_settled_before_it_has_ended(database: Database) -> None:
    """A site's clock may be ahead; the community's time is the cloud's."""
    do(database, reports("house", 0), reports("shed", 0))
    assert await settle(database, interval(1) - 1) == 0
    assert states(database, interval(1) - 1) == {}
    assert await settle(database, interval(1)) == 1


async def test_after_the_grace_time_an_interval_is_settled_without_the_site(database: Database) -> None:
    """What the site sends later is counted and moves nothing."""
    do(database, reports("house", 0))
    assert await settle(database, interval(1) + DAY - 1) == 0
    assert await settle(database, interval(1) + DAY) == 1
    before = sums(database)
    do(database, reports("shed", 0))
    assert await settle(database, interval(1) + DAY) == 0
    assert sums(database) == before
    assert states(database, interval(1))[0] == "settled without shed late"


async def test_a_community_that_was_off_line_for_a_month_loses_nothing(database: Database) -> None:
    """Intervals nobody reported in stay open: all in later is the same ledger as all in on time."""
    month = 30 * 48
    do(database, reports("house", 0), reports("shed", 0))
    assert await settle(database, interval(1)) == 1
    settler = Settler(database)
    assert await settler.turn(interval(month)) == 0
    assert states(database, interval(3)) == {0: "settled", 1: "sites house shed", 2: "sites house shed"}
    do(database, reports("house", *range(1, 8), month - 1), reports("shed", *range(1, 8), month - 1))
    assert await settler.turn(interval(month)) == 8
    assert sums(database).intervals == 9


async def test_settlement_waits_for_a_tariff_and_says_so(open_database: OpenDatabase, tmp_path: Path) -> None:
    """When it comes, also for the past, what waited is settled."""
    opened = open_database(tmp_path)
    do(opened, lambda conn: found(conn, tariff_from=None), lambda conn: add_site(conn, "house"))
    do(opened, reports("house", 0, 1, 2, 3))
    assert await settle(opened, interval(4)) == 0
    assert states(opened, interval(4)) == dict.fromkeys(range(4), "tariff")
    do(opened, lambda conn: set_tariff(conn, "lane", interval(2)))
    assert await settle(opened, interval(4)) == 2
    assert states(opened, interval(4)) == {0: "tariff", 1: "tariff", 2: "settled", 3: "settled"}
    do(opened, lambda conn: set_tariff(conn, "lane", interval(1)))
    assert await settle(opened, interval(4)) == 1
    assert states(opened, interval(4)) == {0: "tariff", 1: "settled", 2: "settled", 3: "settled"}
    opened.dispose()


async def test_cycles_longer_than_an_interval_are_waited_for(open_database: OpenDatabase, tmp_path: Path) -> None:
    """All intervals of the day are settled when the day is over."""
    opened = open_database(tmp_path)
    do(
        opened,
        lambda conn: found(conn, cycle_seconds=DAY),
        lambda conn: add_site(conn, "house"),
        reports("house", 22, 23, 24),
    )
    assert await settle(opened, NOON + DAY // 2 - 1) == 0
    assert states(opened, NOON + DAY // 2 - 1) == {22: "cycle"}
    assert await settle(opened, NOON + DAY // 2) == 2
    assert states(opened, interval(25)) == {22: "settled", 23: "settled", 24: "cycle"}
    opened.dispose()


async def test_a_quarantined_site_holds_nothing_up(database: Database) -> None:
    """The intervals it is missing from say so."""
    do(database, reports("house", 0, 1), reports("shed", 0))
    do(database, lambda conn: quarantine(conn, "lane", "shed", "equivocation", NOON))
    assert await settle(database, interval(2)) == 2
    assert states(database, interval(2)) == {0: "settled", 1: "settled without shed"}


async def test_a_site_with_older_readings_than_anybodys_opens_the_time_before(database: Database) -> None:
    """It was off line since before the others began."""
    do(database, lambda conn: add_site(conn, "barn", since=interval(-4)))
    do(database, reports("house", 0), reports("shed", 0))
    assert await settle(database, interval(1) + DAY) == 1
    with database.engine.begin() as conn:
        assert horizon(conn, "lane") is not None
        for number in (-4, -3):
            report(conn, "barn", interval(number), SHED)
    assert await settle(database, interval(1) + DAY) == 2


async def test_what_is_done_is_not_looked_at_again(database: Database) -> None:
    """The job begins where the first open interval is; one that is hopeless does not keep it in the past."""
    do(database, reports("house", 0, 1, 3), reports("shed", 0, 1))
    await settle(database, interval(4))
    with database.engine.begin() as conn:
        before = horizon(conn, "lane")
    assert before is not None
    assert (before.first, before.open_from) == (NOON, interval(2))
    await settle(database, interval(4) + DAY)  # 3 is settled without the shed, nobody reported in 2
    await settle(database, interval(4) + LATE_SECONDS_MAX)
    with database.engine.begin() as conn:
        after = horizon(conn, "lane")
    assert after is not None
    assert after.open_from == interval(4)


async def test_a_long_backlog_is_settled_in_turns(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn ends after its share, so that other communities have theirs, and the next goes on."""
    monkeypatch.setattr(job, "SPAN_INTERVALS", 4)
    monkeypatch.setattr(job, "SETTLED_MAX", 4)
    do(database, reports("house", *range(10)), reports("shed", *range(10)))
    settler = Settler(database)
    assert [await settler.turn(interval(10)) for _ in range(4)] == [4, 4, 2, 0]
    assert set(states(database, interval(10)).values()) == {"settled"}


async def test_a_backlog_tells_the_sites_once_a_transaction(database: Database) -> None:
    """What is overtaken before it is sent is not written at all."""
    do(database, reports("house", *range(10)), reports("shed", *range(10)))
    await settle(database, interval(10))
    with database.engine.begin() as conn:
        rows = conn.execute(select(notice_table).filter_by(kind="balance")).all()
    assert sorted(row.site for row in rows) == ["house", "shed"]
    assert all(row.superseded_by is None for row in rows)
    assert {parse_balance(json.loads(row.body)).settled_through for row in rows} == {interval(10)}


async def test_one_interval_beyond_all_limits_stops_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays due and is logged once; a person must look."""
    do(database, lambda conn: report(conn, "house", NOON, {"t": Tap("anna", import_wh=ENERGY_WH_MAX + 1)}))
    do(database, reports("house", 1), reports("shed", 0, 1))
    settler = Settler(database)
    assert [await settler.turn(interval(2)) for _ in range(3)] == [1, 0, 0]
    assert states(database, interval(2)) == {0: "due", 1: "settled"}
    assert len(errors(caplog)) == 1


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what was logged as an error."""
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_on_a_chain_that_does_not_hold_nothing_is_built(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Settlement of that community stops and says why, once; the other community goes on."""
    do(database, reports("house", 0, 1), reports("shed", 0, 1))
    do(database, lambda conn: found(conn, "road"), lambda conn: add_site(conn, "hut", "road"))
    assert await settle(database, interval(1)) == 1
    do(database, lambda conn: conn.execute(text("UPDATE posting SET amount_micro = amount_micro + 1")))
    do(database, lambda conn: report(conn, "hut", NOON, SHED, community="road"))
    settler = Settler(database)
    assert await settler.turn(interval(2)) == 1
    assert await settler.turn(interval(2)) == 0
    assert settler.failing == {"lane"}
    assert states(database, interval(2)) == {0: "settled", 1: "due"}
    assert states(database, interval(2), "road")[0] == "settled"
    (logged,) = errors(caplog)
    assert "entry 1 does not hold (hash)" in str(logged.exc_info)
    with pytest.raises(Unavailable, match="lane"):
        await settle(database, interval(2))


async def test_a_chain_cut_at_its_end_is_noticed(database: Database) -> None:
    """The head says how far it went."""
    do(database, reports("house", 0, 1), reports("shed", 0, 1))
    await settle(database, interval(1))
    do(database, lambda conn: conn.execute(text("UPDATE ledger_head SET number = 2")))
    with pytest.raises(Unavailable):
        await settle(database, interval(2))
    assert sums(database).intervals == 1


async def test_a_failed_turn_is_made_good_by_the_next(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """When the hand is taken back, settling goes on, and the log says both."""
    do(database, reports("house", 0, 1), reports("shed", 0, 1))
    settler = Settler(database)
    assert await settler.turn(interval(1)) == 1
    other = Settler(database)
    do(database, lambda conn: conn.execute(text("UPDATE entry SET made_at = made_at + 1")))
    assert await other.turn(interval(2)) == 0
    do(database, lambda conn: conn.execute(text("UPDATE entry SET made_at = made_at - 1")))
    assert await other.turn(interval(2)) == 1
    assert other.failing == set()
    assert [record.message for record in caplog.records if record.name == job.__name__] == [
        "settled",
        "settling failed",
        "settled",
        "settling works again",
    ]


async def test_two_settlers_share_the_work_and_settle_nothing_twice(
    open_database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes turn at the same time on the same file; what they leave is what one alone leaves."""
    monkeypatch.setattr("secrets.token_hex", lambda length: "5a" * length)  # salts and blinds, else never the same
    heads = []
    for settlers in (1, 2):
        (tmp_path / str(settlers)).mkdir()
        opened = [open_database(tmp_path / str(settlers)) for _ in range(settlers)]
        do(opened[0], found, lambda conn: add_site(conn, "house"), reports("house", *range(30)))
        turns = await asyncio.gather(*(Settler(each).turn(interval(30)) for each in opened))
        assert sum(turns) == 30
        heads.append(sums(opened[0]))
        for each in opened:
            each.dispose()
    assert heads[0] == heads[1]


async def test_the_running_job_settles_within_seconds_and_says_so(database: Database) -> None:
    """It looks every second; whoever delivers notices is called."""
    rung = asyncio.Event()
    settler = Settler(database, rung.set)
    task = asyncio.create_task(settler.run(lambda: interval(1) * 1000))
    await asyncio.sleep(0.1)
    do(database, reports("house", 0), reports("shed", 0))
    async with asyncio.timeout(5):
        await rung.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert sums(database).intervals == 1


async def test_a_statement_opens_where_the_one_before_closed(database: Database) -> None:
    """Whatever was settled when, and what is not settled yet is counted."""
    do(database, reports("house", *range(6)), reports("shed", 0, 1, 2, 4, 5))
    await settle(database, interval(6))
    do(database, reports("shed", 3))
    with database.engine.begin() as conn:
        lane, now = known(conn), interval(6)
        first, _ = statement_of(conn, lane, "anna", (0, interval(2)), now)
        second, waiting = statement_of(conn, lane, "anna", (interval(2), interval(5)), now)
        between, also_waiting = statement_of(conn, lane, "anna", (interval(2) - 600, interval(5)), now)
        nobody, _ = statement_of(conn, lane, "cleo", (0, interval(5)), now)
    assert first.opening_micro == 0
    assert second.opening_micro == first.closing_micro
    assert [line.start for line in second.lines] == [interval(2), interval(4)]
    assert waiting == also_waiting == 1
    assert between == second
    assert (nobody.lines, nobody.closing_micro) == ((), 0)
    assert await settle(database, interval(6)) == 1
    with database.engine.begin() as conn:
        again, waiting = statement_of(conn, known(conn), "anna", (interval(2), interval(5)), interval(6))
    assert (len(again.lines), waiting) == (3, 0)


async def test_the_first_row_of_a_community_may_be_lost(database: Database) -> None:
    """Where open intervals begin is only remembered to save work."""
    do(database, reports("house", 0, 1), reports("shed", 0))
    await settle(database, interval(2))
    before = sums(database)
    do(database, lambda conn: conn.execute(delete(settlement_table)))
    assert await settle(database, interval(2)) == 0
    do(database, lambda conn: conn.execute(update(settlement_table).values(first=-1)), reports("shed", 1))
    assert await settle(database, interval(2)) == 1
    assert sums(database).intervals == before.intervals + 1
