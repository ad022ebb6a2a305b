"""The clocks of connected systems: measured with every message, flagged beyond the limit, told how to correct it."""

from pathlib import Path

from hypothesis import given, strategies as st
import pytest
from sqlalchemy import select

from cloud.database import Database
from cloud.hub.clocks import store
from cloud.hub.clocks.clock import (
    FAR_MS,
    LIMIT_MS,
    NOTED_MS,
    Clock as SystemClock,
    ClockState,
    Limits,
    OwnState,
    System,
    advice,
    state_of,
)
from cloud.hub.clocks.http import CLOCKS
from cloud.hub.clocks.job import Clocks
from cloud.hub.events.store import hub_event_table
from tests.cloud.conftest import COMMUNITY, NOON, Cloud
from tests.cloud.ground import OpenDatabase, found
from tests.cloud.people import MANAGER

NOON_MS = NOON * 1000
METER = System("lane", "device", "meter-1")
one_store = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
OFFSETS = st.integers(-2 * FAR_MS, 2 * FAR_MS)
STATES: st.SearchStrategy[ClockState | None] = st.sampled_from([None, "right", "off", "far"])


@given(offset_ms=OFFSETS, before=STATES)
def test_a_clock_beyond_the_limit_is_never_right_and_one_well_within_always_is(
    offset_ms: int, before: ClockState | None
) -> None:
    """To both sides alike; in between it keeps the state it had."""
    state = state_of(offset_ms, Limits(), before)
    assert state == state_of(-offset_ms, Limits(), before)
    if abs(offset_ms) > LIMIT_MS:
        assert state != "right"
    if abs(offset_ms) > FAR_MS:
        assert state == "far"
    if abs(offset_ms) <= LIMIT_MS * 3 // 4:
        assert state == "right"
    assert state_of(offset_ms, Limits(), state) == state


def test_a_clock_at_the_limit_does_not_go_to_and_fro() -> None:
    """Once off, it is right again only well within the limit."""
    states: list[ClockState] = []
    for offset_ms in (LIMIT_MS, LIMIT_MS + 1, LIMIT_MS - 1, LIMIT_MS + 1, LIMIT_MS // 2, LIMIT_MS - 1):
        states.append(state_of(offset_ms, Limits(), states[-1] if states else None))
    assert states == ["right", "off", "off", "off", "right", "right"]


@pytest.mark.parametrize(
    ("offset_ms", "state", "order", "by_ms"),
    [
        (3000, "off", "set-back", 3000),
        (-3000, "off", "set-forward", 3000),
        (10, "off", None, 0),  # it has corrected itself, and the median does not show it yet
        (3000, "right", None, 0),  # one message that took its time on the way
        (0, "right", None, 0),
    ],
)
def test_a_system_is_told_to_correct_itself_by_what_this_message_shows(
    offset_ms: int, state: ClockState, order: str | None, by_ms: int
) -> None:
    """And only where the last ones say so too."""
    notice = advice(offset_ms, state, Limits(), "right")
    assert (notice.order, notice.by_ms, notice.why) == (order, by_ms, None)


@pytest.mark.parametrize("own", ["off", "unsynchronised"])
def test_a_hub_that_does_not_know_the_time_tells_nobody(own: OwnState) -> None:
    """And says why."""
    notice = advice(9000, "off", Limits(), own)
    assert notice.order is None
    assert notice.why is not None
    assert "the hub" in notice.why


def open_lane(open_database: OpenDatabase, folder: Path) -> Database:
    """Open a database with a community."""
    database = open_database(folder)
    with database.engine.begin() as conn:
        found(conn, "lane", tariff_from=None)
    return database


async def events_in(database: Database) -> list[tuple[str, int]]:
    """Return kind and time of every event, in order."""
    rows = select(hub_event_table.c.kind, hub_event_table.c.at_ms).order_by(hub_event_table.c.event)
    return await database.read(lambda conn: [(kind, at_ms) for kind, at_ms in conn.execute(rows)])


async def test_a_clock_is_written_down_now_and_then_and_at_every_change(
    open_database: OpenDatabase, tmp_path: Path
) -> None:
    """A hundred messages a minute cost one write; the log names each change once."""
    database = open_lane(open_database, tmp_path)
    clocks = Clocks(database)
    told, written = [], 0
    for second in range(240):
        offset_ms = 5000 if 100 <= second < 150 else 20
        told.append(clocks.heard(METER, offset_ms, NOON_MS + second * 1000))
        written += await clocks.turn()
    assert 5 <= written <= 7
    assert [kind for kind, _ in await events_in(database)] == ["clock-off", "clock-right"]
    assert {notice.state for notice in told[103:150]} == {"off"}
    assert {notice.order for notice in told[103:150]} == {"set-back"}
    assert {notice.order for notice in [*told[:102], *told[150:]]} == {None}
    [stands] = await database.read(store.clocks_of, "lane", state=None, after=("", ""), limit=9)
    assert (stands.offset_ms, stands.state) == (20, "right")
    database.dispose()


async def test_another_process_does_not_say_again_what_stands(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Two of them hear the same clock: one event; one that starts anew adopts the state."""
    database = open_lane(open_database, tmp_path)
    for at in range(3):
        clocks = Clocks(database)
        clocks.heard(METER, 5000 if at < 2 else LIMIT_MS - 1, NOON_MS + at)
        assert await clocks.turn() == 1
    assert await events_in(database) == [("clock-off", NOON_MS)]
    [stands] = await database.read(store.clocks_of, "lane", state="off", after=("", ""), limit=9)
    assert (stands.offset_ms, stands.since_ms, stands.at_ms) == (LIMIT_MS - 1, NOON_MS, NOON_MS + 2)
    database.dispose()


@one_store
async def test_nobody_is_judged_by_a_clock_that_is_off(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Offsets are kept, states stay, and nobody is told anything until ours is right again."""
    database, own = open_lane(open_database, tmp_path), list[OwnState](["off"])
    clocks = Clocks(database, lambda: own[0])
    assert clocks.heard(METER, 7000, NOON_MS).order is None
    await clocks.turn()
    [stands] = await database.read(store.clocks_of, "lane", state=None, after=("", ""), limit=9)
    assert (stands.offset_ms, stands.state) == (7000, "right")
    own[0] = "right"
    assert clocks.heard(METER, 7000, NOON_MS + 1).order == "set-back"
    await clocks.turn()
    assert [kind for kind, _ in await events_in(database)] == ["clock-off"]
    database.dispose()


@one_store
async def test_one_community_whose_write_fails_does_not_stop_another(
    open_database: OpenDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and the other's clocks stand."""
    database = open_lane(open_database, tmp_path)
    clocks = Clocks(database)
    for at in range(2):
        clocks.heard(System("nowhere", "device", "x"), 0, NOON_MS + at)
        clocks.heard(METER, 0, NOON_MS + at * 2 * NOTED_MS)
        assert await clocks.turn() == 2
    [stands] = await database.read(store.clocks_of, "lane", state=None, after=("", ""), limit=9)
    assert stands.at_ms == NOON_MS + 2 * NOTED_MS
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == ["writing down clocks failed"]
    caplog.clear()
    database.dispose()


@one_store
async def test_staff_sees_clocks_page_by_page_and_sets_the_limits(cloud: Cloud) -> None:
    """Sorted by kind and name; limits hold at once."""
    await cloud.found()
    systems = [System(COMMUNITY, kind, name) for kind, name in (("device", "a"), ("device", "b"), ("site", "a"))]  # type: ignore[arg-type]
    heard = [SystemClock(system, 2500, NOON_MS, "right", NOON_MS) for system in systems]
    await cloud.database.write(store.put_clocks, heard, Limits(), judging=True)
    first = await MANAGER.call(cloud, "GET", "hub/clocks?limit=2")
    assert (first.status, first.json["next"]) == (200, "device.b")
    rest = await MANAGER.call(cloud, "GET", "hub/clocks?limit=2&after=device.b&state=off")
    assert [(item["kind"], item["system"], item["state"]) for item in rest.json["clocks"]] == [("site", "a", "off")]
    assert (await MANAGER.call(cloud, "GET", "hub/clocks/limits")).json == {"limit_ms": LIMIT_MS, "far_ms": FAR_MS}
    limits = {"limit_ms": 3000, "far_ms": 60_000}
    assert (await MANAGER.call(cloud, "PUT", "hub/clocks/limits", limits)).status == 200
    assert (await MANAGER.call(cloud, "GET", "hub/clocks/limits")).json == limits
    clocks = cloud.client.app[CLOCKS]
    assert clocks.heard(systems[0], 2500, NOON_MS).state == "right"
    assert clocks.limits(COMMUNITY) == Limits(3000, 60_000)
    await clocks.read_limits()
    assert clocks.limits(COMMUNITY) == Limits(3000, 60_000)
    wrong = await MANAGER.call(cloud, "PUT", "hub/clocks/limits", {"limit_ms": 3000, "far_ms": 2000})
    assert (wrong.status, wrong.problem) == (400, "malformed")


@one_store
async def test_a_sites_clock_is_heard_with_its_batches(cloud: Cloud) -> None:
    """By the time it shows with each of them."""
    await cloud.found()
    site = await cloud.join()
    await site.put_tree()
    sent = {"Commonwatt-Sent-Ms": str(cloud.clock() - 6000)}
    assert (await site.post(site.batch(), headers=sent)).status == 201
    assert await cloud.client.app[CLOCKS].turn() == 1
    listed = await MANAGER.call(cloud, "GET", "hub/clocks")
    assert listed.json["clocks"] == [
        {
            "kind": "site",
            "system": site.site,
            "offset_ms": -6000,
            "state": "off",
            "at": "2026-11-21T12:00:00Z",
            "since": "2026-11-21T12:00:00Z",
        }
    ]
