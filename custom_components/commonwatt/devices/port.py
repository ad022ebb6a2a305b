"""The ports of a tap: one read of its registers, and its breaker; everything behind them is an adapter."""

from dataclasses import dataclass
from typing import Protocol

from ..metering.reading import RawReading


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Which device answers: its serial number and what it says of itself; None where it says nothing."""

    serial: str | None
    rated_power_w: int | None


class Meter(Protocol):
    """Anything that has energy registers."""

    async def async_read(self) -> RawReading:
        """Return the registers in Wh as they stand now; raise DeviceError if the device is silent or talks nonsense."""


class Breaker(Protocol):
    """What opens and closes a tap."""

    @property
    def closed(self) -> bool | None:
        """Whether energy can flow, as it was last heard; None while the device does not answer."""

    async def async_switch(self, *, closed: bool) -> None:
        """Close or open it; raise DeviceError unless the device then says that it is so."""
