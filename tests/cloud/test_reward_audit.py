"""The audit of rewards: what was booked is worked out again from signed records, and whatever was altered is found."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.database import Database
from cloud.settlement.audit.finding import Finding
from cloud.v2g.audit.store import v2g_findings

from .ground import HALF_HOUR, NOON, OpenDatabase
from .reward_ground import DRIVERS, HOSTS, Cable, ground, measured, turn


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with some rewards in two communities."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        cable = ground(conn)
        other = Cable("C8", DRIVERS, "emil")
        other.register(conn)
        for number in range(3):
            start = NOON + number * HALF_HOUR
            measured(conn, start, 500, 300 * number)
            cable.gave(conn, start, (-1500, 0, 800)[number])
        other.gave(conn, NOON, -100)
    assert asyncio.run(turn(opened)) == 7
    yield opened
    opened.dispose()


def look(database: Database) -> list[Finding]:
    """Audit both communities."""
    with database.engine.begin() as conn:
        return [finding for community in (HOSTS, DRIVERS) for finding in v2g_findings(conn, community)]


def alter(database: Database, statement: str) -> None:
    """Let a hand into the database."""
    with database.engine.begin() as conn:
        assert conn.exec_driver_sql(statement).rowcount


def test_what_was_booked_as_it_must_is_sound(database: Database) -> None:
    """Discharged, idle and charged, one interval with two cables."""
    assert look(database) == []


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        (
            "UPDATE driver_reward SET reward_micro = reward_micro + 1 WHERE cable = 'C8'",
            "driver_reward",
            "reward_micro",
        ),
        ("UPDATE driver_reward SET driver = 'dora' WHERE cable = 'C8'", "driver_reward", "driver"),
        ("UPDATE driver_reward SET price_micro_per_wh = 1 WHERE cable = 'C8'", "driver_reward", "price_micro_per_wh"),
        ("UPDATE driver_reward SET base_due = 0 WHERE cable = 'C8'", "driver_reward", "reward_micro"),
        (
            "UPDATE rewarded_period SET price_micro_per_wh = 1 WHERE cable = 'C8'",
            "rewarded_period",
            "price_micro_per_wh",
        ),
        ("UPDATE v2g_terms SET price_micro_per_wh = price_micro_per_wh + 1", "rewarded_period", "price_micro_per_wh"),
        ("UPDATE v2g_terms SET base_micro = base_micro + 1", "rewarded_period", "base_micro"),
        ("UPDATE tariff SET grid_buy_micro_per_wh = 31000", "host_leg", "grid_buy_micro_per_wh"),
        ("UPDATE host_leg SET leg_micro = leg_micro + 1 WHERE entry IS NOT NULL", "host_leg", "leg_micro"),
        ("UPDATE host_leg SET net_wh = net_wh + 1", "host_leg", "net_wh"),
        ("UPDATE settled_owner_interval SET net_wh = net_wh + 1, grid_wh = grid_wh + 1", "host_leg", "net_wh"),
        ("UPDATE rewarded_period SET energy_wh = -101 WHERE cable = 'C8'", "rewarded_period", "energy_wh"),
        ("UPDATE judged_period SET energy_wh = -101 WHERE cable = 'C8'", "rewarded_period", "energy_wh"),
        ("UPDATE judged_period SET state = 'withheld', decided_at = NULL", "rewarded_period", "row"),
        ("UPDATE signed_record SET export_wh = export_wh + 1 WHERE cable = 'C8'", "signed_record", "export_wh"),
        ("UPDATE signed_record SET raw = replace(raw, '\"RV\":100', '\"RV\":900')", "signed_record", "row"),
        ("UPDATE signed_record SET site = 'flat' WHERE cable = 'C8'", "signed_record", "site"),
        ("DELETE FROM signed_record WHERE cable = 'C8'", "signed_record", "row"),
        ("DELETE FROM driver_reward WHERE cable = 'C8'", "rewarded_period", "row"),
        ("DELETE FROM driver_reward WHERE cable = 'C8'", "entry", "row"),
        ("UPDATE rewarded_period SET records = '[]' WHERE cable = 'C8'", "rewarded_period", "records"),
        (
            "UPDATE posting SET amount_micro = amount_micro + 1 WHERE account = 'owner:emil'",
            "driver_reward",
            "postings",
        ),
    ],
)
def test_whatever_was_altered_is_found(database: Database, statement: str, table: str, column: str) -> None:
    """A reward, an energy, a record, a price, a judgement, an entry: by the row and the column."""
    alter(database, statement)
    assert (table, column) in {(finding.place.table, finding.column) for finding in look(database)}


def test_a_basic_amount_paid_twice_is_found(database: Database) -> None:
    """Two parts of one time that both say it was due."""
    alter(database, f"UPDATE driver_reward SET start = {NOON + 60} WHERE start = {NOON + HALF_HOUR}")
    assert ("driver_reward", "row") in {(finding.place.table, finding.column) for finding in look(database)}
