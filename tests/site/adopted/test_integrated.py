"""Registers made from power: every change counts, nothing is counted over a gap, and a restart forgets nothing."""

from datetime import datetime
import gzip
from itertools import pairwise
import json
from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt.devices.adopted import AdoptedDevice
from custom_components.commonwatt.errors import DeviceError

from .things import adopted, registers_wh, show

HISTORY = Path(__file__).parents[2] / "data" / "power_history" / "load_24h.json.gz"
POLL_S = 10


async def run(device: AdoptedDevice, freezer: FrozenDateTimeFactory, seconds: float) -> tuple[float, float]:
    """Poll a device for a time; return what its registers gained."""
    before = await registers_wh(device)
    for _ in range(round(seconds / POLL_S)):
        freezer.tick(POLL_S)
        after = await registers_wh(device)
    return after[0] - before[0], after[1] - before[1]


async def test_a_steady_power_becomes_its_energy(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """1.8 kW for ten minutes is 300 Wh; the sign decides which way."""
    show(hass, "sensor.power", 1.8, "kW")
    device = adopted(hass, power_entity="sensor.power")
    assert device.integrated
    assert await run(device, freezer, 600) == (300, 0)
    show(hass, "sensor.power", -1.8, "kW")
    await registers_wh(device)
    assert await run(device, freezer, 600) == (0, 300)


@pytest.mark.parametrize(
    ("direction", "kind", "expected"),
    [
        (None, "tap", (300, 300)),
        ("both", "tap", (300, 300)),
        ("import", "tap", (300, 0)),
        ("export", "tap", (0, 300)),
        (None, "charger", (300, 0)),
        (None, "battery", (300, 300)),
    ],
)
async def test_a_direction_energy_cannot_take_is_not_counted(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, direction: str | None, kind: str, expected: tuple[int, int]
) -> None:
    """A consumer whose sensor shows a watt below zero gives nothing back."""
    device = adopted(hass, kind, power_entity="sensor.power", direction=direction)  # type: ignore[arg-type]
    gained = [0.0, 0.0]
    for power_w in (1800, -1800):
        show(hass, "sensor.power", power_w, "W")
        await registers_wh(device)
        for side, wh in enumerate(await run(device, freezer, 600)):
            gained[side] += wh
    assert tuple(gained) == expected


async def test_only_the_register_that_is_missing_is_made_from_power(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """What is counted stays counted; without a word on the direction the other register stands."""
    show(hass, "sensor.energy", 5, "kWh")
    show(hass, "sensor.power", -600, "W")
    one_way = adopted(hass, import_entity="sensor.energy", power_entity="sensor.power")
    assert not one_way.integrated
    assert await run(one_way, freezer, 600) == (0, 0)
    both = adopted(hass, import_entity="sensor.energy", power_entity="sensor.power", direction="both")
    assert both.integrated
    assert await run(both, freezer, 600) == (0, 100)
    assert (await registers_wh(both))[0] == 5000


async def test_a_burst_between_two_polls_counts(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Changes are heard; a device that was let go hears none."""
    gains = []
    for listening in (True, False):
        show(hass, "sensor.power", 0, "W")
        device = adopted(hass, power_entity="sensor.power")
        end = device.async_follow()
        if not listening:
            end()
        before = await registers_wh(device)
        for power_w in (7200, 7200, 0, 0):
            show(hass, "sensor.power", power_w, "W")
            await hass.async_block_till_done()
            freezer.tick(2.5)
        await hass.async_block_till_done()
        after = await registers_wh(device)
        gains.append(after[0] - before[0])
        end()
    assert gains == [10, 0]  # 7200 W for 5 s


async def test_nothing_is_counted_over_a_gap(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """What was not seen is not made up, and while the power is not known the register is not told."""
    show(hass, "sensor.power", 3600, "W")
    device = adopted(hass, power_entity="sensor.power")
    assert await run(device, freezer, 60) == (60, 0)
    show(hass, "sensor.power", "unavailable", "W")
    with pytest.raises(DeviceError, match="unavailable"):
        await device.async_read()
    freezer.tick(30)
    show(hass, "sensor.power", 3600, "W")
    assert await registers_wh(device) == (60, 0)
    freezer.tick(3600)
    assert await registers_wh(device) == (60, 0)
    assert await run(device, freezer, 60) == (60, 0)


async def test_a_renamed_power_is_still_heard(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """The next poll follows the new name."""
    registry = er.async_get(hass)
    entity = registry.async_get_or_create("sensor", "demo", "power")
    show(hass, entity.entity_id, 0, "W")
    device = adopted(hass, power_entity=entity.id)
    end = device.async_follow()
    await device.async_read()
    registry.async_update_entity(entity.entity_id, new_entity_id="sensor.renamed")
    show(hass, "sensor.renamed", 0, "W")
    await device.async_read()
    freezer.tick(1)
    show(hass, "sensor.renamed", 36_000, "W")
    freezer.tick(4)
    show(hass, "sensor.renamed", 0, "W")
    await hass.async_block_till_done()
    assert (await registers_wh(device))[0] == 40
    end()


async def test_a_real_day_of_a_real_sensor_becomes_its_energy(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """8,723 changes in 24 h, irregular, below zero at times: the registers are the sum of power by time, each way."""
    samples = [
        (datetime.fromisoformat(at), float(power)) for at, power in json.loads(gzip.decompress(HISTORY.read_bytes()))
    ]
    freezer.move_to(samples[0][0])
    show(hass, "sensor.load", samples[0][1], "W")
    device = adopted(hass, power_entity="sensor.load")
    end = device.async_follow()
    first = await registers_wh(device)
    for at, power_w in samples[1:]:
        while (at - dt_util.utcnow()).total_seconds() > POLL_S:
            freezer.tick(POLL_S)
            await device.async_read()
        freezer.move_to(at)
        show(hass, "sensor.load", power_w, "W")
    await hass.async_block_till_done()
    last = await registers_wh(device)
    end()
    taken_ws = given_ws = 0.0
    for (start, before), (stop, _) in pairwise(samples):
        taken_ws += max(before, 0) * (stop - start).total_seconds()
        given_ws += max(-before, 0) * (stop - start).total_seconds()
    assert max(first) == 0
    assert last[0] == pytest.approx(taken_ws / 3600, abs=1.5)
    assert last[1] == pytest.approx(given_ws / 3600, abs=1.5)
    assert taken_ws / 3600 > 10_000
