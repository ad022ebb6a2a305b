"""A person gives a tap another meter: what two meters show is never subtracted from one another."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from .conftest import set_energy
from .house import MockConfigEntry, entities_source, modbus_source, site_of, subentry, value
from .meter_device import MeterDevice
from .test_flow_tap import Make, subentry_of
from .test_pump import At, at, latest

__all__ = ["at"]

STOOD_WH, SHOWS_WH = 800_000, 830_000


async def take(hass: HomeAssistant, entry: MockConfigEntry, source: dict[str, Any]) -> None:
    """Give the tap another source."""
    tap = subentry_of(entry, "T1")
    hass.config_entries.async_update_subentry(entry, tap, data={**tap.data, "source": source})
    await hass.async_block_till_done()


async def run_until_it_stood(hass: HomeAssistant, make_local: Make, at: At, source: dict[str, Any]) -> MockConfigEntry:
    """Run a tap whose register stands still for so long that it might have been refreshed only now."""
    entry = make_local(subentry("T1", "meter", source=source))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await at(entry, 60)
    await at(entry, 170)
    return entry


async def interval_of(entry: MockConfigEntry, at: At) -> tuple[int, str]:
    """Let the new meter be read until the interval ends; return what it came to."""
    for second in (172, 173, 174, 180):
        await at(entry, second)
    kept = await latest(entry)
    assert kept is not None
    return kept.taps["T1"].import_wh[0], kept.taps["T1"].quality[0]


@pytest.mark.parametrize(
    ("changed", "came_to"),
    [
        ({"serial": "T2-0002"}, (0, "reset")),
        ({"serial": "T1-0001", "host": "localhost"}, (SHOWS_WH - STOOD_WH, "estimated")),  # it only moved
        ({"serial": None}, (SHOWS_WH - STOOD_WH, "estimated")),  # nothing tells which one it is: the register decides
    ],
)
async def test_another_serial_number_is_another_register(  # noqa: PLR0917 - fixtures
    hass: HomeAssistant,
    make_local: Make,
    device: MeterDevice,
    at: At,
    changed: dict[str, Any],
    came_to: tuple[int, str],
    expected_logs: list[str],
) -> None:
    """What the new meter shows ahead of the old one was carried elsewhere, however well it would fit."""
    expected_logs += ["was exchanged or reset: (800000, 0) Wh, then (830000, 0) Wh", "a register is refused (jump)"]
    device.import_wh = STOOD_WH
    source = modbus_source(device.port)
    entry = await run_until_it_stood(hass, make_local, at, source)
    device.import_wh, device.serial = SHOWS_WH, changed["serial"] or device.serial
    await take(hass, entry, source | changed)
    assert await interval_of(entry, at) == came_to
    assert value(hass, entry, "T1_import_energy") == "830.0"

    device.import_wh += 10
    await at(entry, 240)
    kept = await latest(entry)
    assert kept is not None
    assert (kept.taps["T1"].import_wh, kept.taps["T1"].quality) == ((10,), ("ok",)), "from there it counts"
    assert ir.async_get(hass).issues == {}, "nobody is asked about what he did"


async def test_an_entity_in_the_place_of_a_meter_is_another_register(
    hass: HomeAssistant, make_local: Make, device: MeterDevice, at: At, expected_logs: list[str]
) -> None:
    """A smart plug that has counted before does not sell its past to this tap, and neither does a meter after it."""
    expected_logs += ["was exchanged or reset", "a register is refused"]
    device.import_wh = STOOD_WH
    entry = await run_until_it_stood(hass, make_local, at, modbus_source(device.port))
    set_energy(hass, {"sensor.plug": SHOWS_WH})
    await take(hass, entry, entities_source("sensor.plug"))
    assert await interval_of(entry, at) == (0, "reset")
    device.import_wh = 2 * SHOWS_WH - STOOD_WH
    await take(hass, entry, modbus_source(device.port))
    await at(entry, 181)
    await at(entry, 240)
    kept = await latest(entry)
    assert kept is not None
    assert (kept.taps["T1"].import_wh, kept.taps["T1"].quality) == ((0,), ("reset",))
    assert site_of(entry).data.taps["T1"].silent is False
