"""Telling adopted devices: through real helpers and templates of Home Assistant, until they show that they obeyed."""

import asyncio
import math

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest

from custom_components.commonwatt.devices.adopted import AdoptedDevice, commands
from custom_components.commonwatt.devices.port import Range, Value
from custom_components.commonwatt.errors import DeviceError

from .things import adopted, show


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often and not for long."""
    monkeypatch.setattr(commands, "PAUSE_S", 0.01)
    monkeypatch.setattr(commands, "LOOKS", 5)


@pytest.fixture
async def charger(hass: HomeAssistant) -> AdoptedDevice:
    """Return a charger made of helpers: its limit in mA, from 6 to 16 A in steps of half an ampere."""
    helpers = {
        "input_boolean": {"charge": {"initial": False}},
        "input_number": {
            "limit": {"min": 6000, "max": 16_000, "step": 500, "initial": 6000, "unit_of_measurement": "mA"}
        },
        "input_select": {"mode": {"options": ["Off", "Fast Solar", "Fast solar"], "initial": "Off"}},
    }
    for domain, config in helpers.items():
        assert await async_setup_component(hass, domain, {domain: config})
    await hass.async_block_till_done()
    return adopted(
        hass,
        "charger",
        power_entity="sensor.power",
        charge="input_boolean.charge",
        current_limit_a="input_number.limit",
        mode="input_select.mode",
    )


def said(hass: HomeAssistant, entity_id: str) -> str:
    """Return an entity's state."""
    state = hass.states.get(entity_id)
    assert state is not None
    return str(state.state)


async def test_a_charger_says_what_it_accepts(charger: AdoptedDevice) -> None:
    """In the units and words used here."""
    assert charger.commands == {
        "charge": Range(),
        "current_limit_a": Range(6, 16, 0.5),
        "mode": Range(options=("off", "fast_solar", "fast_solar_2")),
    }


async def test_a_charger_does_what_it_is_told(hass: HomeAssistant, charger: AdoptedDevice) -> None:
    """A switch, a number in another unit, and one option of several with the same word."""
    await charger.async_command("charge", True)
    await charger.async_command("current_limit_a", 10.5)
    await charger.async_command("mode", "fast_solar_2")
    assert said(hass, "input_boolean.charge") == "on"
    assert float(said(hass, "input_number.limit")) == 10_500
    assert said(hass, "input_select.mode") == "Fast solar"
    show(hass, "sensor.power", 0, "W")
    values = (await charger.async_read()).values
    assert values == {"charge": True, "current_limit_a": pytest.approx(10.5), "mode": "fast_solar_2"}
    await charger.async_command("charge", False)
    assert said(hass, "input_boolean.charge") == "off"


async def test_between_two_steps_the_lesser_is_taken(hass: HomeAssistant, charger: AdoptedDevice) -> None:
    """A limit is never above what was asked for."""
    await charger.async_command("current_limit_a", 10.99)
    assert float(said(hass, "input_number.limit")) == 10_500
    await charger.async_command("current_limit_a", 16)
    assert float(said(hass, "input_number.limit")) == 16_000


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("current_limit_a", 5.9),
        ("current_limit_a", 16.5),
        ("current_limit_a", math.nan),
        ("current_limit_a", "ten"),
        ("current_limit_a", True),
        ("charge", 1),
        ("mode", "turbo"),
    ],
)
async def test_what_is_out_of_range_is_refused_before_anything_is_told(
    hass: HomeAssistant, charger: AdoptedDevice, command: str, value: Value
) -> None:
    """And nothing changes."""
    with pytest.raises(ValueError, match=str(value)):
        await charger.async_command(command, value)  # type: ignore[arg-type]
    states = [said(hass, f"{entity}") for entity in ("input_boolean.charge", "input_number.limit", "input_select.mode")]
    assert states == ["off", "6000.0", "Off"]


async def test_a_device_without_the_entity_cannot_be_told(charger: AdoptedDevice) -> None:
    """It has no set-point."""
    with pytest.raises(DeviceError, match="cannot be told set_point_w"):
        await charger.async_command("set_point_w", 100)


async def test_an_entity_that_does_not_follow_is_told_of(hass: HomeAssistant) -> None:
    """The service was called and nothing came of it."""
    show(hass, "switch.stuck", "off")
    calls: list[ServiceCall] = []
    hass.services.async_register("switch", "turn_on", calls.append)
    device = adopted(hass, "charger", power_entity="sensor.power", charge="switch.stuck")
    with pytest.raises(DeviceError, match=r"switch\.stuck does not follow"):
        await device.async_command("charge", True)
    assert len(calls) == 1


async def test_an_entity_that_follows_late_is_waited_for(hass: HomeAssistant) -> None:
    """A radio or a cloud takes its time; meanwhile it may even be away."""
    show(hass, "switch.slow", "off")

    async def turn_on(_call: ServiceCall) -> None:
        show(hass, "switch.slow", "unavailable")
        hass.loop.call_later(0.02, show, hass, "switch.slow", "on")

    hass.services.async_register("switch", "turn_on", turn_on)
    device = adopted(hass, "charger", power_entity="sensor.power", charge="switch.slow")
    await device.async_command("charge", True)
    assert said(hass, "switch.slow") == "on"


async def test_what_an_integration_refuses_is_said_in_its_words(hass: HomeAssistant) -> None:
    """Not swallowed, and not a traceback."""
    show(hass, "switch.locked", "off")

    def turn_on(_call: ServiceCall) -> None:
        raise HomeAssistantError("the charger is locked")

    hass.services.async_register("switch", "turn_on", turn_on)
    device = adopted(hass, "charger", power_entity="sensor.power", charge="switch.locked")
    with pytest.raises(DeviceError, match=r"switch\.locked: the charger is locked"):
        await device.async_command("charge", True)


async def test_an_integration_that_never_answers_is_given_up(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next wish must not wait behind it."""
    monkeypatch.setattr(commands, "CALL_SECONDS_MAX", 0.05)
    show(hass, "switch.deaf", "off")

    async def turn_on(_call: ServiceCall) -> None:
        await asyncio.sleep(10)

    hass.services.async_register("switch", "turn_on", turn_on)
    device = adopted(hass, "charger", power_entity="sensor.power", charge="switch.deaf")
    with pytest.raises(DeviceError, match="does not answer"):
        await device.async_command("charge", True)


async def test_an_entity_that_is_away_is_not_told(hass: HomeAssistant, charger: AdoptedDevice) -> None:
    """Whatever it was told would be lost."""
    show(hass, "input_boolean.charge", "unavailable")
    with pytest.raises(DeviceError, match="unavailable"):
        await charger.async_command("charge", True)
    removed = "0123456789abcdef0123456789abcdef"
    device = adopted(hass, "charger", power_entity="sensor.power", charge=removed, current_limit_a="number.gone")
    assert device.commands == {}
    with pytest.raises(DeviceError, match="does not say"):
        await device.async_command("current_limit_a", 10)


async def test_what_an_entity_accepts_is_remembered_while_it_is_away(hass: HomeAssistant) -> None:
    """The registry knows it from before."""
    entity = er.async_get(hass).async_get_or_create(
        "number", "demo", "limit", capabilities={"min": 6, "max": 32, "step": 1}, unit_of_measurement="A"
    )
    device = adopted(hass, "charger", power_entity="sensor.power", current_limit_a=entity.id)
    assert device.commands == {"current_limit_a": Range(6, 32, 1)}


async def test_a_number_without_a_unit_that_fits_is_not_told(hass: HomeAssistant) -> None:
    """Half of 100 % is no current."""
    show(hass, "number.limit", 50, "%", min=0, max=100, step=1)
    device = adopted(hass, "charger", power_entity="sensor.power", current_limit_a="number.limit")
    assert device.commands == {}


async def test_an_inverted_set_point_is_turned_round(hass: HomeAssistant) -> None:
    """Charging is positive here, whatever the battery's integration thinks; steps go towards zero on both sides."""
    helper = {"set_point": {"min": -5, "max": 4, "step": 0.1, "initial": 0, "unit_of_measurement": "kW"}}
    assert await async_setup_component(hass, "input_number", {"input_number": helper})
    device = adopted(hass, "battery", power_entity="sensor.power", set_point_w="input_number.set_point", inverted=True)
    accepted = device.commands["set_point_w"]
    assert (accepted.least, accepted.most, accepted.step) == pytest.approx((-4000, 5000, 100))
    for wanted_w, expected_kw in ((1250, -1.2), (-1250, 1.2), (5000, -5), (0, 0)):
        await device.async_command("set_point_w", wanted_w)
        assert float(said(hass, "input_number.set_point")) == pytest.approx(expected_kw)


async def test_a_step_never_turns_a_battery_the_other_way(hass: HomeAssistant) -> None:
    """Where zero is no whole number of steps from the least, what would cross it stands still."""
    helper = {"set_point": {"min": -3680, "max": 3680, "step": 100, "initial": 320, "unit_of_measurement": "W"}}
    assert await async_setup_component(hass, "input_number", {"input_number": helper})
    device = adopted(hass, "battery", power_entity="sensor.power", set_point_w="input_number.set_point")
    for wanted_w, expected_w in ((0, 0), (-50, 0), (50, 20), (10, 0), (-200, -180), (-3680, -3680)):
        await device.async_command("set_point_w", wanted_w)
        assert float(said(hass, "input_number.set_point")) == expected_w


async def test_a_template_is_a_device_like_any_other(hass: HomeAssistant) -> None:
    """A number, a select and a switch of Home Assistant's template integration, each with a service of its own."""
    assert await async_setup_component(hass, "input_number", {"input_number": {"amps": {"min": 6, "max": 32}}})
    template = {
        "number": {
            "name": "Limit",
            "state": "{{ states('input_number.amps') }}",
            "min": 6,
            "max": 32,
            "step": 1,
            "unit_of_measurement": "A",
            "set_value": {
                "action": "input_number.set_value",
                "target": {"entity_id": "input_number.amps"},
                "data": {"value": "{{ value }}"},
            },
        }
    }
    assert await async_setup_component(hass, "template", {"template": template})
    await hass.async_block_till_done()
    device = adopted(hass, "charger", power_entity="sensor.power", current_limit_a="number.limit")
    assert device.commands == {"current_limit_a": Range(6, 32, 1)}
    await device.async_command("current_limit_a", 13)
    assert float(said(hass, "number.limit")) == 13
