"""Our own clock beside real SNTP servers over loopback: honest, lying, asking for quiet, silent."""

from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import given, strategies as st
import pytest
from sqlalchemy import select

from cloud.config import from_environment
from cloud.errors import ConfigError
from cloud.hub.events.store import hub_event_table
from cloud.hub.ntp import client
from cloud.hub.ntp.answer import AGREE_MS, Measured, Unusable, best_of, question, read_answer
from cloud.hub.ntp.http import TIMEKEEPER
from cloud.hub.ntp.job import Timekeeper
from cloud.hub.ntp.own import ASK_MS, HOLD_MS, OFF_MS, RETRY_MS, RETRY_MS_MAX, OwnClock, Server, judged
from tests.cloud.conftest import Clock, Cloud
from tests.cloud.ground import OpenDatabase
from tests.cloud.people import OPERATOR

from .time_server import Change, TimeServer, kiss, part, serving, silence

one_store = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


async def asked(server: TimeServer, clock: Clock, timeout_s: float = 2) -> Measured | Unusable:
    """Ask a server once."""
    async with serving(server):
        return await client.ask("here", "127.0.0.1", server.port, clock, timeout_s)


@pytest.mark.parametrize("ahead_ms", [0, 1, -1, 2500, -86_400_000, 86_400_000])
async def test_an_honest_server_tells_how_far_it_is_ahead(ahead_ms: int) -> None:
    """To the millisecond, to both sides, and its stratum."""
    clock = Clock()
    told = await asked(TimeServer(clock, ahead_ms), clock)
    assert told == Measured("here", ahead_ms, 0, 2)


async def test_what_an_answer_takes_is_its_delay() -> None:
    """Half of it is allowed for: a slow way of equal halves does not make the clock wrong."""
    clock = Clock()

    def slow(raw: bytearray) -> bytes:
        clock.ms += 100
        return bytes(raw)

    def at_the_server() -> int:
        clock.ms += 100
        return clock.ms

    told = await asked(TimeServer(at_the_server, change=slow), clock)
    assert told == Measured("here", 0, 200, 2)


def lies(change: Change = bytes, *, stratum: int = 2, leap: int = 0) -> TimeServer:
    """Return a server that is not to be believed."""
    return TimeServer(Clock(), stratum=stratum, leap=leap, change=change)


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (lies(part(slice(24, 32), b"\0" * 8)), "no question of ours"),
        (lies(part(slice(0, 1), b"\x23")), "mode 3"),
        (lies(part(slice(0, 1), b"\x25")), "mode 5"),
        (lies(leap=3), "not synchronised"),
        (lies(stratum=16), "not synchronised"),
        (lies(part(slice(4, 8), (4 << 16).to_bytes(4))), "too far from its source"),
        (lies(part(slice(40, 48), b"\0" * 8)), "no sense"),
        (lies(part(slice(32, 40), b"\xff" * 8)), "no sense"),
        (lies(lambda raw: bytes(raw[:40])), "no NTP packet"),
        (lies(lambda raw: b""), "no NTP packet"),
        (lies(kiss(b"RATE")), "RATE"),
        (lies(kiss(b"\xff\xfe\n")), "keep away"),
        (lies(silence), "does not answer"),
    ],
)
async def test_an_answer_that_is_not_to_be_believed_is_refused_by_name(server: TimeServer, why: str) -> None:
    """Wrong stratum, another's question, a kiss of death, junk, silence."""
    told = await asked(server, Clock(), timeout_s=0.3)
    assert isinstance(told, Unusable)
    assert why in told.why


async def test_nobody_listening_is_no_error() -> None:
    """The system says so at once, or nobody ever does."""
    assert isinstance(await client.ask("there", "127.0.0.1", 9, Clock(), 0.5), Unusable)


@given(raw=st.binary(max_size=80), mark=st.binary(min_size=8, max_size=8))
def test_no_bytes_make_reading_an_answer_raise(raw: bytes, mark: bytes) -> None:
    """Whatever a stranger sends; and only who has seen the question is believed."""
    told = read_answer("there", raw, mark, 0, 1)
    if isinstance(told, Measured):
        assert raw[24:32] == mark


def test_a_question_tells_nobody_our_time() -> None:
    """Its transmit timestamp is random; the rest is the same each time."""
    first, second = question(b"12345678"), question(b"abcdefgh")
    assert first[:40] == second[:40]
    assert (len(first), first[40:]) == (48, b"12345678")


def measured(*offsets: int) -> list[Measured]:
    """Return what servers said, each with a longer way."""
    return [Measured(str(number), offset, 10 * number, 2) for number, offset in enumerate(offsets, 1)]


def test_the_nearest_of_those_that_agree_is_believed() -> None:
    """One liar among three is outvoted, however near; two that differ tell nothing."""
    assert best_of(measured(50_000, 3, 5)) == Measured("2", 3, 20, 2)
    assert best_of(measured(3, AGREE_MS * 9)) is None
    assert best_of(measured(7)) == Measured("1", 7, 10, 2)
    assert best_of([]) is None


def test_who_fails_is_asked_less_and_less_often() -> None:
    """Back-off, a kiss that asks for less, one that forbids it; a good answer begins anew."""
    server, due = Server("s", "h", 123), []
    for _ in range(9):
        server = server.heard(Unusable("s", "silent"), 0)
        due.append(server.due_ms)
    assert due[:3] == [RETRY_MS, 2 * RETRY_MS, 4 * RETRY_MS]
    assert due[-1] == RETRY_MS_MAX
    server = server.heard(measured(1)[0], 0)
    assert server.due_ms == ASK_MS
    server = server.heard(Unusable("s", "slower", "RATE"), 0)
    assert server.due_ms == 2 * ASK_MS
    assert server.heard(measured(1)[0], 0).due_ms == 2 * ASK_MS
    assert server.heard(Unusable("s", "never", "DENY"), 0).due_ms is None


def test_our_clock_is_judged_by_the_best_word_and_holds_for_a_while() -> None:
    """Off beyond a second; a good measurement holds when nobody answers, and then no more; disagreement is said."""
    heard = [Server("s", "h", 123, last=word) for word in measured(OFF_MS + 1)]
    off = judged(heard, OwnClock(), 0)
    assert (off.state, off.offset_ms, off.measured_ms) == ("off", OFF_MS + 1, 0)
    right = judged([Server("s", "h", 123, last=measured(OFF_MS)[0])], off, 0)
    silent = [Server("s", "h", 123, last=Unusable("s", "it does not answer"))]
    assert judged(silent, right, HOLD_MS).state == "right"
    assert judged(silent, right, HOLD_MS + 1).state == "unsynchronised"
    assert judged(silent, OwnClock(), 0).state == "unsynchronised"
    differ = judged([Server("s", "h", 123, last=word) for word in measured(0, 9000)], right, 0)
    assert (differ.state, differ.why) == ("unsynchronised", "the time servers disagree")


async def events_of(cloud: Cloud) -> list[tuple[str, str, str]]:
    """Return the events of no community."""
    rows = select(hub_event_table.c.kind, hub_event_table.c.who, hub_event_table.c.detail).filter_by(community="")
    return await cloud.database.read(lambda conn: [tuple(row) for row in conn.execute(rows)])


@one_store
async def test_the_operator_sees_how_our_clock_is_and_the_log_says_once_that_it_is_off(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """Off, still off, right again: two lines and two events."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(TimeServer(cloud.clock, 5000)))
        keeper = cloud.client.app[TIMEKEEPER]
        assert (await OPERATOR.call(cloud, "GET", "/v1/hub/clock")).json["state"] == "unknown"
        keeper.servers = Timekeeper(cloud.database, [("127.0.0.1", server.port)]).servers
        for ahead_ms in (5000, 5001, -200):
            server.ahead_ms = ahead_ms
            assert await keeper.turn(cloud.clock) == 1
            assert await keeper.turn(cloud.clock) == 0
            cloud.clock.forward(600)
    shown = (await OPERATOR.call(cloud, "GET", "/v1/hub/clock")).json
    name = f"127.0.0.1:{server.port}"
    assert (shown["state"], shown["offset_ms"], shown["server"], shown["stratum"]) == ("right", -200, name, 2)
    assert shown["measured_at"] == "2026-11-21T12:20:00Z"
    assert [(kind, who) for kind, who, _ in await events_of(cloud)] == [("clock-off", "hub"), ("clock-right", "hub")]
    assert [line.getMessage() for line in caplog.records if line.name == "cloud.hub.ntp.job"] == [
        "our own clock is off",
        "our own clock is right again",
    ]


@one_store
async def test_a_clock_that_was_set_back_is_compared_at_once(open_database: OpenDatabase, tmp_path: Path) -> None:
    """It was a day ahead, and withheld every notice; waiting for its own old time would withhold them a day more."""
    clock, database = Clock(), open_database(tmp_path)
    async with serving(TimeServer(clock, -86_400_000)) as server:
        keeper = Timekeeper(database, [("127.0.0.1", server.port)])
        await keeper.turn(clock)
        assert keeper.state() == "off"
        clock.forward(-86_400)
        server.ahead_ms = 0
        assert await keeper.turn(clock) == 1
    assert keeper.state() == "right"
    database.dispose()


@one_store
async def test_a_silent_server_keeps_no_other_waiting(
    open_database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are asked side by side; the honest one is believed."""
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.2)
    clock = Clock()
    database = open_database(tmp_path)
    async with serving(TimeServer(clock, 40)) as good, serving(TimeServer(clock, change=silence)) as bad:
        keeper = Timekeeper(database, [("127.0.0.1", bad.port), ("127.0.0.1", good.port)])
        await keeper.turn(clock)
    assert (keeper.own.state, keeper.own.offset_ms) == ("right", 40)
    assert keeper.measured() == [Measured(f"127.0.0.1:{good.port}", 40, 0, 2)]
    database.dispose()


def test_time_servers_are_read_from_the_environment_or_refused_by_name() -> None:
    """Host, host and port, an address; nothing by default."""
    text = "ntp.example.org, 192.0.2.1:1123,[2001:db8::1]"
    assert from_environment({"COMMONWATT_NTP_SERVERS": text}).ntp_servers == (
        ("ntp.example.org", 123),
        ("192.0.2.1", 1123),
        ("2001:db8::1", 123),
    )
    assert from_environment({}).ntp_servers == ()
    for wrong in ("http://ntp.example.org", "a:b", "a:0", "a:70000", "user@a", "a/b", "[::1", ",".join("a" * 11)):
        with pytest.raises(ConfigError, match="NTP_SERVERS"):
            from_environment({"COMMONWATT_NTP_SERVERS": wrong})
