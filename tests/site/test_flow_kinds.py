"""One dialogue for every kind of device: what it offers, what it asks, and what a device of that kind becomes."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest

from .bus import open_map
from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, modbus_source, site_of, subentry
from .test_flow_tap import MENU, Make, begin, options, subentry_of, submit

KINDS = ("meter", "tap", "charger", "cable", "battery")
SPEAKS_NO_SUNSPEC = ("charger", "cable")


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_added_from_existing_entities(
    hass: HomeAssistant, local: MockConfigEntry, kind: str
) -> None:
    """Its dialogue offers what there is for it, and its device runs at once."""
    set_energy(hass, {"sensor.new": 700})
    menu = await hass.config_entries.subentries.async_init((local.entry_id, kind), context={"source": "user"})
    offered = [option for option in MENU if option != "sunspec" or kind not in SPEAKS_NO_SUNSPEC]
    assert menu["menu_options"] == offered
    flow_id = await begin(hass, local, kind, "entities")
    form = await submit(hass, flow_id, import_entity="sensor.new")
    assert form["step_id"] == "details"
    hung = {} if kind == "meter" else {"upstream": "T1"}
    result = await submit(hass, flow_id, name="New", owner="anna", **hung)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    tap = site_of(local).taps["T3"]
    assert (tap.kind, tap.name, tap.parent) == (kind, "New", hung.get("upstream"))
    assert site_of(local).data.taps["T3"].silent is False


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_changed_as_it_was_added(hass: HomeAssistant, make_local: Make, kind: str) -> None:
    """Its details and its source, each alone; what is not asked about stays."""
    set_energy(hass, {"sensor.old": 1, "sensor.new": 2, "sensor.grid": 3})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        subentry("T2", kind, upstream="grid", source=entities_source("sensor.old")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_of(entry, "T2").subentry_id)
    offered = [option for option in MENU if option != "sunspec" or kind not in SPEAKS_NO_SUNSPEC]
    assert menu["menu_options"] == ["details", *offered]
    form = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "entities"})
    assert suggestions(form)["import_entity"] == "sensor.old"
    result = await submit(hass, menu["flow_id"], import_entity="sensor.new")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    hung = {} if kind == "meter" else {"upstream": "T1"}
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_of(entry, "T2").subentry_id)
    await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "details"})
    result = await submit(hass, menu["flow_id"], name="Changed", owner="Ben", rated_power_w=5000, **hung)
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    tap = site_of(entry).taps["T2"]
    assert (tap.kind, tap.name, tap.owner, tap.parent) == (kind, "Changed", "ben", hung.get("upstream"))
    assert subentry_of(entry, "T2").data["source"]["import_entity"] == "sensor.new"


@pytest.mark.parametrize(("kind", "code"), [("tap", 1), ("charger", 3), ("cable", 4), ("battery", 5)])
async def test_every_kind_has_an_open_map(
    hass: HomeAssistant, local: MockConfigEntry, serve_line: Callable[..., Any], kind: str, code: int
) -> None:
    """Only maps of its own kind are offered, and a device of another kind is refused."""
    bus = await serve_line({1: open_map("K1", code), 2: open_map("K2", 6)})
    flow_id = await begin(hass, local, kind, "modbus", "tcp")
    form = {"host": "127.0.0.1", "port": bus.port, "profile": f"commonwatt_{kind}"}
    if kind != "tap":
        result = await submit(hass, flow_id, **form, more_options={"unit_id": 2})
        assert result["errors"] == {"base": "wrong_device"}
    result = await submit(hass, flow_id, **form, more_options={})
    assert result["step_id"] == "details"
    assert result["description_placeholders"] == {"serial": "K1"}


async def test_a_cable_feeds_nothing(hass: HomeAssistant, make_local: Make) -> None:
    """It is plugged in at a tap or the grid, on no island, and is not offered as what something hangs below."""
    set_energy(hass, {"sensor.grid": 1, "sensor.cable": 1, "sensor.new": 1})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        subentry("T2", "cable", upstream="T1", source=entities_source("sensor.cable")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await submit(hass, await begin(hass, entry, "tap", "entities"), import_entity="sensor.new")
    assert options(form, "upstream") == ["grid", "T1", "island"]
    form = await submit(hass, await begin(hass, entry, "cable", "entities"), import_entity="sensor.new")
    assert options(form, "upstream") == ["grid", "T1"]
    assert form["data_schema"] is not None
    assert "more_options" not in form["data_schema"].schema


async def test_a_cable_is_not_handed_over(hass: HomeAssistant, cloud: FakeCloud, make_paired: Make) -> None:
    """It is no tap that somebody owns at the cloud; its owner changes like its name."""
    set_energy(hass, {"sensor.grid": 1, "sensor.cable": 1})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        subentry("T2", "cable", upstream="T1", source=entities_source("sensor.cable")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_of(entry, "T2").subentry_id)
    assert "transfer" not in menu["menu_options"]
    form = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "details"})
    assert options(form, "owner") == ["anna", "ben"]
    result = await submit(hass, menu["flow_id"], name="Cable", owner="ben", upstream="T1")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert site_of(entry).taps["T2"].owner == "ben"


async def test_a_device_fills_its_form_in(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Of a smart plug only the device is chosen; its name and its switch are suggested as name and breaker."""
    plugs = MockConfigEntry(domain="demo_plug")
    plugs.add_to_hass(hass)
    plug = dr.async_get(hass).async_get_or_create(
        config_entry_id=plugs.entry_id, identifiers={("demo_plug", "1")}, name="Dryer plug"
    )
    registry = er.async_get(hass)
    known = {
        key: registry.async_get_or_create(
            domain, "demo_plug", key, device_id=plug.id, config_entry=plugs, original_device_class=device_class
        )
        for key, domain, device_class in (
            ("energy", "sensor", "energy"),
            ("power", "sensor", "power"),
            ("socket", "switch", "outlet"),
        )
    }
    set_energy(hass, {known["energy"].entity_id: 900})
    hass.states.async_set(known["power"].entity_id, "12", {"unit_of_measurement": "W", "device_class": "power"})
    hass.states.async_set(known["socket"].entity_id, "on")

    menu = await hass.config_entries.subentries.async_init((local.entry_id, "tap"), context={"source": "user"})
    flow_id = menu["flow_id"]
    await hass.config_entries.subentries.async_configure(flow_id, {"next_step_id": "entities"})
    form = await submit(hass, flow_id, device_id=plug.id)
    assert form["step_id"] == "entities"
    suggested = suggestions(form)
    assert suggested["import_entity"] == known["energy"].entity_id
    assert suggested["power_entity"] == known["power"].entity_id
    form = await submit(hass, flow_id, **{key: suggested[key] for key in ("import_entity", "power_entity")})
    assert suggestions(form)["name"] == "Dryer plug"
    assert form["data_schema"] is not None
    more = form["data_schema"].schema["more_options"]
    [breaker] = [key for key in more.schema.schema if key == "breaker_entity"]
    assert breaker.description == {"suggested_value": known["socket"].entity_id}


def suggestions(form: Any) -> dict[str, Any]:
    """Return what a form suggests, by field."""
    described = {str(key): key.description for key in form["data_schema"].schema}
    return {key: described[key]["suggested_value"] for key in described if described[key]}


async def test_a_device_is_known_by_its_own_words(
    hass: HomeAssistant, local: MockConfigEntry, serve_line: Callable[..., Any]
) -> None:
    """Maker and model are suggested as its name."""
    bus = await serve_line({1: {0: [0] * 90, 64512: [0, 7]}})
    flow_id = await begin(hass, local, "meter", "modbus", "tcp")
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "eastron_sdm630", "more_options": {}}
    assert suggestions(await submit(hass, flow_id, **form))["name"] == "Eastron SDM630"


async def test_a_device_that_is_taken_while_the_form_is_open_is_not_added_twice(
    hass: HomeAssistant, make_local: Make, serve_line: Callable[..., Any]
) -> None:
    """Two dialogues about one device: the second to end is told."""
    bus = await serve_line({1: open_map("ONE")})
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap", "more_options": {}}
    flows = [await begin(hass, entry, "tap", "modbus", "tcp") for _ in range(2)]
    for flow_id in flows:
        await submit(hass, flow_id, **form)
    results = [await submit(hass, flow_id, name="Flat", owner="anna", upstream="grid") for flow_id in flows]
    assert results[0]["type"] is FlowResultType.CREATE_ENTRY
    assert results[1]["errors"] == {"base": "source_in_use"}
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"] == modbus_source(bus.port, "ONE")
