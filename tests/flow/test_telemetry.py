"""Voltage, current and power at a meter come to the cloud's record, once the owner has said so."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .cables import METER, home
from .conftest import INTERVAL_SECONDS, Cloud, until
from .stores import rows_of

MILLI = 1000


async def test_what_a_meter_shows_is_in_the_cloud_by_its_own_time(hass: HomeAssistant, cloud: Cloud) -> None:
    """Nothing leaves the site before the owner says so; then one poll per interval, and nothing of an interior tap."""
    async with home(hass, cloud, "cafe") as host:

        async def reported() -> bool | None:
            return bool(rows_of(cloud.database, "SELECT 1 FROM reading LIMIT 1")) or None

        await until(reported, "no reading came")
        assert rows_of(cloud.database, "SELECT * FROM telemetry") == []
        form = await hass.config_entries.options.async_init(host.entry.entry_id)
        assert form["type"] is FlowResultType.FORM
        answers = {"visiting_cables": False, "visiting_tap": METER, "send_telemetry": True}
        done = await hass.config_entries.options.async_configure(form["flow_id"], answers)
        assert done["type"] is FlowResultType.CREATE_ENTRY

        async def told() -> list[dict[str, Any]] | None:
            rows = rows_of(cloud.database, "SELECT * FROM telemetry ORDER BY measured_ms")
            return rows if len({row["measured_ms"] for row in rows}) >= 2 else None

        rows = await until(told, "no telemetry of two intervals came")
    assert {(row["site"], row["tap"]) for row in rows} == {(host.site, METER)}
    times = {row["measured_ms"] for row in rows}
    assert len({round(at_ms / MILLI / INTERVAL_SECONDS) for at_ms in times}) == len(times), "one poll per boundary"
    values = {row["quantity"]: row["value"] for row in rows if row["measured_ms"] == max(times)}
    assert {"voltage", "current", "power", "power_factor"} <= values.keys()
    assert 200_000 < values["voltage"] < 260_000
    apparent_mw = values["voltage"] * abs(values["current"]) / MILLI
    assert abs(apparent_mw * values["power_factor"] / MILLI - abs(values["power"])) < 0.02 * apparent_mw + 2000
    assert values["power"] * values["current"] >= 0
    assert rows_of(cloud.database, "SELECT * FROM batch WHERE state <> 'derived'") == []
