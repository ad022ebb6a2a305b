"""The site's cloud as Home Assistant sees it: the uplink in the background, its news as state, issues and reauth."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from . import wire
from .const import (
    CLOCK_OFFSET_MS_MAX,
    CONF_CLIENT_ID,
    CONF_CLIENT_SECRET,
    CONF_CLOUD_KEY,
    CONF_SITE,
    LOGGER,
    UNREACHABLE_SECONDS_MAX,
)
from .coordinator import CommonwattConfigEntry, SiteCoordinator
from .issues import clear_issue, raise_issue
from .link import CloudClient, Errands, LinkState, PriceFinding, PriceKeeper, SiteKey, StatementKeeper, Uplink
from .money import SiteMoney
from .site import settings_of_cloud
from .state import CloudState
from .statement import Day
from .store import Store

NOTICE_BALANCE = "balance"
NOTICE_PRICES = "prices"
NOTICE_STATEMENT = "statement"
INCIDENT_CLOCK = "clock-offset"
FETCH_SECONDS = 10  # how long a person waits for the newest before the kept ones do

type NoticeHandler = Callable[[Mapping[str, Any]], None]  # given a notice's body


def client_of(hass: HomeAssistant, entry: CommonwattConfigEntry, key: SiteKey, url: str | None = None) -> CloudClient:
    """Return a paired site's way to its cloud, or to the same cloud at another address."""
    data = entry.data
    return CloudClient(
        async_get_clientsession(hass),
        url or data[CONF_URL],
        key=key,
        site=data[CONF_SITE],
        client_id=data[CONF_CLIENT_ID],
        client_secret=data[CONF_CLIENT_SECRET],
        cloud_key=data[CONF_CLOUD_KEY],
    )


class SiteCloud:
    """Runs the uplink; whatever it says becomes `state`, a repair issue, a reload or a new pairing."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: CommonwattConfigEntry,
        store: Store,
        client: CloudClient,
        site: SiteCoordinator,
    ) -> None:
        """Connect the uplink's callbacks; nothing runs before `async_start`."""
        self.state = CloudState()
        self._hass = hass
        self._entry = entry
        self._store = store
        self._site = site
        self._down_since: float | None = dt_util.utcnow().timestamp()
        self._error: str | None = None
        self._clock_is_off = False
        self._task: asyncio.Task[None] | None = None
        self._handlers: dict[str, NoticeHandler] = {
            NOTICE_BALANCE: self._show_balance,
            NOTICE_PRICES: self._fetch_prices,
            NOTICE_STATEMENT: self._fetch_statement,
        }
        self.client = client
        self.statements = StatementKeeper(store.outbox, store.run, site.settings.main_owner)
        self.prices = PriceKeeper(store.outbox, store.run, self._on_price_findings, _now)
        self.errands = Errands(
            [self.prices, SiteMoney(hass, entry, store, site.settings, self._show_today), self.statements]
        )
        self._uplink = Uplink(
            client,
            store.outbox,
            store.run,
            on_state=self._on_state,
            on_settings=self._on_settings,
            on_notice=self._on_notice,
            errands=self.errands,
        )
        self.nudge: Callable[[], None] = self._uplink.nudge

    def listen(self, kind: str, handler: NoticeHandler) -> None:
        """Hand notices of a kind to a handler: those that come, and at the start the one kept last.

        It must do no harm when told the same twice; register before `async_start`.
        """
        self._handlers[kind] = handler

    async def async_start(self) -> None:
        """Tell again what was told last, and keep site and cloud in step from now on."""
        await self.prices.load()
        for kind, handler in self._handlers.items():
            if (body := await self._store.run(self._store.outbox.notice, kind)) is not None:
                handler(body)
        self._site.async_tell()
        self._task = self._entry.async_create_background_task(
            self._hass, self._uplink.run(), f"commonwatt uplink {self._entry.entry_id}"
        )

    async def async_stop(self) -> None:
        """End the uplink; what it was sending is sent again next time, under the same number."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def async_fetch_statements(self) -> None:
        """Fetch what the statements say by now, if the cloud answers; without it there is what was kept."""
        if not self.state.connected:
            return
        self.statements.hurry()
        self.errands.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCH_SECONDS):
                await self.statements.fetched.wait()

    @callback
    def async_watch(self) -> None:
        """Show the price of the interval that runs; raise an issue when the cloud has been out of reach for long."""
        settings, at = self._site.settings, int(_now())
        price = self.prices.window.price_at(settings.main_owner, at - at % settings.interval_seconds)
        self.state = replace(self.state, price=price)
        now = dt_util.utcnow().timestamp()
        if self._down_since is not None and now - self._down_since > UNREACHABLE_SECONDS_MAX:
            words = {"url": self._entry.data[CONF_URL], "error": self._error or "-"}
            raise_issue(self._hass, self._entry.entry_id, "cloud_unreachable", words)

    @callback
    def _on_state(self, link: LinkState) -> None:
        self._error = link.error
        connected = link.status == "connected"
        if connected:
            self._down_since = None
            clear_issue(self._hass, self._entry.entry_id, "cloud_unreachable")
        elif self._down_since is None:
            self._down_since = dt_util.utcnow().timestamp()
        if link.status == "unauthorised":
            self._entry.async_start_reauth(self._hass)
        if connected and link.error is not None:
            raise_issue(self._hass, self._entry.entry_id, "tree_refused", {"detail": link.error})
        elif connected:
            clear_issue(self._hass, self._entry.entry_id, "tree_refused")
        if link.refused is not None:
            raise_issue(self._hass, self._entry.entry_id, "batch_refused", {"detail": link.refused})
        self._show_link(connected=connected, clock_offset_ms=link.clock_offset_ms)
        self._judge_clock(link.clock_offset_ms)
        self._site.async_tell()

    def _judge_clock(self, offset_ms: int | None) -> None:
        if offset_ms is None:
            return
        was_off, self._clock_is_off = self._clock_is_off, abs(offset_ms) > CLOCK_OFFSET_MS_MAX
        if not self._clock_is_off:
            clear_issue(self._hass, self._entry.entry_id, "clock_offset")
            return
        raise_issue(self._hass, self._entry.entry_id, "clock_offset", {"seconds": f"{offset_ms / 1000:.1f}"})
        if not was_off:
            now = int(dt_util.utcnow().timestamp())
            self._site.async_tell(wire.Incident(now, INCIDENT_CLOCK, detail=f"{offset_ms} ms"))

    @callback
    def _on_settings(self, settings: wire.Settings) -> None:
        if settings_of_cloud(settings) != self._site.settings:
            LOGGER.info("%s: the cloud changed the settings of this site", self._entry.title)
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)

    @callback
    def _on_notice(self, notice: wire.Notice) -> None:
        if (handler := self._handlers.get(notice.kind)) is not None:
            handler(notice.body)
            self._site.async_tell()

    def _show_balance(self, body: Mapping[str, Any]) -> None:
        try:
            balance = wire.parse_balance(body)
        except wire.WireError as error:
            LOGGER.warning("%s: a notice of the balance says nothing: %s", self._entry.title, error)
            return
        self.state = replace(self.state, balance_micro=balance.balance_micro, settled_through=balance.settled_through)
        self.errands.wake()  # something was settled, or points moved

    def _fetch_prices(self, _body: Mapping[str, Any]) -> None:
        self.prices.hurry()
        self.errands.wake()

    @callback
    def _on_price_findings(self, findings: Sequence[PriceFinding]) -> None:
        """Show the last price that was told otherwise too late."""
        found = findings[-1]
        words = {
            "owner": self._site.settings.owners.get(found.owner, found.owner),
            "start": wire.time_text(found.start),
            "count": str(len(findings)),
        }
        raise_issue(self._hass, self._entry.entry_id, "price_altered", words)

    def _fetch_statement(self, _body: Mapping[str, Any]) -> None:
        self.statements.hurry()
        self.errands.wake()

    @callback
    def _show_today(self, today: Day) -> None:
        self.state = replace(self.state, today=today)
        self._site.async_tell()

    def _show_link(self, *, connected: bool, clock_offset_ms: int | None) -> None:
        self.state = replace(self.state, connected=connected, clock_offset_ms=clock_offset_ms)


def _now() -> float:
    return dt_util.utcnow().timestamp()
