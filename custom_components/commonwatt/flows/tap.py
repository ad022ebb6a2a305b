"""Adding and changing a device, one dialogue per kind: what measures, who owns it, what it hangs below."""

from typing import Any, Final

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_NAME

from ..const import (
    CONF_SERIAL,
    CONF_SOURCE,
    SOURCE_ENTITIES,
    SOURCE_MODBUS,
    SOURCE_SUNSPEC,
    SUBENTRY_BATTERY,
    SUBENTRY_CABLE,
    SUBENTRY_CHARGER,
    SUBENTRY_METER,
    SUBENTRY_TAP,
)
from ..devices.port import Kind
from ..site import is_paired
from .details import About
from .entities import EntitiesFlow
from .pairing import FormErrors

NO_SUNSPEC: Final = (SUBENTRY_CHARGER, SUBENTRY_CABLE)  # it has no models that charge a car


class DeviceFlow(EntitiesFlow):
    """Adds a device to a site; changes one, and lets it pass to another owner."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what measures here."""
        await self._async_site()
        return self.async_show_menu(step_id="user", menu_options=self._sources)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be changed."""
        await self._async_site()
        options = ["details", *self._sources]
        paired = is_paired(self._get_entry().data) and self.kind != SUBENTRY_CABLE
        return self.async_show_menu(step_id="reconfigure", menu_options=[*options, "transfer"] if paired else options)

    @property
    def _sources(self) -> list[str]:
        offered = [SOURCE_ENTITIES, SOURCE_MODBUS, SOURCE_SUNSPEC, "search"]
        return [source for source in offered if source != SOURCE_SUNSPEC or self.kind not in NO_SUNSPEC]

    async def _async_step_source(self) -> SubentryFlowResult:
        if self.source != SOURCE_RECONFIGURE:
            return await self.async_step_details()
        former = self._current.get(CONF_SERIAL)
        if former is not None and self._source.get(CONF_SERIAL) not in (None, former):
            return await self.async_step_exchange()
        return self._change_source()

    async def async_step_exchange(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask whether the meter was exchanged: another serial number answers than before."""
        found = FormErrors()
        if user_input is not None and self._is_free(self._source, found):
            return self._change_source()
        return self.async_show_form(
            step_id="exchange",
            errors=found.errors,
            description_placeholders={
                "former": str(self._current[CONF_SERIAL]),
                "serial": str(self._source[CONF_SERIAL]),
                **found.placeholders,
            },
        )

    def _change_source(self) -> SubentryFlowResult:
        self._relink_others()
        return self._update({CONF_SOURCE: dict(self._source)})

    async def async_step_details(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for name, owner, what it hangs below and its rated power; a device's own words are suggested."""
        own = self._own_tap
        about = About(self.hass, await self._async_site(), self._get_entry(), self.kind, own)
        found = FormErrors()
        if user_input is not None:
            details = about.take(user_input, found)
            if own is None and self._is_free(self._source, found):
                return self._add(user_input[CONF_NAME].strip(), details)
            if own is not None and not found:
                return self._update(details, user_input[CONF_NAME].strip())
        form = user_input or (self._suggested if own is None else about.form())
        serial = (self._source if own is None else self._current).get(CONF_SERIAL)
        return self._show("details", about.schema(), form, found, {"serial": str(serial or "-")})


class MeterFlow(DeviceFlow):
    """Adds the site's meter: a root of the tree, on the grid."""

    kind: Kind = "meter"


class TapFlow(DeviceFlow):
    """Adds a tap below the grid, a meter or another tap."""

    kind: Kind = "tap"


class ChargerFlow(DeviceFlow):
    """Adds a charger of cars."""

    kind: Kind = "charger"


class CableFlow(DeviceFlow):
    """Adds a V2G cable, plugged in at a tap; it is no tap of the tree."""

    kind: Kind = "cable"


class BatteryFlow(DeviceFlow):
    """Adds a battery."""

    kind: Kind = "battery"


FLOWS: Final[dict[str, type[ConfigSubentryFlow]]] = {
    SUBENTRY_METER: MeterFlow,
    SUBENTRY_TAP: TapFlow,
    SUBENTRY_CHARGER: ChargerFlow,
    SUBENTRY_CABLE: CableFlow,
    SUBENTRY_BATTERY: BatteryFlow,
}
