"""Adding and changing meters and taps: from entities or Modbus, whose they are, and what they hang below."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.modbus import async_get_unit
from homeassistant.config_entries import ConfigFlowResult, ConfigSubentry, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
from modbus_connection import ModbusTlsParams
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.flows import probe
from custom_components.commonwatt.runtime import HANDOVERS

from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, entity_id, modbus_source, site_of, subentry
from .meter_device import MeterDevice, RawServer

type Make = Callable[..., MockConfigEntry]


MENU = ["entities", "modbus", "sunspec", "search"]


async def begin(hass: HomeAssistant, entry: MockConfigEntry, kind: str, *options: str) -> str:
    """Open the menu of a new device, choose, in a menu below it too, and return the dialogue's id."""
    menu = await hass.config_entries.subentries.async_init((entry.entry_id, kind), context={"source": "user"})
    assert menu["type"] is FlowResultType.MENU
    form = await choose(hass, menu["flow_id"], *options)
    if options == ("entities",):
        assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "device")
        form = await submit(hass, menu["flow_id"])
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, options[-1])
    return str(form["flow_id"])


async def choose(hass: HomeAssistant, flow_id: str, *options: str) -> SubentryFlowResult:
    """Choose in one menu after the other."""
    result = None
    for option in options:
        result = await hass.config_entries.subentries.async_configure(flow_id, {"next_step_id": option})
    assert result is not None
    return result


async def submit(hass: HomeAssistant, flow_id: str, **fields: Any) -> SubentryFlowResult:
    """Send a form."""
    return await hass.config_entries.subentries.async_configure(flow_id, fields)


async def change(hass: HomeAssistant, entry: MockConfigEntry, tap: str, *options: str) -> str:
    """Open the menu of an existing device, choose, and return the dialogue's id."""
    subentry_id = site_of(entry).taps[tap].subentry_id
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    assert (menu["type"], menu["menu_options"]) == (FlowResultType.MENU, ["details", *MENU])
    await choose(hass, menu["flow_id"], *options)
    return str(menu["flow_id"])


def subentry_of(entry: MockConfigEntry, tap: str) -> ConfigSubentry:
    """Return a tap's subentry."""
    found: ConfigSubentry = next(item for item in entry.subentries.values() if item.data["tap"] == tap)
    return found


def options(result: SubentryFlowResult | ConfigFlowResult, field: str) -> list[str]:
    """Return what a select field offers."""
    schema = result["data_schema"]
    assert schema is not None
    return [option["value"] for option in schema.schema[field].config["options"]]


@pytest.fixture
async def running(hass: HomeAssistant, make_local: Make) -> MockConfigEntry:
    """Run a site without a cloud and without taps."""
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.grid_out": 0, "sensor.flat": 500})
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def test_a_meter_and_a_tap_measure_with_existing_entities(hass: HomeAssistant, running: MockConfigEntry) -> None:
    """The meter hangs on the grid, the tap below it, and a name that nobody bears is a new owner."""
    flow_id = await begin(hass, running, "meter", "entities")
    form = await submit(hass, flow_id, import_entity="sensor.grid_in", export_entity="sensor.grid_out")
    assert (form["step_id"], options(form, "owner")) == ("details", ["anna"])
    result = await submit(hass, flow_id, name=" Main meter ", owner="anna", rated_power_w=17_000)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    flow_id = await begin(hass, running, "tap", "entities")
    form = await submit(hass, flow_id, import_entity="sensor.flat")
    assert options(form, "upstream") == ["grid", "T1", "island"]
    result = await submit(hass, flow_id, name="Flat", owner="Ben Meier", upstream="T1")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    assert subentry_of(running, "T1").title == "Main meter"
    assert subentry_of(running, "T1").data == {
        "tap": "T1",
        "source": {
            "source": "entities",
            "import_entity": "sensor.grid_in",
            "export_entity": "sensor.grid_out",
            "power_entity": None,
            "entities": {},
            "inverted": False,
        },
        "owner": "anna",
        "owner_name": "Anna",
        "upstream": "grid",
        "rated_power_w": 17_000,
    }
    assert site_of(running).settings.owners == {"anna": "Anna", "ben_meier": "Ben Meier"}
    assert site_of(running).taps["T2"].parent == "T1"


async def test_an_entity_with_a_registry_entry_may_be_renamed(hass: HomeAssistant, running: MockConfigEntry) -> None:
    """The tap keeps the registry's id, so a new entity id costs nothing."""
    registry = er.async_get(hass)
    known = registry.async_get_or_create("sensor", "demo", "1", suggested_object_id="heat")
    set_energy(hass, {known.entity_id: 700})
    flow_id = await begin(hass, running, "tap", "entities")
    await submit(hass, flow_id, import_entity=known.entity_id)
    await submit(hass, flow_id, name="Heat", owner="anna", upstream="grid")
    await hass.async_block_till_done()
    registry.async_update_entity(known.entity_id, new_entity_id="sensor.warmth")
    hass.states.async_remove(known.entity_id)
    set_energy(hass, {"sensor.warmth": 701})
    await site_of(running).async_refresh()
    reading = site_of(running).data.taps["T1"].reading
    assert reading is not None
    assert reading.import_wh == 701


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, {"base": "no_energy_entity"}),
        ({"import_entity": "sensor.flat", "export_entity": "sensor.flat"}, {"export_entity": "same_entity"}),
        ({"import_entity": "sensor.gone"}, {"import_entity": "entity_gone"}),
        ({"import_entity": "sensor.power"}, {"import_entity": "not_energy"}),
        ({"import_entity": "sensor.flat", "power_entity": "sensor.grid_in"}, {"power_entity": "not_power"}),
    ],
)
async def test_entities_that_cannot_measure_are_refused_in_words(
    hass: HomeAssistant, running: MockConfigEntry, fields: dict[str, str], errors: dict[str, str]
) -> None:
    """Every wrong choice is named at its field, and the right one goes on."""
    hass.states.async_set("sensor.power", "5", {"unit_of_measurement": "kW", "device_class": "power"})
    flow_id = await begin(hass, running, "tap", "entities")
    result = await submit(hass, flow_id, **fields)
    assert (result["step_id"], result["errors"]) == ("entities", errors)
    result = await submit(hass, flow_id, export_entity="sensor.flat", power_entity="sensor.power")
    assert result["step_id"] == "details"


async def test_our_own_entities_measure_nothing(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """A register that this integration shows would count itself."""
    own = entity_id(hass, "sensor", local, "T1_import_energy")
    result = await submit(hass, await begin(hass, local, "tap", "entities"), import_entity=own)
    assert result["errors"] == {"import_entity": "own_entity"}


async def test_one_register_measures_one_tap(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """An entity that measures another tap is refused, also as its export; the tap is named."""
    flow_id = await begin(hass, local, "tap", "entities")
    for fields in ({"import_entity": "sensor.flat"}, {"export_entity": "sensor.grid_in"}):
        result = await submit(hass, flow_id, **fields)
        assert result["errors"] == {"base": "source_in_use"}
    assert result["description_placeholders"] == {"tap": "Main meter"}


async def test_a_modbus_device_is_asked_who_it_is(
    hass: HomeAssistant, running: MockConfigEntry, device: MeterDevice
) -> None:
    """Its serial number is shown and kept, its rated power suggested."""
    device.rated_power_w = 22_000
    flow_id = await begin(hass, running, "meter", "modbus", "tcp")
    form = await submit(hass, flow_id, **address(device.port, host=" 127.0.0.1 "))
    assert form["step_id"] == "details"
    assert form["description_placeholders"] == {"serial": "T1-0001"}
    assert form["data_schema"] is not None
    [rated] = [field for field in form["data_schema"].schema if field == "rated_power_w"]
    assert rated.description == {"suggested_value": 22_000}
    await submit(hass, flow_id, name="Main meter", owner="anna", rated_power_w=22_000)
    await hass.async_block_till_done()
    assert subentry_of(running, "T1").data["source"] == modbus_source(device.port)
    assert site_of(running).data.taps["T1"].silent is False


def address(port: int, **changed: Any) -> dict[str, Any]:
    """Return the Modbus form, filled in for the loopback."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "profile": "commonwatt_tap",
        "more_options": {"unit_id": 1},
    } | changed


async def test_a_device_that_cannot_be_used_is_refused_in_words(
    hass: HomeAssistant, running: MockConfigEntry, device: MeterDevice, unused_tcp_port: int
) -> None:
    """Nobody there, nobody answering, another map, other link settings: each has its words, and then it works."""
    flow_id = await begin(hass, running, "tap", "modbus", "tcp")

    async def errors(port: int) -> dict[str, str]:
        result = await submit(hass, flow_id, **address(port))
        return result["errors"] or {}

    assert await errors(unused_tcp_port) == {"base": "cannot_connect"}
    hung = RawServer(b"")
    await hung.start()
    assert await errors(hung.port) == {"base": "timeout"}
    await hung.stop()
    device.magic = "SunS"
    assert await errors(device.port) == {"base": "wrong_device"}
    device.magic = "CWTP"
    assert await errors(device.port) == {}


async def test_link_settings_of_another_integration_are_respected(
    hass: HomeAssistant, running: MockConfigEntry, device: MeterDevice
) -> None:
    """A device that another integration reads in another way is not taken away from it."""
    holder = MockConfigEntry(domain="other")
    holder.add_to_hass(hass)
    async_get_unit(hass, holder, ModbusTlsParams(host="127.0.0.1", port=device.port), 1)
    result = await submit(hass, await begin(hass, running, "tap", "modbus", "tcp"), **address(device.port))
    assert result["errors"] == {"base": "link_settings_in_use"}


async def test_a_tap_needs_a_name_and_an_owner(hass: HomeAssistant, running: MockConfigEntry) -> None:
    """Blank words are refused at their fields; the same name in other letters is the same owner."""
    flow_id = await begin(hass, running, "tap", "entities")
    await submit(hass, flow_id, import_entity="sensor.flat")
    result = await submit(hass, flow_id, name=" ", owner=" ", upstream="grid")
    assert result["errors"] == {"name": "invalid_name", "owner": "invalid_name"}
    await submit(hass, flow_id, name="Flat", owner="ANNA", upstream="grid")
    assert subentry_of(running, "T1").data["owner"] == "anna"
    await hass.async_block_till_done()


async def test_a_paired_site_takes_the_owners_of_its_community_only(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Make
) -> None:
    """The cloud is master of owners: a name that it does not know cannot be typed in."""
    set_energy(hass, {"sensor.flat": 500})
    entry = make_paired()
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await begin(hass, entry, "tap", "entities")
    form = await submit(hass, flow_id, import_entity="sensor.flat")
    assert options(form, "owner") == ["anna", "ben"]
    with pytest.raises(InvalidData):
        await submit(hass, flow_id, name="Flat", owner="carl", upstream="grid")
    await submit(hass, flow_id, name="Flat", owner="ben", upstream="island")
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["owner"] == "ben"
    assert "owner_name" not in subentry_of(entry, "T1").data


async def test_a_tap_is_never_hung_below_itself(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """What is fed by a tap is not offered as what feeds it."""
    set_energy(hass, {"sensor.shed": 5})
    flow_id = await begin(hass, local, "tap", "entities")
    await submit(hass, flow_id, import_entity="sensor.shed")
    await submit(hass, flow_id, name="Shed", owner="anna", upstream="T2")
    await hass.async_block_till_done()
    subentry_id = site_of(local).taps["T2"].subentry_id
    menu = await local.start_subentry_reconfigure_flow(hass, subentry_id)
    form = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "details"})
    assert options(form, "upstream") == ["grid", "T1", "island"]


async def test_two_dialogues_cannot_make_a_loop_together(hass: HomeAssistant, make_local: Make) -> None:
    """Each alone is sound; the second to end is told that it would close a loop."""
    set_energy(hass, {"sensor.a": 1, "sensor.b": 1})
    entry = make_local(
        subentry("T1", source=entities_source("sensor.a")), subentry("T2", source=entities_source("sensor.b"))
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    first, second = await change(hass, entry, "T1", "details"), await change(hass, entry, "T2", "details")
    result = await submit(hass, first, name="A", owner="anna", upstream="T2")
    assert result["reason"] == "reconfigure_successful"
    result = await submit(hass, second, name="B", owner="anna", upstream="T1")
    assert result["errors"] == {"upstream": "loop"}
    result = await submit(hass, second, name="B", owner="anna", upstream="island")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert {tap.tap: tap.parent for tap in site_of(entry).taps.values()} == {"T1": "T2", "T2": "island"}


async def test_a_tap_removed_meanwhile_feeds_nothing(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """The form was open while its upstream went away."""
    set_energy(hass, {"sensor.shed": 5})
    flow_id = await begin(hass, local, "tap", "entities")
    await submit(hass, flow_id, import_entity="sensor.shed")
    hass.config_entries.async_remove_subentry(local, site_of(local).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    result = await submit(hass, flow_id, name="Shed", owner="anna", upstream="T2")
    assert result["errors"] == {"upstream": "upstream_gone"}


async def test_the_id_of_a_removed_tap_is_not_used_again(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Statements name taps for years."""
    hass.config_entries.async_remove_subentry(local, site_of(local).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(local.entry_id)
    hass.data.pop(HANDOVERS)  # as after a restart
    await hass.config_entries.async_setup(local.entry_id)
    flow_id = await begin(hass, local, "tap", "entities")
    await submit(hass, flow_id, import_entity="sensor.flat")
    await submit(hass, flow_id, name="Flat", owner="anna", upstream="T1")
    await hass.async_block_till_done()
    assert set(site_of(local).taps) == {"T1", "T3"}


async def test_details_of_a_tap_change(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Name, owner, upstream and rated power change; the tap stays the same tap on the same source."""
    before = subentry_of(local, "T2").data["source"]
    flow_id = await change(hass, local, "T2", "details")
    await submit(hass, flow_id, name="Garden flat", owner="Carl", upstream="grid", rated_power_w=5000)
    await hass.async_block_till_done()
    tap = site_of(local).taps["T2"]
    assert (tap.name, tap.owner, tap.parent, tap.rated_power_w) == ("Garden flat", "carl", None, 5000)
    assert subentry_of(local, "T2").data["source"] == before
    flow_id = await change(hass, local, "T2", "details")
    await submit(hass, flow_id, name="Garden flat", owner="carl", upstream="grid")
    await hass.async_block_till_done()
    assert site_of(local).taps["T2"].rated_power_w is None


async def test_the_source_of_a_tap_changes(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """The form shows the entities there are; its own are not taken for another tap's."""
    set_energy(hass, {"sensor.flat_out": 5})
    flow_id = await change(hass, local, "T2", "entities")
    await submit(hass, flow_id, import_entity="sensor.flat", export_entity="sensor.flat_out")
    await hass.async_block_till_done()
    assert subentry_of(local, "T2").data["source"]["export_entity"] == "sensor.flat_out"


async def test_a_device_may_move_and_an_exchanged_one_is_asked_about(
    hass: HomeAssistant, make_local: Make, device: MeterDevice
) -> None:
    """The same serial number elsewhere is just a new address; another one is taken only if the meter was exchanged."""
    entry = make_local(subentry("T1", "meter", source=modbus_source(1)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await submit(hass, await change(hass, entry, "T1", "modbus", "tcp"), **address(device.port))
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert site_of(entry).data.taps["T1"].silent is False

    device.serial = "T2-0002"
    flow_id = await change(hass, entry, "T1", "modbus", "tcp")
    result = await submit(hass, flow_id, **address(device.port))
    assert result["step_id"] == "exchange"
    assert result["description_placeholders"] == {"former": "T1-0001", "serial": "T2-0002"}
    result = await submit(hass, flow_id)
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"]["serial"] == "T2-0002"
    assert site_of(entry).data.taps["T1"].silent is False


async def test_a_site_that_does_not_run_takes_no_tap(hass: HomeAssistant, make_local: Make) -> None:
    """Owners and ids are known to a running site only."""
    entry = make_local()
    result = await hass.config_entries.subentries.async_init((entry.entry_id, "tap"), context={"source": "user"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_loaded")


async def test_one_device_measures_one_tap(hass: HomeAssistant, make_local: Make, device: MeterDevice) -> None:
    """The same unit at the same place, or the same serial number at another, is another tap's; it is named."""
    set_energy(hass, {"sensor.grid_in": 5})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", source=modbus_source(device.port)),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await begin(hass, entry, "tap", "modbus", "tcp")
    moved = MeterDevice()
    await moved.start()
    for port in (device.port, moved.port):
        result = await submit(hass, flow_id, **address(port))
        assert result["errors"] == {"base": "source_in_use"}
        assert result["description_placeholders"] == {"tap": "Tap T2"}
    moved.serial = "T3-0003"
    assert (await submit(hass, flow_id, **address(moved.port)))["step_id"] == "details"
    await moved.stop()


async def test_a_device_that_is_busy_for_ever_is_given_up(
    hass: HomeAssistant, running: MockConfigEntry, device: MeterDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link would go on asking for a minute; a person waits less."""
    monkeypatch.setattr(probe, "PROBE_SECONDS_MAX", 0.2)
    device.fault = ExcCodes.DEVICE_BUSY
    flow_id = await begin(hass, running, "tap", "modbus", "tcp")
    result = await submit(hass, flow_id, **address(device.port))
    assert result["errors"] == {"base": "timeout"}


async def test_two_owners_whose_names_sound_alike_are_two(hass: HomeAssistant, running: MockConfigEntry) -> None:
    """Only letters make an id; what else a name has still makes another person."""
    flow_id = await begin(hass, running, "tap", "entities")
    await submit(hass, flow_id, import_entity="sensor.flat")
    await submit(hass, flow_id, name="Flat", owner="Anna!", upstream="grid")
    await hass.async_block_till_done()
    assert site_of(running).settings.owners == {"anna": "Anna", "anna_2": "Anna!"}
