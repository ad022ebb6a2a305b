"""Cut-off and restore at a site: real breakers over Modbus and adopted switches, words of the cloud, and none."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
import time
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, issue_registry as ir
import pytest

from custom_components.commonwatt import supply
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.credit import DWELL_SECONDS
from custom_components.commonwatt.devices import breaker
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.supply import Supply
from custom_components.commonwatt.wire import Incident, parse_time, time_text
from custom_components.commonwatt.wire.credit import CreditState
from custom_components.commonwatt.wire.prices import OwnerPrices, Prices

from .conftest import set_energy
from .fake_cloud import FakeCloud, problem
from .house import START_S, MockConfigEntry, entities_source, entity_id, modbus_source, site_of, subentry, value
from .meter_device import MeterDevice

type Make = Callable[..., MockConfigEntry]

POINT = 1_000_000


@dataclass
class Home:
    """A paired site: Anna's meter T1; Ben's tap T2 with its own breaker; his freezer T3, essential, on a switch."""

    hass: HomeAssistant
    entry: MockConfigEntry
    cloud: FakeCloud
    device: MeterDevice
    clock: FrozenDateTimeFactory
    said: int = field(default=0)

    @property
    def supply(self) -> Supply:
        """Return what keeps its owners supplied."""
        found: Supply | None = self.entry.runtime_data.supply
        assert found is not None
        return found

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true; the clock, which stands still, is pushed on a little."""
        for _ in range(300):
            if condition():
                break
            await self.hass.async_add_executor_job(time.sleep, 0.005)
            self.clock.tick(0.05)
        assert condition()
        await self.hass.async_block_till_done()

    async def turns(self) -> None:
        """Let some turns pass."""
        for _ in range(3):
            await self.supply.async_turn()
        await self.hass.async_block_till_done()

    async def say(self, state: CreditState, points: int = 0, *, prepaid: bool = True) -> None:
        """Let the cloud say how Ben stands, and wait until the site has heard it."""
        told = {"balance_micro": points * POINT, "as_of": time_text(START_S)} if prepaid else {}
        await self.tell({"owners": {"ben": {"state": state, "prepaid": prepaid, **told}}})

    async def tell(self, body: Mapping[str, Any]) -> None:
        """Let the cloud post a notice of credit, and wait until the site has heard it."""
        self.said += 1
        await self.cloud.tell(f"n{self.said}", "credit", body)
        await self.until(lambda: not self.cloud.notices)

    async def restart(self) -> None:
        """Restart the site."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.until(lambda: not self.cloud.sockets)
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done()

    @property
    def happened(self) -> str | None:
        """Return what happened last to Ben's supply."""
        state = self.hass.states.get(entity_id(self.hass, "event", self.entry, "owner_ben_supply"))
        assert state is not None
        happening: str | None = state.attributes["event_type"]
        return happening

    def shows(self, key: str, platform: str = "binary_sensor") -> str:
        """Return the state of an entity."""
        return value(self.hass, self.entry, key, platform)

    def issue(self, key: str) -> ir.IssueEntry | None:
        """Return a repair issue."""
        return ir.async_get(self.hass).async_get_issue(DOMAIN, f"{key}_{self.entry.entry_id}")

    async def switch(self, service: str) -> None:
        """Move the breaker of T2 as a person does."""
        target = {ATTR_ENTITY_ID: entity_id(self.hass, "switch", self.entry, "T2_breaker")}
        await self.hass.services.async_call("switch", service, target, blocking=True)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]) -> None:
    """Let tries follow each other at once: the clock stands still, or jumps over the end of a read's patience."""
    expected_logs.append("Received unexpected response")
    monkeypatch.setattr(breaker, "PAUSE_S", 0)


def prices_of(cloud: FakeCloud) -> Callable[[Mapping[str, str]], dict[str, Any]]:
    """Return what answers with Ben's prices of the time asked for: 30 points per kWh from the grid, 8 to it."""

    def told(query: Mapping[str, str]) -> dict[str, Any]:
        asked = parse_time(query["from"], "from")
        start, count = asked - asked % 60, int(query["hours"]) * 60
        ben = OwnerPrices((30_000,) * count, (8_000,) * count)
        return Prices(cloud.site, "c", start, 60, count, (None,) * count, {"ben": ben}).plain()

    return told


def switches(hass: HomeAssistant, *names: str) -> list[str]:
    """Let switches exist that do as they are told; return what was asked of them."""
    asked: list[str] = []

    async def turn(call: ServiceCall) -> None:
        for name in cv.ensure_list(call.data[ATTR_ENTITY_ID]):
            asked.append(f"{call.service} {name}")
            if hass.states.get(name) is not None:
                hass.states.async_set(name, "on" if call.service == "turn_on" else "off")

    for service in ("turn_on", "turn_off"):
        hass.services.async_register("switch", service, turn)
    for name in names:
        hass.states.async_set(name, "on")
    return asked


def with_breaker(tap: ConfigSubentryData, **more: Any) -> ConfigSubentryData:
    """Return a tap's subentry with what a person chose under more options."""
    data = MappingProxyType({**tap["data"], **more})
    return ConfigSubentryData(
        data=data, subentry_type=tap["subentry_type"], title=tap["title"], unique_id=tap["unique_id"]
    )


@pytest.fixture
async def home(
    hass: HomeAssistant, clock: FrozenDateTimeFactory, cloud: FakeCloud, device: MeterDevice, make_paired: Make
) -> AsyncGenerator[Home]:
    """Run the site until it is in touch with its cloud."""
    cloud.documents["prices"] = prices_of(cloud)
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.freezer": 5})
    switches(hass, "switch.freezer")
    freezer = subentry("T3", owner="ben", upstream="T1", source=entities_source("sensor.freezer"))
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", owner="ben", upstream="T1", source=modbus_source(device.port)),
        with_breaker(freezer, breaker_entity="switch.freezer", essential=True),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    home = Home(hass, entry, cloud, device, clock)
    await home.until(lambda: home.shows("cloud_link") == "on")
    yield home
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)


async def test_the_clouds_word_cuts_and_restores(home: Home) -> None:
    """The breaker opens and closes, the owner is told before and after, the freezer stays on, the cloud hears it."""
    await home.say("low", 9)
    await home.until(lambda: home.happened == "balance_low")
    assert home.issue("balance_low") is not None
    assert home.device.breaker == 1

    await home.say("cut")
    await home.until(lambda: home.shows("T2_cut_off") == "on")
    assert home.device.breaker == 0
    assert home.shows("T3_cut_off") == "off"
    freezer = home.hass.states.get("switch.freezer")
    assert freezer is not None
    assert freezer.state == "on"
    assert home.happened == "cut_off"
    assert home.issue("balance_low") is None
    shown = home.issue("cut_off")
    assert shown is not None
    assert shown.translation_placeholders == {"owners": "Ben"}

    await home.say("ok", 100)
    await home.until(lambda: home.shows("T2_cut_off") == "off")
    assert home.device.commands == [0, 1]
    assert home.happened == "restored"
    assert home.issue("cut_off") is None
    told = await reported(home, 2)
    assert told == [("cut-off-done", "T2", "ben cut_off"), ("restore-done", "T2", "ben enough")]


async def reported(home: Home, count: int) -> list[tuple[str, str | None, str | None]]:
    """Wait until so many incidents have reached the cloud."""

    def came() -> list[Incident]:
        return [item for batch in home.cloud.batches for item in batch.incidents]

    await site_of(home.entry).async_refresh()
    home.entry.runtime_data.cloud.nudge()
    await home.until(lambda: len(came()) >= count)
    return [(item.kind, item.tap, item.detail) for item in came()]


async def test_who_pays_later_is_warned_and_keeps_the_light(home: Home) -> None:
    """Nothing moves."""
    await home.say("warning", prepaid=False)
    await home.until(lambda: home.happened == "balance_used_up")
    await home.turns()
    assert home.device.commands == []


async def test_a_notice_that_says_nothing_moves_nothing(home: Home, expected_logs: list[str]) -> None:
    """The word before it stands."""
    expected_logs.append("a notice of credit says nothing")
    await home.tell({"owners": {"ben": {"state": "dark", "prepaid": True}}})
    await home.turns()
    assert home.device.commands == []


async def test_a_restart_neither_forgets_a_cut_nor_repeats_it(home: Home) -> None:
    """The breaker stays open without a command, and the restore that comes later knows what to close."""
    await home.say("cut")
    await home.until(lambda: home.shows("T2_cut_off") == "on")
    await home.restart()
    await home.turns()
    assert home.device.commands == [0]
    assert home.shows("T2_cut_off") == "on"
    await home.until(lambda: home.shows("cloud_link") == "on")
    await home.say("ok", 10)
    await home.until(lambda: home.device.breaker == 1)


async def test_what_a_person_switched_off_is_not_switched_on(home: Home) -> None:
    """Off before the cut, off after the restore."""
    await home.switch("turn_off")
    assert home.device.breaker == 0
    await home.say("cut")
    await home.turns()
    await home.say("ok", 10)
    await home.turns()
    assert home.device.commands == [0]


async def test_a_hand_wins_for_the_dwell(home: Home) -> None:
    """Switched on while cut off: it is told, and cut again once the dwell is over."""
    await home.say("cut")
    await home.until(lambda: home.shows("T2_cut_off") == "on")
    home.device.breaker = 1
    await site_of(home.entry).async_refresh()
    await home.turns()
    assert home.happened == "switched_on_by_hand"
    assert home.device.breaker == 1
    home.clock.tick(DWELL_SECONDS)
    await home.turns()
    assert home.device.breaker == 0


async def test_a_breaker_that_does_not_move_is_told(home: Home, expected_logs: list[str]) -> None:
    """Three tries, one issue; it is gone when the breaker works."""
    expected_logs.append("does not move")
    home.device.stuck = True
    await home.say("cut")
    await home.until(lambda: home.issue("breaker_failed"))
    await home.turns()
    assert home.device.commands == [0, 0, 0]
    assert home.happened == "breaker_failed"
    assert home.shows("T2_cut_off") == "off"
    home.device.stuck = False
    home.clock.tick(DWELL_SECONDS)
    await home.turns()
    assert home.device.breaker == 0
    assert home.issue("breaker_failed") is None
    told = await reported(home, 2)
    assert told == [("breaker-failed", "T2", "ben cut_off"), ("cut-off-done", "T2", "ben cut_off")]


async def test_the_breaker_is_a_switch_too(home: Home) -> None:
    """It shows what the device says, moves it, and says so when it does not move."""
    assert home.shows("T2_breaker", "switch") == "on"
    await home.switch("turn_off")
    assert (home.device.breaker, home.shows("T2_breaker", "switch")) == (0, "off")
    home.device.stuck = True
    with pytest.raises(HomeAssistantError, match="Tap T2 does not move"):
        await home.switch("turn_on")
    assert home.shows("T2_breaker", "switch") == "off"


async def test_out_of_touch_the_reserve_cuts(home: Home, expected_logs: list[str]) -> None:
    """Points for 100 Wh, 120 Wh taken: nothing happens in touch; out of touch the tap opens, until points come."""
    expected_logs.append("Out of step with the cloud")
    await home.say("ok", 3)
    for second, register_wh in ((70, 1000), (130, 1120), (190, 1120)):
        home.clock.move_to(time_text(START_S + second))
        home.device.import_wh = register_wh
        await site_of(home.entry).async_refresh()
    await home.turns()
    assert home.supply.reserves_wh == {"ben": 0}
    assert home.device.breaker == 1

    home.cloud.refusal = problem(503, "unavailable", "away")
    for socket in list(home.cloud.sockets):
        await socket.close()
    home.entry.runtime_data.cloud.nudge()
    await home.until(lambda: home.shows("cloud_link") == "off")
    await home.turns()
    assert home.device.breaker == 1, "a router may restart"
    home.clock.tick(supply.OUT_OF_TOUCH_SECONDS)
    await home.turns()
    assert home.device.breaker == 0
    await home.restart()
    await home.turns()
    assert home.device.commands == [0]

    home.cloud.refusal = None
    await home.restart()
    await home.until(lambda: home.shows("cloud_link") == "on")
    await home.turns()
    assert home.device.commands == [0], "the link alone brings no points"
    await home.say("ok", 6)
    await home.until(lambda: home.device.breaker == 1)
    assert home.device.commands == [0, 1]


def is_closed(switch: breaker.AdoptedBreaker) -> bool | None:
    """Return what a breaker says now."""
    return switch.closed


async def test_an_adopted_switch_is_a_breaker(hass: HomeAssistant) -> None:
    """It is told, watched, tried again, and given up with a reason; a switch that is away is no open breaker."""
    asked = switches(hass, "switch.flat")
    flat = breaker.AdoptedBreaker(hass, "switch.flat")
    assert is_closed(flat) is True
    await flat.async_switch(closed=False)
    assert (is_closed(flat), asked) == (False, ["turn_off switch.flat"])
    hass.states.async_set("switch.flat", "unavailable")
    assert is_closed(flat) is None
    gone = breaker.AdoptedBreaker(hass, "switch.gone")
    assert is_closed(gone) is None
    with pytest.raises(DeviceError, match="does not follow"):
        await gone.async_switch(closed=True)
    assert len(asked) == 1 + breaker.TRIES
