"""A cable's visit: what it may do now, by what the cloud said and how long ago, and what it is to be told of it."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..wire import Cause, Permission, Standing, Verdict

WORD_HOLDS_S = 86_400  # out of touch: after it nobody knows, and a cable that nobody allows to gives nothing
CLOCK_BACK_S_MAX = 600  # a word from further ahead was heard by another clock
PERIOD_WHOLE_S = 1800  # a cable's period divides it
SITE_LETTERS_MAX = 36

type Mode = Literal["off", "charge_only", "v2g"]
type Why = Cause | Literal["waiting", "unreachable"]  # the last two are the site's own
type Contact = Literal["no_cloud", "in_touch", "out_of_touch"]
type Value = bool | int | float | str
type Order = tuple[str, Value]

STRICTNESS: Mapping[str, int] = {"allowed": 0, "charge_only": 1, "denied": 2}


@dataclass(frozen=True, slots=True)
class Word:
    """What the cloud said last of a cable at this site, and when this site heard it, in s."""

    standing: Standing
    heard_at: int

    def holds(self, now: int) -> bool:
        """Tell whether it is young enough to be gone by."""
        return -CLOCK_BACK_S_MAX <= now - self.heard_at < WORD_HOLDS_S


@dataclass(frozen=True, slots=True)
class Stay:
    """A cable is plugged in, since `plugged_at` (s). `answered`: the cloud has answered since."""

    plugged_at: int
    answered: bool = False
    agreement: Verdict = "unknown"


@dataclass(frozen=True, slots=True)
class Here:
    """The site as a cable is told of it: its id, None without a cloud, and the length of its intervals."""

    site: str | None
    period_seconds: int


@dataclass(frozen=True, slots=True)
class Scene:
    """All that decides on what a cable may do."""

    contact: Contact
    stay: Stay | None
    word: Word | None
    mode: Mode
    soc_percent: float | None
    now: int
    resume: bool = False  # it was off until now


@dataclass(frozen=True, slots=True)
class Effect:
    """What a cable may do here and why, since when (s; None: not told, or never otherwise).

    `order` is that within the mode of its user. `charge` is what register 40 must be, None where it is left as it is.
    """

    permission: Permission
    cause: Why
    since: int | None
    order: Permission
    charge: bool | None


def effect(scene: Scene) -> Effect:
    """Return what a cable may do: never to discharge without the cloud's word, where there is a cloud."""
    permission, cause, since = _told(scene)
    if permission == "denied" and _stranded(scene):
        permission = "charge_only"
    order = permission if scene.mode == "v2g" else stricter(permission, "charge_only")
    charge = False if scene.mode == "off" else True if scene.resume else None
    return Effect(permission, cause, since, order, charge)


def stricter(one: Permission, other: Permission) -> Permission:
    """Return the one that allows less."""
    return one if STRICTNESS[one] >= STRICTNESS[other] else other


def _told(scene: Scene) -> tuple[Permission, Why, int | None]:
    if scene.contact == "no_cloud":
        return "allowed", "none", None
    word = scene.word if scene.word is not None and scene.word.holds(scene.now) else None
    waiting = scene.contact == "in_touch" and scene.stay is not None and not scene.stay.answered
    if word is not None and (not waiting or word.standing.permission != "allowed"):
        return word.standing.permission, word.standing.cause, word.standing.since or None
    return "charge_only", "waiting" if waiting else "unreachable", None


def _stranded(scene: Scene) -> bool:
    """Tell whether the car has so little left that it may charge anywhere; unknown is not little."""
    if scene.word is None or scene.soc_percent is None:
        return False
    return scene.soc_percent < scene.word.standing.soc_floor_percent


def is_plugged(told: Mapping[Any, Value]) -> bool | None:
    """Tell whether a car is plugged in, as far as the cable says so."""
    if isinstance(plugged := told.get("plugged"), bool):
        return plugged
    return told["charger_state"] != "available" if "charger_state" in told else None


def stay_now(stay: Stay | None, told: Mapping[str, Value], now: int, *, back: bool, site: str | None) -> Stay | None:
    """Return the stay as it is after a look at the cable.

    `back`: it answers for the first time, again after a silence, or has forgotten this site, as a cable does that is
    pulled out. One that does not name this site then was away, however short.
    """
    match is_plugged(told):
        case None:
            return stay
        case False:
            return None
    elsewhere = back and site is not None and told.get("site_id") != site
    return Stay(now) if stay is None or elsewhere else stay


def with_word(stay: Stay | None) -> Stay | None:
    """Return a stay of which the cloud has said what holds."""
    return None if stay is None else replace(stay, answered=True)


def agreement_word(verdict: Verdict) -> str:
    """Return what a cable is told of a verdict; a suspicion is no guilt."""
    return verdict if verdict in ("match", "mismatch") else "unknown"


def stay_orders(
    stay: Stay,
    decided: Effect,
    told: Mapping[str, Value],
    takes: AbstractSet[str],
    here: Here,
) -> list[Order]:
    """Return what a cable that is plugged in is to be told, in this order, and only what it does not say by itself.

    What allows less comes first and what allows more comes last: no energy is given before the cable knows for whom.
    """
    wanted: list[Order] = [("permission", decided.order)]
    if decided.charge is False:
        wanted.append(("charge", False))
    if here.site is not None and is_writable(here.site):
        wanted.append(("site_id", here.site))
        if "period_seconds" in told and here.period_seconds > 0 and PERIOD_WHOLE_S % here.period_seconds == 0:
            wanted.append(("period_seconds", here.period_seconds))
    wanted.append(("agreement", agreement_word(stay.agreement)))
    if decided.charge:
        wanted.append(("charge", True))
    if STRICTNESS[decided.order] < STRICTNESS.get(str(told.get("permission")), 0):
        wanted.append(wanted.pop(0))
    return _missing(wanted, told, takes)


def leave_orders(
    told: Mapping[str, Value], takes: AbstractSet[str], site: str | None, *, mode: Mode = "v2g"
) -> list[Order]:
    """Return what a cable is to be told that is plugged in no longer: it was ours, and is nobody's until the next.

    What was switched off here may charge elsewhere.
    """
    ours = site is not None and told.get("site_id") == site
    wanted: list[Order] = [("permission", "charge_only"), ("site_id", "")] if ours else []
    if mode == "off":
        wanted.append(("charge", True))
    return _missing(wanted, told, takes)


def is_writable(site: str) -> bool:
    """Tell whether the cable's registers can hold the id of a site."""
    return site.isascii() and site.isprintable() and 0 < len(site) <= SITE_LETTERS_MAX


def _missing(wanted: list[Order], told: Mapping[str, Value], takes: AbstractSet[str]) -> list[Order]:
    return [(name, value) for name, value in wanted if name in takes and told.get(name) != value]
