"""At the door: what is shown, what it opens, how passwords change, and what is noted of those who come."""

from base64 import b64encode
from collections import Counter

from argon2 import PasswordHasher
from hypothesis import given, settings, strategies as st
import pytest

from cloud.hub.events.event import Event
from cloud.hub.events.store import hub_event_table
from cloud.hub.logins import secret
from cloud.hub.logins.guess import WRONG_BEFORE_A_DAY, Lock, counted
from cloud.hub.logins.job import KNOWN_MS, Doors
from cloud.hub.logins.secret import Shown, initial_hmac, initial_opens, secret_hmac, secret_opens, shown
from cloud.hub.logins.store import hub_login_table
from cloud.hub.logins.tally import (
    FLOOD,
    KEYS_MAX,
    TOGETHER_MS,
    WINDOW_MS,
    WRONG_EVERYWHERE_MAX,
    WRONG_MAX,
    Tally,
    Wrong,
)
from cloud.sites.transfer.passcodes.argon import hashed
from tests.cloud.conftest import COMMUNITY, Cloud, Reply
from tests.cloud.people import OPERATOR

from .ground import Login, basic, listed, registered

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PASSWORD = "p" * 43


async def at_door(cloud: Cloud, headers: dict[str, str]) -> Reply:
    """Ask what the hub knows of the device that asks."""
    return await cloud.call("GET", "/v1/hub/device", headers=headers)


@given(
    device=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True), random=st.binary(min_size=32, max_size=32)
)
def test_both_ways_to_show_a_password_say_the_same(device: str, random: bytes) -> None:
    """Also for ids with dots in them: the last dot divides."""
    text = secret.secret_text(random)
    wanted = Shown(device, text)
    assert shown(f"Bearer {device}.{text}") == wanted
    assert shown("basic " + b64encode(f"{device}:{text}".encode()).decode()) == wanted
    assert text not in repr(wanted)


@given(st.text(max_size=60))
def test_whatever_a_header_holds_it_is_read_or_not(text: str) -> None:
    """It never fails, and an id that is none is nobody's."""
    for header in (
        text,
        f"Basic {text}",
        f"Bearer {text}",
        f"Basic {b64encode(text.encode(errors='replace')).decode()}",
    ):
        found = shown(header)
        assert found is None or (found.password and found.device.isascii())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer meter-1",
        "Bearer meter-1.short",
        "Bearer eyJhbGciOiJFZERTQSJ9.e30." + "A" * 86,
        "Basic ",
        "Basic !!!",
        "Basic " + b64encode(b"meter-1").decode(),
        "Basic " + b64encode(b"meter-1:").decode(),
        "Basic " + b64encode(b"me ter:x").decode(),
        "Basic " + b64encode(b"m" * 65 + b":x").decode(),
        "Digest meter-1." + PASSWORD,
        "Basic " + "QQ==" * 1000,
    ],
)
def test_what_cannot_be_a_devices_password_is_not_looked_up(header: str) -> None:
    """Access tokens among them, which come by the same header."""
    assert shown(header) is None


@settings(max_examples=15, deadline=None)  # one Argon2id each
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_password_opens_for_its_device_under_our_key_alone(one: bytes, two: bytes) -> None:
    """Not for another device, not under another cloud's key, not as an initial one, and no other password does."""
    text, other = secret.secret_text(one), secret.secret_text(two)
    kept = secret_hmac(KEY, "meter-1", text)
    assert secret_opens(kept, KEY, "meter-1", text)
    assert not secret_opens(kept, KEY, "meter-2", text)
    assert not secret_opens(kept, OTHER_KEY, "meter-1", text)
    assert not secret_opens(None, KEY, "meter-1", text)
    assert not initial_opens(initial_hmac(OTHER_KEY, "meter-1", text), KEY, "meter-1", text)
    assert secret_opens(kept, KEY, "meter-1", other) == (one == two)
    assert initial_hmac(KEY, "meter-1", text) != kept


def test_looking_at_an_initial_password_costs_the_same_whatever_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One Argon2id each: nobody can tell by the time it takes whether there is such a device."""
    chosen, drawn = hashed("label-7Kx-21"), initial_hmac(KEY, "meter-1", "label-7Kx-21")
    initial_opens(None, KEY, "meter-1", "x")  # what stands for nobody's is made once
    verified: list[str] = []
    verify = PasswordHasher.verify

    def counting(self: PasswordHasher, kept: str | bytes, given: str | bytes) -> bool:
        verified.append("once")
        return verify(self, kept, given)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    opened = [initial_opens(kept, KEY, "meter-1", "label-7Kx-21") for kept in (None, chosen, drawn, "")]
    assert opened == [False, True, True, False]
    assert len(verified) == 4
    assert not initial_opens(chosen, KEY, "meter-1", chosen)


def test_an_initial_password_can_be_tried_some_forty_times_in_a_month() -> None:
    """However patiently: five at once, some more with growing locks, then one a day."""
    lock, tried, now = Lock(), 0, 1000
    end = now + 30 * 86_400
    while now < end:
        lock, tried = counted(lock, now), tried + 1
        now = max(now, lock.locked_until)
    assert WRONG_BEFORE_A_DAY < tried <= 45


async def test_a_device_changes_its_password_and_the_old_one_holds_until_then(cloud: Cloud) -> None:
    """So that an answer lost on the way locks nobody out; once the new one was used, the old one is dead."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    lost = await cloud.call("POST", "/v1/hub/password", headers=login.headers)
    renewed = await cloud.call("POST", "/v1/hub/password", headers=login.headers)
    assert (lost.status, renewed.status) == (201, 201)
    new = Login("meter-1", renewed.json["password"])
    assert (await at_door(cloud, login.headers)).json["rotating"]
    assert (await at_door(cloud, basic("meter-1", lost.json["password"]))).status == 401
    assert not (await at_door(cloud, new.headers)).json["rotating"]
    shut = await at_door(cloud, login.headers)
    assert (shut.status, shut.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    assert (await at_door(cloud, new.headers)).status == 200


async def test_the_next_password_is_taken_by_whichever_process_sees_it_first(cloud: Cloud) -> None:
    """A process that still has the old login at hand looks again before it refuses."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    other = Doors(cloud.database, cloud.key)
    at_ms = cloud.clock()
    assert (await other.authenticate(login.headers["Authorization"], "203.0.113.7", at_ms)).subject == "meter-1"
    new = Login("meter-1", (await cloud.call("POST", "/v1/hub/password", headers=login.headers)).json["password"])
    assert (await other.authenticate(new.headers["Authorization"], "203.0.113.7", at_ms)).community == COMMUNITY
    assert (await at_door(cloud, new.headers)).status == 200
    (row,) = await cloud.rows(hub_login_table)
    assert row.next_hmac is None


async def test_staff_changes_a_password_at_once(cloud: Cloud) -> None:
    """Whoever has the old one is out; a device that never registered has none to change."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    await cloud.call("POST", "/v1/hub/password", headers=login.headers)
    reply = await cloud.operator("POST", f"{COMMUNITY}/devices/meter-1/password")
    assert reply.status == 201
    assert (await at_door(cloud, login.headers)).status == 401
    assert (await at_door(cloud, basic("meter-1", reply.json["password"]))).status == 200
    await listed(cloud, "meter-2")
    reply = await cloud.operator("POST", f"{COMMUNITY}/devices/meter-2/password")
    assert reply.problem == "device-not-registered"


async def test_a_revoked_device_is_out_at_once_here_and_soon_elsewhere(cloud: Cloud) -> None:
    """Another process knows within five seconds; revoked by mistake, it comes back with a new initial password."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    header, other = login.headers["Authorization"], Doors(cloud.database, cloud.key)
    await other.authenticate(header, "203.0.113.7", cloud.clock())
    assert (await cloud.operator("POST", f"{COMMUNITY}/devices/meter-1/revoke")).status == 204
    assert (await at_door(cloud, login.headers)).status == 401
    assert (await cloud.operator("GET", f"{COMMUNITY}/devices/meter-1")).json["state"] == "revoked"
    assert KNOWN_MS < 5000
    with pytest.raises(Exception, match="no device has this id"):
        await other.authenticate(header, "203.0.113.7", cloud.clock() + KNOWN_MS)
    assert (await cloud.operator("POST", f"{COMMUNITY}/devices/meter-1/initial", {})).status == 201
    assert (await cloud.operator("GET", f"{COMMUNITY}/devices/meter-1")).json["state"] == "awaited"
    assert (await at_door(cloud, login.headers)).status == 401


async def test_what_comes_in_is_noted_once_a_minute_and_complete(cloud: Cloud) -> None:
    """A row for a device and an address, with how often; at the latest when the process ends."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    doors, at_ms = Doors(cloud.database, cloud.key), cloud.clock()
    for number in range(70):
        await doors.authenticate(login.headers["Authorization"], "203.0.113.7", at_ms + number * 1000)
        await doors.turn(at_ms + number * 1000)
    await doors.turn(None)
    rows = await cloud.rows(hub_event_table, kind="auth-success", community=COMMUNITY)
    assert sorted((row.device, row.count) for row in rows) == [("meter-1", 9), ("meter-1", 61)]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_wrong_passwords_are_noted_and_bounded_and_disturb_no_neighbour(cloud: Cloud) -> None:
    """The first ones each, the rest by their number; a right password opens from the same address all along."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    replies = [await at_door(cloud, basic("meter-1", f"wrong-{n}")) for n in range(WRONG_MAX + 5)]
    assert Counter(reply.status for reply in replies) == {401: WRONG_MAX, 429: 5}
    assert (await at_door(cloud, login.headers)).status == 200
    assert (await at_door(cloud, basic("nobody", "wrong"))).status == 429
    rows = await cloud.rows(hub_event_table, kind="auth-failure", community=COMMUNITY)
    assert [row.device for row in rows] == ["meter-1"] * WRONG_MAX
    assert [row.who for row in await cloud.rows(hub_event_table, kind="locked")] == ["127.0.0.1"]
    cloud.clock.forward(WINDOW_MS // 1000)
    assert (await at_door(cloud, basic("nobody", "wrong"))).status == 401
    (stranger,) = await cloud.rows(hub_event_table, kind="auth-failure", community="")
    assert (stranger.device, stranger.who) == ("nobody", "nobody")


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_no_password_stands_in_the_log(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the event log, nor in the program's own, nor in a problem's words."""
    caplog.set_level("DEBUG", "cloud")
    await cloud.found()
    login = await registered(cloud, "meter-1")
    await at_door(cloud, login.headers)
    wrong = await at_door(cloud, basic("meter-1", "canary-wrong-word"))
    await cloud.call("POST", "/v1/hub/devices", json={"device": "meter-1", "initial_password": "canary-wrong-word"})
    rows = str([await cloud.rows(table) for table in (hub_login_table, hub_event_table)])
    said = rows + caplog.text + wrong.raw.decode()
    assert [word for word in ("canary-wrong-word", login.password) if word in said] == []


def test_a_log_that_cannot_be_written_loses_no_count() -> None:
    """What was counted is given back, and written when the database is there again."""
    tally = Tally()
    tally.succeeded(COMMUNITY, "meter-1", "203.0.113.7", 1000)
    (events,) = tally.taken(None)
    tally.give_back(events)
    tally.succeeded(COMMUNITY, "meter-1", "203.0.113.7", 2000)
    ((event,),) = tally.taken(None)
    assert (event.count, event.at_ms, event.detail["until_ms"]) == (2, 1000, 2000)
    assert [*tally.taken(None)] == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 200_000)), max_size=60))
def test_a_tally_neither_loses_nor_invents(comings: list[tuple[int, int, int]]) -> None:
    """However they mix, the sum of what is written is what came, each under its device and community."""
    tally, taken = Tally(), list[Event]()
    for device, community, at_ms in comings:
        tally.succeeded(f"c{community}", f"m{device}", "203.0.113.7", at_ms)
        for events in tally.taken(at_ms):
            assert len({event.community for event in events}) == 1
            taken += events
    taken += [event for events in tally.taken(None) for event in events]
    wanted = Counter((f"c{community}", f"m{device}") for device, community, _ in comings)
    found: Counter[tuple[str, str]] = Counter()
    for event in taken:
        found[event.community, event.who] += event.count
    assert found == wanted


def test_a_tally_stays_small_and_complete() -> None:
    """Beyond what it can tell apart, it counts together."""
    tally = Tally()
    for number in range(KEYS_MAX + 50):
        tally.succeeded(COMMUNITY, f"m{number}", "203.0.113.7", 0)
    events = [event for some in tally.taken(TOGETHER_MS - 1) for event in some]
    assert (len(events), sum(event.count for event in events)) == (KEYS_MAX + 1, KEYS_MAX + 50)


def test_wrong_passwords_are_bounded_by_address_and_altogether() -> None:
    """A thousand addresses make us write no more than a bounded number of rows; a new window begins anew."""
    wrong = Wrong()
    noted = sum(wrong.counted(f"a{n % 1000}", 0) != "many" for n in range(10 * WRONG_EVERYWHERE_MAX))
    assert noted == WRONG_EVERYWHERE_MAX
    assert not wrong.flooded("a1", 0)
    for _ in range(FLOOD):
        wrong.counted("b", 0)
    assert wrong.flooded("b", 0)
    assert not wrong.flooded("b", WINDOW_MS)
    assert wrong.counted("b", WINDOW_MS) == "few"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_token_is_no_password_and_the_reverse(cloud: Cloud) -> None:
    """The operator's token does not open a device's door, nor a device's password any other."""
    await cloud.found()
    login = await registered(cloud, "meter-1")
    assert (await OPERATOR.call(cloud, "GET", "/v1/hub/device")).problem == "not-authorised"
    for headers in (login.headers, {"Authorization": f"Bearer meter-1.{login.password}"}):
        reply = await cloud.call("GET", f"/v1/communities/{COMMUNITY}/devices", headers=headers)
        assert reply.problem == "not-authorised"
