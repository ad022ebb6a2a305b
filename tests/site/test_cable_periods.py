"""A site with a V2G cable: in each interval it is measured, held against the meter and reported, records and all."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
import json
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.diagnostics import async_get_config_entry_diagnostics
from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import KeptInterval, Outbox, SiteKey, records
from custom_components.commonwatt.periods import cable_id
from custom_components.commonwatt.v2g.coverage import LEARNT_MIN
from custom_components.commonwatt.wire import CablePeriod
from demo.register_map import Kind
from demo.steered_server import SteeredServer

from .conftest import set_energy
from .fake_cloud import FakeCloud, standing
from .house import START_S, MockConfigEntry, entities_source, site_of, subentry
from .steered import Clock, served, source

TRIES = 400
LENGTH = 1800
STEP_S = 300
TOKYO = (35_681_236, 139_767_125)


@dataclass
class House:
    """Anna's house: a meter, a measured load behind it, and a cable at a socket that nothing measures."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    server: SteeredServer
    clock: Clock
    now: float = START_S + 5
    load_mws: int = 3_600_000_000
    stolen_mws: int = 0

    @property
    def cable_mws(self) -> int:
        """What went to the car in all."""
        imported, exported = self.server.device.carried_mws
        return imported - exported

    def show(self) -> None:
        """Set clocks and the entities of meter and load to what they show now."""
        self.freezer.move_to(dt_util.utc_from_timestamp(self.now))
        self.clock.now_ms = round(self.now * 1000)
        self.server.device.advance(self.clock.now_ms)
        net_wh = (self.load_mws + self.cable_mws + self.stolen_mws) // 3_600_000
        set_energy(self.hass, {"sensor.grid": net_wh, "sensor.load": self.load_mws // 3_600_000})

    async def poll(self, entry: MockConfigEntry) -> None:
        """Let the site read everything now, and tell the cable what it wants."""
        await self.quiet(entry)
        self.show()
        await site_of(entry).async_refresh()
        await self.hass.async_block_till_done()
        await self.quiet(entry)

    async def quiet(self, entry: MockConfigEntry) -> None:
        """Wait for what is under way: it would be late when the clock jumps."""
        guests = entry.runtime_data.visits.guests.values()
        for _ in range(TRIES):
            if all(guest._dictation._under_way is None for guest in guests):
                break
            await self.hass.async_add_executor_job(time.sleep, 0.005)

    async def half_hour(
        self, entry: MockConfigEntry, *, cable_w: int = 0, load_w: int = 4000, steals: bool = False
    ) -> tuple[CablePeriod, ...]:
        """Let half an hour pass, polled until five seconds into the next; return what was reported of it."""
        device = self.server.device
        begin = int(self.now) // LENGTH * LENGTH
        for at in (*range(begin + STEP_S, begin + LENGTH, STEP_S), begin + LENGTH - 5, begin + LENGTH + 5):
            if device.plugged:
                device.set_point_w = cable_w
            passed_s = at - self.now
            before_mws = self.cable_mws
            self.load_mws += round(load_w * passed_s * 1000)
            self.now = at
            device.advance(round(at * 1000))
            if steals:
                self.stolen_mws -= self.cable_mws - before_mws
            await self.poll(entry)
        latest = await kept(entry)
        if latest is not None and latest.start != begin:  # a silent cable is waited for
            self.now += 25
            await self.poll(entry)
            latest = await kept(entry)
        assert latest is None or latest.start == begin
        return () if latest is None else latest.cables


def near(energy_wh: int) -> Any:
    """Return the energy but for what flowed in the seconds around a boundary, where powers change."""
    return pytest.approx(energy_wh, abs=12)


async def kept(entry: MockConfigEntry) -> KeptInterval | None:
    """Return the interval kept last; the first half hour of a site only opens its meters."""
    store = entry.runtime_data.store
    latest: KeptInterval | None = await store.run(store.outbox.latest_interval)
    return latest


@pytest.fixture
async def house(
    hass: HomeAssistant, socket_enabled: None, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[House]:
    """Serve a cable with a car at rest behind it."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 0.5)
    clock = Clock(START_S * 1000)
    server = served(Kind.CABLE, clock, charge=True, user="dora")
    server.device.set_point_w = 0
    await server.start()
    house = House(hass, freezer, server, clock)
    house.show()
    yield house
    await server.stop()


def subentries(house: House) -> list[ConfigSubentryData]:
    """Return meter, load and cable."""
    return [
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        subentry("T2", source=entities_source("sensor.load"), upstream="T1"),
        subentry("T3", "cable", source=source(house.server), upstream="T1"),
    ]


@pytest.fixture
async def site(hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], house: House) -> MockConfigEntry:
    """Run the house without a cloud."""
    entry = make_local(*subentries(house), interval_seconds=LENGTH)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def reload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Reload the site."""
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()


async def test_a_car_at_rest_is_reported_as_connected_with_whose_it_is(site: MockConfigEntry, house: House) -> None:
    """User, car and place are those that the cable tells; nothing moved, and nothing is compared yet."""
    await house.half_hour(site)
    [period] = await house.half_hour(site)
    assert (period.cable, period.tap, period.at, period.energy_wh, period.connected) == ("CWC-1", "T1", 0, 0, True)
    assert (period.user, period.vehicle, period.place) == ("dora", "JN1AZ0000", TOKYO)
    assert (period.agreement, period.meter_wh, period.consumption_wh, period.before_wh) == ("unknown", 2000, None, None)


async def test_a_cable_with_no_car_is_not_reported_and_what_the_meter_shows_then_is_remembered(
    hass: HomeAssistant, site: MockConfigEntry, house: House
) -> None:
    """Then a car discharges: the drop at the meter is the cable's. It outlives a restart between the two."""
    house.server.device.plug(plugged=False)
    await house.half_hour(site)
    assert await house.half_hour(site) == ()
    await reload(hass, site)
    house.server.device.plug(plugged=True)
    await house.poll(site)
    [period] = await house.half_hour(site, cable_w=-3000)
    assert (period.energy_wh, period.meter_wh, period.before_wh) == (near(-1500), near(500), near(2000))
    assert (period.agreement, period.connected) == ("match", True)
    [period] = await house.half_hour(site, cable_w=-3000, steals=True)
    assert (period.energy_wh, period.meter_wh, period.agreement) == (near(-1500), near(2000), "suspect")


async def test_once_learnt_what_the_house_takes_a_stolen_discharge_is_a_mismatch(
    hass: HomeAssistant, site: MockConfigEntry, house: House
) -> None:
    """After most of a day at rest, over a reload, and whatever the household takes by then."""
    for number in range(LEARNT_MIN + 1):
        await house.half_hour(site, load_w=1000 + 100 * (number % 9))
    await reload(hass, site)
    [honest] = await house.half_hour(site, cable_w=-3000, load_w=6000)
    assert (honest.agreement, honest.meter_wh, honest.consumption_wh) == ("match", near(1500), near(3000))
    [stolen] = await house.half_hour(site, cable_w=-3000, load_w=2000, steals=True)
    assert (stolen.agreement, stolen.meter_wh, stolen.consumption_wh) == ("mismatch", near(1000), near(1000))
    [charged] = await house.half_hour(site, cable_w=3000, load_w=2000)
    assert (charged.agreement, charged.energy_wh) == ("match", near(1500))


async def test_who_listens_hears_each_interval_once(site: MockConfigEntry, house: House) -> None:
    """And no more once it has gone."""
    heard: list[list[str]] = []
    leave = site_of(site).listen_periods(lambda periods: heard.append([period.cable for period in periods]))
    await house.half_hour(site)
    await house.half_hour(site)
    leave()
    await house.half_hour(site)
    assert heard == [["CWC-1"], ["CWC-1"]]


async def test_a_car_that_was_there_for_a_moment_was_connected(site: MockConfigEntry, house: House) -> None:
    """It came and went within the interval; who it was is still told."""
    house.server.device.plug(plugged=False)
    await house.half_hour(site)
    house.server.device.plug(plugged=True)
    house.server.device.set_point_w = 0
    house.now += 60
    await house.poll(site)
    house.server.device.plug(plugged=False)
    house.server.device.user = ""
    [period] = await house.half_hour(site)
    assert (period.connected, period.energy_wh, period.user) == (True, 0, "dora")
    assert await house.half_hour(site) == ()


async def test_a_cable_that_falls_silent_is_not_guessed_at(
    hass: HomeAssistant, site: MockConfigEntry, house: House, expected_logs: list[str]
) -> None:
    """No report without a read; when it is back, the intervals it moved through are an estimate and unknown."""
    expected_logs += ["is silent", "not answer", "no answer"]
    for _ in range(LEARNT_MIN + 1):
        await house.half_hour(site)
    await house.server.stop()
    house.server.device.set_point_w = 3000
    [period] = await house.half_hour(site, cable_w=3000)
    assert (period.connected, period.energy_wh, period.agreement) == (True, 0, "unknown"), (
        "it was read at its beginning"
    )
    assert await house.half_hour(site, cable_w=3000) == ()
    await house.server.start()
    [period] = await house.half_hour(site, cable_w=3000)
    assert period.agreement == "unknown"
    assert 0 < period.energy_wh < 1600, "what it counted while nobody read it may have flowed elsewhere"
    [period] = await house.half_hour(site, cable_w=3000)
    assert (period.agreement, period.energy_wh) == ("match", near(1500))


async def test_a_restart_in_the_middle_of_an_interval_keeps_what_was_measured(
    hass: HomeAssistant, site: MockConfigEntry, house: House
) -> None:
    """The registers at the boundary closed last are in the outbox; a reload takes along what the cable told."""
    await house.half_hour(site)
    await reload(hass, site)
    house.now += 100
    await house.poll(site)
    house.server.device.plug(plugged=False)
    await reload(hass, site)
    [period] = await house.half_hour(site)
    assert (period.connected, period.energy_wh, period.user) == (True, 0, "dora")


async def test_diagnostics_tell_how_they_agreed_and_not_whose_car_it_was(
    hass: HomeAssistant, site: MockConfigEntry, house: House
) -> None:
    """Numbers and the verdict; no user, vehicle or place."""
    await house.half_hour(site)
    await house.half_hour(site)
    told = await async_get_config_entry_diagnostics(hass, site)
    assert told["taps"]["T3"]["period"] == {
        "energy_wh": 0,
        "connected": True,
        "agreement": "unknown",
        "meter_wh": 2000,
        "consumption_wh": None,
        "before_wh": None,
    }
    text = json.dumps(told)
    for private in ("dora", "JN1AZ0000", "CWC-1", "35681236", "35.681236", "139767125", "139.767125"):
        assert private not in text


def test_a_serial_number_that_is_no_id_names_no_cable(
    site: MockConfigEntry, house: House, expected_logs: list[str]
) -> None:
    """Rather than a report that nobody takes, the log says so."""
    expected_logs.append("is no id")
    config = site_of(site).taps["T3"]
    assert cable_id(config) == "CWC-1"
    object.__setattr__(config.source, "serial", "CWC 1/ü")
    assert cable_id(config) is None


# With a cloud.


@pytest.fixture
async def paired(
    hass: HomeAssistant,
    make_paired: Callable[..., MockConfigEntry],
    cloud: FakeCloud,
    house: House,
    key: SiteKey,
) -> MockConfigEntry:
    """Prepare the house with a cloud that has the cable's records up to the second of three."""
    cloud.interval_seconds, cloud.site_key = LENGTH, key.public_key
    cloud.cables["CWC-1"] = standing("CWC-1", public_key=house.server.device.signed.public_key.hex(), last_number=2)
    for _ in range(3):
        house.server.device.prove()
    return make_paired(*subentries(house))


async def until(hass: HomeAssistant, condition: Callable[[], Awaitable[object]]) -> None:
    """Wait in real time for something to become true."""
    for _ in range(TRIES):
        if await condition():
            break
        await hass.async_add_executor_job(time.sleep, 0.01)
    assert await condition()
    await hass.async_block_till_done()


async def through(entry: MockConfigEntry) -> int | None:
    """Return up to which number the cable's records are kept."""
    store = entry.runtime_data.store
    reached: int | None = await store.run(store.outbox.records_through, "CWC-1")
    return reached


async def drained(entry: MockConfigEntry) -> bool:
    """Tell whether nothing waits to be sealed or sent."""
    store = entry.runtime_data.store
    waiting = await store.run(store.outbox._database.read, lambda db: [*records.waiting(db)])
    return not waiting and not await store.run(store.outbox.depth) and not await store.run(store.outbox.unsent_tree)


def sent_records(cloud: FakeCloud) -> list[str]:
    """Return the records that reached the cloud."""
    return [record.ocmf for batch in cloud.batches for record in batch.records]


async def test_what_the_cable_signed_reaches_the_cloud_once_from_where_it_has_them(
    hass: HomeAssistant, paired: MockConfigEntry, cloud: FakeCloud, house: House
) -> None:
    """Not before the cloud said where that is; then word for word from the third on, and no interval is waited for."""
    assert await hass.config_entries.async_setup(paired.entry_id)

    async def told() -> bool:
        return paired.runtime_data.visits.standing("CWC-1") is not None

    await until(hass, told)
    for _ in range(2):  # with the first it names this site: between two reads it may have been at another
        await house.poll(paired)
    signed = house.server.device.signed
    assert await through(paired) == signed.newest >= 3

    async def arrived() -> bool:
        return await drained(paired)

    await until(hass, arrived)
    assert sent_records(cloud) == [signed.record(number) for number in range(3, signed.newest + 1)]
    assert {batch.intervals for batch in cloud.batches} == {None}


async def test_periods_and_records_ride_in_the_batch_of_their_interval(
    hass: HomeAssistant, paired: MockConfigEntry, cloud: FakeCloud, house: House
) -> None:
    """What the site measured, and what the cable signed of the same time, of one key each."""
    assert await hass.config_entries.async_setup(paired.entry_id)

    async def rested() -> bool:
        return await drained(paired) and paired.runtime_data.visits.standing("CWC-1") is not None

    await until(hass, rested)
    for at in (LENGTH - 5, LENGTH + 5, 2 * LENGTH - 5, 2 * LENGTH + 5):
        await until(hass, rested)
        house.now = START_S + at
        house.load_mws += 1_000_000
        await house.poll(paired)

    async def arrived() -> bool:
        return any(batch.intervals is not None and batch.intervals.cables for batch in cloud.batches)

    await until(hass, arrived)
    await until(hass, rested)
    [period] = [cable for batch in cloud.batches if batch.intervals for cable in batch.intervals.cables]
    assert (period.cable, period.user, period.connected, period.place) == ("CWC-1", "dora", True, TOKYO)
    signed = house.server.device.signed
    assert sent_records(cloud) == [signed.record(number) for number in range(3, signed.newest + 1)]


async def test_while_the_outbox_fails_no_record_counts_as_fetched(
    hass: HomeAssistant,
    paired: MockConfigEntry,
    house: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mailbox is asked again, by the next run too, until the record is on the disk."""
    fails = True
    keep = Outbox.keep_records

    def failing(self: Outbox, *members: Any) -> bool:
        if fails:
            raise OutboxError("database: disk I/O error")
        return keep(self, *members)

    monkeypatch.setattr(Outbox, "keep_records", failing)
    assert await hass.config_entries.async_setup(paired.entry_id)

    async def told() -> bool:
        return paired.runtime_data.visits.standing("CWC-1") is not None

    await until(hass, told)
    await house.poll(paired)
    assert await through(paired) is None
    await house.poll(paired)
    fails = False
    await house.poll(paired)
    assert await through(paired) == house.server.device.signed.newest
    await reload(hass, paired)
    assert await through(paired) == house.server.device.signed.newest


async def test_a_full_outbox_says_once_that_records_wait(
    hass: HomeAssistant,
    paired: MockConfigEntry,
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And once that they are kept again."""
    caplog.set_level("INFO")
    monkeypatch.setattr(records, "WAITING_MAX", 0)
    assert await hass.config_entries.async_setup(paired.entry_id)

    async def told() -> bool:
        return paired.runtime_data.visits.standing("CWC-1") is not None

    await until(hass, told)
    await house.poll(paired)
    await house.poll(paired)
    assert await through(paired) is None
    monkeypatch.setattr(records, "WAITING_MAX", 9)
    await house.poll(paired)
    assert await through(paired) == house.server.device.signed.newest
    assert caplog.text.count("Records of cable CWC-1 wait in it") == 1
    assert caplog.text.count("Records of cable CWC-1 are kept again") == 1
