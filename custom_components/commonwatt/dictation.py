"""Dictation: a cable is told one thing after another by the way of every command; what fails is tried again later."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import LOGGER
from .devices.port import Command, Device, Quantity, Value
from .errors import DeviceError
from .v2g.visit import Order

if TYPE_CHECKING:
    from homeassistant.config_entries import ConfigEntry

TRIES_BEFORE_TOLD = 2  # one that is lost on a busy line is no news
HOLD_S = 30.0  # at most, should clocks be put back: so long what was written is held to be so


class Dictation:
    """Tells one cable its orders. New ones take the place of those that wait, so the newest word is the next one."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], name: str, device: Device) -> None:
        """Take the cable's name for the log, and the cable."""
        self._hass, self._entry, self._name, self._device = hass, entry, name, device
        self._waiting: list[Order] = []
        self._under_way: Order | None = None
        self._written: dict[str, tuple[Value, int, float]] = {}
        self._failing: dict[str, int] = {}

    def told(self, values: Mapping[Quantity, Value], read_ms: int) -> dict[str, Value]:
        """Return what the cable said as it was read at an instant (ms), with what it took since.

        What it says later than that stands, whatever it took: it may have been told otherwise, or have forgotten.
        """
        now = self._hass.loop.time()
        self._written = {
            name: (value, at_ms, until)
            for name, (value, at_ms, until) in self._written.items()
            if now < until and read_ms <= at_ms
        }
        told: dict[str, Value] = dict(values.items())
        return told | {name: value for name, (value, _, _) in self._written.items()}

    def bring(self, orders: Sequence[Order]) -> None:
        """Let the cable be told these and nothing else that waits; returns at once."""
        self._waiting = [order for order in orders if order != self._under_way]
        if self._waiting and self._under_way is None:
            self._under_way = self._waiting.pop(0)
            self._entry.async_create_task(self._hass, self._async_tell(), f"commonwatt tells {self._name}")

    async def async_say(self, orders: Sequence[Order]) -> None:
        """Tell the cable these, once, and drop what waits; returns when it is done, or one of them failed."""
        self._waiting = []
        for order in orders:
            if not await self._async_tell_one(*order):
                return

    async def _async_tell(self) -> None:
        try:
            while self._under_way is not None:
                rest = self._waiting
                if not await self._async_tell_one(*self._under_way) and rest is self._waiting:
                    rest.clear()  # what comes after it may allow more
                self._under_way = self._waiting.pop(0) if self._waiting else None
        finally:
            self._under_way = None

    async def _async_tell_one(self, name: str, value: Value) -> bool:
        try:
            await self._device.async_command(cast("Command", name), value)
        except (DeviceError, ValueError) as error:
            tries = self._failing[name] = self._failing.get(name, 0) + 1
            if tries == TRIES_BEFORE_TOLD:
                LOGGER.warning("%s cannot be told %s: %s; it is tried again", self._name, name, error)
            return False
        if self._failing.pop(name, 0) >= TRIES_BEFORE_TOLD:
            LOGGER.info("%s takes %s again", self._name, name)
        now_ms = int(dt_util.utcnow().timestamp() * 1000)
        self._written[name] = value, now_ms, self._hass.loop.time() + HOLD_S
        return True
