"""Readings judged: what a device said becomes a reading, is refused with the reason, or proves that a meter was reset.

A doubtful register (behind the last one, or farther ahead than the tap's rated power allows) is refused; when three
such reads in a row agree with one another it was no slip. If the register moved ahead by no more than the tap could
carry since the register last moved, it is a slow register (vendors refresh some hourly) and its energy counts; if not,
the meter was exchanged or reset, and no energy is counted across. A register that shows nothing but 0 proves neither:
it is refused until it counts.

A register that begins anew at a limit is unwound: the register of evidence counts on above it. What a device shows for
"no value" is refused however often it says it, where it cannot be a register.
"""

from dataclasses import dataclass, replace
import math
from typing import Literal

REGISTER_MAX = 2**53 - 1  # what every JSON reader keeps exactly
RATED_POWER_W_ASSUMED = 1_000_000  # of a tap that names none: catches flipped bits, hinders nobody below 1 MW
TOLERANCE = 1.2  # a device may run above its rating for a while
SLACK_WH = 2  # both registers of a difference are floored
CONFIRMING_READS = 3
STANDSTILL_MS = 24 * 3_600_000  # how long a slow register may have stood before the first reading of a run
ABSENCE_MS = 30 * STANDSTILL_MS  # how long a device may have been out of sight at a held boundary

# What devices show for "no value", at every scale a register map may have put on it. A register of 16 bits may well
# stand at one of these, so there they count against a read that is in doubt already; one of 32 bits never does.
_NO_VALUE_16 = (2**15 - 1, 2**15, 2**16 - 1)
_NO_VALUE_32 = (2**31 - 1, 2**31, 2**32 - 1, 2**32)
NO_VALUE_IF_IN_DOUBT = frozenset(value * 10**power for value in _NO_VALUE_16 + _NO_VALUE_32 for power in range(4)) | {
    value // 10**power for value in _NO_VALUE_32 for power in range(1, 4)
}
NO_VALUE_AT_ALL = frozenset(_NO_VALUE_32)

type RefusedReason = Literal["missing", "not_a_number", "no_value", "negative", "backward", "jump", "out_of_order"]


@dataclass(frozen=True, slots=True)
class RawReading:
    """What a device gave at an instant: cumulative registers in Wh, power in W, None where it had no value.

    A device without an export register gives 0 for it; None means that the value is missing now. At `wraps_wh` both
    registers begin anew at 0, as registers of 16 or 32 bit do; None: they never do.
    """

    at_ms: int
    import_wh: float | None
    export_wh: float | None
    power_w: float | None = None
    wraps_wh: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """An accepted snapshot of both registers, floored to whole Wh; power is signed, import positive.

    `rolled` where a register began anew at its limit since the last reading: these here count on above it.
    """

    at_ms: int
    import_wh: int
    export_wh: int
    power_w: int | None
    rolled: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A read that was not believed, and why."""

    at_ms: int
    reason: RefusedReason


@dataclass(frozen=True, slots=True)
class Reset:
    """The meter was exchanged or reset between the registers `before_wh` and `after_wh` (import, export)."""

    at_ms: int
    before_wh: tuple[int, int]
    after_wh: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tap can carry. `time_scale` is 1 but in a simulated house, where so many seconds pass in one."""

    rated_power_w: int | None
    time_scale: int = 1

    def energy_wh(self, elapsed_ms: int) -> float:
        """Return the most energy that the tap may carry in this time, in Wh."""
        rated = self.rated_power_w or RATED_POWER_W_ASSUMED
        return rated * elapsed_ms / 3_600_000 * self.time_scale * TOLERANCE + SLACK_WH


@dataclass(frozen=True, slots=True)
class Gate:
    """What judging remembers: the last reading, since when its registers may have stood, and reads in doubt.

    `exchanged` once somebody said that another meter stands there: its first read proves it, whatever it shows.
    """

    last: Reading | None = None
    moved_ms: int = 0
    doubtful: tuple[Reading, ...] = ()
    exchanged: bool = False


def known(at_ms: int, import_wh: int, export_wh: int, *, exact: bool) -> Gate:
    """Return the gate of a meter whose registers are known from a closed boundary (held there unless `exact`)."""
    return Gate(Reading(at_ms, import_wh, export_wh, None), at_ms - (STANDSTILL_MS if exact else ABSENCE_MS))


def judge(gate: Gate, raw: RawReading, limits: Limits) -> tuple[Gate, Reading | Refused | Reset]:
    """Judge one read against those before it."""
    read = _numbers(raw)
    if isinstance(read, Refused):
        return gate, read
    last = gate.last
    if last is None or gate.exchanged:
        return _first(gate, read)
    newest = gate.doubtful[-1] if gate.doubtful else last
    if read.at_ms <= max(newest.at_ms, last.at_ms):
        return gate, Refused(read.at_ms, "out_of_order")
    unwound = _unwound(last, read, raw.wraps_wh)
    doubt = _doubt(last, unwound, limits.energy_wh(read.at_ms - last.at_ms))
    if doubt is None:
        return _accept(gate, last, unwound), unwound
    if NO_VALUE_IF_IN_DOUBT & {read.import_wh, read.export_wh}:
        return gate, Refused(read.at_ms, "no_value")
    doubtful = (*gate.doubtful[1 - CONFIRMING_READS :], read)
    if gate.doubtful and not _agree(newest, read, raw.wraps_wh, limits):
        doubtful = (read,)
    if len(doubtful) < CONFIRMING_READS or _shows_nothing(last, read):
        return Gate(last, gate.moved_ms, doubtful), Refused(read.at_ms, doubt)
    if _doubt(last, unwound, limits.energy_wh(read.at_ms - gate.moved_ms)) is None:
        return Gate(unwound, read.at_ms), unwound
    return Gate(read, read.at_ms), Reset(read.at_ms, _registers(last), _registers(read))


def _first(gate: Gate, read: Reading) -> tuple[Gate, Reading | Refused | Reset]:
    """Judge the first read of a meter; one in the place of another has nothing to do with what that one showed."""
    last = gate.last
    if last is not None and read.at_ms <= last.at_ms:
        return gate, Refused(read.at_ms, "out_of_order")
    if NO_VALUE_AT_ALL & {read.import_wh, read.export_wh}:
        return gate, Refused(read.at_ms, "no_value")
    begun = Gate(read, read.at_ms)
    return begun, read if last is None else Reset(read.at_ms, _registers(last), _registers(read))


def _accept(gate: Gate, last: Reading, read: Reading) -> Gate:
    stood = _registers(read) == _registers(last)
    return Gate(read, gate.moved_ms if stood else read.at_ms)


def _shows_nothing(last: Reading, read: Reading) -> bool:
    """Tell whether whatever fell is 0: so a device starts, or sleeps at night, whose register is where it was."""
    fell = [now for before, now in zip(_registers(last), _registers(read), strict=True) if now < before]
    return bool(fell) and not any(fell)


def _agree(one: Reading, other: Reading, wraps_wh: int | None, limits: Limits) -> bool:
    return _doubt(one, _unwound(one, other, wraps_wh), limits.energy_wh(other.at_ms - one.at_ms)) is None


def _doubt(before: Reading, after: Reading, most_wh: float) -> Literal["backward", "jump"] | None:
    imported, exported = after.import_wh - before.import_wh, after.export_wh - before.export_wh
    if imported < 0 or exported < 0:
        return "backward"
    return "jump" if max(imported, exported) > most_wh else None


def _unwound(last: Reading, read: Reading, wraps_wh: int | None) -> Reading:
    """Return the read with registers that count on above the limit at which the device's own begin anew.

    Such a register stands for itself and any number of full turns. It is taken for the smallest value that is not
    behind the last one, unless that is half a turn ahead or more: then it is nearer to say that it fell back.
    """
    if not wraps_wh:
        return read
    import_wh, import_rolled = _ahead(last.import_wh, read.import_wh, wraps_wh)
    export_wh, export_rolled = _ahead(last.export_wh, read.export_wh, wraps_wh)
    return replace(read, import_wh=import_wh, export_wh=export_wh, rolled=import_rolled or export_rolled)


def _ahead(last_wh: int, shown_wh: int, wraps_wh: int) -> tuple[int, bool]:
    same_turn_wh = last_wh // wraps_wh * wraps_wh + shown_wh % wraps_wh
    if last_wh - same_turn_wh > wraps_wh // 2:
        return same_turn_wh + wraps_wh, True
    return same_turn_wh, False


def _numbers(raw: RawReading) -> Reading | Refused:
    """Return the whole Wh of a read whose registers are numbers that can be registers."""
    if raw.import_wh is None or raw.export_wh is None:
        return Refused(raw.at_ms, "missing")
    for register in (raw.import_wh, raw.export_wh):
        if not -REGISTER_MAX <= register <= REGISTER_MAX:  # NaN compares with nothing
            return Refused(raw.at_ms, "not_a_number")
        if register < 0:
            return Refused(raw.at_ms, "negative")
    power = raw.power_w
    return Reading(
        at_ms=raw.at_ms,
        import_wh=math.floor(raw.import_wh),
        export_wh=math.floor(raw.export_wh),
        power_w=round(power) if power is not None and abs(power) <= REGISTER_MAX else None,
    )


def _registers(reading: Reading) -> tuple[int, int]:
    return reading.import_wh, reading.export_wh
