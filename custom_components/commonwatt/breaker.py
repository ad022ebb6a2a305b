"""The breakers of a site: which tap has one, and how each comes to where it belongs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Set as AbstractSet
from typing import Literal

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import LOGGER
from .credit import DWELL_SECONDS, Held, step
from .devices.breaker import AdoptedBreaker, ModbusBreaker
from .devices.modbus import ModbusDevice
from .devices.port import Breaker, Device
from .errors import DeviceError, OutboxError
from .site import TapConfig

STEPS_MAX = 4  # of one breaker in one go: open, opened, close, closed
PATIENCE_S = 2.0  # how long a turn waits for breakers; a slow one goes on by itself and holds up no other

type Told = Literal["opened", "closed", "by_hand", "failed", "works_again"]


def build_breakers(
    hass: HomeAssistant, taps: Mapping[str, TapConfig], devices: Mapping[str, Device]
) -> dict[str, Breaker]:
    """Return the breaker of every tap that has one: the switch a person chose, else the measuring unit's own."""
    breakers: dict[str, Breaker] = {}
    for tap in taps.values():
        device = devices[tap.tap]
        if tap.breaker_entity is not None:
            breakers[tap.tap] = AdoptedBreaker(hass, tap.breaker_entity)
        elif tap.kind != "meter" and isinstance(device, ModbusDevice) and device.has_breaker:
            breakers[tap.tap] = ModbusBreaker(device)
    return breakers


class Guard:
    """Lets a job's turn fail without ending the job: what fails is tried again, and logged."""

    def __init__(self, title: str) -> None:
        """Name the site in the log."""
        self._title = title
        self._outbox_fails = False

    async def __call__(self, turn: Awaitable[None]) -> None:
        """Wait for a turn."""
        try:
            await turn
        except OutboxError as error:
            if not self._outbox_fails:
                LOGGER.error("%s: no breaker moves while the outbox fails: %s", self._title, error.detail)
            self._outbox_fails = True
        except Exception:  # noqa: BLE001 - the guard of this job: a mistake must not leave anybody dark for ever
            LOGGER.exception("%s: keeping owners supplied failed", self._title)
        else:
            self._outbox_fails = False


class Breakers:
    """Brings each breaker to where it belongs, one step after another; what is held is remembered before it is done."""

    def __init__(
        self,
        breakers: Mapping[str, Breaker],
        remember: Callable[[], Awaitable[None]],
        tell: Callable[[str, Told], None],
    ) -> None:
        """Take the breakers by tap, what keeps `held` durably, and who hears what became of a tap's breaker."""
        self.held: dict[str, Held] = {}
        self.failing: dict[str, str] = {}  # by tap: why its breaker does not move
        self._breakers = breakers
        self._remember = remember
        self._tell = tell
        self._moves: dict[str, asyncio.Task[None]] = {}

    def go_on_with(self, held: Mapping[str, Held]) -> None:
        """Take up what was remembered, of the taps that still have a breaker."""
        self.held = {tap: item for tap, item in held.items() if tap in self._breakers}

    def is_cut_off(self, tap: str) -> bool:
        """Tell whether a tap's breaker is open for want of credit."""
        return self.held.get(tap, Held()).phase == "open"

    async def async_bring(self, cuts: AbstractSet[str]) -> None:
        """Start every breaker that is not on its way already, and wait a while for them; raises what a step raised."""
        for tap in self._breakers:
            if tap not in self._moves:
                move = self._async_move(tap, cut=tap in cuts)
                self._moves[tap] = asyncio.create_task(move, name=f"breaker of {tap}")
        if self._moves:
            await asyncio.wait(self._moves.values(), timeout=PATIENCE_S)
        done = {tap: task for tap, task in self._moves.items() if task.done()}
        for tap in done:
            del self._moves[tap]
        for error in [error for task in done.values() if (error := task.exception()) is not None]:
            raise error

    async def async_stop(self) -> None:
        """Let go of breakers on their way; each stays as it is."""
        for task in self._moves.values():
            task.cancel()
        await asyncio.gather(*self._moves.values(), return_exceptions=True)

    async def _async_move(self, tap: str, *, cut: bool) -> None:
        for _ in range(STEPS_MAX):
            before, now = self.held.get(tap, Held()), int(dt_util.utcnow().timestamp())
            held, act = step(before, now, cut=cut, closed=self._breakers[tap].closed, dwell=DWELL_SECONDS)
            if held != before:
                self.held[tap] = held
                await self._remember()
            match act:
                case None:
                    if held.phase == "free":
                        self.failing.pop(tap, None)  # nothing is asked of it any more
                    return
                case "open" | "close":
                    if not await self._async_switch(tap, closed=act == "close"):
                        return
                case _:
                    self._tell(tap, act)

    async def _async_switch(self, tap: str, *, closed: bool) -> bool:
        """Move a breaker; a failure is told once, and again only after it worked in between."""
        failed_before = tap in self.failing
        try:
            await self._breakers[tap].async_switch(closed=closed)
        except DeviceError as error:
            self.failing[tap] = error.detail
            if not failed_before:
                self._tell(tap, "failed")
            return False
        if failed_before:
            del self.failing[tap]
            self._tell(tap, "works_again")
        return True
