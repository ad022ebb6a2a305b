"""Credit at the cloud: who is cut off, who is only warned, and that a site hears just what is news to it."""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, strategies as st
import pytest
from sqlalchemy import Connection, select

from cloud.database import Database
from cloud.settlement.credit.judge import LOW_SECONDS, Standing, asked, judge, low_balance_micro
from cloud.settlement.credit.records.store import reports_of, set_limit, stands_of
from cloud.settlement.credit.store import EVERYBODY, credit_change_table, judge_balances
from cloud.settlement.interval.store import settle_intervals
from cloud.settlement.store import expected
from cloud.sites.store import community_of
from cloud.wire import time_text
from cloud.wire.credit import CreditState, parse_credit
from cloud.wire.strict import TIME_MAX

from .credit_ground import POINT, give, hang, pays_ahead, told
from .ground import HALF_HOUR, NOON, OpenDatabase, Tap, add_site, found, report

STATES: tuple[CreditState, ...] = ("ok", "low", "warning", "cut")


def stands(**members: object) -> Standing:
    """Return a standing with 100 points, of which the last 30 are few."""
    known = {"prepaid": True, "balance_micro": 100 * POINT, "low_balance_micro": 30 * POINT, "before": None}
    return Standing("ben", **(known | members))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({}, "ok"),
        ({"balance_micro": 30 * POINT}, "low"),
        ({"balance_micro": 30 * POINT + 1}, "ok"),
        ({"balance_micro": 1}, "low"),
        ({"balance_micro": 0}, "cut"),
        ({"balance_micro": -1}, "cut"),
        ({"balance_micro": 0, "prepaid": False}, "warning"),
        ({"balance_micro": 1, "prepaid": False}, "ok"),
        ({"balance_micro": 37 * POINT, "before": "low"}, "low"),
        ({"balance_micro": 38 * POINT, "before": "low"}, "ok"),
        ({"balance_micro": 1, "before": "cut", "low_balance_micro": 0}, "ok"),
    ],
)
def test_a_balance_is_judged(members: dict[str, object], state: CreditState) -> None:
    """Zero is used up, one micro-point is not; only who pays ahead is cut; `low` ends a quarter above its limit."""
    assert judge(stands(**members)) == state


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.booleans(), st.sampled_from([None, *STATES]))
def test_nobody_is_cut_who_has_points_or_pays_later(
    balance_micro: int, low_micro: int, prepaid: bool, before: CreditState | None
) -> None:
    """Whatever stood before: `cut` is exactly paying ahead with nothing left."""
    state = judge(Standing("ben", prepaid, balance_micro, low_micro, before))
    assert (state == "cut") == (prepaid and balance_micro <= 0)
    assert (asked(state, before) == "restore") == (before == "cut" and state != "cut")


def test_low_is_what_lasts_three_days() -> None:
    """At the rate of the time looked back on; who earns is never low."""
    assert low_balance_micro(60 * POINT, LOW_SECONDS) == 60 * POINT
    assert low_balance_micro(10 * POINT, LOW_SECONDS // 6) == 60 * POINT
    assert low_balance_micro(-10 * POINT, LOW_SECONDS) == 0
    assert low_balance_micro(10 * POINT, 0) == 0


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with a community: a house of Anna and Ben, a shed of Sun; Ben pays ahead."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn)
        add_site(conn, "house")
        hang(conn, "house", "anna", "ben")
        add_site(conn, "shed", main_owner="sun")
        pays_ahead(conn, "ben")
    yield opened
    opened.dispose()


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    """Run a test in one transaction."""
    with database.engine.begin() as conn:
        yield conn


def settle(conn: Connection, number: int, ben_wh: int) -> None:
    """Settle an interval in which Ben took energy that Anna passed on."""
    start = NOON + number * HALF_HOUR
    report(conn, "house", start, {"T1": Tap("anna", import_wh=ben_wh), "T2": Tap("ben", "anna", import_wh=ben_wh)})
    community = community_of(conn, "lane")
    assert community is not None
    settle_intervals(conn, community, [start], expected(conn, "lane"), start + HALF_HOUR)


def test_using_up_the_points_cuts_and_topping_up_restores(conn: Connection) -> None:
    """Settlement asks for the cut in its own transaction, the top-up for the restore, each of the right site alone."""
    give(conn, "ben", 40, NOON - 1)
    settle(conn, 0, 1000)  # 30 points
    assert told(conn, "house", standing=True)[-1]["ben"] == {
        "state": "low",
        "prepaid": True,
        "balance_micro": 10 * POINT,
        "as_of": time_text(NOON + HALF_HOUR),
    }
    settle(conn, 1, 1000)
    [body] = told(conn, "house", standing=True)
    assert body["ben"] == {
        "state": "cut",
        "prepaid": True,
        "balance_micro": -20 * POINT,
        "as_of": time_text(NOON + 2 * HALF_HOUR),
    }
    assert body["anna"] == {"state": "warning", "prepaid": False}, "nobody's balance but who pays ahead"
    assert give(conn, "ben", 21, NOON + 3 * HALF_HOUR)
    assert told(conn, "house", standing=True)[-1]["ben"]["state"] == "low"
    assert give(conn, "ben", 6000, NOON + 3 * HALF_HOUR + 1)
    assert parse_credit({"owners": told(conn, "house")[-1]}).owners["ben"].state == "ok"
    assert told(conn, "shed") == [], "Sun has no account, and Ben no tap there"
    states = [row.state for row in conn.execute(select(credit_change_table).filter_by(owner="ben").order_by("number"))]
    assert states == ["ok", "low", "cut", "low", "ok"]


def test_the_same_news_is_told_once(conn: Connection) -> None:
    """Judged again without a change, nothing is posted and nothing is added."""
    assert give(conn, "ben", -5, NOON)
    for _ in range(3):
        assert not judge_balances(conn, "lane", NOON)
    assert len(told(conn, "house")) == 1
    assert len(conn.execute(select(credit_change_table)).all()) == 1


def test_who_pays_later_is_warned_once_and_no_site_hears_the_balance(conn: Connection) -> None:
    """Deeper into debt is no news; back above zero is."""
    assert give(conn, "anna", -5, NOON)
    assert not give(conn, "anna", -5, NOON + 1)
    assert [body["anna"] for body in told(conn, "house")] == [{"state": "warning", "prepaid": False}]
    assert give(conn, "anna", 11, NOON + 2)
    assert told(conn, "house")[-1]["anna"]["state"] == "ok"


def test_choosing_to_pay_ahead_counts_at_once(conn: Connection) -> None:
    """A debtor who begins to pay ahead is cut; who stops paying ahead is restored."""
    give(conn, "anna", -5, NOON)
    pays_ahead(conn, "anna")
    assert judge_balances(conn, "lane", NOON + 1)
    assert told(conn, "house")[-1]["anna"]["state"] == "cut"
    pays_ahead(conn, "anna", prepaid=False)
    assert judge_balances(conn, "lane", NOON + 2)
    assert told(conn, "house")[-1]["anna"] == {"state": "warning", "prepaid": False}


def test_an_own_limit_goes_before_the_communitys(conn: Connection) -> None:
    """And either before what lasts three days; a stranger or no community gets none."""
    give(conn, "ben", 50, NOON)
    assert set_limit(conn, "lane", EVERYBODY, 60 * POINT, NOON + 1)
    assert told(conn, "house")[-1]["ben"]["state"] == "low"
    assert set_limit(conn, "lane", "ben", 0, NOON + 2)
    assert told(conn, "house")[-1]["ben"]["state"] == "ok"
    assert set_limit(conn, "lane", "carl", 1, NOON) is None
    assert set_limit(conn, "avenue", EVERYBODY, 1, NOON) is None


def test_a_site_where_the_owner_has_a_tap_now_hears_of_it(conn: Connection) -> None:
    """A tap that changed hands: with the next judgement its site knows its new owner's credit."""
    give(conn, "ben", -5, NOON)
    assert told(conn, "shed") == []
    hang(conn, "shed", "sun", "ben")
    assert judge_balances(conn, "lane", NOON + 1)
    assert [body["ben"]["state"] for body in told(conn, "shed")] == ["cut"]
    assert len(told(conn, "house")) == 1


def test_every_change_is_told_to_who_asks(conn: Connection) -> None:
    """Newest first and in pages, with what each asked and which sites have not heard it."""
    for number, points in enumerate([-5, 10, -20, 30]):
        give(conn, "ben", points, NOON + number)
    found = stands_of(conn, "lane", "ben", None, 3)
    assert found is not None
    assert (found.prepaid, found.balance_micro, found.state, found.since) == (True, 15 * POINT, "ok", NOON + 3)
    assert [(item.state, asked(item.state, item.before)) for item in found.changes] == [
        ("ok", "restore"),
        ("cut", "cut"),
        ("ok", "restore"),
    ]
    assert [item.heard for item in found.changes] == [{"house": None}] * 3
    older = stands_of(conn, "lane", "ben", found.changes[-1].number, 3)
    assert older is not None
    assert ([item.state for item in older.changes], older.state) == (["cut"], "ok")
    assert stands_of(conn, "lane", "nobody", None, 3) is None
    assert reports_of(conn, "lane", "ben", TIME_MAX, 10) == []
    assert reports_of(conn, "lane", "nobody", TIME_MAX, 10) is None


def test_nobody_without_an_account_is_judged(conn: Connection) -> None:
    """An unknown balance is not an empty one."""
    assert not judge_balances(conn, "lane", NOON)
    assert conn.execute(select(credit_change_table)).all() == []
