"""Entities follow the device: each kind has what a person expects, as it tells it, when it tells it, and only then."""

from collections.abc import Callable
from datetime import time

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, EntityCategory
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.commonwatt.arrivals import EVERY_KIND, Offer, QuantityDescription, is_stale, is_wanted
from custom_components.commonwatt.devices.port import DeviceIdentity, Kind, Quantity, Range, Value
from custom_components.commonwatt.wish import Wish

from .house import MockConfigEntry, entity_id, site_of, value
from .told_device import COMMANDS, ELECTRICAL, EXTRA, Run, ToldDevice, device_of, stand_in

type Make = Callable[..., MockConfigEntry]

PHASED = {f"{name}_{phase}" for name in ("voltage", "current", "power") for phase in ("l1", "l2", "l3")}
RARE = PHASED | {"apparent_power", "reactive_power", "power_factor", "frequency"}
COMMON = {"power", "import_energy", "export_energy", "voltage", "current", "owner"}
CAR_KEYS = {
    "sensor": {"charger_state", "session_energy", "state_of_charge", "capacity", "energy_needed"},
    "binary_sensor": {"plugged"},
    "switch": {"charge"},
    "number": {"current_limit", "charge_needed"},
    "select": {"mode"},
    "time": {"departure"},
    "event": {"charger"},
}
CABLE_KEYS = {
    "sensor": CAR_KEYS["sensor"] | {"site_id", "permission", "agreement", "signed_number"},
    "binary_sensor": {"plugged", "signed_valid"},
    "number": CAR_KEYS["number"] | {"set_point"},
}
ON: dict[Kind, dict[str, set[str]]] = {
    "tap": {"sensor": COMMON | {"quality"}},
    "meter": {"sensor": COMMON | {"quality", "demand"}},
    "charger": CAR_KEYS | {"sensor": (COMMON | {"quality"} | CAR_KEYS["sensor"]) - {"export_energy"}},
    "cable": CAR_KEYS | CABLE_KEYS | {"sensor": COMMON | CABLE_KEYS["sensor"]},
    "battery": {
        "sensor": COMMON | {"quality", "state_of_charge", "capacity"},
        "number": {"set_point"},
        "select": {"mode"},
    },
}
OFF: dict[Kind, set[str]] = {
    "tap": RARE | {"dc_power", *(f"dc_power_{place}" for place in (1, 2, 3, 4))},
    "meter": RARE | {"demand_max"},
    "charger": RARE | {"export_energy"},
    "cable": RARE | {"vehicle_id", "user_id"},
    "battery": RARE,
}


async def start(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Start a site."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def poll(hass: HomeAssistant, entry: MockConfigEntry, clock: FrozenDateTimeFactory) -> None:
    """Let a poll's time pass, and poll."""
    clock.tick(5)
    await site_of(entry).async_refresh()
    await hass.async_block_till_done()


def found(hass: HomeAssistant, entry: MockConfigEntry, tap: str = "T1") -> dict[tuple[str, str], er.RegistryEntry]:
    """Return the entities of a tap by platform and key."""
    prefix = f"{entry.data['key_id']}_{tap}_"
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        (entity.domain, entity.unique_id.removeprefix(prefix)): entity
        for entity in entities
        if entity.unique_id.startswith(prefix)
    }


def state_of(hass: HomeAssistant, entry: MockConfigEntry, key: str, platform: str = "sensor") -> State:
    """Return the whole state of an entity of T1."""
    state = hass.states.get(entity_id(hass, platform, entry, f"T1_{key}"))
    assert state is not None
    return state


@pytest.mark.parametrize("kind", sorted(EVERY_KIND))
async def test_each_kind_has_what_a_person_expects(hass: HomeAssistant, run: Run, kind: Kind) -> None:
    """Nothing is missing, nothing is too many, and what only a few need is off."""
    entry = await run(device_of(kind), kind)
    entities = found(hass, entry)
    on = {place for place, entity in entities.items() if not entity.disabled}
    assert on == {(platform, key) for platform, keys in ON[kind].items() for key in keys}
    assert {place for place, entity in entities.items() if entity.disabled} == {("sensor", key) for key in OFF[kind]}
    rare = {entities["sensor", key].entity_category for key in OFF[kind]}
    assert rare == {EntityCategory.DIAGNOSTIC}


@pytest.mark.parametrize("kind", sorted(EVERY_KIND))
async def test_every_entity_shows_its_value(
    hass: HomeAssistant, run: Run, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """With everything switched on nothing is unknown, and a number has a unit unless it is a pure one."""
    monkeypatch.setattr("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", True)
    entry = await run(device_of(kind), kind)
    for (platform, key), entity in found(hass, entry).items():
        state = hass.states.get(entity.entity_id)
        assert state is not None, key
        if key not in {"quality", "charger"}:  # nothing is closed yet, nothing happened yet
            assert state.state not in (STATE_UNKNOWN, STATE_UNAVAILABLE), (platform, key)
        pure = key in {"power_factor", "signed_number"}
        if state.state.replace(".", "").lstrip("-").isdigit() and not pure:
            assert state.attributes["unit_of_measurement"], key


async def test_names_units_and_classes_are_those_people_know(hass: HomeAssistant, run: Run) -> None:
    """Energy in kWh as a total, state of charge as a battery, an enum with all its states."""
    entry = await run(device_of("cable"), "cable")
    seen = {
        key: (
            state.state,
            state.attributes.get("unit_of_measurement"),
            state.attributes.get("device_class"),
            state.attributes.get("state_class"),
            state.name,
        )
        for (platform, key), entity in found(hass, entry).items()
        if platform == "sensor" and (state := hass.states.get(entity.entity_id)) is not None
    }
    assert seen == {
        "power": ("50", "W", "power", "measurement", "Tap T1 Power"),
        "import_energy": ("1.0", "kWh", "energy", "total_increasing", "Tap T1 Charged energy"),
        "export_energy": ("0.2", "kWh", "energy", "total_increasing", "Tap T1 Discharged energy"),
        "voltage": ("230.4", "V", "voltage", "measurement", "Tap T1 Voltage"),
        "current": ("3.2", "A", "current", "measurement", "Tap T1 Current"),
        "owner": ("Anna", None, None, None, "Tap T1 Owner"),
        "charger_state": ("charging", None, "enum", None, "Tap T1 Charger"),
        "session_energy": ("5.4", "kWh", "energy", "total_increasing", "Tap T1 Energy of this session"),
        "state_of_charge": ("55", "%", "battery", "measurement", "Tap T1 State of charge"),
        "capacity": ("60.0", "kWh", "energy_storage", "measurement", "Tap T1 Battery capacity"),
        "energy_needed": ("15.0", "kWh", "energy_storage", "measurement", "Tap T1 Energy still needed"),
        "site_id": ("site-of-the-host", None, None, None, "Tap T1 Site where plugged in"),
        "permission": ("charge_only", None, "enum", None, "Tap T1 Permission"),
        "agreement": ("match", None, "enum", None, "Tap T1 Agreement with the meter"),
        "signed_number": ("41", None, None, None, "Tap T1 Newest signed interval"),
    }
    number = state_of(hass, entry, "current_limit", "number").attributes
    assert (number["min"], number["max"], number["step"], number["unit_of_measurement"]) == (6, 32, 1, "A")
    assert state_of(hass, entry, "mode", "select").attributes["options"] == ["eco", "fast"]
    assert state_of(hass, entry, "plugged", "binary_sensor").attributes["device_class"] == "plug"


async def test_what_a_device_tells_later_gets_its_entity_then(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """A car that is not plugged in has no state of charge yet; a charger may learn a command."""
    device = ToldDevice({"plugged": False}, more=frozenset({"soc_percent", "capacity_wh"}))
    entry = await run(device, "charger")
    assert ("sensor", "state_of_charge") not in found(hass, entry)
    device.values |= {"plugged": True, "soc_percent": 40}
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_state_of_charge") == "40"
    assert ("sensor", "energy_needed") not in found(hass, entry)
    device.values["capacity_wh"] = 50_000
    device.commands["current_limit_a"] = Range(6, 16, 1)
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_energy_needed") == "20.0"
    assert value(hass, entry, "T1_current_limit", "number") == STATE_UNKNOWN
    await poll(hass, entry, clock)
    assert len([key for key in found(hass, entry) if key == ("sensor", "state_of_charge")]) == 1


async def test_a_quantity_without_a_value_is_unknown_and_comes_back(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """Never zero, and its entity stays."""
    device = device_of("charger")
    entry = await run(device, "charger")
    soc = device.values.pop("soc_percent")
    device.more = frozenset({"soc_percent"})
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_state_of_charge") == value(hass, entry, "T1_energy_needed") == STATE_UNKNOWN
    device.values["soc_percent"] = soc
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_state_of_charge") == "55"


async def test_a_word_that_nobody_knows_is_unknown(hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory) -> None:
    """A state outside the list must not break the poll of all others."""
    device = device_of("cable")
    entry = await run(device, "cable")
    device.values |= {"permission": "perhaps", "mode": "turbo"}
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_permission") == value(hass, entry, "T1_mode", "select") == STATE_UNKNOWN
    assert value(hass, entry, "T1_agreement") == "match"


SILENT_TOO = {"owner", "quality", "departure", "charge_needed"}  # what the site itself knows


@pytest.mark.parametrize("kind", sorted(EVERY_KIND))
async def test_a_silent_device_is_unavailable_and_comes_back(
    hass: HomeAssistant,
    run: Run,
    clock: FrozenDateTimeFactory,
    expected_logs: list[str],
    kind: Kind,
) -> None:
    """One miss is patience, more is silence; what the site itself knows stays."""
    expected_logs.append("is silent")
    device = device_of(kind)
    entry = await run(device, kind)
    everything = {place for place, entity in found(hass, entry).items() if not entity.disabled}
    device.silent = True
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_voltage") == "230.4"
    await poll(hass, entry, clock)
    states = {place: value(hass, entry, f"T1_{place[1]}", place[0]) for place in everything}
    assert {place[1] for place, state in states.items() if state != STATE_UNAVAILABLE} == {
        key for _, key in everything if key in SILENT_TOO
    }
    device.silent = False
    await poll(hass, entry, clock)
    states = {place: value(hass, entry, f"T1_{place[1]}", place[0]) for place in everything}
    assert [place for place, state in states.items() if state == STATE_UNAVAILABLE] == []


async def test_entities_known_of_old_are_there_while_their_device_is_silent(
    hass: HomeAssistant,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    clock: FrozenDateTimeFactory,
) -> None:
    """After a restart at night the inverter says nothing: unavailable, not missing."""
    entry = await run(device_of("charger"), "charger")
    before = set(found(hass, entry))
    asleep = ToldDevice(silent=True)
    stand_in(monkeypatch, {"T1": asleep})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert set(found(hass, entry)) == before
    for platform, key in (("sensor", "voltage"), ("number", "current_limit"), ("switch", "charge"), ("select", "mode")):
        assert value(hass, entry, f"T1_{key}", platform) == STATE_UNAVAILABLE
    awake = device_of("charger")
    asleep.silent, asleep.values, asleep.commands = False, awake.values, awake.commands
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_current_limit", "number") == "16"
    assert set(found(hass, entry)) == before


async def test_entities_that_a_new_source_cannot_fill_are_removed(
    hass: HomeAssistant, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it answers: a charger reconfigured to a simpler one; what merely has no value now stays."""
    entry = await run(device_of("charger"), "charger")
    simple = ToldDevice({"plugged": True, "current_limit_a": 10}, more=frozenset({"charger_state"}))
    stand_in(monkeypatch, {"T1": simple})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    left = {key for key in found(hass, entry) if key not in {("sensor", key) for key in COMMON | OFF["charger"]}}
    assert left == {
        ("sensor", "quality"),
        ("sensor", "charger_state"),
        ("sensor", "current_limit"),
        ("binary_sensor", "plugged"),
        ("number", "charge_needed"),
        ("time", "departure"),
        ("event", "charger"),
    }
    assert value(hass, entry, "T1_charger_state") == STATE_UNKNOWN
    assert value(hass, entry, "T1_current_limit") == "10"
    assert not {("sensor", key) for key in RARE | {"voltage"}} & set(found(hass, entry))


@pytest.mark.parametrize(
    ("of", "place"),
    [
        (("charger", "current_limit_a"), ("number", "current_limit")),
        (("battery", "set_point_w"), ("number", "set_point")),
        (("battery", "mode"), ("select", "mode")),
        (("charger", "charge"), ("switch", "charge")),
    ],
)
async def test_what_cannot_be_told_is_only_shown(
    hass: HomeAssistant,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    of: tuple[Kind, Quantity],
    place: tuple[str, str],
) -> None:
    """A sensor in place of a number that nobody could set; and the number in its place when it can be set."""
    (kind, quantity), (platform, key) = of, place
    told: Value = EXTRA[kind][quantity]
    shown = "binary_sensor" if platform == "switch" else "sensor"
    device = ToldDevice({quantity: told})
    entry = await run(device, kind)
    assert (shown, key) in found(hass, entry)
    assert place not in found(hass, entry)
    stand_in(monkeypatch, {"T1": ToldDevice({quantity: told}, dict(COMMANDS[kind]))})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert (shown, key) not in found(hass, entry)
    assert place in found(hass, entry)


async def test_an_entity_is_written_only_when_it_changes(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """A poll that brings the same writes nothing; a poll that brings one new value writes that one."""
    device = device_of("charger")
    entry = await run(device, "charger")
    await poll(hass, entry, clock)
    places = {place for place, entity in found(hass, entry).items() if not entity.disabled}

    def written() -> dict[str, float]:
        return {key: state_of(hass, entry, key, platform).last_reported_timestamp for platform, key in places}

    before = written()
    await poll(hass, entry, clock)
    assert written() == before
    device.values["voltage_v"] = 228.8
    device.import_wh += 1
    await poll(hass, entry, clock)
    after = written()
    assert {key for key in after if after[key] != before[key]} == {"voltage", "import_energy"}


async def test_a_wish_has_a_good_default_and_outlives_a_restart(
    hass: HomeAssistant, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven in the morning and 80 % until somebody says otherwise; then that, whatever the device does."""
    entry = await run(device_of("charger"), "charger")
    wishes = entry.runtime_data.wishes
    assert wishes == {"T1": Wish(time(7), 80)}
    assert value(hass, entry, "T1_departure", "time") == "07:00:00"
    assert value(hass, entry, "T1_charge_needed", "number") == "80"
    departure = {"entity_id": entity_id(hass, "time", entry, "T1_departure"), "time": "05:45:00"}
    await hass.services.async_call("time", "set_value", departure, blocking=True)
    charge = {"entity_id": entity_id(hass, "number", entry, "T1_charge_needed"), "value": 95}
    await hass.services.async_call("number", "set_value", charge, blocking=True)
    await hass.async_block_till_done()
    assert wishes == {"T1": Wish(time(5, 45), 95)}
    assert value(hass, entry, "T1_energy_needed") == "24.0"  # (95 - 55) % of 60 kWh, and at once
    stand_in(monkeypatch, {"T1": ToldDevice(silent=True)})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.runtime_data.wishes == {"T1": Wish(time(5, 45), 95)}
    assert value(hass, entry, "T1_departure", "time") == "05:45:00"
    assert value(hass, entry, "T1_charge_needed", "number") == "95"


async def test_a_full_car_needs_nothing(hass: HomeAssistant, run: Run) -> None:
    """More than wished for is not less than nothing."""
    device = device_of("charger")
    device.values["soc_percent"] = 97
    entry = await run(device, "charger")
    assert value(hass, entry, "T1_energy_needed") == "0.0"


def test_the_device_in_memory_tells_all_there_is() -> None:
    """Every quantity is told by some kind here, or a new one would go untested."""
    from custom_components.commonwatt.devices.port import COMMANDS as EVERY_COMMAND, QUANTITIES

    assert set(ELECTRICAL).union(*EXTRA.values()) == QUANTITIES
    assert set[str]().union(*COMMANDS.values()) >= EVERY_COMMAND - {"agreement"}
    assert ToldDevice(identity=DeviceIdentity("s", None)).identity is not None


async def test_a_device_met_anew_keeps_its_entities(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """After a lost connection it has nothing to offer for a moment: no entity goes, and none comes in its place."""
    device = device_of("battery")
    entry = await run(device, "battery")
    before = found(hass, entry)
    commands, device.commands = device.commands, {}
    device.power_w = 51
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_power") == "51"
    assert found(hass, entry) == before
    assert value(hass, entry, "T1_set_point", "number") == "800"
    device.commands = commands
    await poll(hass, entry, clock)
    assert found(hass, entry) == before


async def test_a_device_whose_registers_are_doubted_still_tells_the_rest(
    hass: HomeAssistant, run: Run, clock: FrozenDateTimeFactory
) -> None:
    """A register that is refused is unavailable, never zero; voltage and state stand."""
    device = device_of("charger")
    device.import_wh = -1
    entry = await run(device, "charger")
    assert value(hass, entry, "T1_voltage") == "230.4"
    assert value(hass, entry, "T1_import_energy") == STATE_UNAVAILABLE
    assert value(hass, entry, "T1_power") == STATE_UNKNOWN
    device.import_wh = 4000
    await poll(hass, entry, clock)
    assert value(hass, entry, "T1_import_energy") == "4.0"


SHOWN = QuantityDescription(key="a", quantity="current_limit_a", read_only=True)
SET = QuantityDescription(key="b", quantity="current_limit_a", told=True)
BOTH = QuantityDescription(key="c", quantity="soc_percent", needs=("capacity_wh",))


@pytest.mark.parametrize(
    ("offer", "wanted", "stale"),
    [
        (Offer(), set(), set()),
        (Offer(answered=True), set(), {"a", "b", "c"}),
        (Offer(frozenset({"current_limit_a"})), set(), set()),
        (Offer(frozenset({"current_limit_a"}), answered=True), set(), {"c"}),
        (Offer(frozenset(), frozenset({"current_limit_a"})), {"b"}, set()),
        (Offer(values=frozenset({"current_limit_a"}), answered=True), {"a"}, {"b", "c"}),
        (
            Offer(commands=frozenset({"current_limit_a"}), values=frozenset({"current_limit_a"}), answered=True),
            {"b"},
            {"a", "c"},
        ),
        (Offer(frozenset({"capacity_wh"}), values=frozenset({"soc_percent"}), answered=True), set(), {"a", "b"}),
        (Offer(values=frozenset({"soc_percent", "capacity_wh"}), answered=True), {"c"}, {"a", "b"}),
    ],
)
def test_what_is_made_and_what_is_removed_follows_from_the_offer(
    offer: Offer, wanted: set[str], stale: set[str]
) -> None:
    """Nothing is ever both; nothing goes before the device has answered."""
    descriptions = (SHOWN, SET, BOTH)
    assert {description.key for description in descriptions if is_wanted(description, offer)} == wanted
    assert {description.key for description in descriptions if is_stale(description, offer)} == stale
    assert not wanted & stale
