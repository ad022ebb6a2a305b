"""The watch over a real record: the nearest values, limits and their nearness, reach, findings, and counted loads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from cloud.database import Database
from cloud.hub.events.store import hub_event_table
from cloud.hub.quantity import Quantity
from cloud.hub.reach.reach import Reach
from cloud.hub.watch.findings.finding import Finding
from cloud.hub.watch.findings.store import finding_table, open_findings, put_tells_demand, standing_of
from cloud.hub.watch.job import LATE_MS, LOOK_MS, WITHIN_MS, Watcher
from cloud.hub.watch.limit import WHOLE, Limit, Subject
from cloud.hub.watch.limits.store import limits_of, put_limits
from cloud.hub.watch.rule import Watch
from cloud.hub.watch.store import Asked, NoEquipment, View, look
from cloud.hub.wiring.rates.store import DemandRate, add_rate, newest_told
from cloud.hub.wiring.store import put_all
from tests.cloud.ground import NOON, OpenDatabase, add_site, found, report

from .extraction_ground import LANE, NOON_MS, Measured, add_measured, add_message, add_system, add_telemetry_rows

V = Quantity.VOLTAGE
HIGH = Limit(V, nominal=230_000, below_percent=10, above_percent=10)


@dataclass
class Network:
    """A community with three meters on a feeder below a transformer, and a watcher."""

    database: Database
    told: list[list[str]] = field(default_factory=list)

    def tell(self, _conn: Connection, _community: str, sites: Any, _now: int) -> None:
        """Note which sites were told."""
        self.told.append(sorted(sites))

    async def measured(self, *rows: Measured) -> None:
        """Add readings."""
        await self.database.write(add_measured, rows)

    async def limited(self, subject: Subject, *limits: Limit) -> None:
        """Set limits."""
        assert await self.database.write(put_limits, LANE, subject, limits, by="staff", now=NOON) is None

    async def seen(
        self, at_ms: int = NOON_MS, within_ms: int = 60_000, view: View | None = None, **asked: Any
    ) -> Watch:
        """Look."""
        found = await self.database.read(look, Asked(LANE, **asked), at_ms, within_ms, view or View())
        assert isinstance(found, Watch), found
        return found

    async def turn(self, at_ms: int) -> int:
        """Let a watcher that has just begun look at a minute as soon as it does."""
        return await Watcher(self.database, self.tell).turn(at_ms + WITHIN_MS + LATE_MS)

    async def opened(self) -> list[Finding]:
        """Return the open findings."""
        return await self.database.read(open_findings, LANE)

    async def events(self) -> list[tuple[str, str | None]]:
        """Return the watch's lines in the event log."""

        def read(conn: Connection) -> list[tuple[str, str | None]]:
            rows = conn.execute(hub_event_table.select().filter_by(who="watch").order_by(hub_event_table.c.event))
            return [(row.kind, row.device) for row in rows]

        return await self.database.read(read)


def volt(device: str, value: int, at_ms: int = NOON_MS, point: str = "") -> Measured:
    """Return a voltage."""
    return at_ms, device, point, "voltage", 0, value


def power(device: str, watts: int, at_ms: int = NOON_MS) -> Measured:
    """Return a power in W."""
    return at_ms, device, "", "power", 0, watts * 1000


@pytest.fixture
async def network(open_database: OpenDatabase, tmp_path: Path) -> Network:
    """Return a network in which nothing was measured yet; it was wired at the beginning of time."""

    def begin(conn: Connection) -> None:
        found(conn, LANE)
        for site in ("home", "shop"):
            add_site(conn, site)
        add_system(conn, "a", site="home", latitude_e6=52_000_000, longitude_e6=13_000_000)
        add_system(conn, "b", kind="charger")
        add_system(conn, "c")
        add_system(conn, "rain", kind="context")
        add_message(conn)
        wanted: dict[str, dict[str, Any]] = {
            "T": {"name": "T", "limit_va": 10_000, "devices": ["c"]},
            "F": {"name": "F", "above": "T", "sites": ["home"], "devices": ["b"], "limit_va": 5000},
        }
        assert isinstance(put_all(conn, LANE, wanted, by="grid", now=0, tell=lambda *_: None), list)

    network = Network(open_database(tmp_path))
    await network.database.write(begin)
    return network


def keys(watch: Watch) -> list[str]:
    """Return which systems were looked at."""
    return [sight.system.key for sight in watch.sights]


async def test_of_every_point_the_nearest_value_is_seen(network: Network) -> None:
    """With its own time; of two as near the earlier, and nothing from farther away than was asked."""
    rows: Sequence[Measured] = (
        volt("a", 1, NOON_MS - 30_000),
        volt("a", 2, NOON_MS + 30_000),
        volt("a", 3, NOON_MS - 31_000),
        volt("a", 4, NOON_MS + 1000, "l1"),
        volt("b", 5, NOON_MS - 60_001),
        volt("rain", 6),
        (NOON_MS, "a", "", "soc", 0, 7),
    )
    await network.measured(*rows)
    watch = await network.seen()
    assert keys(watch) == ["a", "b", "c"]
    points = {point: values[V].value for point, values in watch.sights[0].points.items()}
    assert points == {"": 1, "l1": 4}
    assert [bool(sight.points) for sight in watch.sights] == [True, False, False]
    assert (await network.seen(within_ms=60_001)).sights[1].points[""][V].measured_ms == NOON_MS - 60_001


async def test_what_is_looked_at_is_picked_as_it_is_asked(network: Network) -> None:
    """Below a piece of equipment, of a kind, by name, at a place."""
    assert keys(await network.seen(below="F")) == ["a", "b"]
    assert keys(await network.seen(below="T")) == ["a", "b", "c"]
    assert [flow.equipment for flow in (await network.seen(below="F")).flows] == ["F"]
    assert keys(await network.seen(kinds=frozenset({"charger"}))) == ["b"]
    assert keys(await network.seen(devices=frozenset({"c", "nobody"}))) == ["c"]
    assert await network.database.read(look, Asked(LANE, below="X"), NOON_MS, 1) == NoEquipment()
    assert await network.database.read(look, Asked(LANE, below="F"), -1000, 1) == NoEquipment(), "nobody had said yet"


async def test_the_nearest_of_several_limits_is_kept_and_holds(network: Network) -> None:
    """Setting replaces, an empty list takes away, and what is not there has no limits."""
    await network.limited(WHOLE, HIGH)
    await network.limited(("equipment", "F"), Limit(V, highest=240_000))
    await network.limited(("device", "b"), Limit(V, highest=250_000), Limit(V, "l1", lowest=1))
    await network.measured(volt("a", 245_000), volt("b", 245_000), volt("c", 245_000))
    watch = await network.seen()
    assert [(out.device, out.by, out.subject) for out in watch.out] == [("a", 5000, ("equipment", "F"))]
    await network.limited(("equipment", "F"))
    assert (await network.seen()).out == []
    assert set(await network.database.read(limits_of, LANE)) == {WHOLE, ("device", "b")}
    for subject in (("equipment", "X"), ("device", "nobody")):
        put = network.database.write(put_limits, LANE, subject, [HIGH], by="staff", now=NOON)
        assert await put == "no-such"


async def test_taps_of_sites_are_watched_like_systems(network: Network) -> None:
    """By telemetry; where a site has no meter of the hub, its first tap stands for it in the sums."""

    def tell(conn: Connection) -> None:
        report(conn, "shop", NOON, {}, community=LANE, epoch=9)
        rows = [
            (NOON_MS, "shop", "main", "", "power", 3_000_000),
            (NOON_MS, "shop", "main", "", "voltage", 260_000),
            (NOON_MS, "shop", "ev", "", "power", 1_000_000),
        ]
        add_telemetry_rows(conn, rows, seq=NOON // 1800)
        wanted = {"F": {"name": "F", "sites": ["home", "shop"]}}
        put_all(conn, LANE, wanted, by="grid", now=1, tell=lambda *_: None)

    await network.database.write(tell)
    await network.limited(WHOLE, HIGH)
    watch = await network.seen()
    assert keys(watch) == ["a", "b", "c", "shop/ev", "shop/main"]
    assert [(out.device, out.by) for out in watch.out] == [("shop/main", 7000)]
    flow = next(flow for flow in watch.flows if flow.equipment == "F")
    assert (flow.counted, flow.power_mw, flow.missing) == (1, 3_000_000, 2)
    assert keys(await network.seen(view=View(Reach(sites=frozenset({"shop"}))))) == ["shop/ev", "shop/main"]


@pytest.mark.parametrize(
    ("reach", "seen"),
    [
        (Reach(kinds=frozenset({"charger"})), ["b"]),
        (Reach(sites=frozenset({"home"})), ["a"]),
        (Reach(quantities=frozenset({"power"})), ["a", "b", "c"]),
    ],
)
async def test_what_is_out_of_reach_is_not_there(network: Network, reach: Reach, seen: list[str]) -> None:
    """Neither a system nor a quantity; and no sum tells of the rest."""
    await network.limited(WHOLE, HIGH)
    await network.measured(*(volt(device, 300_000) for device in "abc"), *(power(device, 1) for device in "abc"))
    watch = await network.seen(view=View(reach))
    assert keys(watch) == seen
    assert watch.flows == []
    if reach.quantities is not None:
        assert all(V not in values for sight in watch.sights for values in sight.points.values())
        assert watch.out == []
    else:
        assert {out.device for out in watch.out} == set(seen)
    assert await network.database.read(look, Asked(LANE, below="F"), NOON_MS, 1, View(reach)) == NoEquipment()


async def test_two_looks_open_a_finding_and_two_close_it(network: Network) -> None:
    """It keeps the worst it saw, and stays open while nothing is measured; each change is an event."""
    await network.limited(WHOLE, HIGH)
    minutes = [NOON_MS + number * LOOK_MS for number in range(8)]
    levels = [256_000, 255_000, 258_000, 254_000, None, 240_000, 256_000, 240_000]
    await network.measured(*(volt("a", level, at) for at, level in zip(minutes, levels, strict=True) if level))
    counts = []
    for at in minutes[:4]:
        assert await network.turn(at) == 1
        assert await network.turn(at) == 0, "another process comes second"
        counts.append(len(await network.opened()))
    assert counts == [0, 1, 1, 1]
    (finding,) = await network.opened()
    assert (finding.worst.value, finding.worst.by, finding.since_ms) == (258_000, 5000, minutes[0])
    for at in minutes[4:7]:
        await network.turn(at)
        assert await network.opened() == [finding], "silence, one good look, and a bad one again"
    await network.turn(minutes[7])
    await network.measured(volt("a", 241_000, minutes[7] + LOOK_MS))
    await network.turn(minutes[7] + LOOK_MS)
    assert await network.opened() == []
    rows = await network.database.read(lambda conn: conn.execute(finding_table.select()).all())
    assert [(row.since_ms, row.until_ms, row.worst) for row in rows] == [(minutes[0], minutes[7], 258_000)]
    assert await network.events() == [("out-of-tolerance", "a"), ("in-tolerance", "a")]


async def test_one_measurement_opens_nothing_however_often_it_is_seen(network: Network) -> None:
    """A meter that tells every quarter of an hour is out when it has said so twice."""
    await network.limited(WHOLE, HIGH)
    await network.measured(volt("a", 256_000), volt("a", 256_000, NOON_MS + 15 * LOOK_MS))
    for number in range(15):
        await network.turn(NOON_MS + number * LOOK_MS)
    assert await network.opened() == []
    await network.turn(NOON_MS + 15 * LOOK_MS)
    assert [finding.since_ms for finding in await network.opened()] == [NOON_MS]


async def test_what_nothing_limits_any_more_is_closed(network: Network) -> None:
    """The limit was taken away, or the system was revoked."""
    await network.limited(WHOLE, HIGH)
    for number in range(2):
        await network.measured(volt("a", 256_000, NOON_MS + number * LOOK_MS))
        await network.turn(NOON_MS + number * LOOK_MS)
    assert len(await network.opened()) == 1
    await network.limited(WHOLE)
    await network.turn(NOON_MS + 2 * LOOK_MS)
    assert await network.opened() == []


async def test_a_community_without_limits_is_not_looked_at(network: Network) -> None:
    """Nor one that was looked at for this minute already."""

    def unlimited(conn: Connection) -> None:
        wanted = {name: {"name": name, "limit_va": None} for name in ("T", "F")}
        put_all(conn, LANE, wanted, by="grid", now=1, tell=lambda *_: None)

    assert await network.turn(NOON_MS) == 1, "the equipment carries only so much"
    await network.database.write(unlimited)
    assert await network.turn(NOON_MS + LOOK_MS) == 0


async def test_overloaded_equipment_is_found_and_told_where_staff_asks_for_it(network: Network) -> None:
    """As a demand rate of five minutes, not told again while it says the same, and never over a provider's word."""
    await network.measured(*(power("a", 6000, NOON_MS + number * LOOK_MS) for number in range(6)))
    await network.turn(NOON_MS)
    rate = network.database.read
    assert await rate(newest_told, LANE, "F") is None
    assert await network.database.write(put_tells_demand, LANE, tells=True)
    await network.turn(NOON_MS + LOOK_MS)
    told = await rate(newest_told, LANE, "F")
    assert told is not None
    assert (told.provider, told.rate) == ("watch", DemandRate(NOON + 60, NOON + 360, 120))
    assert network.told == [["home"], ["home"]], "of the feeder, and of the transformer above it"
    assert [(finding.mark.name, finding.worst.value) for finding in await network.opened()] == [("F", 120)]
    await network.turn(NOON_MS + 2 * LOOK_MS)
    assert await rate(newest_told, LANE, "F") == told
    word = DemandRate(NOON + 170, NOON + 280, 40)
    await network.database.write(add_rate, LANE, "F", word, provider="grid", now=NOON + 180)
    await network.turn(NOON_MS + 3 * LOOK_MS)
    told = await rate(newest_told, LANE, "F")
    assert told is not None
    assert told.rate == word
    await network.turn(NOON_MS + 5 * LOOK_MS)
    told = await rate(newest_told, LANE, "F")
    assert told is not None
    assert (told.provider, told.rate.measured_at) == ("watch", NOON + 300)
    assert (await rate(standing_of, LANE)).tells_demand


async def test_a_watch_that_fails_says_so_once_and_others_go_on(
    network: Network, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once when it works again."""
    await network.limited(WHOLE, HIGH)
    await network.measured(volt("a", 1))
    watcher = Watcher(network.database, network.tell)
    monkeypatch.setattr("cloud.hub.watch.store.SYSTEMS_MAX", 1)
    for number in range(2):
        assert await watcher.turn(NOON_MS + LOOK_MS + number) == 0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["watching failed"]
    monkeypatch.setattr("cloud.hub.watch.store.SYSTEMS_MAX", 10)
    assert await watcher.turn(NOON_MS + LOOK_MS) == 1
    assert caplog.records[-1].message == "watching works again"
    caplog.clear()
