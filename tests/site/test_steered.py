"""Each kind of device that can be steered, as a subentry of a running site over a real server."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.devices.port import Command, Device, Value
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.state import TapState
from demo.register_map import Kind
from demo.signed import SignedIntervals
from demo.steered import Permission, Steered
from demo.steered_server import SteeredServer

from .house import MockConfigEntry, entities_source, site_of, subentry
from .steered import Clock, served, source
from .test_flow_tap import begin, choose, subentry_of, submit

KINDS = {Kind.CHARGER: "charger", Kind.CABLE: "cable", Kind.BATTERY: "battery"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for what does not come."""
    monkeypatch.setattr(modbus, "LOOK_PAUSE_S", 0.01)


@pytest.fixture
def devices_clock() -> Clock:
    """Hold the devices' own clock."""
    return Clock()


@pytest.fixture
async def servers(socket_enabled: None, devices_clock: Clock) -> AsyncGenerator[dict[Kind, SteeredServer]]:
    """Serve a charger, a cable and a battery."""
    servers = {kind: served(kind, devices_clock) for kind in KINDS}
    for server in servers.values():
        await server.start()
    yield servers
    for server in servers.values():
        await server.stop()


@pytest.fixture
async def site(
    hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], servers: dict[Kind, SteeredServer]
) -> MockConfigEntry:
    """Run a site with a meter and one device of each kind below it."""
    hass.states.async_set("sensor.grid", "5000", {"unit_of_measurement": "Wh", "device_class": "energy"})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        *(
            subentry(f"T{number}", KINDS[kind], source=source(server), upstream="T1")
            for number, (kind, server) in enumerate(servers.items(), 2)
        ),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def told(entry: MockConfigEntry, tap: str) -> TapState:
    """Return what is known of a tap."""
    return site_of(entry).data.taps[tap]


def device(entry: MockConfigEntry, tap: str) -> Device:
    """Return what stands at a tap."""
    found: Device = entry.runtime_data.devices[tap]
    return found


async def test_every_kind_tells_its_site_what_it_is_and_does(site: MockConfigEntry) -> None:
    """Registers and power as of any tap, and beside them what the kind has."""
    charger, cable, battery = (told(site, tap) for tap in ("T2", "T3", "T4"))
    assert charger.values["charger_state"] == "charging"
    assert charger.values["current_limit_a"] == 16.0
    assert "soc_percent" not in charger.values
    assert cable.values["permission"] == "allowed"
    assert cable.values["user_id"] == "dora"
    assert cable.values["soc_percent"] == 50.0
    assert battery.values["soc_percent"] == 50.0
    assert battery.values["capacity_wh"] == 40_000
    assert "charger_state" not in battery.values
    for state in (charger, cable, battery):
        assert state.reading is not None
        assert not state.silent
    assert charger.reading is not None
    assert charger.reading.power_w == 3_680


async def test_a_cable_is_no_tap_of_the_tree(site: MockConfigEntry) -> None:
    """Its energy is in its socket's tap already: netting it again would count it twice."""
    _, tree = await site.runtime_data.coordinator._store.async_tree_at(2_000_000_000)
    assert set(tree) == {"T1", "T2", "T4"}


@dataclass(frozen=True)
class Told:
    """A command to a tap's device, and what must then stand in the device."""

    tap: str
    kind: Kind
    command: Command
    value: Value
    look: str
    expected: object


@pytest.mark.parametrize(
    "case",
    [
        Told("T2", Kind.CHARGER, "current_limit_a", 10.5, "limit_da", 105),
        Told("T2", Kind.CHARGER, "charge", False, "charge", False),
        Told("T3", Kind.CABLE, "current_limit_a", 6, "limit_da", 60),
        Told("T3", Kind.CABLE, "set_point_w", -2_500, "set_point_w", -2_500),
        Told("T3", Kind.CABLE, "permission", "charge_only", "permission", Permission.CHARGE_ONLY),
        Told("T3", Kind.CABLE, "agreement", "match", "agreement", 0),
        Told("T3", Kind.CABLE, "site_id", "site-7", "site", "site-7"),
        Told("T4", Kind.BATTERY, "set_point_w", 1_500, "set_point_w", 1_500),
    ],
    ids=lambda case: f"{case.tap} {case.command}",
)
async def test_a_command_reaches_the_device_and_shows_at_the_next_poll(
    site: MockConfigEntry, servers: dict[Kind, SteeredServer], case: Told
) -> None:
    """What was told stands in the device, and the site hears it from there, not from itself."""
    await device(site, case.tap).async_command(case.command, case.value)
    assert getattr(servers[case.kind].device, case.look) == case.expected
    await site_of(site).async_refresh()
    assert told(site, case.tap).values[case.command] == case.value


@pytest.mark.parametrize(
    ("tap", "command", "value"),
    [
        ("T2", "current_limit_a", 5.9),
        ("T2", "current_limit_a", 32.1),
        ("T3", "current_limit_a", 40),
        ("T3", "set_point_w", 7_400),
        ("T3", "set_point_w", -7_400),
        ("T3", "permission", "sometimes"),
        ("T3", "site_id", "ü" * 4),
        ("T3", "site_id", "s" * 37),
        ("T4", "set_point_w", 22_000),
        ("T4", "set_point_w", "full"),
        ("T2", "charge", 1),
    ],
)
async def test_what_is_out_of_range_is_refused_before_anything_is_written(
    site: MockConfigEntry, servers: dict[Kind, SteeredServer], tap: str, command: Command, value: Value
) -> None:
    """The device's own bounds hold: its rated power, its largest current."""
    before = {kind: server.device.words()[31:] for kind, server in servers.items()}
    with pytest.raises(ValueError, match="must be"):
        await device(site, tap).async_command(command, value)
    assert {kind: server.device.words()[31:] for kind, server in servers.items()} == before


@pytest.mark.parametrize(("tap", "command"), [("T2", "set_point_w"), ("T4", "charge"), ("T2", "permission")])
async def test_what_a_kind_does_not_know_it_is_not_told(site: MockConfigEntry, tap: str, command: Command) -> None:
    """A battery has no charging to allow, a charger no set-point."""
    assert command not in device(site, tap).commands
    with pytest.raises(DeviceError, match="cannot be told"):
        await device(site, tap).async_command(command, 1)


async def test_a_device_that_refuses_writes_is_an_error_and_stays_read(
    site: MockConfigEntry, servers: dict[Kind, SteeredServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remote control is switched off at the charger: a clear error, and its readings go on."""
    servers[Kind.CHARGER].refuses = True
    with pytest.raises(DeviceError):
        await device(site, "T2").async_command("current_limit_a", 10)
    monkeypatch.setattr(servers[Kind.CABLE], "_command", lambda *_: ExcCodes.ILLEGAL_ADDRESS)
    with pytest.raises(DeviceError, match="refuses what it was told"):
        await device(site, "T3").async_command("permission", "denied")
    await site_of(site).async_refresh()
    assert told(site, "T2").values["current_limit_a"] == 16.0
    assert not told(site, "T2").silent


async def test_a_cables_newest_record_and_whether_it_holds_stand_among_its_values(
    site: MockConfigEntry, devices_clock: Clock
) -> None:
    """A half hour later there is a record, signed by the key met at set-up."""
    assert "signed_valid" not in told(site, "T3").values
    devices_clock.half_hours()
    await site_of(site).async_refresh()
    values = told(site, "T3").values
    assert (values["signed_number"], values["signed_valid"]) == (1, True)


async def test_another_kind_of_device_behind_an_address_is_refused(
    hass: HomeAssistant,
    make_local: Callable[..., MockConfigEntry],
    servers: dict[Kind, SteeredServer],
    expected_logs: list[str],
) -> None:
    """A battery's map does not read a charger, though both are of the open register map."""
    expected_logs.append("is silent: is no device of the profile commonwatt_battery")
    other = source(servers[Kind.CHARGER], profile="commonwatt_battery")
    entry = make_local(subentry("T1", "battery", source=other))
    assert await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(3):
        await site_of(entry).async_refresh()
    assert told(entry, "T1").reading is None


async def test_who_knows_only_taps_reads_a_cable_as_one(
    hass: HomeAssistant,
    make_local: Callable[..., MockConfigEntry],
    servers: dict[Kind, SteeredServer],
    devices_clock: Clock,
) -> None:
    """The first 31 registers mean the same in every kind, so the map of revision 1 still reads them."""
    devices_clock.half_hours(2)
    entry = make_local(subentry("T1", "tap", source=source(servers[Kind.CABLE], profile="commonwatt_tap")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    reading = told(entry, "T1").reading
    assert reading is not None
    assert (reading.import_wh, reading.power_w) == (3_680, 3_680)
    assert isinstance(servers[Kind.CABLE].device, Steered)


async def test_adding_a_cable_keeps_the_key_it_is_met_with_and_believes_no_other(
    hass: HomeAssistant, local: MockConfigEntry, servers: dict[Kind, SteeredServer]
) -> None:
    """The dialogue notes the key; seen again with another one, the cable still has to sign with the first."""
    server = servers[Kind.CABLE]
    key = server.device.signed.public_key.hex()
    where = {"host": server.endpoint.host, "port": server.endpoint.port, "profile": "commonwatt_cable"}
    flow_id = await begin(hass, local, "cable", "modbus", "tcp")
    form = await submit(hass, flow_id, **where, more_options={})
    assert form["step_id"] == "details"
    result = await submit(hass, flow_id, name="Cable", owner="anna", upstream="T1")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert subentry_of(local, "T3").data["source"]["public_key"] == key
    server.device.signed = SignedIntervals("CWC-1")
    menu = await local.start_subentry_reconfigure_flow(hass, subentry_of(local, "T3").subentry_id)
    await choose(hass, menu["flow_id"], "modbus", "tcp")
    result = await submit(hass, menu["flow_id"], **where, more_options={})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert subentry_of(local, "T3").data["source"]["public_key"] == key
