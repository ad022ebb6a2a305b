"""The one guard of a job's turn: what fails is logged with its traceback, and the rest of the turn goes on."""

from collections.abc import Awaitable
import logging


class Guard:
    """Lets one step fail without the others. Each is logged once as it begins to fail, and once when it works again."""

    def __init__(self, logger: logging.Logger, doing: str, about: str = "community") -> None:
        """Begin with nothing failing; `doing` says what fails, `about` what the names of its steps are."""
        self._logger, self._doing, self._about = logger, doing, about
        self.failing: set[str] = set()

    async def __call__[R](self, what: str, step: Awaitable[R]) -> R | None:
        """Return what a step returns; None where it failed."""
        try:
            result = await step
        except Exception:
            if what not in self.failing:
                self._logger.exception("%s failed", self._doing, extra={self._about: what})
            self.failing.add(what)
            return None
        if what in self.failing:
            self._logger.info("%s works again", self._doing, extra={self._about: what})
            self.failing.discard(what)
        return result
