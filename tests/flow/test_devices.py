"""Devices of a real home, end to end: steered, lost and found again, discovered, exchanged, restarted and removed."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address
from itertools import pairwise
import json
import time
from typing import Any

from homeassistant.components.repairs import DOMAIN as REPAIRS, repairs_flow_manager
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.setup import async_setup_component
import pytest

from demo import steered
from demo.community import GRID_BUY, GRID_SELL, LOCAL
from demo.devices import House
from demo.house import MAIN_METER
from demo.listening import Endpoint
from demo.steered_server import SteeredServer, furnish
from tests.site.meter_device import MeterDevice

from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, pair, settled, until
from .stores import rows_of
from .test_bad_days import assert_sums_hold, readings_of

PLUG, PLUG_W = "sensor.plug_power", 360_000
PLUG_WH = PLUG_W * INTERVAL_SECONDS // 3600
ROUNDED_WH = 2  # both ends of an interval are whole Wh
METER, CHARGER = "T1", "T2"

type EntityOf = tuple[str, str, str]  # of which tap, on which platform, under which key
CHARGE: EntityOf = (CHARGER, "switch", "charge")
LIMIT: EntityOf = (CHARGER, "number", "current_limit")
SET_POINT: EntityOf = ("T3", "number", "set_point")


@pytest.fixture
async def furniture(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, SteeredServer]]:
    """Run a charger and a battery in the house; in its pressed time a poll is so seldom that they must not forget."""
    monkeypatch.setattr(steered, "FORGOTTEN_MS", 10**9)
    servers = furnish(house)
    for server in servers.values():
        await server.start()
    yield servers
    for server in servers.values():
        await server.stop()


@pytest.fixture
async def home(
    hass: HomeAssistant, cloud: Cloud, house: House, furniture: dict[str, SteeredServer]
) -> AsyncIterator[ConfigEntry[Any]]:
    """Run a paired home with a main meter, Ben's charger on Modbus, and a plug that tells nothing but its power."""
    entry = await pair(hass, cloud)
    hass.states.async_set(PLUG, str(PLUG_W), {"unit_of_measurement": "W", "device_class": "power"})
    await add_modbus(hass, entry, "meter", house.endpoints[MAIN_METER.key], "commonwatt_tap", owner="anna")
    await add_modbus(
        hass, entry, "charger", furniture["charger"].endpoint, "commonwatt_charger", owner="ben", upstream=METER
    )
    await say(hass, entry, CHARGE, "turn_on")
    yield entry
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)


async def test_a_charger_a_battery_and_a_plug_are_settled_steered_and_found_again(
    hass: HomeAssistant, home: ConfigEntry[Any], cloud: Cloud, furniture: dict[str, SteeredServer]
) -> None:
    """Each counts as well as it can tell, does what it is told, and out of sight no energy of it is lost or made."""
    await add_modbus(
        hass, home, "battery", furniture["battery"].endpoint, "commonwatt_battery", owner="sun", upstream=METER
    )
    await add_plug(hass, home, owner="ben")
    await say(hass, home, SET_POINT, "set_value", value=-3000)
    assert furniture["battery"].device.set_point_w == -3000

    await command_the_charger(hass, home, furniture["charger"])
    start = boundary_after(time.time())
    await lose_the_charger(hass, home, cloud, furniture["charger"], start + INTERVAL_SECONDS)
    await assert_the_home_is_settled(cloud, start)
    assert_sums_hold(await cloud.operator.proof())


async def assert_the_home_is_settled(cloud: Cloud, start: int) -> None:
    """Compare what the owners are charged with what each device carried in an interval."""
    readings = {tap: reading_of(cloud, tap, start) for tap in ("T1", "T2", "T3", "T4")}
    assert readings["T2"]["import_wh"] > 0
    assert readings["T3"]["export_wh"] > 0
    assert abs(readings["T4"]["import_wh"] - PLUG_WH) <= ROUNDED_WH
    assert readings["T4"]["quality"] == "estimated"
    nets = {
        "ben": readings["T2"]["import_wh"] + readings["T4"]["import_wh"],
        "sun": -readings["T3"]["export_wh"],
    }
    nets["anna"] = readings["T1"]["import_wh"] - readings["T1"]["export_wh"] - sum(nets.values())
    for owner, net_wh in nets.items():
        [line] = (await cloud.operator.statement(owner, start, start + INTERVAL_SECONDS)).lines
        assert line.net_wh == net_wh == line.local_wh + line.grid_wh
        price = GRID_BUY if line.grid_wh > 0 else GRID_SELL
        assert line.points_micro == -1000 * (LOCAL * line.local_wh + price * line.grid_wh)
    [line] = (await cloud.operator.statement("ben", start, start + INTERVAL_SECONDS)).lines
    assert line.quality == "estimated"


async def command_the_charger(hass: HomeAssistant, home: ConfigEntry[Any], server: SteeredServer) -> None:
    """Limit and pause it through Home Assistant's own services, and let it go on."""
    await say(hass, home, LIMIT, "set_value", value=10)
    assert server.device.limit_da == 100
    await say(hass, home, CHARGE, "turn_off")
    assert (server.device.charge, server.shown().power_w) == (False, 0)
    assert shown(hass, home, CHARGE) == "off"
    await say(hass, home, CHARGE, "turn_on")
    assert (server.device.charge, server.shown().power_w) == (True, 2300)


async def lose_the_charger(
    hass: HomeAssistant, home: ConfigEntry[Any], cloud: Cloud, server: SteeredServer, lost: int
) -> None:
    """Take it off the network in the middle of an interval, and put it back after the next."""
    await asyncio.sleep(lost + INTERVAL_SECONDS / 2 - time.time())
    await server.stop()
    await until_shown(hass, home, LIMIT, "unavailable")
    await asyncio.sleep(lost + 2 * INTERVAL_SECONDS + 1.5 - time.time())
    assert shown(hass, home, CHARGE) == "unavailable"
    await server.start()
    await until_shown(hass, home, LIMIT, "10.0")
    back = boundary_after(time.time())
    await settled(cloud, back)
    rows = [row for row in readings_of(cloud, CHARGER) if lost - INTERVAL_SECONDS <= row["start"] <= back]
    assert [row["start"] for row in rows] == list(range(lost - INTERVAL_SECONDS, back + 1, INTERVAL_SECONDS))
    assert "missing" in {row["quality"] for row in rows}
    assert all(row["import_wh"] == 0 for row in rows if row["quality"] == "missing")
    assert_every_wh_is_a_step(rows)
    assert rows[-1]["import_register_wh"] <= server.shown().import_wh
    assert rows[-1]["import_register_wh"] > rows[0]["import_register_wh"] + 1000, "what it took unseen is counted"


async def test_a_home_that_changes_keeps_its_account(
    hass: HomeAssistant, home: ConfigEntry[Any], cloud: Cloud, furniture: dict[str, SteeredServer]
) -> None:
    """A tap found in the network is settled, the site restarted, a meter exchanged, the charger above it removed."""
    assert await async_setup_component(hass, REPAIRS, {})
    await add_plug(hass, home, owner="sun")
    tap = MeterDevice(serial="FOUND-1")
    await tap.start()
    counting = asyncio.create_task(count(tap))
    try:
        await discovered(hass, tap, upstream=CHARGER, owner="anna")
        first = boundary_after(time.time())
        await restart(hass, home, first)
        exchanged = boundary_after(time.time())
        await exchange(hass, home, tap, exchanged)
        removed = boundary_after(time.time())
        await remove_the_charger(hass, home, removed)
        await settled(cloud, removed + INTERVAL_SECONDS)
    finally:
        counting.cancel()
        await tap.stop()
    assert reading_of(cloud, "T4", first)["import_wh"] > 0
    assert_the_plug_went_on(cloud, first, removed)
    qualities = {row["quality"] for row in readings_of(cloud, "T4") if exchanged <= row["start"] <= removed}
    assert "reset" in qualities
    assert all(0 <= row["import_wh"] < 1000 for row in readings_of(cloud, "T4")), "nothing is counted across"
    await assert_the_charger_counted_to_its_end(cloud, removed)
    assert_sums_hold(await cloud.operator.proof())


async def restart(hass: HomeAssistant, home: ConfigEntry[Any], start: int) -> None:
    """Close the site in the middle of an interval, and open it again."""
    await asyncio.sleep(start + INTERVAL_SECONDS / 2 - time.time())
    assert await hass.config_entries.async_unload(home.entry_id)
    await asyncio.sleep(0.5)
    assert await hass.config_entries.async_setup(home.entry_id)


async def exchange(hass: HomeAssistant, home: ConfigEntry[Any], tap: MeterDevice, start: int) -> None:
    """Put another meter in, in the middle of an interval: a person is asked, and says that it is right."""
    await asyncio.sleep(start + INTERVAL_SECONDS / 2 - time.time())
    tap.import_wh = 7
    issue_id = f"meter_exchanged_{home.entry_id}_T4"

    async def asked() -> bool | None:
        return ir.async_get(hass).async_get_issue("commonwatt", issue_id) is not None or None

    await until(asked, "nobody was asked about the exchanged meter")
    flows: Any = repairs_flow_manager(hass)
    form = await flows.async_init("commonwatt", data={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    assert (await flows.async_configure(form["flow_id"], {}))["type"] is FlowResultType.CREATE_ENTRY
    assert await asked() is None


async def remove_the_charger(hass: HomeAssistant, home: ConfigEntry[Any], start: int) -> None:
    """Take it away in the middle of an interval: nothing of it is left in the registries."""
    await asyncio.sleep(start + INTERVAL_SECONDS / 2 - time.time())
    subentry = next(item for item in home.subentries.values() if item.data["tap"] == CHARGER)
    hass.config_entries.async_remove_subentry(home, subentry.subentry_id)
    await hass.async_block_till_done()
    key_id = home.data["key_id"]
    entities = er.async_entries_for_config_entry(er.async_get(hass), home.entry_id)
    assert [item.entity_id for item in entities if item.unique_id.startswith(f"{key_id}_{CHARGER}_")] == []
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), home.entry_id)
    known = {identifier for device in devices for _, identifier in device.identifiers}
    taps, owners = ("T1", "T3", "T4"), ("anna", "sun")
    assert known == {key_id, *(f"{key_id}_{tap}" for tap in taps), *(f"{key_id}_owner_{owner}" for owner in owners)}


def assert_the_plug_went_on(cloud: Cloud, first: int, last: int) -> None:
    """Check that a register made of a steady power counts as much in every interval, over the restart too."""
    rows = [row for row in readings_of(cloud, "T3") if first <= row["start"] <= last]
    assert len(rows) > 2
    assert_every_wh_is_a_step(rows)
    assert {row["quality"] for row in rows} == {"estimated"}
    assert [row["import_wh"] for row in rows if abs(row["import_wh"] - PLUG_WH) > ROUNDED_WH] == []


async def assert_the_charger_counted_to_its_end(cloud: Cloud, last: int) -> None:
    """Check that its last interval is charged, and that the tap below it belongs to the meter from then on."""
    charged = reading_of(cloud, CHARGER, last)
    assert charged["import_wh"] > 0
    assert readings_of(cloud, CHARGER)[-1] == charged
    [line] = (await cloud.operator.statement("ben", last, last + INTERVAL_SECONDS)).lines
    assert line.net_wh == charged["import_wh"] - reading_of(cloud, "T4", last)["import_wh"]
    [newest] = rows_of(cloud.database, "SELECT raw FROM tree ORDER BY rev DESC LIMIT 1")
    parents = {tap: told["parent"] for tap, told in json.loads(newest["raw"])["taps"].items()}
    assert parents == {"T1": None, "T3": "T1", "T4": "T1"}
    later = await cloud.operator.statement("ben", last + INTERVAL_SECONDS, last + 2 * INTERVAL_SECONDS)
    assert sum(line.net_wh for line in later.lines) == 0, "the tap below it is nothing of Ben's any more"


async def discovered(hass: HomeAssistant, tap: MeterDevice, *, upstream: str, owner: str) -> None:
    """Let a tap announce itself in the network, and take it in by the dialogue."""
    address = ip_address("127.0.0.1")
    info = ZeroconfServiceInfo(
        ip_address=address,
        ip_addresses=[address],
        port=tap.port,
        hostname="shed.local.",
        type="_commonwatt._tcp.local.",
        name="shed._commonwatt._tcp.local.",
        properties={"serial": tap.serial, "kind": "tap", "unit_id": "1", "map": "1", "name": "Shed"},
    )
    flows = hass.config_entries.flow
    form = await flows.async_init("commonwatt", context={"source": "zeroconf"}, data=info)
    assert form["step_id"] == "zeroconf_confirm", form
    done = await flows.async_configure(form["flow_id"], {"name": "Shed", "owner": owner, "upstream": upstream})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "device_added")
    await hass.async_block_till_done()


async def count(tap: MeterDevice) -> None:
    """Let a tap count 10 Wh every tenth of a second."""
    while True:
        await asyncio.sleep(0.1)
        tap.import_wh += 10


async def add_modbus(
    hass: HomeAssistant, entry: ConfigEntry[Any], kind: str, endpoint: Endpoint, profile: str, **details: str
) -> None:
    """Add a device on Modbus through its dialogue."""
    flows = hass.config_entries.subentries
    flow = await flows.async_init((entry.entry_id, kind), context={"source": "user"})
    for option in ("modbus", "tcp"):
        flow = await flows.async_configure(flow["flow_id"], {"next_step_id": option})
    where = {"host": endpoint.host, "port": endpoint.port, "profile": profile}
    flow = await flows.async_configure(flow["flow_id"], where | {"more_options": {"unit_id": endpoint.unit}})
    while flow["type"] is FlowResultType.SHOW_PROGRESS:  # on a busy machine a dialogue shows that it asks
        await asyncio.sleep(0.1)
        flow = await flows.async_configure(flow["flow_id"])
    assert flow["step_id"] == "details", flow
    flow = await flows.async_configure(flow["flow_id"], {"name": kind.title()} | details)
    assert flow["type"] is FlowResultType.CREATE_ENTRY, flow
    await hass.async_block_till_done()


async def add_plug(hass: HomeAssistant, entry: ConfigEntry[Any], *, owner: str) -> None:
    """Adopt a smart plug of which there is nothing but a power sensor."""
    flows = hass.config_entries.subentries
    flow = await flows.async_init((entry.entry_id, "tap"), context={"source": "user"})
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "entities"})
    flow = await flows.async_configure(flow["flow_id"], {})
    flow = await flows.async_configure(flow["flow_id"], {"power_entity": PLUG, "direction": "import"})
    assert flow["step_id"] == "details", flow
    flow = await flows.async_configure(flow["flow_id"], {"name": "Plug", "owner": owner, "upstream": METER})
    assert flow["type"] is FlowResultType.CREATE_ENTRY, flow
    await hass.async_block_till_done()


def entity_id_of(hass: HomeAssistant, entry: ConfigEntry[Any], entity: EntityOf) -> str:
    """Return the entity of a tap's device."""
    tap, platform, key = entity
    unique_id = f"{entry.data['key_id']}_{tap}_{key}"
    entity_id = er.async_get(hass).async_get_entity_id(platform, "commonwatt", unique_id)
    assert entity_id is not None, unique_id
    return entity_id


async def say(hass: HomeAssistant, entry: ConfigEntry[Any], entity: EntityOf, action: str, **data: Any) -> None:
    """Call an action of Home Assistant on an entity of a tap's device."""
    data["entity_id"] = entity_id_of(hass, entry, entity)
    await hass.services.async_call(entity[1], action, data, blocking=True)


def shown(hass: HomeAssistant, entry: ConfigEntry[Any], entity: EntityOf) -> str:
    """Return what Home Assistant shows."""
    state = hass.states.get(entity_id_of(hass, entry, entity))
    assert state is not None
    return state.state


async def until_shown(hass: HomeAssistant, entry: ConfigEntry[Any], entity: EntityOf, expected: str) -> None:
    """Wait until Home Assistant shows it."""

    async def found() -> bool | None:
        return shown(hass, entry, entity) == expected or None

    await until(found, f"{entity} is not {expected}")


def reading_of(cloud: Cloud, tap: str, start: int) -> dict[str, Any]:
    """Return what the cloud derived for a tap and an interval."""
    [row] = [row for row in readings_of(cloud, tap) if row["start"] == start]
    return row


def assert_every_wh_is_a_step(rows: list[dict[str, Any]]) -> None:
    """Check that no energy stands in a reading that is not the difference of two registers."""
    for before, after in pairwise(rows):
        assert after["start"] == before["start"] + INTERVAL_SECONDS
        assert after["import_wh"] == after["import_register_wh"] - before["import_register_wh"]
