"""What an upper system asks and hears, over a real connection: forms, pages, reach, and everything it may get wrong."""

import asyncio
import csv
from functools import partial
import io
import json
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientConnectionError, ClientPayloadError
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, text

from cloud.endpoint import DATABASE
from cloud.hub.events.store import hub_event_table
from cloud.hub.extraction.http import EXTRACTIONS
from cloud.hub.extraction.resample import window
from cloud.hub.extraction.streams import http as streams_http, job as streams_job
from cloud.hub.extraction.streams.gate import Gate
from cloud.principal import Scope
from tests.cloud.conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply
from tests.cloud.people import HILLSIDE, MANAGER, OPERATOR, UPPER, Caller

from .extraction_ground import NOON_MS, add_measured, add_message, add_system

UPPER_HERE = Caller(Scope.UPPER, COMMUNITY)
UPPER_THERE = Caller(Scope.UPPER, HILLSIDE)
MINUTES = 50
SPAN = {"from": "2026-11-21T12:00:00Z", "to": "2026-11-21T13:00:00Z"}


def fill(conn: Connection) -> None:
    """Put two systems and a car into the record, each a power and a voltage a minute."""
    add_message(conn, COMMUNITY)
    add_system(conn, "meter-1", community=COMMUNITY, latitude_e6=52_520_000, longitude_e6=13_405_000)
    add_system(conn, "meter-2", community=COMMUNITY)
    add_system(conn, "car", "charger", community=COMMUNITY)
    rows = [
        (NOON_MS + minute * 60_000, device, "", quantity, 0, minute * factor)
        for minute in range(MINUTES)
        for device in ("meter-1", "meter-2", "car")
        for quantity, factor in (("power", -1000), ("voltage", 1))
    ]
    add_measured(conn, rows, COMMUNITY)


@pytest.fixture
async def ground(cloud: Cloud) -> Cloud:
    """Found two communities and fill one."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    await cloud.database.write(fill)
    return cloud


async def ask(cloud: Cloud, caller: Caller = UPPER_HERE, **query: str | int) -> Reply:
    """Ask for readings."""
    asked = SPAN | {name.rstrip("_"): value for name, value in query.items()}
    return await caller.call(cloud, "GET", f"/v1/readings?{urlencode(asked)}")


ALL = MINUTES * 6
ONLY_SQLITE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


async def test_every_form_says_the_same(ground: Cloud) -> None:
    """JSON, JSON lines, CSV and Parquet hold the same rows, and each says that this is all."""
    page = (await ask(ground)).json
    assert page["next"] is None
    first = page["readings"][0]
    assert first == {
        "community": COMMUNITY,
        "site": None,
        "device": "car",
        "kind": "charger",
        "point": "",
        "quantity": "power",
        "unit": "mW",
        "measured_at": "2026-11-21T12:00:00.000Z",
        "seconds": 0,
        "value": 0,
        "timed": "given",
        "revision": 0,
    }
    *lines, last = [json.loads(line) for line in (await ask(ground, as_="ndjson")).raw.splitlines()]
    assert last == {"complete": True, "rows": ALL, "next": None}
    assert lines == page["readings"]
    table = (await ask(ground, as_="csv")).raw.decode()
    assert table.endswith(f"# complete rows={ALL}\r\n")
    rows = list(csv.DictReader(line for line in io.StringIO(table) if not line.startswith("#")))
    assert [{**row, "site": row["site"] or None} for row in rows] == [
        {name: value if value is None else str(value) for name, value in line.items()} for line in lines
    ]
    file = pq.ParquetFile(io.BytesIO((await ask(ground, as_="parquet")).raw))
    columns = file.read().to_pylist()
    assert [{**row, "measured_at": row["measured_at"].isoformat(timespec="milliseconds")} for row in columns] == [
        {**line, "measured_at": line["measured_at"].replace("Z", "+00:00")} for line in lines
    ]
    said = {key: file.metadata.metadata[key] for key in (b"complete", b"rows", b"next")}
    assert said == {b"complete": b"true", b"rows": str(ALL).encode(), b"next": b""}
    assert [str(file.schema_arrow.field(name).type) for name in ("value", "measured_at")] == [
        "int64",
        "timestamp[ms, tz=UTC]",
    ]


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html, application/x-ndjson;q=0.9", "application/x-ndjson"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("nonsense" * 50, "application/json"),
    ],
)
async def test_the_form_follows_what_is_accepted(ground: Cloud, accept: str, content_type: str) -> None:
    """Unless `as` says another."""
    token = UPPER_HERE.token(ground)
    reply = await ground.call("GET", f"/v1/readings?{urlencode(SPAN)}", token=token, headers={"Accept": accept})
    assert reply.headers["Content-Type"] == content_type
    path = f"/v1/readings?{urlencode(SPAN | {'as': 'csv'})}"
    assert (await ground.call("GET", path, token=token, headers={"Accept": accept})).headers[
        "Content-Type"
    ] == "text/csv"


async def _paged(cloud: Cloud, **query: Any) -> tuple[list[Any], int]:
    """Return all the rows of a question page by page, and how many pages there were."""
    rows: list[Any] = []
    after: str | None = ""
    pages = 0
    while after is not None:
        page = (await ask(cloud, after=after, **query)).json
        rows, after, pages = rows + page["readings"], page["next"], pages + 1
    return rows, pages


async def test_pages_and_streams_go_on_where_they_ended(ground: Cloud) -> None:
    """By the cursor of the page, of the last line, of the table's last line; and one form goes on for another."""
    whole = (await ask(ground, limit=1000)).json["readings"]
    got, pages = await _paged(ground, limit=70)
    assert (got, pages) == (whole, 5)
    *lines, last = [json.loads(line) for line in (await ask(ground, limit=100, as_="ndjson")).raw.splitlines()]
    assert (last["complete"], last["rows"]) == (False, 100)
    table = (await ask(ground, limit=150, after=last["next"], as_="csv")).raw.decode().splitlines()
    assert table[-1].startswith("# next=")
    rest = (await ask(ground, after=table[-1].removeprefix("# next="))).json
    assert len(lines) + len(table) - 2 + len(rest["readings"]) == ALL
    assert (rest["readings"], rest["next"]) == (whole[250:], None)


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"to": ""}, "malformed", "to is not a time"),
    ({"from": "2026-11-21T13:00:00Z"}, "without-end", "to does not lie after from"),
    ({"from": "2026-11-21T14:00:00Z"}, "without-end", "to does not lie after from"),
    ({"to": "2028-11-21T12:00:00Z"}, "without-end", "400 days"),
    ({"to": "9999-12-31T23:59:59Z"}, "without-end", "400 days"),
    ({"to": "99999-12-31T23:59:59Z"}, "malformed", "to is not a time"),
    ({"from": "2026-10-25T02:30:00"}, "malformed", "from is not a time with Z or an offset"),
    ({"from": "2026-02-30T02:30:00Z"}, "malformed", "not a date of the calendar"),
    ({"from": "1969-12-31T23:59:59Z"}, "malformed", "not from 1970 on"),
    ({"device": "a;DROP TABLE hub_reading--"}, "malformed", "device holds a name that is none"),
    ({"device": ","}, "malformed", "device holds a name that is none"),
    ({"device": ",".join(["x"] * 201)}, "malformed", "device names more than 200"),
    ({"kind": "wallbox"}, "malformed", "kind holds a name that is none"),
    ({"quantity": "power,joy"}, "malformed", "quantity holds a name that is none"),
    ({"site": "'"}, "malformed", "site"),
    ({"point": "\x00"}, "malformed", "point"),
    ({"box": "1,2,3"}, "malformed", "box is not south,west,north,east"),
    ({"box": "5,0,4,0"}, "malformed", "box its south lies north"),
    ({"box": "0,0,91,0"}, "malformed", "box holds degrees beyond 90"),
    ({"box": "nan,0,1,0"}, "malformed", "box holds what are no degrees"),
    ({"radius": "0,0,-1"}, "malformed", "radius its metres"),
    ({"radius": "0,0,999999999"}, "malformed", "radius its metres"),
    ({"box": "0,0,1,1", "radius": "0,0,1"}, "malformed", "cannot both"),
    ({"above": "1"}, "malformed", "one quantity"),
    ({"above": "1", "quantity": "power,voltage"}, "malformed", "one quantity"),
    ({"above": "1e3", "quantity": "power"}, "malformed", "above"),
    ({"above": "9" * 30, "quantity": "power"}, "malformed", "above"),
    ({"timed": "maybe"}, "malformed", "timed"),
    ({"resample": "7"}, "malformed", "resample"),
    ({"as": "xml"}, "malformed", "as"),
    ({"limit": "0"}, "malformed", "limit"),
    ({"limit": "10001"}, "malformed", "limit: a JSON page has at most 10000"),
    ({"limit": "99999999999999999999", "as": "csv"}, "malformed", "limit"),
    ({"after": "x"}, "cursor-refused", "after is no cursor"),
    ({"after": "A" * 999}, "cursor-refused", "after is no cursor"),
    ({"after": "A" * 1001}, "malformed", "after"),
    ({"after": "ÄÖ"}, "cursor-refused", "after is no cursor"),
    ({"order": "1;SELECT"}, "malformed", "order"),
    ({"community": "nowhere"}, "forbidden", "another community"),
]


@ONLY_SQLITE
async def test_what_cannot_be_answered_is_refused_by_name(ground: Cloud) -> None:
    """Each names the member that is wrong; nothing breaks, and nothing is noted as an extraction."""
    for more, problem, words in WRONG:
        reply = await UPPER_HERE.call(ground, "GET", f"/v1/readings?{urlencode(SPAN | more)}")
        assert (reply.problem, words in reply.json["detail"]) == (problem, True), (more, reply.json)
    for name in SPAN:
        half = {key: value for key, value in SPAN.items() if key != name}
        assert (await UPPER_HERE.call(ground, "GET", f"/v1/readings?{urlencode(half)}")).problem == "without-end"
    assert (await ask(ground, OPERATOR)).problem == "malformed"
    assert (await ask(ground, OPERATOR, community="nowhere")).problem == "not-found"
    assert await ground.count(hub_event_table, kind="extract") == 0


@ONLY_SQLITE
async def test_a_cursor_is_of_its_question_and_its_cloud(ground: Cloud) -> None:
    """Altered in any letter, or shown with another question or by who sees less, it opens nothing."""
    after = (await ask(ground, limit=5)).json["next"]
    for place in range(0, len(after), 7):
        letter = "A" if after[place] != "A" else "B"
        reply = await ask(ground, limit=5, after=after[:place] + letter + after[place + 1 :])
        assert reply.problem == "cursor-refused"
    for name, value in (("device", "car"), ("to", "2026-11-21T12:30:00Z"), ("resample", "15")):
        more: dict[str, Any] = {name: value}
        assert (await ask(ground, after=after, **more)).problem == "cursor-refused"
    assert (await ask(ground, UPPER_THERE, after=after)).problem == "cursor-refused"


@ONLY_SQLITE
async def test_times_with_an_offset_are_told_apart_when_clocks_are_set_back(ground: Cloud) -> None:
    """02:30 is there twice that night; the offset says which, also where a + arrives as a space."""
    at = 1_792_888_200_000  # 2026-10-25T00:30:00Z
    await ground.database.write(
        add_measured, [(at + n * 3_600_000, "car", "", "power", 0, n) for n in (0, 1)], COMMUNITY
    )
    for sign, offset, value in (("%2B", "02:00", 0), ("+", "01:00", 1), (" ", "02:00", 0)):
        start, end = (f"2026-10-25T02:{minute}:00{sign}{offset}".replace(" ", "%20") for minute in ("30", "31"))
        reply = await UPPER_HERE.call(ground, "GET", f"/v1/readings?from={start}&to={end}")
        assert [row["value"] for row in reply.json["readings"]] == [value]


@ONLY_SQLITE
async def test_each_reader_sees_its_own_communities(ground: Cloud) -> None:
    """A bound client only its own, an unbound one whichever it names; another's readings are in nobody's answer."""
    for caller, community, count in (
        (UPPER_HERE, None, ALL),
        (UPPER_HERE, COMMUNITY, ALL),
        (MANAGER, None, ALL),
        (OPERATOR, COMMUNITY, ALL),
        (UPPER, COMMUNITY, ALL),
        (UPPER_THERE, None, 0),
        (OPERATOR, HILLSIDE, 0),
    ):
        reply = await (ask(ground, caller) if community is None else ask(ground, caller, community=community))
        assert len(reply.json["readings"]) == count, caller
    assert (await ask(ground, UPPER_THERE, community=COMMUNITY)).problem == "forbidden"
    assert (await ask(ground, Caller(Scope.OWNER, COMMUNITY, "anna"))).problem == "forbidden"


async def test_taps_of_sites_are_in_the_record(ground: Cloud) -> None:
    """Energy under the beginning of its interval, registers under its end, and of no owner a word."""
    site = await ground.join()
    assert (await site.put_tree()).status == 201
    start = NOON - 2 * INTERVAL
    assert (await site.post(site.batch(start=start))).status == 201
    for owner in ("anna", "ben", "sun"):
        raw = (await ask(ground, from_="2026-11-21T11:00:00Z", kind="tap", as_="csv")).raw.decode()
        assert owner not in raw
    rows = (await ask(ground, from_="2026-11-21T11:00:00Z", kind="tap")).json["readings"]
    main = [row for row in rows if row["device"] == "main"]
    assert [(row["quantity"], row["measured_at"][11:16], row["seconds"], row["unit"]) for row in main] == [
        ("export", "11:00", 1800, "Wh"),
        ("import", "11:00", 1800, "Wh"),
        ("export_register", "11:30", 0, "Wh"),
        ("import_register", "11:30", 0, "Wh"),
    ]
    assert {row["site"] for row in rows} == {site.site}
    assert (len(rows), main[1]["value"]) == (12, 700)


async def test_windows_come_in_every_form_and_page(ground: Cloud) -> None:
    """The mean, least and greatest of a quarter of an hour; pages of windows join as those of readings do."""
    quarters = partial(ask, ground, resample="15", quantity="power", device="car")
    rows = (await quarters()).json["readings"]
    told = [(row["measured_at"][11:16], row["value"], row["min"], row["max"], row["count"]) for row in rows]
    assert told == [
        ("12:00", -7000, -14_000, 0, 15),
        ("12:15", -22_000, -29_000, -15_000, 15),
        ("12:30", -37_000, -44_000, -30_000, 15),
        ("12:45", -47_000, -49_000, -45_000, 5),
    ]
    got, _ = await _paged(ground, resample="5", limit=7)
    assert got == (await ask(ground, resample="5", limit=1000)).json["readings"]
    assert len(got) == 60
    table = pq.read_table(io.BytesIO((await quarters(as_="parquet")).raw)).to_pylist()
    assert [row["value"] for row in table] == [row["value"] for row in rows]
    assert (await quarters(above="-23000", below="-7000")).json["readings"] == rows[1:2]


@ONLY_SQLITE
async def test_what_there_is_to_read_is_not_asked_for_unseen(ground: Cloud) -> None:
    """The list of devices is picked and handed out like readings, and so is the newest of them."""
    for path in ("devices", "latest"):
        reply = await ground.call("GET", f"/v1/readings/{path}?community={COMMUNITY}", token=UPPER.token(ground))
        assert reply.status == 200, reply.json
        rows = await ground.rows(hub_event_table, community=COMMUNITY)
        assert [row.kind for row in rows if row.kind in ("request", "extract", "send")][-3:] == [
            *("request", "extract", "send"),
        ], path


@ONLY_SQLITE
async def test_every_extraction_leaves_three_events(ground: Cloud) -> None:
    """What was asked, how much was picked, how much was handed out and how it ended."""
    await ask(ground, device="car")
    await ask(ground, device="car", as_="ndjson")
    for _ in range(200):  # the last ones are kept once the reader has its end
        if await ground.count(hub_event_table, kind="send") == 2:
            break
        await asyncio.sleep(0.02)
    rows = await ground.rows(hub_event_table, community=COMMUNITY)
    told = [(row.kind, row.who, row.count) for row in rows if row.kind in ("request", "extract", "send")]
    who, count = "client-upper", MINUTES * 2
    assert sorted(told) == sorted([("request", who, 1), ("extract", who, count), ("send", who, count)] * 2)
    details = [json.loads(row.detail) for row in rows if row.kind in ("request", "send")]
    assert {detail.get("outcome") for detail in details} == {None, "whole"}
    assert all("device=car" in detail["asked"] for detail in details if "asked" in detail)


def thick(conn: Connection, count: int = 60_000) -> None:
    """Make the record of one system far longer than any buffer between us and a reader."""
    point = "l" * 64
    rows = [(NOON_MS + n, "meter-1", point, "current", 0, n) for n in range(count)]
    add_measured(conn, rows, COMMUNITY)


def folded(conn: Connection) -> tuple[int, int, int]:
    """Fold SQLite's log back; the first number is 1 where a reader stands in the way."""
    busy, log, done = conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return busy, log, done


@ONLY_SQLITE
async def test_a_slow_reader_stands_in_nobodys_way(ground: Cloud) -> None:
    """While it has half of its rows, writes are as durable as ever and the log is folded back; it still gets all."""
    await ground.database.write(thick)
    headers = {"Authorization": f"Bearer {UPPER_HERE.token(ground)}"}
    path = f"/v1/readings?{urlencode(SPAN | {'as': 'ndjson', 'quantity': 'current'})}"
    async with ground.client.get(path, headers=headers) as response:
        first = await response.content.readline()
        for n in range(20):
            row = (NOON_MS + n, "meter-2", "l1", "current", 0, n)
            await ground.database.write(add_measured, [row], COMMUNITY)
        with ground.client.app[DATABASE].engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("COMMIT")
            assert folded(conn)[0] == 0
            conn.exec_driver_sql("BEGIN")
        rest = (await response.read()).splitlines()
    assert json.loads(first)["value"] == 0
    said = json.loads(rest[-1])
    assert said["complete"] is True
    assert said["rows"] == len(rest) >= 60_000


@ONLY_SQLITE
async def test_the_check_above_would_see_a_snapshot_that_is_held(ground: Cloud) -> None:
    """The control: with a reader inside a transaction the log cannot be folded back."""
    with ground.client.app[DATABASE]._reader.connect() as held:
        held.execute(text("SELECT count(*) FROM hub_reading")).one()
        await ground.database.write(thick, 10)
        with ground.client.app[DATABASE].engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("COMMIT")
            conn.exec_driver_sql("PRAGMA busy_timeout=10")
            assert folded(conn)[0] == 1
            conn.exec_driver_sql("BEGIN")


@ONLY_SQLITE
async def test_a_reader_that_stalls_is_let_go(ground: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets no proper end; the log says that it stalled and how far it came, and its place is free again."""
    monkeypatch.setattr(streams_http, "WRITE_SECONDS_MAX", 0.2)
    await ground.database.write(thick)
    headers = {"Authorization": f"Bearer {UPPER_HERE.token(ground)}"}
    path = f"/v1/readings?{urlencode(SPAN | {'as': 'ndjson', 'quantity': 'current'})}"
    async with ground.client.get(path, headers=headers) as response:
        await response.content.readline()
        await _until(ground, "reader-stalled")
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await response.read()
    (send,) = await ground.rows(hub_event_table, kind="send")
    assert 0 < send.count < 60_000
    assert (await ask(ground, as_="csv")).status == 200


@ONLY_SQLITE
async def test_a_reader_that_leaves_is_noted(ground: Cloud) -> None:
    """With how many rows it was given before."""
    await ground.database.write(thick)
    headers = {"Authorization": f"Bearer {UPPER_HERE.token(ground)}"}
    path = f"/v1/readings?{urlencode(SPAN | {'as': 'ndjson', 'quantity': 'current'})}"
    async with ground.client.get(path, headers=headers) as response:
        await response.content.readline()
    await _until(ground, "reader-left")


@ONLY_SQLITE
async def test_more_windows_than_memory_holds_are_refused(ground: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, whichever form was asked for."""
    monkeypatch.setattr(window, "PENDING_MAX", 5)
    for form in ("json", "csv"):
        reply = await ask(ground, resample="1", as_=form)
        assert (reply.problem, "5 windows" in reply.json["detail"]) == ("unprocessable", True)


async def _until(cloud: Cloud, outcome: str) -> None:
    for _ in range(200):
        rows = await cloud.rows(hub_event_table, kind="send")
        if any(json.loads(row.detail)["outcome"] == outcome for row in rows):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no extraction ended as {outcome}: {[row.detail for row in rows]}")


@ONLY_SQLITE
async def test_a_client_that_is_stopped_or_narrowed_gets_no_more(
    ground: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a stream: it breaks off, visibly, and the log says so."""
    monkeypatch.setattr(streams_job, "PAGE_ROWS", 500)
    await ground.database.write(thick)
    made = await ground.operator("POST", f"{COMMUNITY}/clients", {"scope": "upper", "name": "watcher"})
    token = await ground.token(made.json["client_id"], made.json["client_secret"])
    path = f"/v1/readings?{urlencode(SPAN | {'as': 'ndjson', 'quantity': 'current'})}"
    async with ground.client.get(path, headers={"Authorization": f"Bearer {token}"}) as response:
        await response.content.readline()
        reach = f"{COMMUNITY}/clients/{made.json['client_id']}/reach"
        assert (await ground.operator("PUT", reach, {"kinds": ["charger"]})).status == 200
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await response.read()
    await _until(ground, "failed")


async def _running(cloud: Cloud, count: int) -> None:
    for _ in range(1000):
        if cloud.client.app[EXTRACTIONS].gate.running >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{count} extractions never ran at once")


@ONLY_SQLITE
async def test_a_thousand_slow_readers_are_told_to_wait(ground: Cloud) -> None:
    """A few of one client and some of all are served at once; the others hear when to come again."""
    await ground.database.write(thick)
    ground.client.app[EXTRACTIONS].gate = Gate(client_max=2, all_max=3)
    path = f"/v1/readings?{urlencode(SPAN | {'as': 'ndjson', 'quantity': 'current', 'community': COMMUNITY})}"
    mine, other = UPPER_HERE.token(ground), MANAGER.token(ground)

    async def read(token: str) -> tuple[int, str | None]:
        async with ground.client.get(path, headers={"Authorization": f"Bearer {token}"}) as response:
            await response.content.readline()
            await gate.wait()
            return response.status, response.headers.get("Retry-After")

    gate = asyncio.Event()
    tasks = [asyncio.create_task(read(mine)) for _ in range(120)]
    await _running(ground, 2)
    assert (await ask(ground, UPPER_HERE)).problem == "too-many-extractions"
    tasks.append(asyncio.create_task(read(other)))
    await _running(ground, 3)
    assert (await ask(ground, OPERATOR, community=COMMUNITY)).problem == "too-many-extractions"
    gate.set()
    answers = await asyncio.gather(*tasks)
    assert [status for status, _ in answers].count(200) == 3
    assert {answer for answer in answers if answer[0] != 200} == {(429, "10")}
