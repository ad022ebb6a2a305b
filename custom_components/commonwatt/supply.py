"""Cut-off and restore: the cloud's words, the site's own count and the breakers, brought together at every turn."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
import json
from typing import Any, Literal, assert_never

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from . import wire
from .breaker import Breakers, Guard, Told
from .const import LOGGER
from .coordinator import CommonwattConfigEntry, SiteCoordinator
from .credit import Held, Place, Price, Reason, Spent, cuttable, is_cut, judge, left_micro, reserve_wh
from .devices.port import Breaker
from .issues import IssueKey, clear_issue, raise_issue, show_issue
from .store import Store
from .wire.credit import (
    BREAKER_FAILED,
    CUT_OFF_DONE,
    RESTORE_DONE,
    Credit,
    OwnerCredit,
    breaker_detail,
    parse_credit,
)

NOTICE_CREDIT = "credit"
NOTE = "credit"  # what is remembered over a restart
TURN_SECONDS = 5.0
OUT_OF_TOUCH_SECONDS = 300  # a router that restarts is back by then; only after it the reserve may cut

type Happening = Literal[
    "balance_low", "balance_used_up", "cut_off", "restored", "breaker_failed", "switched_on_by_hand"
]
type Hearer = Callable[[Happening, Mapping[str, Any]], None]
# prices of an owner's intervals by their starts, as far as the cloud has told them
type Prices = Callable[[str, Sequence[int]], Awaitable[Mapping[int, Price]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a site the supply works with."""

    store: Store
    site: SiteCoordinator
    breakers: Mapping[str, Breaker]
    prices: Prices


class Supply:
    """Keeps the owners of a paired site supplied, as far as their credit goes.

    A turn comes every few seconds, and at once when the cloud has news. What was decided is remembered before it is
    done, so that a restart neither forgets a cut nor makes one.
    """

    def __init__(
        self, hass: HomeAssistant, entry: CommonwattConfigEntry, parts: Parts, *, in_touch: Callable[[], bool]
    ) -> None:
        """Take the site's parts, and what tells whether the cloud answers now; nothing moves before `async_start`."""
        self.reasons: dict[str, Reason] = {}
        self.reserves_wh: dict[str, int | None] = {}
        self._hass, self._entry, self._parts, self._in_touch = hass, entry, parts, in_touch
        self._outbox, self._run, self._site = parts.store.outbox, parts.store.run, parts.site
        self.breakers = Breakers(parts.breakers, self._async_remember, self._on_breaker)
        self._words: Mapping[str, OwnerCredit] = {}
        self._lefts: dict[str, int | None] = {}
        self._counted_for: object = None
        self._touched_at = 0
        self._hearers: defaultdict[str, list[Hearer]] = defaultdict(list)
        self._woken = asyncio.Event()
        self._turning = asyncio.Lock()
        self._guard = Guard(entry.title)
        self._task: asyncio.Task[None] | None = None

    async def async_start(self) -> None:
        """Go on from what was remembered and what the cloud said last."""
        self._touched_at = _now()
        if (note := await self._run(self._outbox.note, NOTE)) is not None:
            kept = json.loads(note)
            self.reasons = kept["owners"]
            self.breakers.go_on_with({tap: Held(*members) for tap, members in kept["taps"].items()})
        if (body := await self._run(self._outbox.notice, NOTICE_CREDIT)) is not None:
            self.hear(body)
        self._task = self._entry.async_create_background_task(
            self._hass, self._async_run(), f"commonwatt supply {self._entry.entry_id}"
        )

    async def async_stop(self) -> None:
        """Move no breaker any more; each stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.breakers.async_stop()

    @callback
    def hear(self, body: Mapping[str, Any]) -> None:
        """Take a notice of credit; the turn it needs begins at once."""
        try:
            credit: Credit = parse_credit(body)
        except wire.WireError as error:
            LOGGER.warning("%s: a notice of credit says nothing: %s", self._entry.title, error)
            return
        self._words = credit.owners
        self._woken.set()

    @callback
    def listen(self, owner: str, hearer: Hearer) -> CALLBACK_TYPE:
        """Tell somebody what happens to an owner's supply, until the answer is called."""
        self._hearers[owner].append(hearer)
        return lambda: self._hearers[owner].remove(hearer)

    async def _async_run(self) -> None:
        while True:
            await self._guard(self.async_turn())
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await self._woken.wait()
            self._woken.clear()

    async def async_turn(self) -> None:
        """Judge every owner, and bring every breaker to where it belongs."""
        async with self._turning:
            now = _now()
            if self._in_touch():
                self._touched_at = now
            before = dict(self.reasons), dict(self.reserves_wh), dict(self.breakers.held)
            await self._async_judge(now)
            self._show_owners_in_need()
            if before[0] != self.reasons:
                await self._async_remember()
            await self.breakers.async_bring(self._cuts())
            if before != (self.reasons, self.reserves_wh, self.breakers.held):
                self._site.async_tell()
            self._show_failing()

    async def _async_judge(self, now: int) -> None:
        in_touch = 0 <= now - self._touched_at < OUT_OF_TOUCH_SECONDS
        await self._async_count(now)
        former, self.reasons = self.reasons, {}
        for owner, word in self._words.items():
            self.reasons[owner] = judge(word, self._lefts.get(owner), in_touch=in_touch, before=former.get(owner))
        for owner, reason in self.reasons.items():
            if (happening := _happening(former.get(owner), reason)) is not None:
                self._tell(owner, happening, {"reason": reason})

    async def _async_count(self, now: int) -> None:
        """Count what each owner who pays ahead has left, by the site's own intervals; anew when there is news."""
        current = now - now % self._site.settings.interval_seconds
        data = self._site.data
        counted_for = (self._words, current, None if data is None else data.last_end)
        if counted_for == self._counted_for:
            return
        ahead = {owner: (word.balance_micro, word.as_of) for owner, word in self._words.items()}
        since = min((as_of for _, as_of in ahead.values() if as_of is not None), default=current)
        nets = await self._run(self._outbox.nets_since, since)
        lefts: dict[str, int | None] = {}
        reserves: dict[str, int | None] = {}
        for owner, (balance_micro, as_of) in ahead.items():
            if balance_micro is None or as_of is None:
                continue  # who pays later
            spent = [Spent(start, net.get(owner, 0)) for start, net in nets if start >= as_of]
            prices = await self._parts.prices(owner, [*(item.start for item in spent), current])
            lefts[owner] = left_micro(balance_micro, as_of, spent, prices.get)
            newest = next((prices[at] for at in sorted(prices, reverse=True)), None)
            reserves[owner] = reserve_wh(lefts[owner], newest)
        self._lefts, self.reserves_wh, self._counted_for = lefts, reserves, counted_for

    def _cuts(self) -> set[str]:
        """Return the taps whose breakers should be open for want of credit."""
        owners = {tap: self._owner(tap) for tap in self._site.taps}
        places = {
            tap: Place(owners[tap], config.parent, config.essential, tap in self._parts.breakers)
            for tap, config in self._site.taps.items()
        }
        return {tap for tap in cuttable(places) if is_cut(self.reasons.get(owners[tap], "unknown"))}

    def _owner(self, tap: str) -> str:
        return self._site.settings.owner_or_main(self._site.taps[tap].owner)

    @callback
    def _on_breaker(self, tap: str, what: Told) -> None:
        """Report what a breaker did, and tell its owner what only a person can put right."""
        owner, name = self._owner(tap), self._site.taps[tap].name
        reason: str = self.reasons.get(owner, "unknown")
        match what:
            case "opened":
                self._report(CUT_OFF_DONE, tap, owner, reason)
            case "closed":
                self._report(RESTORE_DONE, tap, owner, reason)
            case "by_hand":
                self._tell(owner, "switched_on_by_hand", {"tap": name})
            case "failed":
                LOGGER.warning("The breaker of %s does not move: %s", name, self.breakers.failing[tap])
                self._report(BREAKER_FAILED, tap, owner, reason)
                self._tell(owner, "breaker_failed", {"tap": name})
            case "works_again":
                LOGGER.info("The breaker of %s works again", name)
            case _:
                assert_never(what)

    async def _async_remember(self) -> None:
        taps = {tap: [held.phase, held.at] for tap, held in self.breakers.held.items()}
        note = wire.to_bytes({"owners": dict(self.reasons), "taps": taps}).decode()
        await self._run(self._outbox.keep_note, NOTE, note)

    def _report(self, kind: str, tap: str, owner: str, reason: str) -> None:
        self._site.async_tell(wire.Incident(_now(), kind, tap, breaker_detail(owner, reason)))

    def _tell(self, owner: str, happening: Happening, about: Mapping[str, Any]) -> None:
        for hearer in self._hearers[owner]:
            hearer(happening, about)

    def _show_owners_in_need(self) -> None:
        hass, entry_id = self._hass, self._entry.entry_id
        low = self._names(owner for owner, reason in self.reasons.items() if reason == "low")
        dark = self._names(owner for owner, reason in self.reasons.items() if is_cut(reason))
        states: tuple[tuple[IssueKey, str], ...] = (("balance_low", low), ("cut_off", dark))
        for key, names in states:
            if names:
                raise_issue(hass, entry_id, key, {"owners": names})
            else:
                clear_issue(hass, entry_id, key)

    def _show_failing(self) -> None:
        failing = self.breakers.failing
        names, errors = [self._site.taps[tap].name for tap in failing], sorted(set(failing.values()))
        show_issue(self._hass, self._entry.entry_id, "breaker_failed", names, error="; ".join(errors))

    def _names(self, owners: Iterable[str]) -> str:
        return ", ".join(sorted(self._site.settings.owners.get(owner, owner) for owner in owners))


def _happening(before: Reason | None, now: Reason) -> Happening | None:
    """Return what an owner is told of a change, None if it is none of theirs."""
    if before is not None and is_cut(before) != is_cut(now):
        return "cut_off" if is_cut(now) else "restored"
    if before == now or (before is not None and is_cut(before)):
        return None
    match now:
        case "cut_off" | "reserve_used_up":
            return "cut_off"
        case "low":
            return "balance_low"
        case "used_up":
            return "balance_used_up"
        case "unknown" | "pays_later" | "enough":
            return None
        case _:
            assert_never(now)


def _now() -> int:
    return int(dt_util.utcnow().timestamp())
