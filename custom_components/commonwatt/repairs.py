"""Repairs a person can carry out here: a passcode, the word that a meter was exchanged, a cable to be registered."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.models import RepairsFlowContext
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
import probatio

from .attention import METER_EXCHANGED
from .coordinator import CommonwattConfigEntry
from .flows.transfer import TransferSteps
from .own_cable import async_register
from .visit_issues import UNREGISTERED


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


class RegisterRepair(RepairsFlow):
    """Registers a cable for the site's main owner; its newest signed record proves that its key is its own."""

    def __init__(self, entry_id: str, tap: str) -> None:
        """Take the cable's place."""
        self._entry_id, self._tap = entry_id, tap

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_register()

    async def async_step_register(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask whether it is the main owner's, and register it."""
        entry: CommonwattConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or entry.state is not ConfigEntryState.LOADED or entry.runtime_data.cloud is None:
            return self.async_abort(reason="not_loaded")
        runtime = entry.runtime_data
        guest = runtime.visits.guests.get(self._tap)
        if guest is None:
            return self.async_abort(reason="cable_gone")
        settings = runtime.coordinator.settings
        words = {"cable": guest.name, "owner": settings.owners[settings.main_owner]}
        errors: dict[str, str] = {}
        if user_input is not None:
            problem = await async_register(entry.runtime_data.cloud.client, guest)
            if problem is None:
                runtime.visits.ask_again(self._tap)
                return self.async_create_entry(data={})
            errors["base"], more = problem
            words |= more
        return self.async_show_form(
            step_id="register", data_schema=probatio.Schema({}), errors=errors, description_placeholders=words
        )


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the dialogue of a repair."""
    if issue_id.startswith(METER_EXCHANGED):
        return ConfirmRepairFlow()
    assert data is not None
    if issue_id.startswith(UNREGISTERED):
        return RegisterRepair(str(data["entry_id"]), str(data["tap"]))
    owner = data["owner"]
    return TransferRepair(str(data["entry_id"]), str(data["tap"]), None if owner is None else str(owner))
