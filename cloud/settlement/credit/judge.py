"""Judges an owner's balance: enough, low, used up by one who pays later, or used up by one who pays ahead."""

from dataclasses import dataclass
from typing import Literal

from cloud.wire.credit import CreditState

LOW_SECONDS = 3 * 86_400  # how long the points should last, where nobody set another limit
ENOUGH_AGAIN_PARTS = (
    4  # a quarter above the limit ends `low`, so that an owner is not told at every cloud over the roof
)

type Asked = Literal["cut", "restore"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to judge an owner by, in micro-points; `before` is the state judged last, None the first time."""

    owner: str
    prepaid: bool
    balance_micro: int
    low_balance_micro: int
    before: CreditState | None = None


def judge(standing: Standing) -> CreditState:
    """Return how an owner stands: only one who pays ahead is ever cut off, and none with points left."""
    if standing.balance_micro <= 0:
        return "cut" if standing.prepaid else "warning"
    limit = standing.low_balance_micro
    if standing.before == "low":
        limit += limit // ENOUGH_AGAIN_PARTS
    return "low" if standing.prepaid and standing.balance_micro <= limit else "ok"


def asked(state: CreditState, before: CreditState | None) -> Asked | None:
    """Return what a change asks of the owner's sites: nothing, if it only says how things stand."""
    if state == "cut":
        return "cut"
    return "restore" if before == "cut" else None


def low_balance_micro(spent_micro: int, over_seconds: int) -> int:
    """Return the points that last LOW_SECONDS at the recent rate: 0 for one who earned more than they spent."""
    return max(0, spent_micro) * LOW_SECONDS // over_seconds if over_seconds > 0 else 0
