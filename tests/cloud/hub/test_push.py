"""Push and upload over HTTPS: what a device sends is kept by its measurement time, and it hears what became of it."""

import asyncio
from base64 import b64decode
import json
import threading
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from sqlalchemy import select, update

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.hub.clocks.http import CLOCKS
from cloud.hub.events.store import hub_event_table
from cloud.hub.formats.book import Book, read
from cloud.hub.messages import job
from cloud.hub.messages.http import HUB
from cloud.hub.messages.job import Intake
from cloud.hub.messages.message import Sender
from cloud.hub.messages.store import hub_message_table
from cloud.hub.ntp.http import TIMEKEEPER
from cloud.hub.ntp.own import OwnClock
from cloud.hub.policy.job import Purge
from cloud.hub.readings.store import hub_reading_table
from tests.cloud.conftest import COMMUNITY, NOON, Cloud, Reply
from tests.cloud.people import MANAGER, OPERATOR

from .ground import Login, basic, listed, registered

one_store = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
AT = "2026-11-21T11:59:00Z"
AT_MS = (NOON - 60) * 1000


def said(*rows: dict[str, Any], **more: Any) -> bytes:
    """Return a message in our own format."""
    return json.dumps({"format": "unified", "readings": list(rows)} | more).encode()


async def push(cloud: Cloud, login: Login, raw: bytes, *, query: str = "", **headers: str) -> Reply:
    """Push bytes as a device."""
    sent = login.headers | {name.replace("_", "-"): value for name, value in headers.items()}
    return await cloud.call("POST", f"/v1/hub/readings{query}", data=raw, headers=sent)


def counts(reply: Reply) -> tuple[int, int, int, int, int]:
    """Return what became of a message, in short."""
    return reply.status, *(reply.json[name] for name in ("stored", "existed", "revised", "fault_count"))


async def test_what_a_device_pushes_is_kept_and_the_same_again_changes_nothing(cloud: Cloud) -> None:
    """201 the first time, 200 the second, under the time it was measured."""
    await cloud.found()
    meter = await registered(cloud, "meter-1")
    raw = said({"measured_at": AT, "power_w": 1500, "voltage_v": 230.1})
    assert counts(await push(cloud, meter, raw)) == (201, 2, 0, 0, 0)
    assert counts(await push(cloud, meter, raw)) == (200, 0, 2, 0, 0)
    corrected = await push(cloud, meter, said({"measured_at": AT, "power_w": 1400}))
    assert counts(corrected) == (201, 0, 0, 1, 0)
    rows = await cloud.rows(hub_reading_table)
    assert sorted((row.measured_ms, row.quantity, row.value, row.revision, row.timed) for row in rows) == [
        (AT_MS, "power", 1_400_000, 1, "given"),
        (AT_MS, "voltage", 230_100, 0, "given"),
    ]
    assert {row.device for row in rows} == {"meter-1"}


@one_store
async def test_good_rows_are_kept_and_bad_ones_named(cloud: Cloud) -> None:
    """Another device's, the future, a unit that is none: each with its row, a reason and why."""
    await cloud.found()
    meter = await registered(cloud, "meter-1")
    await registered(cloud, "meter-2")
    raw = said(
        {"measured_at": AT, "power_w": 1},
        {"measured_at": AT, "power_w": 2, "device": "meter-2"},
        {"measured_at": AT, "power_w": 3, "device": "nobody"},
        {"measured_at": "2031-01-01T00:00:00Z", "power_w": 4},
        {"measured_at": AT, "power_w": "much"},
    )
    reply = await push(cloud, meter, raw)
    assert counts(reply) == (201, 1, 0, 0, 4)
    reasons = {fault["row"]: fault["reason"] for fault in reply.json["faults"]}
    assert {row: reasons[row] for row in (1, 2, 3)} == {1: "another-device", 2: "another-device", 3: "future"}
    assert 4 in reasons
    assert len(await cloud.rows(hub_reading_table)) == 1


@pytest.mark.parametrize(
    ("raw", "query", "reason"),
    [
        (b"\x00\xff\xfejunk", "", "unknown-format"),
        (b'{"format":"never-heard-of"}', "", "unknown-format"),
        (b"{}", "?format=never-heard-of", "unknown-format"),
        (b"", "", "unknown-format"),
        (said({"measured_at": AT, "power_w": 1, "device": "other"}), "", "another-device"),
    ],
)
@one_store
async def test_what_cannot_be_taken_is_refused_by_name_and_kept(
    cloud: Cloud, raw: bytes, query: str, reason: str
) -> None:
    """422 with the reason; staff finds the bytes, and nothing else is disturbed."""
    await cloud.found()
    meter = await registered(cloud, "meter-1")
    refused = await push(cloud, meter, raw, query=query)
    assert (refused.status, refused.problem, refused.json["reason"]) == (422, "not-taken", reason)
    listed_ones = (await MANAGER.call(cloud, "GET", "hub/messages?faults=true")).json["messages"]
    assert [(item["message"], item["fault_count"]) for item in listed_ones] == [(refused.json["message"], 1)]
    one = (await MANAGER.call(cloud, "GET", f"hub/messages/{refused.json['message']}")).json
    assert b64decode(one["raw"]) == raw
    assert counts(await push(cloud, meter, said({"measured_at": AT, "power_w": 1}))) == (201, 1, 0, 0, 0)


@one_store
async def test_a_devices_own_format_is_tried_first_and_what_names_another_is_read_by_that(cloud: Cloud) -> None:
    """Staff sets it for data that tell nothing of themselves; a word with the message goes before."""
    await cloud.found()
    meter = await registered(cloud, "meter-1", format="unified-csv")
    table = b"measured_at,power_w\n2026-11-21T11:58:00Z,7\n"
    assert counts(await push(cloud, meter, table)) == (201, 1, 0, 0, 0)
    assert counts(await push(cloud, meter, said({"measured_at": AT, "power_w": 1}))) == (201, 1, 0, 0, 0)
    assert [row.format for row in await cloud.rows(hub_message_table)] == ["unified-csv", "unified"]
    refused = await push(cloud, meter, b"junk")
    assert refused.status == 422
    assert "unified-csv" in refused.json["detail"]
    assert (await push(cloud, meter, table.replace(b"7", b"8"), query="?format=unified")).status == 422


@one_store
async def test_nobody_else_pushes(cloud: Cloud) -> None:
    """No password, a wrong one, a token of staff: nothing is kept."""
    await cloud.found()
    await registered(cloud, "meter-1")
    raw = said({"measured_at": AT, "power_w": 1})
    for headers in ({}, basic("meter-1", "wrong"), {"Authorization": f"Bearer {OPERATOR.token(cloud)}"}):
        assert (await cloud.call("POST", "/v1/hub/readings", data=raw, headers=headers)).status == 401
    assert await cloud.count(hub_message_table) == 0


@one_store
async def test_a_gateway_speaks_for_the_devices_behind_it_from_the_moment_they_are_listed(cloud: Cloud) -> None:
    """And for no other."""
    await cloud.found()
    gateway = await registered(cloud, "gateway")
    row = {"measured_at": AT, "power_w": 1, "device": "plug-1"}
    assert (await push(cloud, gateway, said(row))).status == 422
    await listed(cloud, "plug-1", source="gateway")
    assert counts(await push(cloud, gateway, said(row, sent_at=AT))) == (201, 1, 0, 0, 0)
    assert [row.device for row in await cloud.rows(hub_reading_table)] == ["plug-1"]


async def test_a_clock_that_is_off_is_told_so_with_the_answer(cloud: Cloud) -> None:
    """By the header or the message; within the limit nothing is asked of it, and without a time nothing is said."""
    await cloud.found()
    meter = await registered(cloud, "meter-1")

    async def clock(n: int, **headers: str) -> Any:
        return (await push(cloud, meter, said({"measured_at": AT, "power_w": n}), **headers)).json["clock"]

    assert await clock(0) is None
    right = {"offset_ms": 1000, "state": "right", "order": None, "by_ms": 0, "why": None}
    assert await clock(1, Commonwatt_Sent_Ms=str(cloud.clock() + 1000)) == right
    assert (await push(cloud, meter, b"{}", Commonwatt_Sent_Ms="soon")).problem == "malformed"
    for n in range(2, 4):
        told = await clock(n, Commonwatt_Sent_Ms=str(cloud.clock() + 60_000))
    assert told == {"offset_ms": 60_000, "state": "off", "order": "set-back", "by_ms": 60_000, "why": None}
    await cloud.client.app[CLOCKS].turn()
    shown = (await MANAGER.call(cloud, "GET", "hub/clocks?state=off")).json["clocks"]
    assert [(item["kind"], item["system"], item["offset_ms"]) for item in shown] == [("device", "meter-1", 60_000)]
    cloud.client.app[TIMEKEEPER].own = OwnClock("off", 5000)
    told = await clock(9, Commonwatt_Sent_Ms=str(cloud.clock() + 60_000))
    assert (told["order"], told["why"]) == (None, "the hub's own clock is off, so it tells nobody the time")


@one_store
async def test_staff_uploads_for_a_device_that_sends_nothing_itself(cloud: Cloud) -> None:
    """A table; for a device that is not there, nothing."""
    await cloud.found()
    await listed(cloud, "spot", kind="context", currency="GBP")
    table = b"measured_at,price_per_kwh,seconds\n2026-11-21T00:00:00Z,0.1,1800\n2026-11-21T00:30:00Z,-0.01,1800\n"
    path = f"/v1/communities/{COMMUNITY}/devices/spot/readings"
    token = MANAGER.token(cloud)
    reply = await cloud.call("POST", path, token=token, data=table)
    assert counts(reply) == (201, 2, 0, 0, 0)
    assert [row.value for row in await cloud.rows(hub_reading_table)] == [100_000, -10_000]
    [kept] = await cloud.rows(hub_message_table)
    assert (kept.who, kept.device, kept.way, kept.format) == ("client-manager", "spot", "upload", "unified-csv")
    missing = await cloud.call("POST", path.replace("spot", "nobody"), token=token, data=table)
    assert (missing.status, missing.problem) == (404, "not-found")


@one_store
async def test_a_message_is_taken_again_once_its_device_is_known(cloud: Cloud) -> None:
    """Its counts are written anew; the log tells of both; without its bytes it cannot be."""
    await cloud.found()
    gateway = await registered(cloud, "gateway")
    row = {"measured_at": AT, "power_w": 1}
    first = await push(cloud, gateway, said(row, row | {"device": "plug-1"}))
    assert counts(first) == (201, 1, 0, 0, 1)
    await listed(cloud, "plug-1", source="gateway")
    path = f"hub/messages/{first.json['message']}"
    again = await MANAGER.call(cloud, "POST", f"{path}/again")
    assert counts(again) == (200, 1, 1, 0, 0)
    assert again.json["message"] == first.json["message"]
    assert (await MANAGER.call(cloud, "GET", path)).json["fault_count"] == 0
    events = await cloud.rows(hub_event_table, who="gateway")
    kept = [event.kind for event in events if event.kind in ("receipt", "save", "refused", "format-error")]
    assert kept == ["receipt", "save", "refused", "save"]
    assert (await MANAGER.call(cloud, "POST", "hub/messages/nothing/again")).status == 404
    await cloud.database.write(lambda conn: conn.execute(update(hub_message_table).values(raw=None)))
    assert (await MANAGER.call(cloud, "POST", f"{path}/again")).problem == "conflict"
    assert (await MANAGER.call(cloud, "GET", path)).json["raw"] is None


async def test_bytes_are_let_go_when_the_policy_says_so_and_readings_stay(cloud: Cloud) -> None:
    """In bounded steps; what became of the message stays, and sent again it changes nothing."""
    await cloud.found()
    meter = await registered(cloud, "meter-1")
    raw = said({"measured_at": AT, "power_w": 1})
    assert (await push(cloud, meter, raw)).status == 201
    purger = Purge(cloud.database)
    assert await purger.turn(cloud.clock() + 89 * 86_400_000) == 0
    assert await purger.turn(cloud.clock() + 91 * 86_400_000) == 1
    assert await purger.turn(cloud.clock() + 91 * 86_400_000) == 0
    [kept] = await cloud.rows(hub_message_table)
    assert (kept.raw, kept.bytes, kept.stored) == (None, len(raw), 1)
    assert counts(await push(cloud, meter, raw)) == (200, 0, 1, 0, 0)
    assert [event.count for event in await cloud.rows(hub_event_table, kind="purged")] == [1]


odd = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.just("\ud800\x00")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
odd_rows = st.dictionaries(
    st.sampled_from(["device", "point", "measured_at", "measured_ms", "seconds", "power_w", "import_wh", "x\x00"]),
    odd,
    max_size=5,
)
odd_messages = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda rows: said(*rows), st.lists(odd_rows, max_size=4)),
    odd.map(lambda data: json.dumps(data).encode()),
)


@pytest.fixture
async def meter(cloud: Cloud) -> Login:
    """Register a meter."""
    await cloud.found()
    return await registered(cloud, "meter-1")


@one_store
@given(raw=odd_messages)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
async def test_whatever_is_pushed_is_answered_and_never_a_mistake_of_ours(
    cloud: Cloud, meter: Login, raw: bytes
) -> None:
    """Odd members, halves of characters, junk: kept, named, and the same again says the same."""
    first, second = await push(cloud, meter, raw), await push(cloud, meter, raw)
    assert first.status in (200, 201, 422)
    assert second.status in ((200, 201) if first.status < 300 else (422,))


# --- the intake itself


async def rows_of(database: Database) -> int:
    """Count the readings."""
    return await database.read(lambda conn: len(conn.execute(select(hub_reading_table.c.value)).all()))


FIRST = select(hub_reading_table.c.value).order_by(hub_reading_table.c.measured_ms).limit(1)


@one_store
async def test_messages_side_by_side_are_each_kept_whole(cloud: Cloud) -> None:
    """Also such as are too large for the loop to read itself."""
    await cloud.found()
    senders = []
    for number in range(6):
        await listed(cloud, f"m{number}")
        senders.append(Sender(COMMUNITY, f"m{number}", {f"m{number}": f"m{number}"}, f"m{number}"))
    rows = [{"measured_at": f"2026-11-20T{n // 60:02}:{n % 60:02}:00Z", "power_w": n} for n in range(900)]
    large, small = said(*rows), said(*rows[:3])
    assert len(large) > job.THREAD_BYTES > len(small)
    hub = cloud.client.app[HUB]
    raws = [large if number % 2 else small for number in range(6)]
    pairs = zip(senders, raws, strict=True)
    taken = await asyncio.gather(*(hub.take(sender, "push", raw, cloud.clock()) for sender, raw in pairs))
    assert [each.stored for each in taken] == [3, 900] * 3
    assert await rows_of(cloud.database) == 3 * 903


@one_store
async def test_the_later_receipt_stands_though_the_earlier_message_took_longer_to_read(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A correction is not undone by the large message that it corrects."""
    await cloud.found()
    await listed(cloud, "m1")
    sender = Sender(COMMUNITY, "m1", {"m1": "m1"}, "m1")
    times = [f"2026-11-20T{n // 60:02}:{n % 60:02}:00Z" for n in range(900)]
    large = said(*({"measured_at": at, "power_w": 1} for at in times))
    small = said({"measured_at": times[0], "power_w": 7})
    begun, corrected = threading.Event(), threading.Event()

    def slowly(book: Book, raw: bytes, *args: Any, **kwargs: Any) -> Any:
        if raw == large:
            begun.set()
            assert corrected.wait(10)
        return read(book, raw, *args, **kwargs)

    monkeypatch.setattr(job, "read", slowly)
    hub, now = cloud.client.app[HUB], cloud.clock()
    first = asyncio.create_task(hub.take(sender, "push", large, now))
    await asyncio.to_thread(begun.wait, 10)
    assert (await hub.take(sender, "push", small, now + 1)).stored == 1
    corrected.set()
    taken = await first
    assert (taken.stored, taken.existed, taken.revised) == (899, 1, 0)
    assert await cloud.database.read(lambda conn: conn.execute(FIRST).scalar_one()) == 7000


@one_store
async def test_too_much_at_once_is_refused_before_memory_is_full(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept, and the sender is asked to come again."""
    await cloud.found()
    meter = await registered(cloud, "meter-1")
    monkeypatch.setattr(job, "WAITING_BYTES_MAX", 10)
    reply = await push(cloud, meter, said({"measured_at": AT, "power_w": 1}))
    assert (reply.status, reply.problem, reply.headers["Retry-After"]) == (503, "unavailable", "5")
    monkeypatch.undo()
    assert (await push(cloud, meter, said({"measured_at": AT, "power_w": 1}))).status == 201


@one_store
async def test_a_format_that_changed_is_used_from_the_next_second_on(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The book is read when its mark has changed, and only then."""
    read_books: list[int] = []
    mark = [1]

    def book_of(_: object) -> Book:
        read_books.append(mark[0])
        return Book()

    monkeypatch.setattr(job, "book_of", book_of)
    monkeypatch.setattr(job, "book_mark", lambda _: mark[0])
    intake = Intake(cloud.database)
    for new_mark in (1, 1, 2, 2):
        mark[0] = new_mark
        intake.forget_formats()
        assert await intake.parsed(b"{}", 0, None) != (None, ())
    assert read_books == [1, 2]


@one_store
async def test_an_intake_that_waits_answers_everybody(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away is everybody's `Unavailable`, and afterwards all goes on."""
    await cloud.found()
    await listed(cloud, "m")
    sender = Sender(COMMUNITY, "m", {"m": "m"}, "m")
    hub = cloud.client.app[HUB]
    await hub.parsed(b"{}", 0, None)

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the database failed")

    monkeypatch.setattr(cloud.database, "write", away)
    raw = said({"measured_at": AT, "power_w": 1})
    outcomes = await asyncio.gather(
        *(hub.take(sender, "push", raw, cloud.clock()) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    monkeypatch.undo()
    assert (await hub.take(sender, "push", raw, cloud.clock())).stored == 1
