"""An owner verifies a statement alone: the house's own records, and a cloud that is gone, honest or not."""

from contextlib import closing
import sqlite3
import time
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.link.statements import OPEN

from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, settled, until

DAY = 86_400


async def test_a_statement_is_verified_without_the_cloud_and_a_lie_is_named(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud
) -> None:
    """What the house kept agrees with what was settled; one Wh altered in the cloud, and its interval is named."""
    with pytest.raises(ServiceValidationError):
        await verify(hass, site, {"from": "1999-01-01 00:00:00"})
    first = boundary_after(time.time())
    await settled(cloud, first + INTERVAL_SECONDS)
    await fetched(hass, site, first + INTERVAL_SECONDS)
    await cloud.stop()

    honest = await verify(hass, site)
    assert honest["lines_altered"] == []
    assert honest["verified"], honest
    assert honest["lines"] >= 2
    assert "as the cloud promised" in honest["summary"]

    with closing(sqlite3.connect(cloud.database)) as database, database:
        where = "WHERE owner = 'anna' AND start = ?"
        more = "net_wh = net_wh + 1, grid_wh = grid_wh + 1"
        assert database.execute(f"UPDATE settled_owner_interval SET {more} {where}", (first,)).rowcount == 1
    await cloud.start()
    await settled(cloud, boundary_after(time.time()))
    await fetched(hass, site, first + 3 * INTERVAL_SECONDS)
    await cloud.stop()

    lie = await verify(hass, site)
    assert not lie["verified"]
    named = {(item["start"], item["what"]) for item in lie["lines_altered"]}
    assert (time_text(first), "net_wh") in named
    assert (time_text(first), "line as it was told before") in named
    assert {start for start, _ in named} <= {time_text(first), None}
    said = next(item for item in lie["lines_altered"] if item["what"] == "net_wh")
    assert int(said["said"]) == int(said["own"]) + 1
    assert f"interval {time_text(first)}" in lie["summary"]


async def verify(hass: HomeAssistant, site: ConfigEntry[Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call the action."""
    data = {"config_entry_id": site.entry_id} | (more or {})
    response = await hass.services.async_call(DOMAIN, "verify_statement", data, blocking=True, return_response=True)
    assert isinstance(response, dict)
    return dict(response)


async def fetched(hass: HomeAssistant, site: ConfigEntry[Any], start: int) -> None:
    """Let the house fetch today's statement until the interval that begins at `start` is in it."""
    runtime = site.runtime_data
    text = time_text(start).encode()
    day = time_text(start - start % DAY)

    async def there() -> bool | None:
        runtime.cloud.statements.hurry()
        runtime.cloud.errands.wake()
        papers = await runtime.store.run(runtime.store.outbox.papers, OPEN, f"anna|{day}", "anna|~")
        return any(b'"start":"' + text in paper.raw for paper in papers) or None

    await until(there, "the statement was not fetched")


def time_text(at: int) -> str:
    """Write a time as statements do."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
