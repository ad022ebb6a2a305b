"""The one unified reading of the hub, whoever measured it and however it was told. Pure."""

from dataclasses import dataclass
from typing import Literal

from .quantity import Quantity

FUTURE_MS_MAX = 300_000  # a system's clock may be ahead by so much; beyond, what it says is of no known time
PAST_MS_MIN = 946_684_800_000  # 2000-01-01: a clock that was never set says 1970
INTERVAL_SECONDS_MAX = 31 * 86_400  # the longest time one value is about: a month's energy

type Timed = Literal["given", "received"]  # whose word the measurement time is: the system's, or that of our receipt


@dataclass(frozen=True, slots=True)
class Reading:
    """One quantity at one point of one device, under the time it was measured (milliseconds since 1970).

    `point` tells several places in one device apart (a phase, an outlet, a price area); "" where there is one.
    `seconds` is the time an `interval` quantity is about, from `measured_ms` on; 0 for registers and instants.
    `value` is a whole number in the unit of the quantity.
    """

    device: str
    point: str
    quantity: Quantity
    measured_ms: int
    seconds: int
    value: int
    timed: Timed = "given"
