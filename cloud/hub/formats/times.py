"""From a time as makers write it to milliseconds since 1970, on days of 23 and 25 hours too. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
import re
from typing import Literal
from zoneinfo import ZoneInfo

from cloud.hub.reading import Timed

from .path import DefinitionError
from .units import NoNumber, number_of, shortened

RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](?!24)(\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?(?:(Z|z)|([+-]\d\d:?\d\d))?", re.ASCII
)
DIGITS = {"Y": r"(\d{4})", "m": r"(\d{1,2})", "d": r"(\d{1,2})"} | dict.fromkeys("HMS", r"(\d{1,2})")
OFFSET_SECONDS_MAX = 18 * 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
TRIED = datetime(2026, 11, 21, 13, 45, 30, tzinfo=UTC)

type Ambiguous = Literal["earlier", "later", "refuse", "in-order"]
type Texts = Callable[[str], datetime]  # a text as a date and time, with or without its offset; raises ValueError


class NoTimeError(ValueError):
    """A time that cannot be told; `reason` is for programs, the text for people."""

    def __init__(self, reason: str, why: str) -> None:
        """Keep them apart."""
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Told:
    """A measurement time, and whose word it is."""

    at_ms: int
    timed: Timed = "given"


def zone_of(name: str, where: str) -> ZoneInfo:
    """Return an IANA time zone; raises DefinitionError."""
    try:
        return ZoneInfo(name)
    except OSError, ValueError, KeyError:
        raise DefinitionError(where, f"{shortened(name)} is no time zone (one like Europe/Berlin is)") from None


def texts_of(form: str, where: str) -> Texts | None:
    """Return what reads texts of a form, None where times are numbers; raises DefinitionError."""
    if form in ("epoch_s", "epoch_ms"):
        return None
    if form == "rfc3339":
        return _rfc3339
    if "%" not in form:
        raise DefinitionError(where, "is none of rfc3339, epoch_s and epoch_ms, and has no % as a strptime text has")
    try:
        again = datetime.strptime(TRIED.strftime(form), form)  # noqa: DTZ007 - the form may name none
    except ValueError, re.error:
        raise DefinitionError(where, f"{shortened(form)} is no text for strptime") from None
    if again.date() != TRIED.date():
        raise DefinitionError(where, f"{shortened(form)} does not tell the day, month and year")
    return _digits(form) or (lambda text: datetime.strptime(text, form))  # noqa: DTZ007 - the rule's zone is added


def _digits(form: str) -> Texts | None:
    """Return the same as strptime for a form that is all digits, several times as fast; None for other forms."""
    parts = re.split(r"%(.)", form)
    names = parts[1::2]
    if len(set(names)) != len(names) or not {"Y", "m", "d"} <= set(names) <= DIGITS.keys():
        return None
    texts = [re.escape(part) if number % 2 == 0 else DIGITS[part] for number, part in enumerate(parts)]
    written = re.compile("".join(texts), re.ASCII)
    order = [names.index(name) if name in names else None for name in DIGITS]

    def read(text: str) -> datetime:
        match = written.fullmatch(text)
        if match is None:
            raise ValueError(text)
        found = match.groups()
        year, month, day, hour, minute, second = (0 if place is None else int(found[place]) for place in order)
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the rule's zone is added

    return read


def _rfc3339(text: str) -> datetime:
    match = RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, minute, second, fraction, utc, offset = match.groups()
    parts = f"{day}T{minute}{second or ':00'}.{(fraction or '')[:6]:0<6}"
    return datetime.fromisoformat(parts + ("+00:00" if utc else offset or ""))


def told_ms(seen: object) -> int:
    """Return a time with its offset (`2026-11-21T05:30:00+09:00`) as milliseconds since 1970; raises NoTimeError."""
    try:
        if isinstance(seen, str) and len(seen) <= 40 and (at := _rfc3339(seen)).tzinfo is not None:
            return ms_of(at)
    except ValueError, OverflowError:
        pass
    else:
        if isinstance(seen, str) and RFC3339.fullmatch(seen):
            raise NoTimeError("no-zone", f"{shortened(seen)} has no offset from UTC")
    raise NoTimeError("not-a-time", f"{shortened(repr(seen))} is no time like 2026-11-21T05:30:00+09:00")


@lru_cache(maxsize=4096)
def _day_ms(year: int, month: int, day: int, zone: tzinfo) -> tuple[int, int]:
    """Return when a local day begins and ends."""
    first = datetime(year, month, day, tzinfo=zone)
    after = (first + timedelta(days=1)).replace(tzinfo=zone)
    return ms_of(first), ms_of(after)


def ms_of(at: datetime) -> int:
    """Return a time that knows its offset as milliseconds since 1970."""
    return (at.astimezone(UTC) - EPOCH) // MS


def at_period(day: datetime, zone: tzinfo, seen: object, minutes: int, first: int) -> int:
    """Return when a period of a local day begins; days have 23, 24 or 25 hours' worth of them."""
    number = number_of(seen)
    if isinstance(number, NoNumber) or number != int(number):
        raise NoTimeError("not-a-period", f"{shortened(str(seen))} is no number of a period")
    begins, ends = _day_ms(day.year, day.month, day.day, zone)
    most = (ends - begins) // (minutes * 60_000)
    at = int(number) - first
    if not 0 <= at < most:
        raise NoTimeError(
            "no-such-period", f"{day:%Y-%m-%d} has no period {number}: they go from {first} to {most - 1 + first}"
        )
    return begins + at * minutes * 60_000


def from_number(seen: object, form: str) -> int:
    """Return a time that is told in seconds or milliseconds since 1970."""
    number = number_of(seen)
    if isinstance(number, NoNumber):
        raise NoTimeError(
            "not-a-time", f"{shortened(str(seen))} is no time in {form.removeprefix('epoch_')} since 1970"
        )
    at_ms = number * 1000 if form == "epoch_s" else number
    if not 0 <= at_ms < 253_402_300_800_000:
        raise NoTimeError("not-a-time", f"{shortened(str(seen))} is no time of this age")
    return int(at_ms.to_integral_value())


def local_ms(at: datetime, zone: tzinfo, ambiguous: Ambiguous, before_ms: int | None = None) -> int:
    """Return a local time as milliseconds since 1970; raises NoTimeError for an hour skipped or told twice.

    `before_ms` is the time of the row before, for times that are told in order.
    """
    plain_ms = (at.replace(tzinfo=UTC) - EPOCH) // MS
    earlier = plain_ms - _ahead_ms(at.replace(tzinfo=zone, fold=0))
    later = plain_ms - _ahead_ms(at.replace(tzinfo=zone, fold=1))
    if earlier == later:
        return earlier
    if later < earlier:
        raise NoTimeError("no-such-time", f"{at:%Y-%m-%d %H:%M} is in the hour that is skipped there")
    match ambiguous:
        case "earlier":
            return earlier
        case "later":
            return later
        case "in-order":
            return earlier if before_ms is None or earlier > before_ms else later
        case "refuse":
            raise NoTimeError("ambiguous-time", f"{at:%Y-%m-%d %H:%M} is there twice that day, an hour apart")


def _ahead_ms(at: datetime) -> int:
    offset = at.utcoffset()
    assert offset is not None
    return offset // MS


def shifted_ms(at: datetime, seen: object) -> int:
    """Return a local time that is so many seconds ahead of UTC."""
    seconds = number_of(seen)
    if isinstance(seconds, NoNumber) or abs(seconds) > OFFSET_SECONDS_MAX:
        raise NoTimeError("no-zone", f"{shortened(str(seen))} is no offset from UTC in seconds")
    return (at.replace(tzinfo=UTC) - EPOCH) // MS - int(seconds * Decimal(1000))
