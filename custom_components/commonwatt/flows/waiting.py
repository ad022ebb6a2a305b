"""A dialogue that waits: a device that answers at once shows its form at once, a slow one shows that it is asked."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from homeassistant.config_entries import SubentryFlowResult

from .base import SiteFlow

PATIENCE_S = 2.0  # a person takes this for "at once"; after it they want to see that something is going on


class WaitingFlow(SiteFlow):
    """Runs one job at a time. A dialogue that is closed lets it end by itself: cut off, a link would stay half open."""

    _job: asyncio.Task[None] | None = None
    _job_told: str
    _after: Callable[[], Coroutine[Any, Any, SubentryFlowResult]]

    async def _async_wait(
        self,
        told: str,
        job: Coroutine[Any, Any, None],
        after: Callable[[], Coroutine[Any, Any, SubentryFlowResult]],
        patience_s: float | None = None,
    ) -> SubentryFlowResult:
        """Do a job, then go on with `after`; show `told` if it takes longer than a person waits without a word."""
        self._job_told, self._after = told, after
        self._job = self.hass.async_create_background_task(job, f"commonwatt {told}")
        done, _ = await asyncio.wait({self._job}, timeout=PATIENCE_S if patience_s is None else patience_s)
        return await self.async_step_waited() if done else self._show_waiting()

    async def async_step_wait(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show that the job goes on, until it is done."""
        assert self._job is not None
        return self.async_show_progress_done(next_step_id="waited") if self._job.done() else self._show_waiting()

    async def async_step_waited(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Go on; what the job could not do is in what it left."""
        assert self._job is not None
        self._job.result()
        return await self._after()

    def _show_waiting(self) -> SubentryFlowResult:
        assert self._job is not None
        watch = self.hass.async_create_background_task(_until_done(self._job), f"commonwatt waits for {self._job_told}")
        return self.async_show_progress(step_id="wait", progress_action=self._job_told, progress_task=watch)


async def _until_done(job: asyncio.Task[None]) -> None:
    await asyncio.wait({job})
