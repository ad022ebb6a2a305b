"""The terms of V2G in a host's community, with what holds where nobody has set any."""

from dataclasses import dataclass

from cloud.wire.cable import Permission

TOLERANCE_WH = 100
TOLERANCE_PERCENT = 10
LOOK_BACK = 4
MISMATCHES = 2
SOC_FLOOR_PERCENT = 30
DISTANCE_M = 200
DEMAND_PERCENT = 90
PENDING_CAP_MICRO = 50_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What V2G pays and asks for at the sites of a community.

    A connected period earns `base_micro` less `price_micro_per_wh` times the energy towards the car. `look_back` is a
    number of periods of a site with cables: so many without a mismatch make a period final, and `mismatches` among so
    many set the flag `flag_permission`. `pending_cap_micro` bounds what waits for a cable on mere doubt.
    """

    base_micro: int = 0
    price_micro_per_wh: int = 0
    tolerance_wh: int = TOLERANCE_WH
    tolerance_percent: int = TOLERANCE_PERCENT
    look_back: int = LOOK_BACK
    mismatches: int = MISMATCHES
    soc_floor_percent: int = SOC_FLOOR_PERCENT
    distance_m: int = DISTANCE_M
    demand_percent: int = DEMAND_PERCENT
    pending_cap_micro: int = PENDING_CAP_MICRO
    flag_permission: Permission = "denied"


DEFAULTS = Terms()  # nothing is paid; everything else works


@dataclass(frozen=True, slots=True)
class KeptTerms:
    """Terms as somebody set them: the how-manieth, valid for periods from `valid_from` on."""

    number: int
    valid_from: int
    terms: Terms
    set_by: str
    set_at: int


def next_boundary(now: int, interval_seconds: int) -> int:
    """Return the first boundary of an interval at or after a time: terms never change within a period."""
    return -(-now // interval_seconds) * interval_seconds
