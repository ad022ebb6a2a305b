"""What a person sets reaches the device; it is shown without flapping; what the device refuses is said in words."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest

from custom_components.commonwatt.command import HOLD_POLLS
from custom_components.commonwatt.devices.port import Command, Kind, Range, Value
from custom_components.commonwatt.errors import DeviceError

from .conftest import set_energy
from .house import MockConfigEntry, entities_source, entity_id, subentry, value
from .test_entities import Make, poll, start, state_of
from .told_device import Run, device_of


async def tell(hass: HomeAssistant, entry: MockConfigEntry, key: str, service: str, **data: Value) -> None:
    """Call a service of an entity of T1, as a person does."""
    domain, name = service.split(".")
    target = entity_id(hass, domain, entry, f"T1_{key}")
    await hass.services.async_call(domain, name, {"entity_id": target, **data}, blocking=True)
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("kind", "asked", "told"),
    [
        ("charger", ("charge", "switch.turn_off", {}), ("charge", False)),
        ("charger", ("charge", "switch.turn_on", {}), ("charge", True)),
        ("charger", ("current_limit", "number.set_value", {"value": 10}), ("current_limit_a", 10)),
        ("charger", ("mode", "select.select_option", {"option": "eco"}), ("mode", "eco")),
        ("cable", ("set_point", "number.set_value", {"value": -4200}), ("set_point_w", -4200)),
        ("battery", ("set_point", "number.set_value", {"value": 1250}), ("set_point_w", 1250)),
        ("battery", ("mode", "select.select_option", {"option": "manual"}), ("mode", "manual")),
    ],
)
async def test_what_is_set_reaches_the_device(
    hass: HomeAssistant,
    run: Run,
    kind: Kind,
    asked: tuple[str, str, dict[str, Value]],
    told: tuple[Command, Value],
) -> None:
    """In the device's own terms, and shown at once."""
    device = device_of(kind)
    entry = await run(device, kind)
    key, service, data = asked
    await tell(hass, entry, key, service, **data)
    assert device.told == [told]
    assert type(device.told[0][1]) is type(told[1])
    shown = value(hass, entry, f"T1_{key}", service.split(".")[0])
    assert shown == ({True: "on", False: "off"}[told[1]] if isinstance(told[1], bool) else str(told[1]))


async def test_what_was_set_is_shown_until_the_device_has_had_time_to_follow(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """A device that takes a while does not make the number jump back and forth."""
    device = device_of("charger")
    device.follows = False
    entry = await run(device, "charger")
    seen = []
    await tell(hass, entry, "current_limit", "number.set_value", value=8)
    for turn in range(4):
        seen.append(value(hass, entry, "T1_current_limit", "number"))
        if turn == 1:
            device.values["current_limit_a"] = 8
        await poll(hass, entry, clock)
    assert seen == ["8"] * 4
    device.values["current_limit_a"] = 13  # somebody else set it
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_current_limit", "number") == "13"


async def test_a_device_that_never_follows_is_believed_in_the_end(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """What is shown is what is, even where nothing else changed meanwhile."""
    device = device_of("charger")
    device.follows = False
    entry = await run(device, "charger")
    await tell(hass, entry, "charge", "switch.turn_off")
    for _ in range(2):
        await poll(hass, entry, clock)
        assert value(hass, entry, "T1_charge", "switch") == "off"
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_charge", "switch") == "on"


async def test_a_refusal_is_said_in_words(hass: HomeAssistant, run: Run) -> None:
    """The device's own reason and the tap's name; nothing is shown that did not happen."""
    device = device_of("charger")
    device.refusal = DeviceError("the socket is locked")
    entry = await run(device, "charger")
    with pytest.raises(HomeAssistantError, match="Tap T1 did not do it: the socket is locked") as raised:
        await tell(hass, entry, "current_limit", "number.set_value", value=8)
    assert raised.value.translation_key == "command_failed"
    assert value(hass, entry, "T1_current_limit", "number") == "16"


async def test_what_the_device_cannot_be_set_to_is_the_callers_fault(hass: HomeAssistant, run: Run) -> None:
    """A step between, which only the device knows; a value outside, which Home Assistant knows by its range."""
    device = device_of("charger")
    device.refusal = ValueError("there is no half ampere")
    entry = await run(device, "charger")
    with pytest.raises(ServiceValidationError, match="Tap T1 cannot be set to that: there is no half ampere") as raised:
        await tell(hass, entry, "current_limit", "number.set_value", value=10.5)
    assert raised.value.translation_key == "command_out_of_range"
    for wrong in (5, 33):
        with pytest.raises(ServiceValidationError):
            await tell(hass, entry, "current_limit", "number.set_value", value=wrong)
    with pytest.raises(ServiceValidationError):
        await tell(hass, entry, "mode", "select.select_option", option="ludicrous")
    assert device.told == []


async def test_the_range_is_the_devices_own_and_may_change(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """Another cable, another most; and while the device takes no command at all, nobody can set it."""
    device = device_of("charger")
    entry = await run(device, "charger")
    device.commands["current_limit_a"] = Range(6, 13, 0.5)
    device.commands["mode"] = Range(options=("eco", "fast", "solar"))
    await poll(hass, entry, clock)
    attributes = state_of(hass, entry, "current_limit", "number").attributes
    assert (attributes["min"], attributes["max"], attributes["step"]) == (6, 13, 0.5)
    assert state_of(hass, entry, "mode", "select").attributes["options"] == ["eco", "fast", "solar"]
    limit = device.values.pop("current_limit_a")
    device.more = frozenset({"current_limit_a"})
    del device.commands["current_limit_a"]
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_current_limit", "number") == STATE_UNAVAILABLE
    device.commands["current_limit_a"], device.values["current_limit_a"] = Range(6, 32, 1), limit
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_current_limit", "number") == "16"


async def test_an_adopted_charger_is_told_through_its_own_entities(
    hass: HomeAssistant, make_local: Make, clock: FrozenDateTimeFactory
) -> None:
    """Range and value are those of the number that was adopted; while that is away, ours is unknown and says why."""
    limit = {"min": 6, "max": 16, "step": 1, "initial": 12, "unit_of_measurement": "A"}
    assert await async_setup_component(hass, "input_number", {"input_number": {"limit": limit}})
    assert await async_setup_component(hass, "input_boolean", {"input_boolean": {"charge": {"initial": True}}})
    set_energy(hass, {"sensor.charger": 1000})
    source = entities_source("sensor.charger")
    source["entities"] = {"current_limit_a": "input_number.limit", "charge": "input_boolean.charge"}
    entry = make_local(subentry("T1", "charger", source=source))
    await start(hass, entry)
    attributes = state_of(hass, entry, "current_limit", "number").attributes
    assert (attributes["min"], attributes["max"]) == (6, 16)
    assert float(value(hass, entry, "T1_current_limit", "number")) == 12
    await tell(hass, entry, "current_limit", "number.set_value", value=9)
    await tell(hass, entry, "charge", "switch.turn_off")
    states = [hass.states.get(name) for name in ("input_number.limit", "input_boolean.charge")]
    assert [state.state for state in states if state is not None] == ["9.0", "off"]
    gone = hass.states.get("input_number.limit")
    assert gone is not None
    hass.states.async_set("input_number.limit", STATE_UNAVAILABLE)
    for _ in range(HOLD_POLLS):
        await poll(hass, entry, clock)
    assert value(hass, entry, "T1_current_limit", "number") == STATE_UNKNOWN
    with pytest.raises(HomeAssistantError, match=r"input_number\.limit is unavailable"):
        await tell(hass, entry, "current_limit", "number.set_value", value=8)
    hass.states.async_set("input_number.limit", "9.0", gone.attributes)
    await poll(hass, entry, clock)
    assert float(value(hass, entry, "T1_current_limit", "number")) == 9
