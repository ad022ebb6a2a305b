"""What happens at a charger is told once, when it is seen, and never guessed."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
import pytest

from custom_components.commonwatt.charging import happenings
from custom_components.commonwatt.devices.port import Quantity, Value

from .house import MockConfigEntry, entities_source, entity_id, subentry, value
from .test_entities import Make, poll, start
from .told_device import ToldDevice, device_of, stand_in

FREE: dict[Quantity, Value] = {"plugged": False, "charger_state": "available"}
WAITING: dict[Quantity, Value] = {"plugged": True, "charger_state": "plugged"}
CHARGING: dict[Quantity, Value] = {"plugged": True, "charger_state": "charging"}
FEEDING: dict[Quantity, Value] = {"plugged": True, "charger_state": "discharging"}
BROKEN: dict[Quantity, Value] = {"plugged": True, "charger_state": "fault"}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (FREE, FREE, []),
        (FREE, WAITING, ["plugged_in"]),
        (FREE, CHARGING, ["plugged_in", "charging_started"]),
        (CHARGING, FREE, ["charging_ended", "unplugged"]),
        (CHARGING, FEEDING, ["charging_ended", "discharging_started"]),
        (FEEDING, WAITING, ["discharging_ended"]),
        (CHARGING, BROKEN, ["charging_ended", "fault"]),
        (BROKEN, BROKEN, []),
        ({}, CHARGING, []),
        (CHARGING, {}, []),
        ({"plugged": False}, {"plugged": True}, ["plugged_in"]),
    ],
)
def test_what_happened_follows_from_two_looks(
    before: dict[Quantity, Value], now: dict[Quantity, Value], told: list[str]
) -> None:
    """In the order of life: a car comes before it charges, and has charged before it goes."""
    assert happenings(before, now) == told


async def started(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, device: ToldDevice
) -> tuple[MockConfigEntry, list[str]]:
    """Run a charger at T1, and note what is told."""
    stand_in(monkeypatch, {"T1": device})
    entry = make_local(subentry("T1", "charger", source=entities_source("sensor.any")))
    await start(hass, entry)
    told: list[str] = []
    charger = entity_id(hass, "event", entry, "T1_charger")

    def note(event: Event[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        if event.data["entity_id"] == charger and new is not None and new.attributes.get("event_type") is not None:
            told.append(new.attributes["event_type"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    return entry, told


async def test_a_session_is_told_as_it_happens(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, clock: FrozenDateTimeFactory
) -> None:
    """Nothing for what was there at the start; then each event once, two of one poll in their order."""
    device = device_of("charger")
    entry, told = await started(hass, make_local, monkeypatch, device)
    assert value(hass, entry, "T1_charger", "event") == STATE_UNKNOWN
    for state in (CHARGING, WAITING, FREE, CHARGING, CHARGING):
        device.values |= state
        await poll(hass, entry, clock)
    assert told == ["charging_ended", "unplugged", "plugged_in", "charging_started"]


async def test_what_happened_in_silence_is_not_dated_now(
    hass: HomeAssistant,
    make_local: Make,
    monkeypatch: pytest.MonkeyPatch,
    clock: FrozenDateTimeFactory,
    expected_logs: list[str],
) -> None:
    """A car that left while the charger did not answer left at a time nobody knows."""
    expected_logs.append("is silent")
    device = device_of("charger")
    entry, told = await started(hass, make_local, monkeypatch, device)
    device.silent = True
    for _ in range(2):
        await poll(hass, entry, clock)
    device.silent = False
    device.values |= FREE
    await poll(hass, entry, clock)
    assert told == []
    device.values |= WAITING
    await poll(hass, entry, clock)
    assert told == ["plugged_in"]
