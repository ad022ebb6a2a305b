"""A site's options: the host's standing consent to visiting cables, and whether telemetry is sent along."""

from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from ..const import CONF_SEND_TELEMETRY, CONF_VISITING_CABLES, CONF_VISITING_TAP, SUBENTRY_CABLE
from ..site import is_paired, tap_configs
from ..visitors import visiting_tap

if TYPE_CHECKING:
    from ..coordinator import CommonwattConfigEntry


class VisitingOptions(OptionsFlow):
    """Asks whether cables that visit are added by themselves, below which tap, and what is sent along."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask."""
        entry: CommonwattConfigEntry = self.config_entry
        if not is_paired(entry.data):
            return self.async_abort(reason="not_paired")
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        sockets = [tap for tap in tap_configs(entry).values() if tap.kind != SUBENTRY_CABLE]
        if not sockets:
            return self.async_abort(reason="no_taps")
        if user_input is not None:
            return self.async_create_entry(data={**entry.options, **user_input})
        form = {
            CONF_VISITING_CABLES: entry.options.get(CONF_VISITING_CABLES, False),
            CONF_VISITING_TAP: visiting_tap(entry),
            CONF_SEND_TELEMETRY: entry.options.get(CONF_SEND_TELEMETRY, False),
        }
        options = [SelectOptionDict(value=tap.tap, label=tap.name) for tap in sockets]
        schema = probatio.Schema(
            {
                probatio.Required(CONF_VISITING_CABLES): BooleanSelector(),
                probatio.Required(CONF_VISITING_TAP): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
                ),
                probatio.Optional(CONF_SEND_TELEMETRY): BooleanSelector(),
            }
        )
        return self.async_show_form(
            step_id="init", data_schema=self.add_suggested_values_to_schema(schema, form), last_step=True
        )
