"""By what rule points become cash: exact in points, and what makes no whole minor unit stays with the owner."""

from dataclasses import dataclass
from decimal import Decimal
import re
from typing import Literal

from cloud.payment.money import AMOUNT_MINOR_MAX, POINT_MICRO, micro_per_minor, step_minor

# up to two decimals, from 0 to 100: no exponent, no NaN, no leading zeros
PERCENT = re.compile(r"(100(\.0{1,2})?|[1-9]?[0-9](\.[0-9]{1,2})?)")
BASIS_POINTS = 10_000  # in a whole


@dataclass(frozen=True, slots=True)
class Rule:
    """How a community takes points back: at most one of the fees, a fixed one or a part of what is redeemed.

    `points_per_unit` is how many points a unit of the currency costs whoever redeems.
    """

    enabled: bool
    minimum_points: int
    points_per_unit: int
    fee_points: int = 0
    fee_basis_points: int = 0


@dataclass(frozen=True, slots=True)
class Payout:
    """What a redemption comes to: the points that leave the owner, the fee within them, and the cash."""

    points_micro: int
    fee_micro: int
    amount_minor: int


type NoPayout = Literal["disabled", "below-minimum", "nothing-left", "too-much"]


def basis_points(percent: str) -> int | None:
    """Return a percentage like "2.5" in hundredths of a percent; None if it is none."""
    return int(Decimal(percent) * 100) if PERCENT.fullmatch(percent) else None


def percent_text(parts: int) -> str:
    """Return hundredths of a percent as a percentage with the decimals it needs."""
    return f"{(Decimal(parts) / 100).normalize():f}"


def fee_micro(rule: Rule, points: int) -> int:
    """Return the fee for redeeming so many whole points: exact, for a hundredth of a percent of a point is whole."""
    return rule.fee_points * POINT_MICRO + points * (POINT_MICRO // BASIS_POINTS) * rule.fee_basis_points


def payout(rule: Rule, currency: str, points: int) -> Payout | NoPayout:
    """Return what redeeming so many whole points comes to, or why it cannot be."""
    if not rule.enabled:
        return "disabled"
    if points < rule.minimum_points:
        return "below-minimum"
    fee = fee_micro(rule, points)
    rate, step = micro_per_minor(currency, rule.points_per_unit), step_minor(currency)
    amount_minor = (points * POINT_MICRO - fee) // (rate * step) * step
    if amount_minor <= 0:
        return "nothing-left"
    if amount_minor > AMOUNT_MINOR_MAX:
        return "too-much"
    return Payout(amount_minor * rate + fee, fee, amount_minor)
