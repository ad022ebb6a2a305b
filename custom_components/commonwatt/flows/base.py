"""What every dialogue about a device of a site shares: the site, its taps, and how a device is kept."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_ZEROCONF,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowContext,
    SubentryFlowResult,
    UnknownSubEntry,
)
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import AbortFlow
import probatio

from ..const import CONF_RATED_POWER_W, CONF_SERIAL, CONF_SOURCE, CONF_TAP, DOMAIN
from ..devices.port import Kind
from ..site import TapConfig, next_tap_id, tap_config, tap_configs
from .pairing import FormErrors
from .same import every_tap, tap_with_source
from .transfer import TransferSteps

if TYPE_CHECKING:
    from ..coordinator import CommonwattConfigEntry, SiteCoordinator


async def async_running_site(entry: CommonwattConfigEntry) -> SiteCoordinator:
    """Return a running site; adding the device before this one may still be reloading it."""
    async with entry.setup_lock:
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("not_loaded")
        return entry.runtime_data.coordinator


class SiteFlow(TransferSteps[SubentryFlowContext, SubentryFlowResult, tuple[str, str]], ConfigSubentryFlow):
    """A dialogue about one device of a site."""

    kind: Kind

    _source: Mapping[str, Any]
    _suggested: Mapping[str, Any] = {}

    async def _async_chosen(
        self, source: Mapping[str, Any], name: str | None, rated_power_w: int | None
    ) -> SubentryFlowResult:
        """Go on with a source that was checked; the device's own words are suggested in the form that follows."""
        self._source = source
        suggested = {CONF_NAME: name, CONF_RATED_POWER_W: rated_power_w}
        self._suggested = {field: word for field, word in suggested.items() if word}
        return await self._async_step_source()

    @abstractmethod
    async def _async_step_source(self) -> SubentryFlowResult:
        """Go on to the next form, or end."""

    def _add(self, name: str, details: Mapping[str, Any]) -> SubentryFlowResult:
        withdraw_discovery(self.hass, self._source.get(CONF_SERIAL))
        tap = next_tap_id(self._get_entry())
        return self.async_create_entry(
            title=name, data={CONF_TAP: tap, CONF_SOURCE: self._source} | dict(details), unique_id=tap
        )

    def _update(self, changed: Mapping[str, Any], name: str | None = None) -> SubentryFlowResult:
        subentry = self._own_subentry
        return self.async_update_and_abort(
            self._get_entry(), subentry, title=name or subentry.title, data_updates=changed
        )

    def _is_free(self, source: Mapping[str, Any], found: FormErrors) -> bool:
        """Tell whether a checked source is no other device's: energy counted at two taps is counted twice."""
        if found:
            return False
        if (taken := tap_with_source(self._others, source)) is not None:
            found.errors["base"] = "source_in_use"
            found.placeholders["tap"] = taken.name
        return taken is None

    def _show(
        self,
        step_id: str,
        schema: probatio.Schema,
        form: Mapping[str, Any],
        found: FormErrors,
        words: Mapping[str, str] | None = None,
    ) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, form),
            errors=found.errors,
            description_placeholders={**(words or {}), **found.placeholders},
        )

    @override
    def _transferred(self) -> tuple[CommonwattConfigEntry, str]:
        return self._get_entry(), self._own_subentry.data[CONF_TAP]

    @override
    def _async_transferred(self, words: Mapping[str, str]) -> SubentryFlowResult:
        return self.async_abort(reason="transferred", description_placeholders=words)

    @property
    def _current(self) -> Mapping[str, Any]:
        """Return the source there is; nothing for a new device."""
        if self.source != SOURCE_RECONFIGURE:
            return {}
        source: Mapping[str, Any] = self._own_subentry.data[CONF_SOURCE]
        return source

    async def _async_site(self) -> SiteCoordinator:
        return await async_running_site(self._get_entry())

    @property
    def _taps(self) -> dict[str, TapConfig]:
        return tap_configs(self._get_entry())

    @property
    def _own_tap(self) -> TapConfig | None:
        if self.source != SOURCE_RECONFIGURE:
            return None
        return tap_config(self._own_subentry)

    @property
    def _others(self) -> list[TapConfig]:
        """Return every tap but the one this dialogue is about, also those of other sites."""
        own = None if self.source != SOURCE_RECONFIGURE else self._own_subentry.subentry_id
        return [tap for tap in every_tap(self.hass, self._get_entry()) if tap.subentry_id != own]

    @property
    def _own_subentry(self) -> ConfigSubentry:
        """Return the device there is; it may have been removed while a form was open."""
        try:
            return self._get_reconfigure_subentry()
        except UnknownSubEntry:
            raise AbortFlow("device_gone") from None


@callback
def withdraw_discovery(hass: HomeAssistant, serial: str | None) -> None:
    """Offer a device that was discovered no longer: it is being added by hand."""
    if serial is None:
        return
    wanted = {"source": SOURCE_ZEROCONF, "unique_id": serial}
    for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN, match_context=wanted):
        hass.config_entries.flow.async_abort(flow["flow_id"])
