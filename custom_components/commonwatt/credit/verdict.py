"""Whether an owner is supplied, and why: the cloud's word first, the reserve when the cloud is out of reach."""

from typing import Literal

from ..wire.credit import OwnerCredit

type Reason = Literal["unknown", "pays_later", "used_up", "enough", "low", "cut_off", "reserve_used_up"]


def judge(word: OwnerCredit | None, left: int | None, *, in_touch: bool, before: Reason | None) -> Reason:
    """Return how an owner stands, by the cloud's last word and the micro-points left by the site's own count.

    Who pays later is never cut, and nobody for a balance that nobody knows. The reserve cuts only out of touch; what it
    cut stays cut until there are points again, so that a link that comes and goes switches nothing.
    """
    if word is None:
        return "unknown"
    if not word.prepaid:
        return "used_up" if word.state == "warning" else "pays_later"
    if word.state == "cut":
        return "cut_off"
    if left is not None and left <= 0 and (not in_touch or before == "reserve_used_up"):
        return "reserve_used_up"
    return "low" if word.state == "low" else "enough"


def is_cut(reason: Reason) -> bool:
    """Tell whether an owner who stands so is not supplied."""
    return reason in ("cut_off", "reserve_used_up")
