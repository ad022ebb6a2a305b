"""Adding a site, with a cloud or without; changing its address; pairing it again; devices that announce themselves."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_CODE, CONF_NAME, CONF_URL
from homeassistant.core import callback
from homeassistant.util import slugify
import probatio

from .cloud import client_of
from .const import (
    CONF_INTERVAL_SECONDS,
    CONF_KEY_ID,
    CONF_LAST_TAP,
    CONF_MAIN_OWNER,
    CONF_MAIN_OWNER_NAME,
    CONF_SEND_PLACE,
    CONF_SITE,
    DOMAIN,
    LOGGER,
)
from .errors import BadSignature, CloudRefused, CloudUnreachable, KeyFileError
from .flows import schemas
from .flows.discovery import DiscoveryFlow
from .flows.pairing import FormErrors, Joining, async_claim_key, async_pair, fault_key, release_key
from .flows.tap import FLOWS
from .flows.visiting import VisitingOptions
from .flows.words import WordError, clean_code, clean_name, clean_url
from .link import SiteKey
from .runtime import site_folder
from .site import is_paired, wire_name

STEP_PAIR, STEP_LOCAL = "pair", "local"


class CommonwattConfigFlow(DiscoveryFlow, domain=DOMAIN):
    """Adds and changes a site; takes in devices that announce themselves."""

    VERSION = 1

    _key: SiteKey | None = None

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry[Any]) -> dict[str, type[ConfigSubentryFlow]]:
        """Offer every kind of device."""
        return dict(FLOWS)

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry[Any]) -> OptionsFlow:
        """Offer the standing consent to visiting cables."""
        return VisitingOptions()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the site has a cloud."""
        return self.async_show_menu(step_id="user", menu_options=[STEP_PAIR, STEP_LOCAL])

    async def async_step_pair(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Join a cloud with a one-time code, as a new site or with a site that had no cloud so far."""
        found = FormErrors()
        if user_input is not None:
            joining = _joining(user_input, found)
            if joining is not None and (data := await self._async_join(joining, found)) is not None:
                return await self._async_paired(joining.name, data)
        entry = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        name = self.hass.config.location_name if entry is None else entry.title
        return self._show(STEP_PAIR, schemas.pairing(name), user_input, found)

    async def _async_paired(self, name: str, data: Mapping[str, str]) -> ConfigFlowResult:
        await self.async_set_unique_id(data[CONF_SITE])
        if self.source == SOURCE_RECONFIGURE:
            entry = self._get_reconfigure_entry()
            if self._other_entry_with(data[CONF_SITE], entry):
                return self.async_abort(reason="already_configured")
            kept = {CONF_LAST_TAP: entry.data.get(CONF_LAST_TAP, 0)}
            return self.async_update_and_abort(entry, unique_id=data[CONF_SITE], title=name, data={**kept, **data})
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title=name, data=data)

    async def async_step_local(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Run without a cloud: the site itself says who owns and how long an interval is."""
        found = FormErrors()
        entry = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        if user_input is not None:
            data = _local(user_input, found)
            if entry is not None and not found:
                # the owner's id stays: taps and intervals are kept under it
                data |= {CONF_MAIN_OWNER: entry.data[CONF_MAIN_OWNER]}
                return self.async_update_and_abort(entry, title=user_input[CONF_NAME].strip(), data_updates=data)
            if not found and (key := await self._async_key(found)) is not None:
                await self.async_set_unique_id(key.kid)
                return self.async_create_entry(title=user_input[CONF_NAME].strip(), data={CONF_KEY_ID: key.kid} | data)
        if entry is not None and user_input is None:
            user_input = {
                CONF_NAME: entry.title,
                CONF_MAIN_OWNER: entry.data[CONF_MAIN_OWNER_NAME],
                CONF_INTERVAL_SECONDS: str(entry.data[CONF_INTERVAL_SECONDS]),
            }
        return self._show(STEP_LOCAL, schemas.without_cloud(self.hass.config.location_name), user_input, found)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin again with a cloud that no longer knows this site's credentials."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new one-time code; the key, and so the site, stays the same."""
        entry = self._get_reauth_entry()
        found = FormErrors()
        if user_input is not None:
            joining = _joining(
                {CONF_URL: entry.data[CONF_URL], CONF_NAME: wire_name(entry.title) or DOMAIN} | user_input, found
            )
            if joining is not None and (data := await self._async_join(joining, found)) is not None:
                await self.async_set_unique_id(data[CONF_SITE])
                self._abort_if_unique_id_mismatch(reason="wrong_site")
                return self.async_update_and_abort(entry, data_updates=data)
        return self._show("reauth_confirm", schemas.CODE, None, found, {"url": entry.data[CONF_URL]})

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change a paired site's address of the cloud; a site without a cloud may get one."""
        entry = self._get_reconfigure_entry()
        if not is_paired(entry.data):
            return self.async_show_menu(step_id="reconfigure", menu_options=[STEP_PAIR, STEP_LOCAL])
        found = FormErrors()
        if user_input is not None:
            url = await self._async_same_cloud(entry, user_input[CONF_URL], found)
            if url is not None:
                return self.async_update_and_abort(entry, data_updates={CONF_URL: url})
        return self._show("reconfigure", schemas.CLOUD_URL, user_input or {CONF_URL: entry.data[CONF_URL]}, found)

    async def _async_same_cloud(self, entry: ConfigEntry[Any], text: str, found: FormErrors) -> str | None:
        """Return the address if the site's own cloud answers there: it must know the site and sign as before."""
        try:
            url = clean_url(text)
        except WordError as error:
            found.errors[CONF_URL] = error.key
            return None
        if (key := await self._async_key(found)) is None:
            return None
        try:
            await client_of(self.hass, entry, key, url).settings()
        except CloudUnreachable as error:
            found.errors["base"] = fault_key(error)
        except (CloudRefused, BadSignature) as error:
            LOGGER.debug("No answer of the site's cloud at the new address: %s", error)
            found.errors["base"] = "not_this_cloud"
        return None if found else url

    async def _async_join(self, joining: Joining, found: FormErrors) -> Mapping[str, str] | None:
        if (key := await self._async_key(found)) is None:
            return None
        return await async_pair(self.hass, key, joining, found)

    async def _async_key(self, found: FormErrors) -> SiteKey | None:
        """Return the site's key; a new site's is made once and kept over every try of this dialogue."""
        try:
            if self._key is None and self.source in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
                folder = site_folder(self.hass, self._entry_changed.data[CONF_KEY_ID])
                self._key = await self.hass.async_add_executor_job(SiteKey.load, folder)
            if self._key is None:
                used = {entry.data[CONF_KEY_ID] for entry in self._async_current_entries()}
                self._key = await async_claim_key(self.hass, used)
        except KeyFileError as error:
            LOGGER.error("The site's key: %s", error)
            found.errors["base"] = "key_failed"
            found.placeholders["detail"] = str(error)
        return self._key

    @property
    def _entry_changed(self) -> ConfigEntry[Any]:
        return self._get_reauth_entry() if self.source == SOURCE_REAUTH else self._get_reconfigure_entry()

    def _other_entry_with(self, site: str, entry: ConfigEntry[Any]) -> bool:
        other = self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, site)
        return other is not None and other.entry_id != entry.entry_id

    def _show(
        self,
        step_id: str,
        schema: probatio.Schema,
        user_input: Mapping[str, Any] | None,
        found: FormErrors,
        words: Mapping[str, str] | None = None,
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=found.errors,
            description_placeholders={**(words or {}), **found.placeholders},
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Leave a new site's key to the next dialogue, if this one came to nothing."""
        if self._key is not None:
            release_key(self.hass, self._key)


def _joining(user_input: Mapping[str, Any], found: FormErrors) -> Joining | None:
    """Take in what was typed; what cannot be taken goes into `found`."""
    taken: dict[str, str] = {}
    for name, clean in ((CONF_URL, clean_url), (CONF_CODE, clean_code), (CONF_NAME, clean_name)):
        try:
            taken[name] = clean(user_input[name])
        except WordError as error:
            found.errors[name] = error.key
    if found:
        return None
    return Joining(taken[CONF_URL], taken[CONF_CODE], taken[CONF_NAME], user_input.get(CONF_SEND_PLACE, False))


def _local(user_input: Mapping[str, Any], found: FormErrors) -> dict[str, Any]:
    """Return what an entry without a cloud keeps of its form."""
    for name in (CONF_NAME, CONF_MAIN_OWNER):
        try:
            clean_name(user_input[name])
        except WordError as error:
            found.errors[name] = error.key
    owner_name = user_input[CONF_MAIN_OWNER].strip()
    return {
        CONF_MAIN_OWNER: slugify(owner_name)[:60],
        CONF_MAIN_OWNER_NAME: owner_name,
        CONF_INTERVAL_SECONDS: int(user_input[CONF_INTERVAL_SECONDS]),
    }
