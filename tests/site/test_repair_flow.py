"""The dialogue of a repair, where it is opened late: the site may be gone, the last page may be shown again."""

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow, FlowResultType
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.repairs import TransferRepair


@pytest.fixture
def repair(hass: HomeAssistant) -> TransferRepair:
    """Return the dialogue about a tap of a site that was removed."""
    flow = TransferRepair("gone", "T1", None)
    flow.hass, flow.flow_id, flow.handler = hass, "1", DOMAIN
    return flow


async def test_a_site_that_was_removed_has_nothing_to_repair(repair: TransferRepair) -> None:
    """Said in words, and nothing is asked of anybody."""
    with pytest.raises(AbortFlow) as closed:
        await repair.async_step_init()
    assert closed.value.reason == "not_loaded"


async def test_the_last_page_may_be_shown_again(repair: TransferRepair) -> None:
    """A page that was loaded anew shows the same; pressing on ends it."""
    assert (await repair.async_step_transferred())["step_id"] == "transferred"
    assert (await repair.async_step_transferred({}))["type"] is FlowResultType.CREATE_ENTRY
