"""Visits: each cable's way through a site, from the plug to the cloud's word to what the cable is told."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from . import wire
from .const import CONF_SITE, LOGGER, SUBENTRY_CABLE
from .coordinator import SiteCoordinator
from .devices.port import Device
from .errors import BadSignature, CloudRefused, CloudUnreachable, OutboxError
from .guest import Guest, Happening
from .link import CloudClient
from .link.visits import ask_visit, fetch_standing
from .periods import cable_id
from .site import TapConfig
from .store import Store
from .v2g.visit import Effect, Mode, Word
from .visit_note import NOTE, KeptCable, VisitNote, read_note
from .wire.cable import parse_permission_change

NOTICE_PERMISSION = "permission"
NOTICE_CABLES = "cables"
ASKED_AGAIN_S = 900  # other news of the cloud are no reason to ask of every cable again
ASKED_AGAIN_IF_LOST_S = 30
SEEN_SAVED_S = 3600  # a visitor that is gone is missed after days

type Hearer = Callable[[Happening, Mapping[str, Any]], None]


class Visits:
    """Asks the cloud what each cable may do, tells the cable, and those who listen what happened at it."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        store: Store,
        site: SiteCoordinator,
        devices: Mapping[str, Device],
    ) -> None:
        """Take the site's parts; nothing is known before `async_open`, nothing moves before `async_start`."""
        self._hass, self._entry, self._store, self._site = hass, entry, store, site
        self._cloud = cloud = site.cloud
        self._site_id: str | None = entry.data.get(CONF_SITE)
        self.guests = {
            tap.tap: Guest(hass, entry, site, tap, devices[tap.tap]) for tap in site.taps.values() if names_itself(tap)
        }
        self._words: dict[str, Word] = {}
        self._notice: Mapping[str, Any] | None = None
        site.periods.standing = self.standing
        self._hearers: defaultdict[str, list[Hearer]] = defaultdict(list)
        self._woken = asyncio.Event()
        self._dirty, self._outbox_fails, self._ended = False, False, False
        self._task: asyncio.Task[None] | None = None
        if cloud is not None:
            cloud.listen(NOTICE_PERMISSION, self.hear)
            cloud.listen(NOTICE_CABLES, lambda _body: self._ask_all())
            cloud.errands.add(self)

    async def async_open(self) -> None:
        """Go on with what was known before a restart."""
        note = read_note(await self._store.run(self._store.outbox.note, NOTE))
        self._words, self._notice = dict(note.words), note.notice
        for tap, guest in self.guests.items():
            kept = note.cables.get(tap)
            if kept is not None and kept.serial == guest.serial:
                guest.mode, guest.stay, guest.seen_at = kept.mode, kept.stay, kept.seen_at
                guest.resume = kept.resume
            if (word := self._words.get(guest.serial)) is not None:
                guest.learn(word)

    async def async_start(self) -> None:
        """Look at every cable with every poll, and ask from now on."""
        for guest in self.guests.values():
            self._look(guest)
            self._entry.async_on_unload(self._site.async_add_listener(partial(self._look, guest)))
        self._entry.async_on_unload(self._site.listen_periods(self.on_periods))
        if not self.guests:
            return
        self._task = self._entry.async_create_background_task(
            self._hass, self._async_run(), f"commonwatt visits {self._entry.entry_id}"
        )

    async def async_stop(self) -> None:
        """Ask no more, and keep what is known; a cable that is no longer the site's may do no more than charge."""
        self._ended = True
        for guest in self.guests.values():
            if self._entry.disabled_by is not None or guest.subentry_id not in self._entry.subentries:
                await guest.async_leave(self._site_id)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._dirty = True
        await self._async_save()

    def standing(self, serial: str) -> wire.Standing | None:
        """Return what the cloud said last of a cable, None for one it has said nothing of."""
        word = self._words.get(serial)
        return None if word is None else word.standing

    def standing_at(self, tap: str) -> wire.Standing | None:
        """Return what the cloud said last of the cable at a tap."""
        return self.standing(self.guests[tap].serial)

    def heard_at(self, tap: str) -> int:
        """Return when the cloud said that, in s; 0 where it has said nothing."""
        word = self._words.get(self.guests[tap].serial)
        return 0 if word is None else word.heard_at

    def holds_records(self, tap: str) -> bool:
        """Tell whether the records of the cable at a tap must wait for what the cloud says of those it has."""
        return self.guests[tap].holds_records

    def effect(self, tap: str) -> Effect | None:
        """Return what the cable at a tap may do now; None while nobody can say: it is not plugged in, nor known."""
        guest = self.guests[tap]
        return None if guest.stay is None and guest.word is None else guest.decided

    def set_mode(self, tap: str, mode: Mode) -> None:
        """Let a cable do no more than this from now on."""
        guest = self.guests[tap]
        guest.resume = guest.resume or (guest.mode == "off" != mode)
        guest.mode = mode
        self._keep()
        self._look(guest)
        self._site.async_tell()

    @callback
    def listen(self, tap: str, hearer: Hearer) -> CALLBACK_TYPE:
        """Tell somebody what happens at a cable, until the answer is called."""
        self._hearers[tap].append(hearer)
        return lambda: self._hearers[tap].remove(hearer)

    async def __call__(self, _client: CloudClient) -> None:
        """Ask again, as the site is in touch again, or an hour has passed: an errand."""
        now = _now()
        for guest in self.guests.values():
            if not 0 <= now - guest.asked_at < (ASKED_AGAIN_IF_LOST_S if guest.lost else ASKED_AGAIN_S):
                guest.ask()
        self._woken.set()

    @callback
    def hear(self, body: Mapping[str, Any]) -> None:
        """Take a notice of permission: what it says holds at once, and the cloud is asked for the rest of it."""
        if body == self._notice and self._cloud is not None and not self._cloud.state.connected:
            return  # told again as the site starts: what was heard since is newer
        try:
            change = parse_permission_change(body)
        except wire.WireError as error:
            LOGGER.warning("%s: a notice of permission says nothing: %s", self._entry.title, error)
            return
        self._notice = body
        assert self._site_id is not None
        for guest in self.guests.values():
            if guest.serial in change.cables:
                guest.change(self._site_id, *change.cables[guest.serial], change.soc_floor_percent, _now())
                self._words[guest.serial] = cast("Word", guest.word)
                guest.ask()
                self._look(guest)
        self._keep()

    @callback
    def on_periods(self, periods: Sequence[wire.CablePeriod]) -> None:
        """Take how the cables and the meter agreed in an interval that was closed."""
        closed = self._site.periods.last
        for guest in self.guests.values():
            period = next((period for period in periods if period.cable == guest.serial), None)
            if period is not None and closed is not None:
                happening, about = guest.compared(period, closed)
                if happening is not None:
                    self._tell(guest, happening, about)
                self._keep()
                self._look(guest)

    async def async_introduce(self, visit: wire.Visit) -> wire.Standing | None:
        """Ask of a cable that stands at no tap yet; None where the cloud does not answer."""
        assert self._cloud is not None
        try:
            standing = await ask_visit(self._cloud.client, visit)
        except (CloudUnreachable, CloudRefused, BadSignature) as error:
            LOGGER.debug("The cloud does not say what %s may do: %s", visit.cable, error)
            return None
        self._words[standing.cable] = Word(standing, _now())
        self._keep()
        return standing

    def ask_again(self, tap: str) -> None:
        """Ask of the cable at a tap, as something about it changed at the cloud."""
        self.guests[tap].ask()
        self._woken.set()

    @callback
    def _ask_all(self) -> None:
        for guest in self.guests.values():
            guest.ask()
        self._woken.set()

    @callback
    def _look(self, guest: Guest) -> None:
        """See what the poll brought of a cable, decide what it may do, and have it told so."""
        if self._ended:
            return
        in_touch = self._cloud is not None and self._cloud.state.connected
        seen = guest.look(self._site_id, _now(), has_cloud=self._cloud is not None, in_touch=in_touch)
        for happening, about in seen.happenings:
            self._tell(guest, happening, about)
        if seen.moved or seen.seen_s > SEEN_SAVED_S:
            self._keep()
        if guest.due_at is not None and guest.due_at <= self._hass.loop.time():
            self._woken.set()

    def _tell(self, guest: Guest, happening: Happening, about: Mapping[str, Any]) -> None:
        for hearer in self._hearers[guest.tap]:
            hearer(happening, about)

    async def _async_run(self) -> None:
        while True:
            self._woken.clear()
            await self._async_save()
            wait_s = await self._async_ask_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    async def _async_ask_due(self) -> float | None:
        """Ask of every cable whose turn it is; return how long the next one waits."""
        if self._cloud is None or not self._cloud.state.connected:
            return None  # it is an errand to ask again
        for guest in self.guests.values():
            if guest.due_at is not None and guest.due_at <= self._hass.loop.time():
                await self._async_ask(guest, self._cloud.client)
        due = [guest.due_at for guest in self.guests.values() if guest.due_at is not None]
        return max(min(due) - self._hass.loop.time(), 0) if due else None

    async def _async_ask(self, guest: Guest, client: CloudClient) -> None:
        stay = guest.stay
        guest.due_at, guest.asked_at = None, _now()
        try:
            if stay is not None and not stay.answered:
                standing = await ask_visit(client, await guest.async_visit(stay))
            else:
                standing = await fetch_standing(client, guest.serial)
        except (CloudUnreachable, CloudRefused, BadSignature) as error:
            guest.no_answer(error)
        else:
            guest.answered(Word(standing, _now()), stay)
            self._words[guest.serial] = Word(standing, _now())
            self._dirty = True
            await self._async_save()  # before the cable is told
        self._look(guest)
        self._site.async_tell()

    @callback
    def _keep(self) -> None:
        self._dirty = True
        self._woken.set()

    async def _async_save(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        cables = {
            tap: KeptCable(guest.serial, guest.mode, guest.stay, guest.seen_at, guest.resume)
            for tap, guest in self.guests.items()
        }
        note = VisitNote(cables, self._words, self._notice).text()
        for guest in self.guests.values():
            guest.saved_at = guest.seen_at
        try:
            await self._store.run(self._store.outbox.keep_note, NOTE, note)
        except OutboxError as error:
            if not self._outbox_fails:
                LOGGER.error("%s: the visits cannot be kept: %s", self._entry.title, error.detail)
            self._outbox_fails = True
        else:
            self._outbox_fails = False


def names_itself(tap: TapConfig) -> bool:
    """Tell whether this is a cable that says which one it is: only such a one is known elsewhere."""
    return tap.kind == SUBENTRY_CABLE and cable_id(tap) is not None


def _now() -> int:
    return int(dt_util.utcnow().timestamp())
