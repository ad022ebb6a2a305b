"""When a delivery is tried again: soon at first, at most an hour apart, and without end. Pure."""

from dataclasses import dataclass, replace

FIRST_SECONDS = 5
MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a provider was told of a community, and how the last tries went.

    `through` is the number of the last correction that was received; `failures` counts tries since.
    """

    through: int = 0
    failures: int = 0
    next_at: int = 0
    tried_at: int | None = None
    delivered_at: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended: received through this number, or with this problem."""

    through: int = 0
    problem: str | None = None


def after(before: Delivery, outcome: Outcome, now: int) -> Delivery:
    """Return how a delivery stands after a try; what was received is never taken back."""
    if outcome.problem is None:
        through = max(before.through, outcome.through)
        return Delivery(through=through, next_at=now, tried_at=now, delivered_at=now)
    failures = before.failures + 1
    wait = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 20))
    return replace(before, failures=failures, next_at=now + wait, tried_at=now, problem=outcome.problem)
