"""The action that spreads gaps, as an automation calls it: what it answers, and what it refuses in words."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import Outbox

from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, subentry


@pytest.fixture
async def paired(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry], clock: object
) -> MockConfigEntry:
    """Run a site that has a cloud."""
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_paired(subentry("T1", "meter", source=entities_source("sensor.grid_in")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def spread(hass: HomeAssistant, entry: MockConfigEntry, **data: str) -> object:
    """Call the action."""
    call = {"config_entry_id": entry.entry_id, **data}
    return await hass.services.async_call(DOMAIN, "spread_gap", call, blocking=True, return_response=True)


async def test_where_there_is_no_gap_nothing_is_spread(hass: HomeAssistant, paired: MockConfigEntry) -> None:
    """The answer says how much was done."""
    assert await spread(hass, paired) == {"gaps": 0, "intervals": 0}


async def test_a_time_that_ends_before_it_begins_is_refused(hass: HomeAssistant, paired: MockConfigEntry) -> None:
    """Whoever calls it has mixed two fields up."""
    with pytest.raises(ServiceValidationError) as refused:
        await spread(hass, paired, **{"from": "2026-11-21 00:00:00", "to": "2026-11-20 00:00:00"})
    assert refused.value.translation_key == "ends_before_it_begins"


async def test_an_outbox_that_fails_is_told(
    hass: HomeAssistant, paired: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was spread, and the reason is in the words."""

    def fail(_outbox: Outbox, *_times: int) -> None:
        raise OutboxError("database: disk I/O error")

    monkeypatch.setattr(Outbox, "amended", fail)
    with pytest.raises(HomeAssistantError) as failed:
        await spread(hass, paired)
    assert failed.value.translation_key == "outbox_failed"
    assert failed.value.translation_placeholders == {"error": "database: disk I/O error"}
