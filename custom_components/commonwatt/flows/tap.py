"""Adding and changing a meter or a tap: where its registers come from, who owns it, what it hangs below."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowContext,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.util import slugify
import probatio

from .. import wire
from ..const import (
    CONF_BREAKER_ENTITY,
    CONF_ESSENTIAL,
    CONF_OWNER,
    CONF_OWNER_NAME,
    CONF_RATED_POWER_W,
    CONF_SERIAL,
    CONF_SOURCE,
    CONF_TAP,
    CONF_UPSTREAM,
    SECTION_MORE_OPTIONS,
    SOURCE_ENTITIES,
    SOURCE_MODBUS,
    UPSTREAM_GRID,
)
from ..devices.port import Kind
from ..site import TapConfig, below, is_paired, next_tap_id, tap_configs
from . import schemas
from .breaker import check_breaker, cut_off_form
from .pairing import FormErrors
from .source import (
    check_entities,
    entities_form,
    modbus_form,
    modbus_source,
    probe,
    profiles,
    tap_with_source,
)
from .transfer import TransferSteps
from .words import WordError, clean_name

if TYPE_CHECKING:
    from ..coordinator import CommonwattConfigEntry, SiteCoordinator


class TapFlow(TransferSteps[SubentryFlowContext, SubentryFlowResult, tuple[str, str]], ConfigSubentryFlow):
    """Adds a tap below the grid, a meter or another tap; changes one, and lets it pass to another owner."""

    kind: Kind = "tap"

    _source: Mapping[str, Any]
    _suggested: Mapping[str, Any] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what measures here."""
        await self._async_site()
        return self.async_show_menu(step_id="user", menu_options=[SOURCE_ENTITIES, SOURCE_MODBUS])

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be changed."""
        await self._async_site()
        options = ["details", SOURCE_ENTITIES, SOURCE_MODBUS]
        paired = is_paired(self._get_entry().data)
        return self.async_show_menu(step_id="reconfigure", menu_options=[*options, "transfer"] if paired else options)

    async def async_step_entities(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Take the registers from entities that Home Assistant already has."""
        await self._async_site()
        found = FormErrors()
        if user_input is not None:
            source = check_entities(self.hass, user_input, found)
            if self._is_free(source, found):
                return await self._async_step_source(source)
        form = user_input or entities_form(self.hass, self._current)
        return self._show(SOURCE_ENTITIES, schemas.ENTITIES, form, found)

    async def async_step_modbus(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Take the registers from a Modbus unit, which has to answer now."""
        await self._async_site()
        found = FormErrors()
        if user_input is not None:
            source = modbus_source(user_input)
            if (identity := await probe(self.hass, source, found)) is not None:
                source |= {CONF_SERIAL: identity.serial}
                if self._is_free(source, found):
                    rated = identity.rated_power_w
                    self._suggested = {CONF_RATED_POWER_W: rated} if rated else {}
                    return await self._async_step_source(source)
        schema = schemas.modbus((await profiles(self.hass)).values())
        return self._show(SOURCE_MODBUS, schema, user_input or modbus_form(self._current), found)

    async def _async_step_source(self, source: Mapping[str, Any]) -> SubentryFlowResult:
        self._source = source
        if self.source != SOURCE_RECONFIGURE:
            return await self.async_step_details()
        former = self._get_reconfigure_subentry().data[CONF_SOURCE].get(CONF_SERIAL)
        if former is not None and source.get(CONF_SERIAL) not in (None, former):
            return await self.async_step_exchange()
        return self._update({CONF_SOURCE: source})

    async def async_step_exchange(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask whether the meter was exchanged: another serial number answers than before."""
        if user_input is not None:
            return self._update({CONF_SOURCE: self._source})
        former = self._get_reconfigure_subentry().data[CONF_SOURCE][CONF_SERIAL]
        return self.async_show_form(
            step_id="exchange",
            description_placeholders={"former": str(former), "serial": str(self._source[CONF_SERIAL])},
        )

    async def async_step_details(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for name, owner, what it hangs below and its rated power; a device's own words are suggested."""
        site = await self._async_site()
        parents = {tap.tap: tap.parent for tap in self._taps.values()}
        own = self._own_tap
        closed = below(own.tap, parents) if own is not None else set[str]()
        found = FormErrors()
        if user_input is not None:
            details = self._details(site, user_input, closed, found)
            if not found:
                return self._finish(user_input[CONF_NAME].strip(), details)
        schema = schemas.details(
            None if self._owner_stands else site.settings.owners,
            site.settings.main_owner,
            new_owners=not is_paired(self._get_entry().data),
            upstream=self._upstream(closed),
        )
        serial = (self._current if own else self._source).get(CONF_SERIAL)
        form = user_input or self._details_form(own)
        return self._show("details", schema, form, found, {"serial": str(serial or "-")})

    def _upstream(self, closed: set[str]) -> dict[str, str] | None:
        """Return the names of what it may hang below; None for a meter, which hangs on the grid."""
        if self.kind == "meter":
            return None
        return {tap.tap: tap.name for tap in self._taps.values() if tap.tap not in closed and tap.kind != "cable"}

    def _details(
        self, site: SiteCoordinator, user_input: Mapping[str, Any], closed: set[str], found: FormErrors
    ) -> dict[str, Any]:
        """Return what the form said as a subentry holds it; what cannot be taken goes into `found`."""
        upstream: str = UPSTREAM_GRID if self.kind == "meter" else user_input[CONF_UPSTREAM]
        if upstream in closed:
            found.errors[CONF_UPSTREAM] = "loop"
        elif upstream not in (UPSTREAM_GRID, wire.ISLAND, *self._taps):
            found.errors[CONF_UPSTREAM] = "upstream_gone"
        owner, owner_name = user_input.get(CONF_OWNER), None
        try:
            clean_name(user_input[CONF_NAME])
        except WordError as error:
            found.errors[CONF_NAME] = error.key
        if not is_paired(self._get_entry().data):
            try:
                owner, owner_name = named_owner(site.settings.owners, user_input[CONF_OWNER])
            except WordError as error:
                found.errors[CONF_OWNER] = error.key
        details = {CONF_UPSTREAM: upstream, CONF_RATED_POWER_W: user_input.get(CONF_RATED_POWER_W)}
        if (more := user_input.get(SECTION_MORE_OPTIONS)) is not None:
            details[CONF_BREAKER_ENTITY] = check_breaker(self.hass, more.get(CONF_BREAKER_ENTITY), found)
            details[CONF_ESSENTIAL] = more.get(CONF_ESSENTIAL, False)
        owned = {CONF_OWNER: owner, CONF_OWNER_NAME: owner_name}
        return details | {name: word for name, word in owned.items() if word is not None}

    def _finish(self, name: str, details: dict[str, Any]) -> SubentryFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            return self._update(details, name)
        tap = next_tap_id(self._get_entry())
        return self.async_create_entry(
            title=name, data={CONF_TAP: tap, CONF_SOURCE: self._source} | details, unique_id=tap
        )

    def _update(self, changed: Mapping[str, Any], name: str | None = None) -> SubentryFlowResult:
        subentry = self._get_reconfigure_subentry()
        return self.async_update_and_abort(
            self._get_entry(), subentry, title=name or subentry.title, data_updates=changed
        )

    def _is_free(self, source: Mapping[str, Any], found: FormErrors) -> bool:
        """Tell whether a checked source is no other tap's: energy counted at two taps is counted twice."""
        if found:
            return False
        others = [tap for tap in self._taps.values() if self._own_tap is None or tap.tap != self._own_tap.tap]
        if (taken := tap_with_source(others, source)) is not None:
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

    def _details_form(self, own: TapConfig | None) -> dict[str, Any]:
        if own is None:
            return dict(self._suggested)
        form: dict[str, Any] = {
            CONF_NAME: own.name,
            CONF_OWNER: own.owner,
            CONF_UPSTREAM: own.parent or UPSTREAM_GRID,
            SECTION_MORE_OPTIONS: cut_off_form(self.hass, own),
        }
        return form | ({CONF_RATED_POWER_W: own.rated_power_w} if own.rated_power_w else {})

    @property
    def _owner_stands(self) -> bool:
        """Tell whether a tap is there already in a site with a cloud: then it changes hands only by a transfer."""
        return self.source == SOURCE_RECONFIGURE and is_paired(self._get_entry().data)

    @override
    def _transferred(self) -> tuple[CommonwattConfigEntry, str]:
        return self._get_entry(), self._get_reconfigure_subentry().data[CONF_TAP]

    @override
    def _async_transferred(self, words: Mapping[str, str]) -> SubentryFlowResult:
        return self.async_abort(reason="transferred", description_placeholders=words)

    @property
    def _current(self) -> Mapping[str, Any]:
        if self.source != SOURCE_RECONFIGURE:
            return {}
        source: Mapping[str, Any] = self._get_reconfigure_subentry().data[CONF_SOURCE]
        return source

    async def _async_site(self) -> SiteCoordinator:
        """Return the running site; adding the tap before this one may still be reloading it."""
        entry: CommonwattConfigEntry = self._get_entry()
        async with entry.setup_lock:
            if entry.state is not ConfigEntryState.LOADED:
                raise AbortFlow("not_loaded")
            return entry.runtime_data.coordinator

    @property
    def _taps(self) -> dict[str, TapConfig]:
        return tap_configs(self._get_entry())

    @property
    def _own_tap(self) -> TapConfig | None:
        if self.source != SOURCE_RECONFIGURE:
            return None
        subentry: ConfigSubentry = self._get_reconfigure_subentry()
        return self._taps[subentry.data[CONF_TAP]]


class MeterFlow(TapFlow):
    """Adds the site's meter: a root of the tree, on the grid."""

    kind = "meter"


def named_owner(owners: Mapping[str, str], text: str) -> tuple[str, str]:
    """Return (id, name) of the owner chosen or newly named; the same name in other letters is the same owner."""
    if text in owners:
        return text, owners[text]
    name = clean_name(text)
    for owner, known in owners.items():
        if known.casefold() == name.casefold():
            return owner, known
    owner = slugify(name)[:60]
    while owner in owners:
        owner += "_2"
    return owner, name
