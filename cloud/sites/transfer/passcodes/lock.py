"""How often a passcode may be guessed: five times, then after a lock that doubles from a minute to a day."""

from dataclasses import dataclass

WRONG_FREE = 5  # a person mistypes a few times
LOCK_SECONDS_MIN = 60
LOCK_SECONDS_MAX = 86_400
CALLER_FORGETS_SECONDS = 30 * 86_400  # a caller's wrong tries; a tap's stand until its passcode is right or set anew


@dataclass(frozen=True, slots=True)
class Lock:
    """The wrong tries in a row at a tap, or of a caller, and until when no more are looked at."""

    wrong: int = 0
    locked_until: int = 0
    tried_at: int = 0


def wait_s(lock: Lock, now: int) -> int | None:
    """Return how long to wait before the next try; None if it may be now."""
    return lock.locked_until - now if now < lock.locked_until else None


def counted(lock: Lock, now: int) -> Lock:
    """Return the lock after one more wrong try. A try counts as wrong until it is known to be right."""
    wrong = lock.wrong + 1
    return Lock(wrong, now + _seconds(wrong) if wrong >= WRONG_FREE else 0, now)


def forgiven(lock: Lock, now: int) -> Lock:
    """Return a caller's lock after a try that turned out right: it alone is taken back."""
    return Lock(max(0, lock.wrong - 1), 0, now)


def remembered(lock: Lock, now: int) -> Lock:
    """Return a caller's lock as it counts now: after a long time without a try it begins anew."""
    return lock if now - lock.tried_at < CALLER_FORGETS_SECONDS else Lock()


def _seconds(wrong: int) -> int:
    return min(LOCK_SECONDS_MIN << min(wrong - WRONG_FREE, 16), LOCK_SECONDS_MAX)
