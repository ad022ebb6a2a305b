"""The pump: devices → metering → outbox, at every poll. No rule lives here."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import wire
from .attention import CLOCK_S_MIN, Clock, clear_exchanged, tell_clock_back, tell_meters
from .const import DOMAIN, GRACE_POLLS, LOGGER, POLL_SECONDS_MAX, POLL_SECONDS_MIN, POLLS_PER_INTERVAL
from .cut import cut, known_tree
from .devices.poll import DevicePoll
from .devices.port import Device
from .errors import OutboxError
from .handover import Handover
from .link import KeptInterval
from .metering import Boundary, TapMeter, begin, ready
from .periods import NOTE_PERIODS, CablePeriods
from .site import SiteSettings, TapConfig, tree_taps
from .slices import Breath, Teller
from .state import SiteState, added, owner_states
from .store import Store
from .trouble import OutboxTrouble
from .watch import MeterWatch

if TYPE_CHECKING:
    from .cloud import SiteCloud
    from .runtime import SiteRuntime

type CommonwattConfigEntry = ConfigEntry[SiteRuntime]

PATIENCE_S_MIN, PATIENCE_S_MAX = 0.5, 3.0  # how long a poll waits for a slow meter; a later answer counts later
CLOSED_AT_START_MAX = 20  # boundaries: after a long absence the start of Home Assistant must not wait for all of them
CLOSED_AT_ONCE_MAX = 200


class SiteCoordinator(DataUpdateCoordinator[SiteState]):
    """Reads every meter, closes every boundary that is due, and keeps the outcome before anything happens to it."""

    config_entry: CommonwattConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: CommonwattConfigEntry,
        *,
        store: Store,
        settings: SiteSettings,
        taps: Mapping[str, TapConfig],
        devices: Mapping[str, Device],
        handover: Handover | None,
    ) -> None:
        """Take the site's parts; nothing is read before the first refresh."""
        self._poll_s = min(max(settings.interval_seconds / POLLS_PER_INTERVAL, POLL_SECONDS_MIN), POLL_SECONDS_MAX)
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, update_interval=timedelta(seconds=self._poll_s)
        )
        self.settings = settings
        self.taps = taps
        self.cloud: SiteCloud | None = None
        self._store = store
        self._devices = devices
        self._poll = DevicePoll(devices)
        announced, heard_ms = (set(), {}) if handover is None else (handover.announced(taps), handover.heard_ms)
        scale, seconds = settings.time_scale, settings.interval_seconds
        self._watch = MeterWatch(taps, scale, interval_seconds=seconds, announced=announced, heard_ms=heard_ms)
        clear_exchanged(hass, entry.entry_id, kept=taps.keys() - announced)
        self._teller = Teller(self._listeners, self._spawn)
        heard = {} if handover is None else handover.cables
        self.periods = CablePeriods(taps, seconds, heard, scale)
        self.listen_periods = self.periods.listen
        self._handover = handover
        self._meters: dict[str, TapMeter] = {}
        self._totals_wh: dict[str, int] = {}
        self._latest: KeptInterval | None = None
        self._depth = 0
        self._trouble = OutboxTrouble(hass, entry.entry_id, entry.title)
        self._planted: dict[str, wire.TreeTap] | None = None
        self._next_end = 0
        self._patient_until = 0.0
        self._clock = Clock()
        self._turn = asyncio.Lock()
        self._closed = False

    @override
    async def _async_setup(self) -> None:
        try:
            await self._async_go_on()
        except OutboxError as error:
            self._trouble.begins(error)
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="outbox_failed",
                translation_placeholders={"error": error.detail},
            ) from error

    async def _async_go_on(self) -> None:
        """Go on where the outbox, and the run before a reload, left off; a changed tree holds from the next boundary.

        A tap that was removed still closes the open interval with what it read last; what it carried after that stays
        with the owner upstream, whose register measured it too. So no energy is counted twice, and none is lost.
        """
        now, seconds = dt_util.utcnow().timestamp(), self.settings.interval_seconds
        last_end, self._latest, boundaries, self._totals_wh = await self._store.async_begin()
        self.periods.go_on_with(await self._store.async_note(NOTE_PERIODS))
        self._next_end = self._boundary_after(now if last_end is None else last_end)
        self._patient_until = now + GRACE_POLLS * self._poll_s
        handover = self._handover
        if handover is not None:
            self._store.go_on_with(handover.tree)
        _, tree = await self._store.async_tree_at(self._next_end - seconds)
        for tap in self.taps.keys() | tree.keys():
            at = boundaries.get(tap)
            known = None if at is None else Boundary(at.at, at.import_wh, at.export_wh, at.exact)
            self._meters[tap] = begin(seconds, known, integrated=self._integrated(tap))
        if handover is not None:
            self._meters = handover.taken_up(self._meters, self.taps, seconds)
        self._handover = None
        if not self._store.paired:  # a paired site's trees lie in the outbox, and the meters are heard before a new one
            await self._async_plant()
        if self._latest is not None:
            self._watch.closed({tap: columns.quality[0] for tap, columns in self._latest.taps.items()})

    @override
    async def _async_update_data(self) -> SiteState:
        async with self._turn:
            if self._closed:
                return self.data
            if self._clock_is_set():
                await self._async_keep(heard=False)
                await self._async_hear()
                await self._async_keep(heard=True)
                self._judge()
            if self.cloud is not None:
                self.cloud.async_watch()
            return self.state()

    async def _async_hear(self) -> None:
        """Read every meter, and judge in slices what they say."""
        breath = Breath()
        for tap, outcome in (await self._poll.async_poll(self._patience_s)).items():
            meter, integrated = self._meters[tap], self._integrated(tap)
            if meter.integrated != integrated:
                meter = replace(meter, integrated=integrated)
            self._meters[tap] = self._watch.heard(tap, meter, outcome)
            self.periods.heard(tap, outcome)
            await breath.take()

    def _integrated(self, tap: str) -> bool:
        return tap in self._devices and self._devices[tap].integrated

    async def _async_keep(self, *, heard: bool) -> None:
        """Keep what is due. While the outbox fails nothing is advanced: the same boundaries are closed later."""
        try:
            await self._async_close_due()
            if heard:
                await self._async_plant()
            told = list(self._watch.incidents)
            await self._store.async_report(told)
            del self._watch.incidents[: len(told)]
            self._depth = await self._store.async_depth()
        except OutboxError as error:
            self._trouble.begins(error)
        else:
            self._trouble.over()

    @property
    def _patience_s(self) -> float:
        return min(max(self._poll_s / 2, PATIENCE_S_MIN), PATIENCE_S_MAX)

    async def _async_close_due(self) -> None:
        """Close what is due, in order, each durably before the next."""
        kept = False
        for _ in range(CLOSED_AT_ONCE_MAX if self.data else CLOSED_AT_START_MAX):
            if not self._due():
                break
            end, seconds = self._next_end, self.settings.interval_seconds
            rev, tree = await self._store.async_tree_at(end - seconds)
            meters = {tap: meter for tap, meter in self._meters.items() if tap in self.taps or tap in tree}
            poll_ms = round(self._poll_s * 1000)
            made = cut(meters, tree, rev, end, poll_ms, cables=self.periods.cables)
            closed = self.periods.close(end, tree, made.measured)
            if made.interval is not None:
                told = self._watch.telemetry(end, made.interval.taps, self.config_entry.options)
                interval = replace(made.interval, cables=closed.periods.cables, telemetry=told)
                await self._store.async_keep(interval, made.boundaries, {NOTE_PERIODS: closed.memory_text})
                kept = True
                self._latest = interval
                self._totals_wh = added(self._totals_wh, interval.net_wh)
            self._meters = dict(made.meters)
            self._next_end = end + seconds
            self._watch.closed(made.qualities)
            self.periods.kept(closed)
        if kept and self.cloud is not None:
            self.cloud.nudge()

    def _boundary_after(self, at: float) -> int:
        return (int(at) // self.settings.interval_seconds + 1) * self.settings.interval_seconds

    async def _async_plant(self) -> None:
        """Let the tree follow: taps whose meters have been read stand in it from the next boundary on."""
        tree = known_tree(tree_taps(self.taps, self.settings), self._meters)
        if tree != self._planted:
            await self._store.async_plant(tree, self._next_boundary())
            self._planted = tree
            if self.cloud is not None:
                self.cloud.nudge()

    def _next_boundary(self) -> int:
        """Return the first boundary from which something new can hold: none that is closed, whatever the clock says."""
        return max(self._boundary_after(dt_util.utcnow().timestamp()), self._next_end)

    def _clock_is_set(self) -> bool:
        """Tell whether the clock can be right; once it is, a site that has measured nothing begins with it."""
        now = dt_util.utcnow().timestamp()
        if not self._clock.is_set(
            self.hass, self.config_entry.entry_id, now, self._next_end - self.settings.interval_seconds
        ):
            return False
        if self._next_end <= CLOCK_S_MIN:
            self._next_end = self._boundary_after(now)
            self._patient_until = now + GRACE_POLLS * self._poll_s
        return True

    def _judge(self) -> None:
        """Tell a person what only a person can put right."""
        now, entry_id = dt_util.utcnow().timestamp(), self.config_entry.entry_id
        tell_clock_back(self.hass, entry_id, now, self._next_end - self.settings.interval_seconds)
        tell_meters(self.hass, entry_id, self._watch, int(now * 1000))

    def _due(self) -> bool:
        """Say whether the next boundary can be closed: every meter has been read since, or is too late."""
        now, end = dt_util.utcnow().timestamp(), self._next_end
        if now < end:
            return False
        if now >= max(end + GRACE_POLLS * self._poll_s, self._patient_until):
            return True
        return all(ready(self._meters[tap], end) for tap in self.taps)

    def heard_ms(self, tap: str) -> int:
        """Return the instant of what a device told last, in ms; 0 before it has told anything."""
        return self._watch.heard_ms.get(tap, 0)

    def state(self) -> SiteState:
        """Return what is known now."""
        latest = self._latest
        return SiteState(
            taps=dict(self._watch.states),
            owners=owner_states(self.owners, None if latest is None else latest.net_wh, self._totals_wh),
            last_end=None if latest is None else latest.end,
            cloud=None if self.cloud is None else self.cloud.state,
            depth=self._depth,
        )

    @property
    def owners(self) -> dict[str, str]:
        """Return the names of those who own something here: the main owner, and the owners of taps."""
        owners = [self.settings.main_owner, *(self.settings.owner_or_main(tap.owner) for tap in self.taps.values())]
        return {owner: self.settings.owners[owner] for owner in owners}

    @callback
    def async_tell(self, incident: wire.Incident | None = None) -> None:
        """Show what the link brought, without disturbing the polls."""
        if incident is not None:
            self._watch.incidents.append(incident)
        if self.data is not None:
            self.data = self.state()
            self.async_update_listeners()

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Tell every listener, in slices: a site of 200 taps has thousands of entities."""
        self._teller.begin()

    def _spawn(self, rest: Coroutine[Any, Any, None]) -> None:
        self.config_entry.async_create_task(self.hass, rest, f"{self.name} tells")

    async def async_end(self) -> Handover | None:
        """Finish the turn under way and read no more; return what a reload takes along."""
        self._closed = True
        await self.async_shutdown()
        await self._poll.async_close()  # so that the turn under way waits for no meter
        async with self._turn:
            seconds = self.settings.interval_seconds
            try:
                _, tree = await self._store.async_tree_at(self._next_end - seconds)
            except OutboxError as error:
                self._trouble.begins(error)
                return None
            sources = {tap: config.source for tap, config in self.taps.items()}
            return Handover(seconds, self._meters, tree, sources, self._watch.heard_ms, self.periods.heard_of)
