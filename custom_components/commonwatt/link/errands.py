"""Errands: what a site fetches from its cloud beside its batches, when it comes in reach, when told, and by and by."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
import logging

from ..errors import BadSignature, CloudRefused, NotAuthorised, OutboxError
from ..wire import WireError
from .client import CloudClient

_LOGGER = logging.getLogger(__name__)

EVERY_S = 3600

type Errand = Callable[[CloudClient], Awaitable[None]]


class Errands:
    """Runs every errand in turn; one that the cloud refuses, or that is not believed, holds up no other."""

    def __init__(self, errands: Sequence[Errand] = (), every_s: float = EVERY_S) -> None:
        self._errands = list(errands)
        self._every_s = every_s
        self._news = asyncio.Event()
        self._refused: dict[int, str] = {}

    def add(self, errand: Errand) -> None:
        """Take one more errand; it is run when the link comes up, after `wake`, and every hour."""
        self._errands.append(errand)

    def wake(self) -> None:
        """Say that there is something new to fetch."""
        self._news.set()

    async def run(self, client: CloudClient) -> None:
        """Run for ever; raises CloudUnreachable when the cloud is out of reach, and NotAuthorised."""
        while True:
            self._news.clear()
            for place, errand in enumerate(self._errands):
                await self._try(place, errand, client)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._news.wait()

    async def _try(self, place: int, errand: Errand, client: CloudClient) -> None:
        try:
            await errand(client)
        except (CloudRefused, BadSignature, OutboxError, WireError) as error:
            if isinstance(error, NotAuthorised) and error.status == 401:
                raise  # the site is not known any more; a 403 says no to this errand alone
            if self._refused.get(place) != str(error):
                # an older cloud does not know every errand
                older = isinstance(error, CloudRefused) and error.status == 404
                _LOGGER.log(logging.INFO if older else logging.WARNING, "An errand to the cloud failed: %s", error)
            self._refused[place] = str(error)
        else:
            self._refused.pop(place, None)
