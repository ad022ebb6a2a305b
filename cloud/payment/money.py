"""Money in whole minor units, and what points cost: rounded here and only here, and never at the community's cost."""

from dataclasses import dataclass
from typing import Final, Literal

POINT_MICRO = 1_000_000
AMOUNT_MINOR_MAX = 99_999_999  # eight digits, the most that a charge may have
POINTS_MAX = 100_000_000  # in one movement: ten of them still fit into a posting

ZERO_DECIMAL: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
THREE_DECIMAL: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
# told with decimals that payments may not use: cards carry whole krónur and shillings, and dinars to two decimals
STEPS_MINOR: Final = {"ISK": 100, "UGX": 100} | dict.fromkeys(THREE_DECIMAL, 10)


@dataclass(frozen=True, slots=True)
class Price:
    """What is paid, in minor units of a currency (cents, yen), and the points it buys."""

    amount_minor: int
    points_micro: int


type NoPrice = Literal["off-step", "too-much"]


def decimals_of(currency: str) -> int:
    """Return how many decimals a currency's amounts have."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def step_minor(currency: str) -> int:
    """Return of what number of minor units an amount must be a multiple."""
    return STEPS_MINOR.get(currency, 1)


def micro_per_minor(currency: str, points_per_unit: int) -> int:
    """Return the micro-points of a minor unit: a whole number, for no currency has more than six decimals."""
    return int(points_per_unit * POINT_MICRO // 10 ** decimals_of(currency))


def price_of_points(currency: str, points_per_unit: int, points: int) -> Price | NoPrice:
    """Return what so many points cost: rounded up to what can be paid, which then buys all it is worth."""
    rate, step = micro_per_minor(currency, points_per_unit), step_minor(currency)
    amount_minor = -(-points * POINT_MICRO // (rate * step)) * step
    return price_of_amount(currency, points_per_unit, amount_minor)


def price_of_amount(currency: str, points_per_unit: int, amount_minor: int) -> Price | NoPrice:
    """Return what an amount buys, exactly."""
    points_micro = amount_minor * micro_per_minor(currency, points_per_unit)
    if amount_minor % step_minor(currency):
        return "off-step"
    if amount_minor > AMOUNT_MINOR_MAX or points_micro > POINTS_MAX * POINT_MICRO:
        return "too-much"
    return Price(amount_minor, points_micro)
