"""From a socket to a settled point: one measured house, one site, one cloud."""

from collections import defaultdict
import time
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from demo.community import GRID_PRICES, OWNERS
from demo.devices import House
from demo.house import DEVICES, HALF_HOUR_S, load_house, registers_at
from demo.statement import prove

from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, settled, until
from .stores import rows_of

POLL_S = 1.0
LATE_S = 3.0  # what a poll over loopback may take on a busy machine


async def test_what_the_meters_counted_is_what_the_owners_are_charged(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud, house: House
) -> None:
    """Registers read over Modbus become statements: nothing added, nothing lost, every sum zero."""
    assert house.clock.begins_at is not None
    first = boundary_after(house.clock.pressed_ms() / 1000 / (HALF_HOUR_S / INTERVAL_SECONDS) + house.clock.begins_at)
    starts = [first + step * INTERVAL_SECONDS for step in range(3)]
    intervals = [await settled(cloud, start) for start in starts]
    end = starts[-1] + INTERVAL_SECONDS
    statements = {owner: await cloud.operator.statement(owner, first, end) for owner in OWNERS}

    readings = stored_readings(cloud, first, end)
    assert {tap for tap, _ in readings} == {"T1", *taps_of("ben"), *taps_of("sun")}, "only boundary taps leave the site"
    for (tap, start), reading in readings.items():
        assert reading["quality"] in ("ok", "estimated"), "a busy machine may read late, and says so"
        device = DEVICES[int(tap[1:]) - 1]
        assert_register_was_shown(house, device.key, start + INTERVAL_SECONDS, reading)
    for owner, statement in statements.items():
        assert {line.start: line.net_wh for line in statement.lines} == nets(readings, owner)
        assert any(line.net_wh for line in statement.lines), f"{owner} used or supplied something"
        assert statement.closing_micro - statement.opening_micro == sum(line.points_micro for line in statement.lines)
    lines_by_start = [
        (item.grid_wh, [statements[owner].lines[at] for owner in OWNERS]) for at, item in enumerate(intervals)
    ]
    assert prove(lines_by_start, GRID_PRICES).energy_wh == 0
    assert prove(lines_by_start, GRID_PRICES).ledger_micro == 0
    proof = await cloud.operator.proof()
    assert (proof["energy_sum_wh"], proof["ledger_sum_micro"], proof["accounts_off"]) == (0, 0, 0)
    assert proof["postings"] > 0


async def test_the_balance_comes_back_to_the_house(hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud) -> None:
    """What the ledger says of the main owner is pushed, and Home Assistant shows it."""
    registry = er.async_get(hass)
    entities = {
        entity.translation_key: entity.entity_id
        for entity in er.async_entries_for_config_entry(registry, site.entry_id)
        if entity.config_subentry_id is None
    }

    async def shown() -> bool | None:
        state = hass.states.get(entities["balance"])
        statement = await cloud.operator.statement("anna", int(time.time()) - 600, int(time.time()))
        assert state is not None
        if state.state in ("unknown", "unavailable"):
            return None
        return round(float(state.state) * 1_000_000) == statement.closing_micro != 0 or None

    await until(shown, "the balance in Home Assistant is not the ledger's")
    link = hass.states.get(entities["cloud_link"])
    assert link is not None
    assert link.state == "on"


def taps_of(owner: str) -> set[str]:
    """Return the tap ids of an owner; taps are numbered in the order they were added."""
    return {f"T{number}" for number, device in enumerate(DEVICES, 1) if device.owner == owner}


def stored_readings(cloud: Cloud, start: int, end: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Return what the cloud derived from the batches, by tap and interval."""
    rows = rows_of(cloud.database, "SELECT * FROM reading WHERE start >= ? AND start < ?", start, end)
    return {(row["tap"], row["start"]): row for row in rows}


def assert_register_was_shown(house: House, key: str, at: int, reading: dict[str, Any]) -> None:
    """Check a boundary register against what the device showed one poll before and one poll after."""
    assert house.clock.begins_at is not None
    registers, scale = load_house()[key], HALF_HOUR_S // INTERVAL_SECONDS
    pressed_ms = int((at - house.clock.begins_at) * 1000) * scale
    leeway_ms = int((POLL_S + LATE_S) * 1000) * scale
    before, after = registers_at(registers, pressed_ms - leeway_ms), registers_at(registers, pressed_ms + leeway_ms)
    assert before.import_wh <= reading["import_register_wh"] <= after.import_wh
    assert before.export_wh <= reading["export_register_wh"] <= after.export_wh


def nets(readings: dict[tuple[str, int], dict[str, Any]], owner: str) -> dict[int, int]:
    """Net an owner's energy by hand: what came in at their taps, less what went on to others behind them."""
    net: defaultdict[int, int] = defaultdict(int)
    for (_, start), reading in readings.items():
        energy = reading["import_wh"] - reading["export_wh"]
        net[start] += energy * ((reading["owner"] == owner) - (reading["upstream_owner"] == owner))
    return dict(net)
