"""First contact: an initial password becomes a unique one, once, and guessing it leads nowhere."""

import asyncio
from base64 import b64encode
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
import pytest
from sqlalchemy import Connection, select

from cloud.config import Config
from cloud.hub.devices.store import hub_device_table
from cloud.hub.events.store import hub_event_table
from cloud.hub.logins.secret import INITIAL_SECONDS
from cloud.hub.logins.store import hub_login_table
from cloud.hub.messages.http import HUB
from cloud.hub.messages.store import hub_message_table
from cloud.sites.access.pairing import WINDOW_SECONDS, WRONG_PER_ADDRESS_MAX
from cloud.sites.transfer.passcodes.http import GATE, HASHES_AT_ONCE, HASHES_WAITING_MAX, Gate
from tests.cloud.conftest import COMMUNITY, Cloud, Reply, running
from tests.cloud.people import HILLSIDE
from tests.cloud.test_fuzz import broken

from .ground import basic, first_contact, listed, registered

CHOSEN = "label-7Kx-21"
CONTACT = {"device": "meter-1", "initial_password": CHOSEN, "name": "Hall", "maker": "Acme", "model": "M1"} | {
    "latitude_e6": 52_520_008,
    "longitude_e6": 13_404_954,
    "message": {"format": "unified", "text": "{}"},
}


def same(replies: list[Reply]) -> bool:
    """Tell whether nobody can tell these answers apart, but for their references."""
    return len({(one.status, one.problem, one.json["detail"]) for one in replies}) == 1


async def events_of(cloud: Cloud, kind: str, community: str = COMMUNITY) -> list[str | None]:
    """Return the devices of all lines of a kind in a community's log."""
    return [row.device for row in await cloud.rows(hub_event_table, kind=kind, community=community)]


async def test_a_device_registers_once_and_is_let_in_from_then_on(cloud: Cloud) -> None:
    """By its unique password alone; the initial one opens nothing, neither there nor again."""
    await cloud.found()
    added = await listed(cloud, "meter-1", initial_password=CHOSEN, name="Main meter")
    assert added.json["initial_password"] == CHOSEN
    assert (added.json["state"], added.json["initial_until"]) == ("awaited", "2026-12-21T12:00:00Z")
    first = await first_contact(cloud, "meter-1", CHOSEN)
    assert (first.status, first.json["community"], first.json["message"]) == (201, COMMUNITY, None)
    password = first.json["password"]
    known = await cloud.call("GET", "/v1/hub/device", headers=basic("meter-1", password))
    assert (known.status, known.json["state"], known.json["name"]) == (200, "active", "Main meter")
    bearer = await cloud.call("GET", "/v1/hub/device", token=f"meter-1.{password}")
    assert bearer.json == known.json
    again = await first_contact(cloud, "meter-1", CHOSEN)
    assert (again.status, again.problem) == (403, "registration-refused")
    assert (await cloud.call("GET", "/v1/hub/device", headers=basic("meter-1", CHOSEN))).status == 401
    assert await events_of(cloud, "registered") == ["meter-1"]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_no_secret_is_kept_as_it_is(cloud: Cloud) -> None:
    """Neither the initial password, chosen or drawn, nor the unique one stands anywhere in the database."""
    await cloud.found()
    drawn = (await listed(cloud, "meter-1")).json["initial_password"]
    await listed(cloud, "meter-2", initial_password=CHOSEN)
    (row,) = await cloud.rows(hub_login_table, device="meter-2")
    assert row.initial_hash.startswith("$argon2id$")
    login = await registered(cloud, "meter-3")
    rows = str([await cloud.rows(table) for table in (hub_login_table, hub_device_table, hub_event_table)])
    assert [secret for secret in (drawn, CHOSEN, login.password) if secret in rows] == []


async def test_whatever_is_wrong_it_looks_the_same(cloud: Cloud) -> None:
    """Unknown, wrong, expired, used, revoked, read through a source, and of another community: one answer."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    for device in ("wrong", "expired", "gone"):
        await listed(cloud, device, initial_password=f"first-{CHOSEN}")
    await listed(cloud, "far", community=HILLSIDE)
    await listed(cloud, "behind", source="gateway-1")
    await registered(cloud, "used")
    assert (await cloud.operator("POST", f"{COMMUNITY}/devices/gone/revoke")).status == 204
    replies = [
        await first_contact(cloud, device, CHOSEN) for device in ("nobody", "wrong", "far", "behind", "used", "gone")
    ]
    cloud.clock.forward(INITIAL_SECONDS)
    replies.append(await first_contact(cloud, "expired", f"first-{CHOSEN}"))
    assert same(replies)
    assert replies[0].problem == "registration-refused"


async def test_of_many_first_contacts_at_once_one_comes_in(cloud: Cloud) -> None:
    """Even with the right password each time: a password that was heard on the way is worth nothing afterwards."""
    await cloud.found()
    initial = (await listed(cloud, "meter-1")).json["initial_password"]
    replies = await asyncio.gather(*(first_contact(cloud, "meter-1", initial) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [201, 403, 403, 403]
    password = next(reply.json["password"] for reply in replies if reply.status == 201)
    assert (await cloud.call("GET", "/v1/hub/device", headers=basic("meter-1", password))).status == 200


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_guessing_from_many_addresses_locks_the_device_and_says_nothing(config: Config) -> None:
    """After five wrong tries not even the right password opens it for a minute, in the words of any wrong one."""
    async with running(replace(config, proxies=1)) as cloud:
        await cloud.found()
        await listed(cloud, "meter-1", initial_password=CHOSEN)
        wrong = [await first_contact(cloud, "meter-1", f"guess-{n}-more", address=f"203.0.113.{n}") for n in range(5)]
        right = await first_contact(cloud, "meter-1", CHOSEN, address="203.0.113.9")
        assert same([*wrong, right])
        assert await events_of(cloud, "locked") == ["meter-1"]
        seen = (await cloud.operator("GET", f"{COMMUNITY}/devices/meter-1")).json
        assert seen["locked_until"] == "2026-11-21T12:01:00Z"
        cloud.clock.forward(60)
        assert (await first_contact(cloud, "meter-1", CHOSEN, address="203.0.113.9")).status == 201
        assert (await cloud.operator("GET", f"{COMMUNITY}/devices/meter-1")).json["locked_until"] is None


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_nobody_keeps_a_device_with_a_drawn_password_out(config: Config) -> None:
    """It cannot be guessed: a lock would protect nothing, and whoever knows the id could shut the door every day."""
    async with running(replace(config, proxies=1)) as cloud:
        await cloud.found()
        initial = (await listed(cloud, "meter-1")).json["initial_password"]
        for n in range(12):
            assert (await first_contact(cloud, "meter-1", "guess", address=f"203.0.113.{n}")).status == 403
        assert await events_of(cloud, "locked") == []
        assert (await first_contact(cloud, "meter-1", initial, address="203.0.113.99")).status == 201


async def test_many_tries_at_once_are_five(config: Config) -> None:
    """Each is counted at its device before it is looked at, in whatever order they come."""
    async with running(replace(config, proxies=1)) as cloud:
        await cloud.found()
        await listed(cloud, "meter-1", initial_password=CHOSEN)
        tries = [first_contact(cloud, "meter-1", f"guess-{n}-more", address=f"203.0.113.{n}") for n in range(15)]
        replies = await asyncio.gather(*tries)
        assert {reply.status for reply in replies} == {403}
        (row,) = await cloud.rows(hub_login_table)
        assert row.wrong == 5
        assert await events_of(cloud, "locked") == ["meter-1"]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_after_ten_wrong_tries_a_device_is_locked_for_a_day(config: Config) -> None:
    """So that within the month an initial password holds, some forty can be tried at all."""
    async with running(replace(config, proxies=1)) as cloud:
        await cloud.found()
        await listed(cloud, "meter-1", initial_password=CHOSEN)
        tried = 0
        for n in range(10):
            (row,) = await cloud.rows(hub_login_table)
            cloud.clock.forward(max(0, row.locked_until - cloud.clock() // 1000))
            tried += (await first_contact(cloud, "meter-1", "guess", address=f"203.0.113.{n}")).status == 403
        (row,) = await cloud.rows(hub_login_table)
        assert (tried, row.locked_until - cloud.clock() // 1000) == (10, 86_400)
        renewed = await cloud.operator("POST", f"{COMMUNITY}/devices/meter-1/initial", {})
        assert renewed.status == 201
        reply = await first_contact(cloud, "meter-1", renewed.json["initial_password"], address="203.0.113.99")
        assert reply.status == 201


async def test_one_password_tried_at_many_devices_locks_the_address(cloud: Cloud) -> None:
    """Also where no device is of that name; whoever comes from elsewhere, or is let in already, notices nothing."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    initial = (await listed(cloud, "meter-2")).json["initial_password"]
    for number in range(WRONG_PER_ADDRESS_MAX):
        assert (await first_contact(cloud, f"guessed-{number}", "12345678")).status == 403
    locked = await first_contact(cloud, "meter-2", initial)
    assert (locked.status, locked.problem) == (429, "too-many-tries")
    assert 0 < int(locked.headers["Retry-After"]) <= WINDOW_SECONDS
    assert (await cloud.call("GET", "/v1/hub/device", headers=login.headers)).status == 200
    strangers = await cloud.rows(hub_event_table, community="")
    assert [row.kind for row in strangers].count("auth-failure") == WRONG_PER_ADDRESS_MAX
    assert [row.who for row in strangers if row.kind == "locked"] == ["127.0.0.1"]
    cloud.clock.forward(WINDOW_SECONDS)
    assert (await first_contact(cloud, "meter-2", initial)).status == 201


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_one_devices_password_opens_no_other_device(cloud: Cloud) -> None:
    """Neither the initial one nor the unique one, nor its hash copied to another row."""
    await cloud.found()
    initial = (await listed(cloud, "meter-1")).json["initial_password"]
    await listed(cloud, "meter-2")
    assert (await first_contact(cloud, "meter-2", initial)).status == 403
    one, two = await registered(cloud, "meter-3"), await registered(cloud, "meter-4")
    assert (await cloud.call("GET", "/v1/hub/device", headers=basic(two.device, one.password))).status == 401

    def copy(conn: Connection) -> None:
        rows = select(hub_login_table.c.secret_hmac).filter_by(device=one.device)
        kept = conn.execute(rows).scalar_one()
        conn.execute(hub_login_table.update().filter_by(device=two.device).values(secret_hmac=kept))

    await cloud.database.write(copy)
    cloud.clock.forward(10)
    assert (await cloud.call("GET", "/v1/hub/device", headers=basic(two.device, one.password))).status == 401


async def test_a_lost_answer_is_mended_by_another_initial_password(cloud: Cloud) -> None:
    """What the device had before holds until it has registered anew, so that nothing is disturbed by mistake."""
    await cloud.found()
    lost = await registered(cloud, "meter-1")
    renewed = await cloud.operator("POST", f"{COMMUNITY}/devices/meter-1/initial", {"initial_password": CHOSEN})
    assert (renewed.status, renewed.json["initial_password"]) == (201, CHOSEN)
    assert (await cloud.call("GET", "/v1/hub/device", headers=lost.headers)).status == 200
    reply = await first_contact(cloud, "meter-1", CHOSEN)
    assert reply.status == 201
    assert (await cloud.call("GET", "/v1/hub/device", headers=lost.headers)).status == 401
    assert (await cloud.call("GET", "/v1/hub/device", headers=basic("meter-1", reply.json["password"]))).status == 200


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_device_fills_what_staff_left_open_and_nothing_else(cloud: Cloud) -> None:
    """It cannot rename itself, move, or claim another maker once somebody has said so."""
    await cloud.found()
    told: dict[str, Any] = {"name": "Mine", "maker": "Acme", "model": "M1", "latitude_e6": 1, "longitude_e6": 2}
    bare = (await listed(cloud, "bare")).json["initial_password"]
    said = (await listed(cloud, "said", name="Hall", maker="Best", latitude_e6=5, longitude_e6=6)).json
    assert (await first_contact(cloud, "bare", bare, **told)).status == 201
    assert (await first_contact(cloud, "said", said["initial_password"], **told)).status == 201
    one = (await cloud.operator("GET", f"{COMMUNITY}/devices/bare")).json
    assert {name: one[name] for name in told} == told
    other = (await cloud.operator("GET", f"{COMMUNITY}/devices/said")).json
    kept = {"name": "Hall", "maker": "Best", "model": "M1", "latitude_e6": 5, "longitude_e6": 6}
    assert {name: other[name] for name in told} == kept


async def test_registration_and_first_data_come_in_one_message(cloud: Cloud) -> None:
    """The bytes are kept as if they had been pushed, and what nobody can read does not undo the registration."""
    await cloud.found()
    junk = b"\x00\xffnobody reads this"
    for device, message in (
        ("meter-1", {"base64": b64encode(junk).decode()}),
        ("meter-2", {"text": "nor this", "format": "no-such"}),
    ):
        initial = (await listed(cloud, device)).json["initial_password"]
        reply = await first_contact(cloud, device, initial, message=message)
        assert (reply.status, reply.json["message"]["result"]) == (201, "unreadable")
        assert reply.json["message"]["faults"]
        assert (await cloud.call("GET", "/v1/hub/device", headers=basic(device, reply.json["password"]))).status == 200
    kept = {row.who: (row.raw, row.way) for row in await cloud.rows(hub_message_table)}
    assert kept == {"meter-1": (junk, "push"), "meter-2": (b"nor this", "push")}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_password_is_answered_even_if_the_first_message_cannot_be_kept(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is shown this once, and whoever has no answer is locked out; the message can be pushed again."""
    await cloud.found()
    initial = (await listed(cloud, "meter-1")).json["initial_password"]

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cloud.client.app[HUB], "take", broken)
    reply = await first_contact(cloud, "meter-1", initial, message={"text": "x"})
    assert (reply.status, reply.json["message"]["result"]) == (201, "unavailable")
    assert (await cloud.call("GET", "/v1/hub/device", headers=basic("meter-1", reply.json["password"]))).status == 200
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == ["a first message could not be taken"]
    caplog.clear()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_first_message_that_makes_no_sense_registers_nobody(cloud: Cloud) -> None:
    """It is refused before the initial password is looked at, so that the device may try again."""
    await cloud.found()
    initial = (await listed(cloud, "meter-1")).json["initial_password"]
    for message in ({}, {"text": "a", "base64": "YQ=="}, {"base64": "%%%"}):
        assert (await first_contact(cloud, "meter-1", initial, message=message)).problem == "malformed"
    assert (await first_contact(cloud, "meter-1", initial)).status == 201


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_hub_refuses_more_first_contacts_than_it_can_hash(cloud: Cloud) -> None:
    """They are told to come again, and what was not looked at is not counted as a try."""
    await cloud.found()
    initial = (await listed(cloud, "meter-1")).json["initial_password"]
    gate = cloud.client.app[GATE]
    async with AsyncExitStack() as inside:
        for _ in range(HASHES_AT_ONCE):
            await inside.enter_async_context(gate.passed())
        waiting = [asyncio.create_task(wait(gate)) for _ in range(HASHES_WAITING_MAX)]
        await asyncio.sleep(0)
        assert (await first_contact(cloud, "meter-1", initial)).problem == "too-many-tries"
    (row,) = await cloud.rows(hub_login_table)
    assert row.wrong == 0
    await asyncio.gather(*waiting)
    assert (await first_contact(cloud, "meter-1", initial)).status == 201


async def wait(gate: Gate) -> None:
    """Wait for a place at a gate, and leave it."""
    async with gate.passed():
        pass


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(raw=broken(CONTACT))
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_no_first_contact_breaks_the_cloud(cloud: Cloud, raw: bytes) -> None:
    """Whoever stands before the door without anything."""
    cloud.clock.forward(600)  # else wrong tries would be refused before they are looked at
    assert 400 <= (await cloud.call("POST", "/v1/hub/devices", data=raw)).status < 500
