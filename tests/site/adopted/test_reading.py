"""Reading adopted entities: units, signs, silence, and quantities that are not known now."""

import logging

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.commonwatt.devices.adopted import SLOTS
from custom_components.commonwatt.devices.adopted.slots import REGISTER_SLOTS
from custom_components.commonwatt.devices.port import COMMANDS, QUANTITIES
from custom_components.commonwatt.errors import DeviceError

from .things import adopted, counts, registers_wh, show


@pytest.mark.parametrize(
    ("state", "unit", "expected_wh"),
    [("1.5", "kWh", 1500), ("7", "Wh", 7), ("0.002", "MWh", 2000), ("3.6", "MJ", 1000)],
)
async def test_every_unit_of_energy_becomes_wh(hass: HomeAssistant, state: str, unit: str, expected_wh: float) -> None:
    """Home Assistant's own converters know them."""
    show(hass, "sensor.energy", state, unit)
    raw = (await adopted(hass, import_entity="sensor.energy").async_read()).raw
    assert raw.import_wh == pytest.approx(expected_wh)
    assert (raw.export_wh, raw.power_w) == (0, None)


async def test_power_in_kw_becomes_w_and_may_be_missing(hass: HomeAssistant) -> None:
    """Energy is what is settled: a power sensor that is away costs no reading."""
    show(hass, "sensor.energy", "1", "kWh")
    show(hass, "sensor.power", "-1.5", "kW")
    device = adopted(hass, export_entity="sensor.energy", power_entity="sensor.power")
    raw = (await device.async_read()).raw
    assert (raw.import_wh, raw.export_wh, raw.power_w) == (0, 1000, -1500)
    show(hass, "sensor.power", "unavailable", "kW")
    assert (await device.async_read()).raw.power_w is None


@pytest.mark.parametrize(
    ("state", "unit"),
    [
        ("unavailable", "kWh"),
        ("much", "kWh"),
        ("unknown", "kWh"),
        ("", "kWh"),
        ("nan", "kWh"),
        ("inf", "kWh"),
        ("5", "m³"),
        ("5", None),
    ],
)
async def test_what_is_no_energy_is_silence_and_never_zero(hass: HomeAssistant, state: str, unit: str | None) -> None:
    """A zero would be a reset meter."""
    show(hass, "sensor.energy", state, unit)
    with pytest.raises(DeviceError):
        await adopted(hass, import_entity="sensor.energy").async_read()


async def test_a_counter_that_begins_anew_below_zero_is_silence(hass: HomeAssistant) -> None:
    """It would be carried into every register after it."""
    counts(hass, "sensor.today", -1)
    with pytest.raises(DeviceError, match="below zero"):
        await adopted(hass, import_entity="sensor.today").async_read()


async def test_an_entity_that_is_gone_is_silent(hass: HomeAssistant) -> None:
    """By entity id, or by the id of a registry entry that was deleted."""
    for reference in ("sensor.gone", "0123456789abcdef0123456789abcdef"):
        with pytest.raises(DeviceError, match="does not exist"):
            await adopted(hass, import_entity=reference).async_read()


async def test_nothing_that_could_be_a_register_is_said(hass: HomeAssistant) -> None:
    """A charger that only tells its state measures nothing."""
    with pytest.raises(DeviceError, match="neither"):
        await adopted(hass, "charger", charger_state="sensor.state").async_read()


async def test_an_inverted_power_is_positive_while_energy_is_taken(hass: HomeAssistant) -> None:
    """A solar inverter's own power is positive while it gives."""
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.solar", 2.5, "kW")
    device = adopted(hass, export_entity="sensor.energy", power_entity="sensor.solar", inverted=True)
    assert (await device.async_read()).raw.power_w == -2500


async def test_the_powers_of_the_phases_are_turned_with_the_whole(hass: HomeAssistant) -> None:
    """Or a roof that gives 2.5 kW would be said to take 900 W on each of its wires."""
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.solar", 2.7, "kW")
    show(hass, "sensor.solar_l1", 900, "W")
    show(hass, "sensor.volts", 231, "V")
    device = adopted(
        hass,
        export_entity="sensor.energy",
        power_entity="sensor.solar",
        power_l1_w="sensor.solar_l1",
        voltage_l1_v="sensor.volts",
        inverted=True,
    )
    answer = await device.async_read()
    assert (answer.raw.power_w, answer.values) == (-2700, {"power_l1_w": -900, "voltage_l1_v": 231})


async def test_two_powers_become_one_with_a_sign(hass: HomeAssistant) -> None:
    """Some meters tell what is taken and what is given apart; with one of them away neither is known."""
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.taken", 0, "W")
    show(hass, "sensor.given", 700, "W")
    device = adopted(
        hass, import_entity="sensor.energy", power_entity="sensor.taken", export_power_entity="sensor.given"
    )
    assert (await device.async_read()).raw.power_w == -700
    show(hass, "sensor.given", "unknown", "W")
    assert (await device.async_read()).raw.power_w is None


async def test_quantities_come_in_their_units_and_only_while_known(hass: HomeAssistant) -> None:
    """Absent is not zero."""
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.voltage", 230_100, "mV")
    show(hass, "sensor.current", 500, "mA")
    show(hass, "sensor.factor", 98, "%")
    show(hass, "sensor.frequency", "unknown", "Hz")
    show(hass, "sensor.apparent", 1.2, "kVA")
    device = adopted(
        hass,
        import_entity="sensor.energy",
        voltage_v="sensor.voltage",
        current_a="sensor.current",
        power_factor="sensor.factor",
        frequency_hz="sensor.frequency",
        apparent_power_va="sensor.apparent",
    )
    values = (await device.async_read()).values
    assert values == {
        "voltage_v": pytest.approx(230.1),
        "current_a": pytest.approx(0.5),
        "power_factor": pytest.approx(0.98),
        "apparent_power_va": pytest.approx(1200),
    }
    assert device.quantities == values.keys() | {"frequency_hz"}


async def test_a_charger_tells_in_the_words_used_here(hass: HomeAssistant) -> None:
    """Its state, its switch, its limit, its mode and the car's charge."""
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.state", "SuspendedEV")
    show(hass, "switch.charge", "on")
    show(hass, "number.limit", 16, "A", min=6, max=32, step=1)
    show(hass, "select.mode", "Fast Solar", options=["Default", "Fast Solar"])
    show(hass, "sensor.soc", 55, "%")
    show(hass, "sensor.session", 3.25, "kWh")
    device = adopted(
        hass,
        "charger",
        import_entity="sensor.energy",
        charger_state="sensor.state",
        charge="switch.charge",
        current_limit_a="number.limit",
        mode="select.mode",
        soc_percent="sensor.soc",
        session_wh="sensor.session",
    )
    assert (await device.async_read()).values == {
        "charger_state": "paused",
        "plugged": True,
        "charge": True,
        "current_limit_a": 16,
        "mode": "fast_solar",
        "soc_percent": 55,
        "session_wh": 3250,
    }
    show(hass, "sensor.state", "Unavailable")
    assert (await device.async_read()).values["charger_state"] == "out_of_service"
    show(hass, "sensor.state", "unavailable")
    assert "charger_state" not in (await device.async_read()).values
    show(hass, "sensor.soc", 655.35, "%")
    show(hass, "switch.charge", "opening")
    values = (await device.async_read()).values
    assert not {"soc_percent", "charge"} & values.keys()


async def test_a_plug_of_its_own_tells_more_than_the_state(hass: HomeAssistant) -> None:
    """What is derived yields to what is measured."""
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.state", "charging")
    show(hass, "binary_sensor.plug", "off")
    device = adopted(
        hass,
        "charger",
        import_entity="sensor.energy",
        charger_state="sensor.state",
        plugged="binary_sensor.plug",
    )
    assert (await device.async_read()).values["plugged"] is False


async def test_a_state_nobody_knows_is_absent_and_named_once(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, expected_logs: list[str]
) -> None:
    """One line in the log says which word is missing here."""
    expected_logs.append("is no state of a charger")
    show(hass, "sensor.energy", 1, "kWh")
    show(hass, "sensor.state", "dancing")
    device = adopted(hass, "charger", import_entity="sensor.energy", charger_state="sensor.state")
    for _ in range(3):
        assert (await device.async_read()).values == {}
    named = [record for record in caplog.records if "dancing" in record.getMessage()]
    assert [record.levelno for record in named] == [logging.WARNING]


async def test_an_entity_that_says_something_else_every_time_does_not_fill_the_log(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, expected_logs: list[str]
) -> None:
    """Such a one was adopted by mistake; a few of its words are enough to see that."""
    expected_logs.append("is no state of a charger")
    show(hass, "sensor.energy", 1, "kWh")
    device = adopted(hass, "charger", import_entity="sensor.energy", charger_state="sensor.state")
    for minute in range(200):
        show(hass, "sensor.state", f"{minute} minutes left")
        await device.async_read()
    named = [record for record in caplog.records if "minutes left" in record.getMessage()]
    assert 0 < len(named) <= 20


async def test_a_counter_that_flaps_does_not_fill_the_log(
    hass: HomeAssistant,
    caplog: pytest.LogCaptureFixture,
    freezer: FrozenDateTimeFactory,
    expected_logs: list[str],
) -> None:
    """It is another counter every half minute; nothing of that is energy, and a few lines say so."""
    expected_logs.append("is another counter now")
    device = adopted(hass, "tap", import_entity="sensor.energy", rated_power_w=2_300)
    for place in range(100):
        counts(hass, "sensor.energy", 5_000 if place // 3 % 2 else 9_000)
        freezer.tick(10)
        assert (await registers_wh(device)) == (9_000_000, 0)
    named = [record for record in caplog.records if "is another counter now" in record.getMessage()]
    assert 0 < len(named) <= 10


async def test_a_word_that_integrations_use_in_two_senses_is_taken_as_its_own_means_it(hass: HomeAssistant) -> None:
    """One charger is ready for a car, another for the car that is there."""
    registry = er.async_get(hass)
    show(hass, "sensor.energy", 1, "kWh")
    for platform, state, with_car in (("wallbox", "available", False), ("tesla_wall_connector", "plugged", True)):
        entity = registry.async_get_or_create("sensor", platform, "state", suggested_object_id=platform)
        show(hass, entity.entity_id, "Ready")
        device = adopted(hass, "charger", import_entity="sensor.energy", charger_state=entity.id)
        assert (await device.async_read()).values == {"charger_state": state, "plugged": with_car}


async def test_a_battery_is_positive_while_it_charges(hass: HomeAssistant) -> None:
    """Many integrations say it the other way round; power and set-point are turned together."""
    show(hass, "sensor.charged", 10, "kWh")
    show(hass, "sensor.discharged", 9, "kWh")
    show(hass, "sensor.battery", -800, "W")
    show(hass, "number.set_point", 1500, "W", min=-5000, max=4000, step=10)
    show(hass, "sensor.capacity", 9.6, "kWh")
    device = adopted(
        hass,
        "battery",
        import_entity="sensor.charged",
        export_entity="sensor.discharged",
        power_entity="sensor.battery",
        set_point_w="number.set_point",
        capacity_wh="sensor.capacity",
        inverted=True,
    )
    answer = await device.async_read()
    assert answer.raw.power_w == 800
    assert answer.values == {"set_point_w": -1500, "capacity_wh": pytest.approx(9600)}
    assert (device.commands["set_point_w"].least, device.commands["set_point_w"].most) == (-4000, 5000)


async def test_a_renamed_entity_is_followed(hass: HomeAssistant) -> None:
    """The registry's id stays."""
    registry = er.async_get(hass)
    entity = registry.async_get_or_create("sensor", "demo", "energy")
    show(hass, entity.entity_id, 2, "kWh")
    device = adopted(hass, import_entity=entity.id)
    assert await registers_wh(device) == (2000, 0)
    registry.async_update_entity(entity.entity_id, new_entity_id="sensor.renamed")
    hass.states.async_remove(entity.entity_id)
    show(hass, "sensor.renamed", 3, "kWh")
    assert await registers_wh(device) == (3000, 0)


async def test_a_change_of_unit_is_no_energy(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """From kWh to Wh and back, also after a new day began: not even the last digit of a conversion."""
    device = adopted(hass, import_entity="sensor.today")
    registers = []
    for state, unit in (
        (5.001, "kWh"),
        (5001, "Wh"),
        (0, "kWh"),
        (0.1, "kWh"),
        (101, "Wh"),
        (151, "Wh"),
        (0.151, "kWh"),
    ):
        counts(hass, "sensor.today", state, unit)
        registers.append((await registers_wh(device))[0])
        freezer.tick(60)
    assert registers == [5001, 5001, 5001, 5101, 5102, 5152, 5152]


def test_every_slot_is_a_register_or_a_quantity_of_its_kind() -> None:
    """A name that nobody reads would be asked for in vain."""
    for slots in SLOTS.values():
        names = [slot.name for slot in slots]
        assert len(names) == len(set(names))
        for slot in slots:
            assert slot.name in REGISTER_SLOTS or slot.name in QUANTITIES
            assert (slot.converter is None) == (slot.name in {"charger_state", "plugged", "charge", "mode"})
    assert {slot.name for slots in SLOTS.values() for slot in slots} & COMMANDS == {
        "charge",
        "current_limit_a",
        "mode",
        "set_point_w",
    }
