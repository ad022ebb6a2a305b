"""Repairs a person can carry out here: a passcode that was asked for, and the word that a meter was exchanged."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.models import RepairsFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
import probatio

from .attention import METER_EXCHANGED
from .coordinator import CommonwattConfigEntry
from .flows.transfer import TransferSteps


class TransferRepair(TransferSteps[RepairsFlowContext, RepairsFlowResult, str], RepairsFlow):
    """Asks who takes a tap over, and for its passcode; ends by saying from when."""

    def __init__(self, entry_id: str, tap: str, owner: str | None) -> None:
        """Take what the action was called with."""
        self._entry_id, self._tap, self._proposed = entry_id, tap, owner
        self._words: Mapping[str, str] = {}

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_transfer()

    async def async_step_transferred(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Say from when the tap is somebody else's; then the repair is done."""
        if user_input is not None:
            return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="transferred", data_schema=probatio.Schema({}), description_placeholders=self._words
        )

    @override
    def _transferred(self) -> tuple[CommonwattConfigEntry, str]:
        entry: CommonwattConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            raise AbortFlow("not_loaded")
        return entry, self._tap

    @override
    def _async_transferred(self, words: Mapping[str, str]) -> RepairsFlowResult:
        self._words = words
        return self.async_show_form(
            step_id="transferred", data_schema=probatio.Schema({}), description_placeholders=words
        )


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the dialogue of a repair."""
    if issue_id.startswith(METER_EXCHANGED):
        return ConfirmRepairFlow()
    assert data is not None
    owner = data["owner"]
    return TransferRepair(str(data["entry_id"]), str(data["tap"]), None if owner is None else str(owner))
