"""The port a tap measures through: one read of the registers; everything behind it is an adapter."""

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
