"""The event log: complete, in order, only ever added to, taken along as a file, and let go when the policy says so."""

import csv
from io import StringIO
import json
from pathlib import Path
import re

import pytest

from cloud.database import Database
from cloud.hub.events.asked import Asked, KeptEvent
from cloud.hub.events.event import DETAIL_LETTERS_MAX, Event
from cloud.hub.events.store import add_events, events_page, hub_event_table
from cloud.hub.events.table import csv_rows, ndjson_rows
from cloud.hub.policy.job import PILES, Purge
from cloud.hub.policy.policy import EVENTS_DAYS, MESSAGES_DAYS, Policy
from cloud.hub.policy.store import DAY_MS, policy_of, put_policy
from tests.cloud.conftest import COMMUNITY, NOON, Cloud
from tests.cloud.people import HILLSIDE, MANAGER, OPERATOR

from .ground import first_contact, listed, registered

EVENTS = f"/v1/communities/{COMMUNITY}/hub/events"
HUB = Path(__file__).parents[3] / "cloud" / "hub"
STEP_ROWS = PILES["events"][1]


async def add(database: Database, *events: Event) -> None:
    """Add lines to the log."""
    await database.write(add_events, events)


def receipt(at_ms: int, community: str = COMMUNITY) -> Event:
    """Return a line that says that something arrived."""
    return Event(community, at_ms, "receipt", "meter-1", "meter-1", count=120)


async def test_what_was_done_with_a_device_can_be_read_in_order(cloud: Cloud) -> None:
    """Its whole life: by device, by kind, by who, by time, and page by page."""
    await cloud.found()
    await listed(cloud, "meter-1")
    cloud.clock.forward(60)
    assert (await first_contact(cloud, "meter-1", "wrong-word")).status == 403
    await registered(cloud, "meter-2")
    lines = (await MANAGER.call(cloud, "GET", "hub/events")).json["events"]
    assert [(line["kind"], line["device"]) for line in lines] == [
        *(("device-changed", "meter-1"), ("auth-failure", "meter-1")),
        *(("device-changed", "meter-2"), ("registered", "meter-2")),
    ]
    assert lines[1]["detail"] == {"address": "127.0.0.1", "with": "initial-password"}
    assert lines[1]["at_ms"] == (NOON + 60) * 1000
    for asked, wanted in (
        ("device=meter-2", lines[2:]),
        ("kind=auth-failure", lines[1:2]),
        ("who=operator", [lines[0], lines[2]]),
        ("from=2026-11-21T12:01:00Z", lines[1:]),
        ("to=2026-11-21T12:01:00Z", lines[:1]),
        (f"after={lines[1]['event']}", lines[2:]),
    ):
        assert (await MANAGER.call(cloud, "GET", f"hub/events?{asked}")).json["events"] == wanted, asked
    page = (await MANAGER.call(cloud, "GET", "hub/events?limit=3")).json
    assert (page["events"], page["next"]) == (lines[:3], lines[2]["event"])
    for wrong in ("kind=no-such", "from=yesterday", "device=a%00b", "limit=0", "after='", "what=x"):
        assert (await MANAGER.call(cloud, "GET", f"hub/events?{wrong}")).problem == "malformed", wrong


async def test_nobody_reads_another_communitys_log_and_only_the_operator_that_of_strangers(cloud: Cloud) -> None:
    """A stranger's tries lie under no community."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    await listed(cloud, "far", community=HILLSIDE)
    assert (await first_contact(cloud, "nobody", "wrong-word")).status == 403
    assert (await MANAGER.call(cloud, "GET", "hub/events")).json["events"] == []
    assert (await MANAGER.call(cloud, "GET", f"/v1/communities/{HILLSIDE}/hub/events")).status == 403
    assert (await MANAGER.call(cloud, "GET", "/v1/hub/events")).status == 403
    (line,) = (await OPERATOR.call(cloud, "GET", "/v1/hub/events")).json["events"]
    assert (line["kind"], line["who"], line["device"]) == ("auth-failure", "nobody", "nobody")


async def test_the_log_is_taken_along_as_a_file(cloud: Cloud) -> None:
    """All of it however long, as a table and as lines; that it was taken is a line of its own."""
    await cloud.found()
    await add(cloud.database, *(receipt(NOON * 1000 + number) for number in range(1500)))
    token = MANAGER.token(cloud)
    table = await cloud.call("GET", f"{EVENTS}.csv", token=token)
    rows = [*csv.reader(StringIO(table.raw.decode()))]
    assert rows[0] == ["event", "at", "kind", "who", "device", "count", "detail"]
    assert rows[1][1:] == ["2026-11-21T12:00:00.000Z", "receipt", "meter-1", "meter-1", "120", ""]
    assert len(rows) == 1501
    lines = await cloud.call("GET", f"{EVENTS}.ndjson?kind=receipt&after={rows[1000][0]}", token=token)
    assert [json.loads(line)["event"] for line in lines.raw.splitlines()] == [row[0] for row in rows[1001:]]
    sent = (await MANAGER.call(cloud, "GET", "hub/events?kind=send")).json["events"]
    assert [(line["who"], line["count"]) for line in sent] == [("client-manager", 1500), ("client-manager", 500)]
    assert (await cloud.call("GET", f"{EVENTS}.csv?limit=5", token=token)).problem == "malformed"


def test_no_line_of_a_file_is_run_by_a_spreadsheet_or_forges_another() -> None:
    """Whoever names a device or is behind an address writes into a staff member's spreadsheet."""
    evil = KeptEvent("e", 0, "receipt", "=cmd|'/c calc'!A1", "+1\r\nx,y", 1, '{"a":"@b\\n"}')
    ((event, _, _, who, device, _, _),) = csv.reader(StringIO(csv_rows([evil]).decode(), newline=""))
    assert (event, who, device) == ("e", "'=cmd|'/c calc'!A1", "'+1\r\nx,y")
    assert ndjson_rows([evil]).count(b"\n") == 1


def test_a_detail_that_is_too_long_is_told_as_far_as_it_goes() -> None:
    """It was cut when it was kept; the line is not lost for it."""
    text = Event("", 0, "receipt", "x", detail={"why": "y" * 5000}).detail_text()
    assert text is not None
    assert len(text) == DETAIL_LETTERS_MAX
    assert json.loads(ndjson_rows([KeptEvent("e", 0, "receipt", "x", None, 1, text)]))["detail"] == {"cut": text}


def test_no_code_changes_a_line_of_the_log() -> None:
    """Rows are inserted in one place and let go in one place; the control: both places are found."""
    uses = {
        f"{path.parent.name}/{path.name}": path.read_text()
        for path in sorted(HUB.parent.rglob("*.py"))
        if "hub_event_table" in path.read_text()
    }
    assert set(uses) == {"events/store.py"}
    text = uses["events/store.py"]
    assert "delete(hub_event_table)" in text
    assert "insert_many(conn, hub_event_table" in text
    assert not re.search(r"update|upsert|on_conflict", text)


async def test_lines_are_let_go_by_the_policy_of_their_community(cloud: Cloud) -> None:
    """Step by step, the oldest first; that it was done is a line, and what is younger stays."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    now_ms = NOON * 1000
    old = [receipt(now_ms - 40 * DAY_MS - number) for number in range(STEP_ROWS + 5)]
    await add(cloud.database, *old, receipt(now_ms - 29 * DAY_MS))
    await add(cloud.database, receipt(now_ms - 40 * DAY_MS, HILLSIDE), receipt(now_ms - 401 * DAY_MS, HILLSIDE))
    await add(cloud.database, receipt(now_ms - 401 * DAY_MS, ""))
    assert (await MANAGER.call(cloud, "PUT", "hub/policy", {"events_days": 30})).status == 200
    assert await Purge(cloud.database).turn(now_ms) == STEP_ROWS + 5 + 2
    kept = await cloud.database.read(events_page, Asked(COMMUNITY), "", 10)
    assert [(one.kind, one.count) for one in kept] == [
        *(("receipt", 120), ("policy-changed", 1), ("purged", STEP_ROWS), ("purged", 5)),
    ]
    assert [one.kind for one in await cloud.database.read(events_page, Asked(HILLSIDE), "", 10)] == [
        "receipt",
        "purged",
    ]
    assert [one.kind for one in await cloud.database.read(events_page, Asked(""), "", 10)] == ["purged"]
    assert await Purge(cloud.database).turn(now_ms) == 0
    assert await cloud.count(hub_event_table) == 7


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_policy_is_set_within_bounds_and_by_default_there_is_one(cloud: Cloud) -> None:
    """Nobody erases the traces of last week by it."""
    await cloud.found()
    assert (await MANAGER.call(cloud, "GET", "hub/policy")).json == {
        "events_days": EVENTS_DAYS,
        "messages_days": MESSAGES_DAYS,
    }
    for wrong in ({"events_days": 29}, {"messages_days": 3651}, {"events_days": "400"}, {"forever": True}):
        assert (await MANAGER.call(cloud, "PUT", "hub/policy", wrong)).problem == "malformed"
    assert (await OPERATOR.call(cloud, "GET", "/v1/communities/nowhere/hub/policy")).problem == "not-found"
    await cloud.database.write(put_policy, COMMUNITY, Policy(100, 50), "tests", NOON * 1000)
    assert await cloud.database.read(policy_of, COMMUNITY) == Policy(100, 50)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_community_that_fails_keeps_no_other_from_being_looked_at(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and again when it works."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    for community in (COMMUNITY, HILLSIDE):
        await add(cloud.database, receipt(0, community))

    def broken(conn: object, community: str) -> Policy:
        if community == HILLSIDE:
            raise ZeroDivisionError
        return Policy()

    purge = Purge(cloud.database)
    with monkeypatch.context() as patch:
        patch.setattr("cloud.hub.policy.store.policy_of", broken)
        assert [await purge.turn(NOON * 1000) for _ in range(2)] == [1, 0]
    assert len([one for one in caplog.records if one.message == "letting go failed"]) == 1
    assert await purge.turn(NOON * 1000) == 1
    caplog.clear()
