"""Whose the taps are, as the cloud says: heard, kept, and taken up in time for the boundary from which it holds."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .const import CONF_OWNER, DOMAIN, LOGGER
from .link import CloudClient, Paper
from .link.standing import PAPER_TAPS, Rewriting, fetch_standings, rewriting, standings_of
from .site import SiteSettings, TapConfig, tap_configs
from .store import Store
from .wire.transfer import TapStandings

if TYPE_CHECKING:
    from .cloud import SiteCloud

NOTICE_OWNER = "owner"
QUIET_S_MAX = 30  # after a boundary, three polls of a long interval
TRANSFER_TAP: Final = "transfer_tap"  # the repair in which the action asks for the passcode


async def async_take_up(
    hass: HomeAssistant, entry: ConfigEntry[Any], store: Store, settings: SiteSettings
) -> TapStandings | None:
    """Write into the entry, before it runs, whose its taps are by what the cloud said last; return that."""
    standings = standings_of(await store.run(store.outbox.paper, PAPER_TAPS, PAPER_TAPS))
    if standings is not None:
        taps = tap_configs(entry)
        for tap, owner in rewritings(entry, settings, standings).due.items():
            LOGGER.info("%s is %s's now", taps[tap].name, settings.owners[owner])
            subentry = entry.subentries[taps[tap].subentry_id]
            hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, CONF_OWNER: owner})
    return standings


def rewritings(entry: ConfigEntry[Any], settings: SiteSettings, standings: TapStandings) -> Rewriting:
    """Return which owners are to be rewritten, now and later.

    An owner nobody knows stays written: the tap counts for the main owner, and a person is told so. Nor is a tap given
    to somebody whom the settings do not name yet; with newer settings the site starts anew.
    """
    here = {tap.tap: tap.owner for tap in tap_configs(entry).values() if tap.owner in settings.owners}
    found = rewriting(standings, here, dt_util.utcnow().timestamp(), settings.interval_seconds)
    known = {tap: owner for tap, owner in found.due.items() if owner in settings.owners}
    return Rewriting(known, found.next_at)


@callback
def raise_transfer(hass: HomeAssistant, entry: ConfigEntry[Any], tap: TapConfig, owner: str | None) -> None:
    """Show that a tap is to change hands and that its passcode is asked for; `owner` is who is proposed."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{_asked(entry.entry_id)}{tap.tap}",
        data={"entry_id": entry.entry_id, "tap": tap.tap, "owner": owner},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=TRANSFER_TAP,
        translation_placeholders={"tap": tap.name, "site": entry.title},
    )


@callback
def clear_transfers(hass: HomeAssistant, entry_id: str, *taps: str) -> None:
    """Ask no more for the passcode of these taps; of none at the site where none is named."""
    wanted = {f"{_asked(entry_id)}{tap}" for tap in taps}
    for domain, issue in list(ir.async_get(hass).issues):
        if domain == DOMAIN and (issue in wanted or (not taps and issue.startswith(_asked(entry_id)))):
            ir.async_delete_issue(hass, domain, issue)


def _asked(entry_id: str) -> str:
    return f"{TRANSFER_TAP}_{entry_id}_"


class Transfers:
    """Keeps what the cloud says of the taps, and lets the site start anew whenever one of them changes hands."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], store: Store, settings: SiteSettings) -> None:
        """Take the site's parts; nothing moves before `follow`."""
        self._hass, self._entry, self._store, self._settings = hass, entry, store, settings
        self._cancel: CALLBACK_TYPE | None = None
        entry.async_on_unload(self._stop_waiting)

    def follow(self, cloud: SiteCloud, standings: TapStandings | None) -> None:
        """Begin with what was kept; ask the cloud when it comes in reach, and when it says that a tap changes hands.

        A notice says too little to act on: it may be one of several, or have come too late.
        """
        cloud.errands.add(self)
        cloud.listen(NOTICE_OWNER, lambda _body: cloud.errands.wake())
        if standings is not None:
            self.wait_for(standings)

    async def __call__(self, client: CloudClient) -> None:
        """Fetch how the taps stand, keep it, and take it up if something is due."""
        standings, raw, signature = await fetch_standings(client)
        now = int(dt_util.utcnow().timestamp())
        paper = Paper(PAPER_TAPS, PAPER_TAPS, raw, signature, now)
        await self._store.run(self._store.outbox.replace_paper, paper)
        self.wait_for(standings)

    @callback
    def wait_for(self, standings: TapStandings) -> None:
        """Start the site anew when an owner is to be rewritten: now, or when its time has come."""
        self._stop_waiting()
        pending = [tap for tap, standing in standings.taps.items() if standing.pending is not None]
        if pending:
            clear_transfers(self._hass, self._entry.entry_id, *pending)
        found = rewritings(self._entry, self._settings, standings)
        if found.due:
            self._start_anew(dt_util.utcnow())
        elif found.next_at is not None:
            # the meters are read around a boundary: starting anew right there would cost an exact register
            quiet_s = min(QUIET_S_MAX, self._settings.interval_seconds / 4)
            at = dt_util.utc_from_timestamp(found.next_at + quiet_s)
            self._cancel = async_track_point_in_utc_time(self._hass, self._start_anew, at)

    @callback
    def _start_anew(self, _now: datetime) -> None:
        self._cancel = None
        if not self._hass.is_stopping:  # else it would be opened once more and never closed
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)

    @callback
    def _stop_waiting(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
