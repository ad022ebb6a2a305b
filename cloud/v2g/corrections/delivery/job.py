"""Delivers corrections to those who subscribed, side by side: a receiver that does not answer keeps nobody waiting."""

import asyncio
from collections.abc import Callable
import logging

from cloud.database import Database
from cloud.principal import CloudKey
from cloud.v2g.corrections.store import corrections_after
from cloud.v2g.turn import Hands

from .client import Sender
from .retry import Outcome
from .signed import message, secret_of, signature
from .store import Subscription, deliveries_of, note, subscriptions

TURN_SECONDS = 2
TOGETHER = 100  # corrections in one delivery: some 50 kB
AT_ONCE = 8  # subscriptions that are delivered to at a time

LOGGER = logging.getLogger(__name__)


class Deliverer:
    """Delivers for one process. Others may do the same: a delivery then comes twice, with the same id."""

    def __init__(self, database: Database, key: CloudKey, sender: Sender) -> None:
        """Begin with nothing failing."""
        self._database = database
        self._key = key
        self._sender = sender
        self._hands = Hands(database, lambda: None)
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Deliver for ever."""
        try:
            while True:
                if not await self.turn(clock_ms() // 1000):
                    await asyncio.sleep(TURN_SECONDS)
        finally:
            await self._sender.close()

    async def turn(self, now: int) -> int:
        """Deliver what is due to each subscription; return how many deliveries were received."""
        found = await self._hands.guarded("subscriptions", self._database.read(subscriptions))
        return sum(await asyncio.gather(*(self._guarded(item, now) for item in found or [])))

    async def _guarded(self, subscription: Subscription, now: int) -> int:
        """Let one subscription fail without the others."""
        async with self._gate:
            what = f"corrections for {subscription.client}"
            return await self._hands.guarded(what, self._deliver(subscription, now)) or 0

    async def _deliver(self, subscription: Subscription, now: int) -> int:
        """Deliver one page of each community that is due; the first that fails waits, and the others with it."""
        delivered = 0
        for community, delivery in (await self._database.read(deliveries_of, subscription)).items():
            if delivery.next_at > now:
                continue
            page = await self._database.read(corrections_after, community, delivery.through, TOGETHER)
            if not page:
                continue
            raw = message(subscription.subscription, page)
            mark = signature(secret_of(self._key, subscription.subscription), raw, now)
            problem = await self._sender.send(subscription.url, raw, mark)
            outcome = Outcome(problem=problem) if problem else Outcome(through=page[-1].number)
            await self._database.write(note, subscription, community, outcome, now)
            if problem:
                LOGGER.warning(
                    "corrections were not received", extra={"client": subscription.client, "problem": problem}
                )
                break
            delivered += 1
        return delivered
