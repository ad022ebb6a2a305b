"""A tap is to change hands: who takes it over, and its passcode, which goes to the cloud and stays nowhere here."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowContext, FlowHandler, FlowResult
from homeassistant.util import dt as dt_util

from ..const import CONF_OWNER, CONF_PASSCODE, CONF_REPEATED, LOGGER
from ..errors import BadSignature, CloudRefused, CloudUnreachable
from ..link.standing import fetch_standings
from ..site import SiteSettings, TapConfig, tap_configs
from ..wire import WireError
from ..wire.transfer import TapStanding, TransferKept, parse_transfer_kept
from . import schemas
from .pairing import WAIT_S_UNTOLD, FormErrors

if TYPE_CHECKING:
    from ..cloud import SiteCloud
    from ..coordinator import CommonwattConfigEntry

PASSCODE_CHARACTERS_MIN = 6
PASSCODE_CHARACTERS_MAX = 128

type Closed = Literal[
    "not_loaded", "tap_gone", "not_paired", "cloud_unreachable", "transfer_pending", "passcode_not_set"
]


@dataclass(slots=True)
class TransferTalk:
    """One dialogue about one tap with the cloud; asked again for the same owner it is the same transfer."""

    cloud: SiteCloud
    settings: SiteSettings
    tap: TapConfig
    standing: TapStanding
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def owners(self) -> dict[str, str]:
        """Return the names of those who can take the tap over."""
        return {owner: name for owner, name in self.settings.owners.items() if owner != self.standing.owner}

    @property
    def words(self) -> dict[str, str]:
        """Return the words every form is filled with."""
        owner = self.standing.owner
        return {"tap": self.tap.name, "owner": self.settings.owners.get(owner, owner)}

    async def async_ask(self, form: Mapping[str, Any], found: FormErrors) -> TransferKept | None:
        """Set the first passcode where there is none, then ask for the transfer; a no goes into `found`."""
        passcode, owner = form[CONF_PASSCODE], form[CONF_OWNER]
        if not self.standing.passcode and not _sound(passcode, form[CONF_REPEATED], found):
            return None
        path = f"/v1/sites/{self.cloud.client.site}/taps/{self.tap.tap}"
        body = {"id": self.ids.setdefault(owner, uuid4().hex), "to_owner": owner, "passcode": passcode}
        try:
            if not self.standing.passcode:
                await self.cloud.client.post(f"{path}/passcode", {"passcode": passcode}, method="PUT")
                self.standing = TapStanding(self.standing.owner, passcode=True)
            kept = parse_transfer_kept(await self.cloud.client.post(f"{path}/transfers", body))
        except (CloudUnreachable, CloudRefused, WireError) as error:
            LOGGER.debug("No transfer of %s: %s", self.tap.tap, error)
            _tell(error, found)
            return None
        self.cloud.errands.wake()
        return kept

    def done(self, kept: TransferKept) -> dict[str, str]:
        """Return the words that say what will happen, and from when."""
        begins = kept.effective_from or kept.not_before
        return self.words | {"to_owner": self.settings.owners.get(kept.to_owner, kept.to_owner), "time": _clock(begins)}


async def async_open_talk(hass: HomeAssistant, entry: CommonwattConfigEntry, tap_id: str) -> TransferTalk | Closed:
    """Ask the cloud how a tap stands now; return why nothing can be done about it, if so."""
    async with entry.setup_lock:
        if entry.state is not ConfigEntryState.LOADED:
            return "not_loaded"
        runtime = entry.runtime_data
    tap = tap_configs(entry).get(tap_id)
    if runtime.cloud is None or tap is None:
        return "not_paired" if runtime.cloud is None else "tap_gone"
    try:
        standings, _, _ = await fetch_standings(runtime.cloud.client)
    except (CloudUnreachable, CloudRefused, BadSignature, WireError) as error:
        LOGGER.debug("The cloud does not say how %s stands: %s", tap_id, error)
        return "cloud_unreachable"
    standing, settings = standings.taps.get(tap_id), runtime.coordinator.settings
    if standing is None:
        return "tap_gone"
    if standing.pending is not None:
        return "transfer_pending"
    if not standing.passcode and standing.owner != settings.main_owner:
        return "passcode_not_set"
    return TransferTalk(runtime.cloud, settings, tap, standing)


class TransferSteps[C: FlowContext, R: FlowResult[Any, Any], H](FlowHandler[C, R, H]):
    """The steps of a transfer, wherever it was begun: at the tap, or by the action."""

    _talk: TransferTalk | None = None
    _proposed: str | None = None

    async def async_step_transfer(self, user_input: dict[str, Any] | None = None) -> R:
        """Ask who takes the tap over, and for its passcode."""
        if self._talk is None:
            entry, tap_id = self._transferred()
            opened = await async_open_talk(self.hass, entry, tap_id)
            if isinstance(opened, str):
                return self.async_abort(reason=opened)
            self._talk = opened
        talk, found = self._talk, FormErrors()
        if user_input is not None and (kept := await talk.async_ask(user_input, found)) is not None:
            return self._async_transferred(talk.done(kept))
        owner = self._proposed if user_input is None else user_input[CONF_OWNER]
        schema = schemas.transfer(talk.owners, first=not talk.standing.passcode)
        return self.async_show_form(
            step_id="transfer" if talk.standing.passcode else "first_passcode",
            # of what was typed only the owner comes back into the form
            data_schema=self.add_suggested_values_to_schema(schema, {CONF_OWNER: owner} if owner else None),
            errors=found.errors,
            description_placeholders=talk.words | found.placeholders,
        )

    async def async_step_first_passcode(self, user_input: dict[str, Any] | None = None) -> R:
        """Ask for the first passcode of a tap of the main owner as well, typed twice."""
        return await self.async_step_transfer(user_input)

    @abstractmethod
    def _transferred(self) -> tuple[CommonwattConfigEntry, str]:
        """Return the site and the tap in question."""

    @abstractmethod
    def _async_transferred(self, words: Mapping[str, str]) -> R:
        """End, saying from when the tap is somebody else's."""


def _sound(passcode: str, repeated: str, found: FormErrors) -> bool:
    """Tell whether a new passcode can be set."""
    if passcode != repeated:
        found.errors[CONF_REPEATED] = "passcodes_differ"
    elif not PASSCODE_CHARACTERS_MIN <= len(passcode) <= PASSCODE_CHARACTERS_MAX or not passcode.isprintable():
        found.errors[CONF_PASSCODE] = "passcode_length"
    return not found


def _tell(error: CloudUnreachable | CloudRefused | WireError, found: FormErrors) -> None:
    """Say what the cloud did instead: never how many tries are left."""
    match error:
        case CloudRefused(problem_type="passcode-refused" | "malformed"):
            found.errors[CONF_PASSCODE] = "passcode_refused"
        case CloudRefused(status=429):
            wait_s = WAIT_S_UNTOLD if error.retry_after_s is None else error.retry_after_s
            found.errors["base"] = "passcode_locked"
            found.placeholders["time"] = _clock(dt_util.utcnow().timestamp() + wait_s)
        case CloudRefused(problem_type="same-owner" | "unknown-owner"):
            found.errors[CONF_OWNER] = "owner_refused"
        case CloudRefused(problem_type="transfer-pending"):
            found.errors["base"] = "transfer_pending"
        case CloudRefused():
            found.errors["base"] = "refused"
            found.placeholders["detail"] = error.detail
        case _:
            found.errors["base"] = "cloud_unreachable"


def _clock(at: float) -> str:
    """Return a time as people here write it, to the minute that follows."""
    local = dt_util.as_local(dt_util.utc_from_timestamp(at) + timedelta(seconds=59))
    return local.strftime("%Y-%m-%d %H:%M")
