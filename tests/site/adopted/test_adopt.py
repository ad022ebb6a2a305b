"""The form of adopted entities: filled in by a guess from the device, checked slot by slot, shown as it is kept."""

from typing import Any, get_args

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices.adopted import SLOTS
from custom_components.commonwatt.devices.port import Kind
from custom_components.commonwatt.fitting import adoption
from custom_components.commonwatt.flows import adopt
from custom_components.commonwatt.flows.pairing import FormErrors
from custom_components.commonwatt.site import TapConfig
from custom_components.commonwatt.sources import EntitiesSource, source_of

from ..house import MockConfigEntry
from .plug import PLUG, Reading, plugged_in, socket
from .things import show

KINDS: tuple[Kind, ...] = get_args(Kind.__value__)


async def device_of(hass: HomeAssistant) -> str:
    """Return the id of the device plugged in."""
    (entry,) = hass.config_entries.async_entries(PLUG)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return device.id


async def test_a_plug_fills_the_form_in(hass: HomeAssistant) -> None:
    """The totals rather than a tariff's, the outlet rather than its lock; its name is no word of its entities."""
    await plugged_in(hass, socket())
    picked = adopt.picked(hass, "tap", await device_of(hass))
    assert picked.name == "Solar pump"
    assert picked.breaker == "switch.solar_pump"
    assert picked.form == {
        "import_entity": "sensor.solar_pump_energy_import",
        "export_entity": "sensor.solar_pump_energy_export",
        "power_entity": "sensor.solar_pump",
        "electrical": {"voltage_v": "sensor.solar_pump_voltage"},
        "inverted": False,
    }
    found = FormErrors()
    source = adopt.check(hass, "tap", picked.form, found)
    assert not found
    registry = er.async_get(hass)
    assert source["import_entity"] == registry.async_get("sensor.solar_pump_energy_import").id  # type: ignore[union-attr]
    assert adopt.form(hass, source) == picked.form


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_asks_for_every_slot_once(kind: Kind) -> None:
    """In sight or folded up."""
    asked: list[str] = []
    for field, value in adopt.schema(kind).schema.items():
        inner = getattr(value, "schema", None)
        asked += [str(name) for name in inner.schema] if inner is not None else [str(field)]
    options = {"inverted", "direction"} & set(asked)
    assert sorted(asked) == sorted([*(slot.name for slot in SLOTS[kind]), *options])
    assert "inverted" in options
    adopt.schema(kind)({})


CHARGER = {
    "power_entity": "sensor.power",
    "charger_state": "sensor.state",
    "charge": "switch.charge",
    "mode": "select.mode",
    "electrical": {"voltage_v": "sensor.voltage"},
    "phases": {"current_l1_a": "sensor.amps"},
    "inverted": True,
}


@pytest.fixture
def charger(hass: HomeAssistant) -> None:
    """Set the entities of a charger."""
    show(hass, "sensor.power", 0, "kW")
    show(hass, "sensor.energy", 0, "kWh")
    show(hass, "sensor.state", "available")
    show(hass, "switch.charge", "on")
    show(hass, "select.mode", "eco")
    show(hass, "sensor.voltage", 230, "V")
    show(hass, "sensor.amps", 0, "A")
    show(hass, "sensor.spare", 0, "V")


@pytest.mark.usefixtures("charger")
async def test_what_was_filled_in_is_kept_read_and_shown_again(hass: HomeAssistant) -> None:
    """From the form to the device and back."""
    found = FormErrors()
    source = adopt.check(hass, "charger", adopt.schema("charger")(CHARGER), found)
    assert not found
    assert adopt.form(hass, source) == CHARGER
    read = source_of(source)
    assert isinstance(read, EntitiesSource)
    tap = TapConfig("T1", "", "charger", "", "", None, None, 11_000, read)
    adopted = adoption(tap, read)
    assert adopted.made == {"import"}
    assert {slot.name for slot in adopted.slots} == {
        "power_entity",
        "charger_state",
        "charge",
        "mode",
        "voltage_v",
        "current_l1_a",
    }
    assert (adopted.inverted, adopted.rated_power_w) == (True, 11_000)


async def test_a_generator_is_known_by_its_power(hass: HomeAssistant) -> None:
    """It only gives, and says so with a positive number; a battery's dialogue does not ask."""
    producing = Reading(
        "power_production",
        "Power production",
        2100,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
    )
    await plugged_in(hass, {"sensor": [producing]}, "Roof")
    form = adopt.picked(hass, "tap", await device_of(hass)).form
    assert form == {"power_entity": "sensor.roof_power_production", "inverted": True, "direction": "export"}


async def test_the_direction_is_kept_only_when_chosen(hass: HomeAssistant) -> None:
    """Left empty, the sensors tell."""
    show(hass, "sensor.power", 0, "W")
    found = FormErrors()
    chosen: dict[str, Any] = {"power_entity": "sensor.power", "inverted": False}
    assert "direction" not in adopt.check(hass, "tap", chosen, found)
    source = adopt.check(hass, "tap", chosen | {"direction": "export"}, found)
    assert not found
    assert adopt.form(hass, source)["direction"] == "export"
    read = source_of(source)
    assert isinstance(read, EntitiesSource)
    assert read.direction == "export"


@pytest.mark.usefixtures("charger")
@pytest.mark.parametrize(
    ("changed", "field", "error", "entity"),
    [
        ({"power_entity": None}, "base", "no_energy_entity", None),
        ({"power_entity": "sensor.none"}, "power_entity", "entity_gone", "sensor.none"),
        ({"power_entity": "sensor.energy"}, "power_entity", "not_power", "sensor.energy"),
        ({"import_entity": "sensor.spare"}, "import_entity", "not_energy", "sensor.spare"),
        (
            {"session_wh": "sensor.energy", "import_entity": "sensor.energy"},
            "session_wh",
            "same_entity",
            "sensor.energy",
        ),
        ({"electrical": {"voltage_v": "sensor.amps"}}, "base", "not_unit", "sensor.amps"),
        ({"charge": "sensor.state"}, "charge", "wrong_entity", "sensor.state"),
        ({"phases": {"current_l1_a": "sensor.none"}}, "base", "entity_gone", "sensor.none"),
    ],
)
async def test_what_cannot_be_taken_is_said_at_its_field(
    hass: HomeAssistant, changed: dict[str, Any], field: str, error: str, entity: str | None
) -> None:
    """Folded up fields have none in sight: then at the form, with the entity's name."""
    found = FormErrors()
    adopt.check(hass, "charger", CHARGER | changed, found)
    assert found.errors == {field: error}
    assert found.placeholders.get("entity") == entity


async def test_own_and_disabled_entities_are_refused(hass: HomeAssistant) -> None:
    """What Commonwatt made of a device is not the device."""
    registry = er.async_get(hass)
    entry = MockConfigEntry(domain=DOMAIN)
    entry.add_to_hass(hass)
    own = registry.async_get_or_create("sensor", DOMAIN, "power", config_entry=entry)
    off = registry.async_get_or_create("sensor", "demo", "power", disabled_by=er.RegistryEntryDisabler.USER)
    for entity, error in ((own, "own_entity"), (off, "entity_disabled")):
        found = FormErrors()
        adopt.check(hass, "tap", {"power_entity": entity.entity_id}, found)
        assert found.errors == {"power_entity": error}


async def test_the_form_of_another_source_is_empty(hass: HomeAssistant) -> None:
    """A Modbus device has no entities to show; one that is gone is shown as none."""
    assert adopt.form(hass, {"source": "modbus"}) == {}
    gone = {"source": "entities", "import_entity": "0123456789abcdef0123456789abcdef", "power_entity": "sensor.power"}
    assert adopt.form(hass, gone) == {"power_entity": "sensor.power", "inverted": False}


async def test_our_own_entities_are_no_candidates(hass: HomeAssistant) -> None:
    """Nor is anything of a device nobody knows."""
    entry = MockConfigEntry(domain=DOMAIN)
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, identifiers={(DOMAIN, "x")})
    er.async_get(hass).async_get_or_create("sensor", DOMAIN, "power", config_entry=entry, device_id=device.id)
    assert adopt.candidates(hass, device.id) == []
    assert adopt.picked(hass, "tap", "nobody") == adopt.Picked({"inverted": False}, None, None)
