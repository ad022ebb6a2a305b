"""A guest: one cable at this site, what is known of it, what follows from that, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from homeassistant.core import HomeAssistant

from . import wire
from .arrivals import has_answered
from .cable import RecordJudge
from .const import CONF_VISITOR, LOGGER
from .coordinator import SiteCoordinator
from .devices.cable import CableDevice
from .devices.port import Device, Value
from .dictation import Dictation
from .errors import BadSignature, CloudRefused, CloudUnreachable
from .link.uplink import full_jitter
from .periods import name_or_none, place_said
from .site import TapConfig
from .sources import ModbusSource
from .v2g import UNKNOWN, Agreement, Periods, Tolerance
from .v2g.visit import (
    Contact,
    Here,
    Mode,
    Scene,
    Stay,
    Word,
    effect,
    is_plugged,
    leave_orders,
    stay_now,
    stay_orders,
    with_word,
)
from .visit_issues import clear_mismatch, show_mismatch, tell_denied, tell_unregistered
from .visit_words import cause_key, comparison
from .wire.cable import KEY_LETTERS_MAX

if TYPE_CHECKING:
    from homeassistant.config_entries import ConfigEntry

UNKNOWN_CABLE = "unknown-cable"
OTHER_KEY = "other-key"  # of a cable whose number is known
TOLERANCE_DEFAULT = Tolerance()

type Happening = Literal["mismatch", "suspect", "permission_changed", "plugged_in", "unplugged"]
type Told = tuple[Happening, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a cable brought; `seen_s` is for how long its presence has not been written down."""

    happenings: tuple[Told, ...] = ()
    moved: bool = False
    seen_s: int = 0


class Guest:
    """One cable. `due_at` is when the cloud is asked next (by the loop's clock), None while nothing is to be asked."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        site: SiteCoordinator,
        tap: TapConfig,
        device: Device,
    ) -> None:
        """Know nothing of it but its name."""
        source = tap.source
        assert isinstance(source, ModbusSource)
        assert source.serial is not None
        self.tap, self.name, self.device = tap.tap, tap.name, device
        self.serial, self.key = source.serial, source.public_key
        self.shown = source.public_key
        self.subentry_id = tap.subentry_id
        self.visitor: bool = entry.subentries[tap.subentry_id].data.get(CONF_VISITOR, False)
        self.mode: Mode = "v2g"
        self.resume = False
        self.stay: Stay | None = None
        self.word: Word | None = None
        self.agreement: Agreement | None = None
        self.verdict: wire.Verdict | None = None
        self.unknown = False
        self.lost = False
        self.failures = 0
        self.due_at: float | None = None
        self.asked_at = 0
        self.seen_at = self.saved_at = 0
        self.silent_since: float | None = None
        self.decided = effect(Scene("no_cloud", None, None, "v2g", None, 0))
        self._hass, self._entry, self._config, self._site = hass, entry, tap, site
        self._dictation = Dictation(hass, entry, tap.name, device)
        self._back, self._looked, self._named_us = True, False, False
        self._settled: tuple[str, str] | None = None
        self._caught_up = False

    @property
    def holds_records(self) -> bool:
        """Whether it may have handed records to another site since the cloud said which it has.

        Then they would come twice, and that is held against whoever brings them. Where nobody can be asked, a cable of
        one's own goes on: its records may wait long for another site.
        """
        return not self._caught_up and (self.visitor or not self.lost)

    def ask(self) -> None:
        """Let the cloud be asked at once."""
        self.due_at, self.failures = self._hass.loop.time(), 0

    def change(self, site: str, permission: wire.Permission, cause: wire.Cause, floor: int, now: int) -> None:
        """Take what a notice says it may do from now on."""
        before = None if self.word is None else self.word.standing
        if before is None:
            tolerance = TOLERANCE_DEFAULT
            before = wire.Standing(self.serial, site, permission, cause, now, floor, tolerance.wh, tolerance.percent)
        since = before.since if (before.permission, before.cause) == (permission, cause) else now
        standing = replace(before, permission=permission, cause=cause, since=since, soc_floor_percent=floor)
        self.word = Word(standing, now)

    def learn(self, word: Word) -> None:
        """Go by what the cloud said; records are judged by the key it knows, whatever key was met first."""
        key = word.standing.public_key
        self.word, self.unknown = word, key is None and word.standing.cause == UNKNOWN_CABLE
        if key is None or key == self.key or not isinstance(self.device, CableDevice):
            return
        try:
            raw = bytes.fromhex(key)
        except ValueError:
            LOGGER.warning("The cloud tells a key of %s that is none", self.name)
            return
        if self.key is not None:
            LOGGER.warning("%s is registered with another key than the one it was met with; that one counts", self.name)
        self.key = key
        self.device.believe(RecordJudge(self.name, self.serial, raw))

    def answered(self, word: Word, stay: Stay | None) -> None:
        """Take what the cloud answered to a question that was asked during a stay."""
        self.learn(word)
        self.failures, self.lost = 0, False
        if self.silent_since is None and plugged_at(stay) == plugged_at(self.stay):
            self._caught_up = True
        if self.stay is not None and stay is not None and self.stay.plugged_at == stay.plugged_at:
            self.stay = with_word(self.stay)

    def no_answer(self, error: CloudUnreachable | CloudRefused | BadSignature) -> None:
        """Try again later; a no about a cable that is not here needs no second try before there is news."""
        refused = error if isinstance(error, CloudRefused) else None
        self.unknown = refused is not None and refused.problem_type == UNKNOWN_CABLE
        if refused is not None and self.stay is None:
            LOGGER.debug("The cloud says nothing of %s: %s", self.name, error)
            self._caught_up = self.silent_since is None
            return
        if refused is not None and refused.status == 404 and self.stay is not None:
            self.stay = replace(self.stay, answered=False)  # it knows of no visit: it is told of it anew
        self.failures += 1
        self.lost = True
        told_s = None if isinstance(error, BadSignature) else error.retry_after_s
        self.due_at = self._hass.loop.time() + (told_s or 0) + full_jitter(self.failures)
        if self.failures == 1:
            LOGGER.warning("The cloud does not say what %s may do: %s", self.name, error)

    def look(self, site: str | None, now: int, *, has_cloud: bool, in_touch: bool) -> Seen:
        """See what the last poll brought, decide, and let the cable be told what it does not say by itself."""
        state = None if self._site.data is None else self._site.data.taps.get(self.tap)
        answers = state is not None and self._site.last_update_success and has_answered(state)
        told = {} if state is None or not answers else self._dictation.told(state.values, self._site.heard_ms(self.tap))
        happenings: list[Told] = []
        before = self.stay
        if answers:
            self.seen_at, self.silent_since = now, None
            named = None if state is None else state.values.get("site_id")
            forgot = self._named_us and named != site
            self._named_us = site is not None and named == site
            self.stay = stay_now(before, told, now, back=self._back or forgot, site=site)
            self._catch_up(before)
            happenings += self._moved(before, told)
        elif self.silent_since is None:
            self.silent_since, self._caught_up = self._hass.loop.time(), False
        self._back = not answers
        self._looked = self._looked or answers
        self.lost = self.lost or (has_cloud and not in_touch)
        contact: Contact = "no_cloud" if not has_cloud else "out_of_touch" if self.lost else "in_touch"
        soc = told.get("soc_percent")
        percent = float(soc) if isinstance(soc, int | float) else None
        self.decided = effect(Scene(contact, self.stay, self.word, self.mode, percent, now, self.resume))
        if answers:
            self._order(site, told)
        happenings += self._settle()
        self._tell_issues(answers=answers)
        return Seen(tuple(happenings), before != self.stay, self.seen_at - self.saved_at)

    def compared(self, period: wire.CablePeriod, of: Periods) -> tuple[Happening | None, Mapping[str, Any]]:
        """Take how it agreed with the meter in an interval just closed; return what is to be told of it."""
        verdict = period.agreement
        self.agreement = of.agreement if of.agreement.verdict == verdict else UNKNOWN
        self.verdict = verdict
        if self.stay is not None:
            self.stay = replace(self.stay, agreement=verdict)
        if verdict == "mismatch":
            moved_wh = sum(cable.energy_wh for cable in of.cables)
            show_mismatch(self._hass, self._entry, self._config, self.agreement, moved_wh)
        elif verdict == "match":
            clear_mismatch(self._hass, self._entry.entry_id, self.tap)
        if verdict in ("mismatch", "suspect"):
            happening: Happening = "mismatch" if verdict == "mismatch" else "suspect"
            return happening, {"energy_wh": period.energy_wh, **comparison(self.agreement)}
        return None, {}

    async def async_visit(self, stay: Stay) -> wire.Visit:
        """Return what the cloud is told of its stay, with the key it shows now: another one may have come in its name.

        What the cloud knows itself it need not be told.
        """
        if isinstance(self.device, CableDevice):
            self.shown = await self.device.async_shown_key() or self.shown
        told = self._site.data.taps[self.tap].values
        return wire.Visit(
            cable=self.serial,
            plugged_at=stay.plugged_at,
            tap=self._config.parent or self.tap,
            public_key=self.shown if self.shown is not None and len(self.shown) <= KEY_LETTERS_MAX else None,
            user=name_or_none(told.get("user_id")),
            vehicle=name_or_none(told.get("vehicle_id")),
            place=place_said(told.get("latitude"), told.get("longitude")),
        )

    async def async_leave(self, site: str | None) -> None:
        """Let it charge at most, as it is taken out of the site with a car at it: nobody here compares it any more."""
        if self.stay is None or self.silent_since is not None:
            return
        told = self._dictation.told(self._site.data.taps[self.tap].values, self._site.heard_ms(self.tap))
        await self._dictation.async_say(leave_orders(told, self.device.commands.keys(), site, mode=self.mode))

    def _moved(self, before: Stay | None, told: Mapping[str, Value]) -> list[Told]:
        """Begin anew with another stay; what happened before the first look is no event, nor who left unseen."""
        if self.stay is before:
            return []
        self.agreement, self.verdict, self.lost = None, None, False
        clear_mismatch(self._hass, self._entry.entry_id, self.tap)
        if self.stay is None:
            return [] if self._back else [("unplugged", {})]
        self.ask()
        if not self._looked:
            return []
        self._settled = ("allowed", "none")
        vehicle = told.get("vehicle_id")
        came: Told = ("plugged_in", {} if vehicle is None else {"vehicle": vehicle})
        return [came] if before is None else [("unplugged", {}), came]

    def _catch_up(self, before: Stay | None) -> None:
        """Let the cloud be asked which records it has once the cable may have been elsewhere: what it says is old."""
        if self.stay is not before:
            self._caught_up = False  # it is asked about the visit
        elif self._back and self.stay is None:
            self.ask()
        elif self._back and self.stay is not None:
            self._caught_up = self.stay.answered

    def _order(self, site: str | None, told: Mapping[str, Value]) -> None:
        takes = self.device.commands.keys()
        if told.get("charge") is True:
            self.resume = False
        if self.stay is not None:
            here = Here(site, self._site.settings.interval_seconds)
            self._dictation.bring(stay_orders(self.stay, self.decided, told, takes, here))
        elif is_plugged(told) is False:
            self._dictation.bring(leave_orders(told, takes, site, mode=self.mode))

    def _settle(self) -> list[Told]:
        """Return what changed of the permission; that the cloud is being asked is no change."""
        now = (str(self.decided.permission), str(self.decided.cause))
        if self.stay is None or self.decided.cause == "waiting" or now == self._settled:
            return []
        before, self._settled = self._settled, now
        if before is None:
            return []
        return [("permission_changed", {"permission": now[0], "before": before[0], "cause": cause_key(now[1])})]

    def _tell_issues(self, *, answers: bool) -> None:
        decided = self.decided
        restricted = decided.permission != "allowed" and decided.cause not in SILENT_CAUSES
        # of one that nobody has registered another repair says what to do
        registrable = self.unknown and not self.visitor
        said = restricted and answers and self.stay is not None and not registrable
        registered = self.word is not None and self.word.standing.public_key is not None
        cause = OTHER_KEY if decided.cause == UNKNOWN_CABLE and registered else decided.cause
        tell_denied(self._hass, self._entry, self._config, cause, said=said)
        tell_unregistered(self._hass, self._entry, self._config, said=registrable)


def plugged_at(stay: Stay | None) -> int | None:
    """Return since when a cable is plugged in, None while it is not."""
    return None if stay is None else stay.plugged_at


SILENT_CAUSES = ("none", "waiting", "unreachable")
