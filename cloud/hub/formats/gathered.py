"""What is read of a message so far: its readings, where each stands, and what could not be taken; bounded. Pure."""

from dataclasses import dataclass, field

from cloud.hub.messages.message import Fault
from cloud.hub.quantity import MEASURES, Quantity
from cloud.hub.reading import FUTURE_MS_MAX, PAST_MS_MIN, Reading

from .document import UnreadableError
from .units import shortened

ROWS_MAX = 20_000  # of one message: a year of half hours is 17520
READINGS_MAX = 50_000  # of one message
FAULTS_MAX = 500  # told of one message: beyond, one more says how many there are
AHEAD_MS_MAX = 40 * 86_400_000  # how far ahead forecasts and markets tell: a month and some days
POINT_LETTERS_MAX = 64
DEVICE_LETTERS_MAX = 100  # of a device's name in its maker's words

KNOWN_AHEAD = frozenset(
    {
        Quantity.PRICE,
        Quantity.BUY_PRICE,
        Quantity.SELL_PRICE,
        Quantity.CARBON,
        Quantity.TEMPERATURE,
        Quantity.HUMIDITY,
        Quantity.IRRADIANCE,
        Quantity.WIND_SPEED,
        Quantity.CLOUD_COVER,
        Quantity.PRECIPITATION,
    }
)
"""Quantities that are told of times to come in any format; a meter's power is not."""


@dataclass(slots=True)
class Gathered:
    """The readings of one message, while it is read; `ahead` where all its values may lie ahead."""

    received_ms: int
    ahead: bool = False
    readings: list[Reading] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    faults_more: int = 0
    lies_ahead: bool = False

    def fault(self, row: int | None, reason: str, where: str, why: str) -> None:
        """Note what could not be taken."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(Fault(row, reason, where, why))
        else:
            self.faults_more += 1

    def add(self, row: int, where: str, reading: Reading) -> None:
        """Take a reading, or note why its time is not believed; raises UnreadableError where there are too many."""
        ahead_ms = reading.measured_ms - self.received_ms
        if ahead_ms > FUTURE_MS_MAX:
            if ahead_ms > AHEAD_MS_MAX or not (self.ahead or reading.quantity in KNOWN_AHEAD):
                self.fault(row, "future", where, f"it says a time {ahead_ms // 1000} s ahead of its receipt")
                return
            self.lies_ahead = True
        if reading.measured_ms < PAST_MS_MIN:
            self.fault(row, "past", where, "it says a time before the year 2000")
            return
        if not reading.seconds and MEASURES[reading.quantity].shape == "interval":
            why = f"{reading.quantity} is about some time, and nothing says how long that is"
            self.fault(row, "no-seconds", where, why)
            return
        if len(self.readings) >= READINGS_MAX:
            raise UnreadableError("too-many-readings", f"the message holds more than {READINGS_MAX} readings")
        self.readings.append(reading)
        self.rows.append(row)

    def all_faults(self) -> tuple[Fault, ...]:
        """Return what could not be taken."""
        if not self.faults_more:
            return tuple(self.faults)
        more = Fault(None, "more-faults", "", f"{self.faults_more} more rows or values could not be taken")
        return (*self.faults, more)


def wrong_name(text: str, most: int) -> str | None:
    """Return why a text is no name of a device or point; None if it is one."""
    if len(text) > most:
        return f"{shortened(text)} is longer than {most} letters"
    if not text.isprintable():
        return f"{shortened(text)} holds a character that cannot be printed"
    return None
