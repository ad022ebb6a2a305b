"""What a step of the work on cables works with: the database, a guard that keeps failures apart, and the bell."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import logging

from cloud.database import Database

LOGGER = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Hands:
    """What every step gets; `ring` is called after a transaction that posted notices."""

    database: Database
    ring: Callable[[], None]
    failing: set[str] = field(default_factory=set)

    async def guarded[R](self, what: str, work: Awaitable[R]) -> R | None:
        """Let one piece of work fail without the others: None then. It is logged once, and again when it works."""
        try:
            result = await work
        except Exception:
            if what not in self.failing:
                LOGGER.exception("work on cables failed", extra={"step": what})
            self.failing.add(what)
            return None
        if what in self.failing:
            LOGGER.info("work on cables works again", extra={"step": what})
            self.failing.discard(what)
        return result


type Step = Callable[[Hands, int], Awaitable[int]]  # with the time; returns how much there was to do
