"""Takes the steps that cross buckets: from the cable's records to the host's leg, from there to the driver's reward.

Each step is a transaction in one bucket and can be taken twice; what is cut off in between goes on with the next turn.
"""

import logging

from cloud.v2g.turn import Hands

from .driver.store import pay
from .due.store import Horizon, Look, Unpaid, active, look, mark_paid, periods_of, set_horizon
from .host.store import Key, Taken, take

TAKEN_MAX = 200  # hosts' intervals of one community in one turn
SLACK_SECONDS = 600  # a decision may be seen so much later than it was made: transactions last, and clocks differ
HORIZON_SECONDS = 60  # how far the horizon moves at least, to be worth a write

LOGGER = logging.getLogger(__name__)


async def settle_cables(hands: Hands, now: int) -> int:
    """Give hosts back and pay drivers what is final and settled; return how much that was."""
    done = 0
    for community in await hands.database.read(active):
        found = await hands.database.read(look, community)
        done += await hands.guarded(f"legs of {community}", _legs(hands, community, found, now)) or 0
        for item in found.unpaid:
            done += await hands.guarded(f"reward {item.period.name}", _pay(hands, item, now)) or 0
    return done


async def _legs(hands: Hands, community: str, found: Look, now: int) -> int:
    """Bring legs to where they stand, and remember from when on there may be more to do."""
    taken = 0
    for key in dict.fromkeys([*found.legs, *found.corrected]):
        taken += await hands.guarded(f"leg of {community} {key[0]} {key[1]}", _leg(hands, community, key, now)) or 0
        if taken >= TAKEN_MAX:
            break
    await _advance(hands, community, found, now)
    return taken


async def _leg(hands: Hands, community: str, key: Key, now: int) -> int:
    """Bring one leg to where it stands; the records are read first, in the buckets of their cables."""
    periods = await hands.database.read(periods_of, community, key)
    outcome = await hands.database.write(take, community, key, periods, now)
    if isinstance(outcome, Taken):
        LOGGER.info("host's leg", extra={"community": community, "start": key[0], "entry": outcome.entry})
        hands.ring()
        return 1
    if outcome != "nothing-new":
        _hold(hands, f"{outcome} {community} {key[0]} {key[1]}", community, outcome)
    return 0


async def _pay(hands: Hands, item: Unpaid, now: int) -> int:
    """Pay the driver, then note that in the host's community; cut off in between, paying again pays nothing."""
    period = item.period
    assert period.driver_community is not None
    outcome = await hands.database.write(pay, period, item.rate, now)
    if outcome in ("paid", "paid-already"):
        await hands.database.write(mark_paid, period, now)
        hands.ring()
        return 1
    _hold(hands, f"{outcome} {period.name}", period.driver_community, outcome)
    return 0


def _hold(hands: Hands, what: str, community: str, reason: str) -> None:
    """Say once that something is held back; it is tried again each turn, and nobody is debited meanwhile."""
    if what not in hands.failing:
        LOGGER.warning("a cable's points are held back", extra={"community": community, "reason": reason})
    hands.failing.add(what)


async def _advance(hands: Hands, community: str, found: Look, now: int) -> None:
    """Move the horizon up to what was open when this turn began, if that is worth a write."""
    before, calm = found.horizon, now - SLACK_SECONDS
    decided_from = max(before.decided_from, calm if found.first_open is None else min(calm, found.first_open))
    corrected_from = before.corrected_from if found.corrected else max(before.corrected_from, calm)
    if max(decided_from - before.decided_from, corrected_from - before.corrected_from) >= HORIZON_SECONDS:
        await hands.database.write(set_horizon, community, Horizon(decided_from, corrected_from))
