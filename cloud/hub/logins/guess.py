"""How often an initial password may be guessed: a few times, then ever more slowly, then once a day. Pure."""

from dataclasses import replace

from cloud.sites.transfer.passcodes import lock
from cloud.sites.transfer.passcodes.lock import LOCK_SECONDS_MAX, Lock

WRONG_BEFORE_A_DAY = 10  # with a month to guess in, some forty tries: hopeless against eight characters

__all__ = ["Lock", "counted"]


def counted(before: Lock, now: int) -> Lock:
    """Return the lock after one more wrong try. A try counts as wrong until it is known to be right."""
    after = lock.counted(before, now)
    if after.wrong >= WRONG_BEFORE_A_DAY:
        return replace(after, locked_until=now + LOCK_SECONDS_MAX)
    return after
