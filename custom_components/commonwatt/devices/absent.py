"""A meter that cannot be reached as things are set up: silent with its reason, so that the other taps go on."""

from ..errors import DeviceError
from ..metering.reading import RawReading


class AbsentMeter:
    """Stands in for a meter that has no link; every read says why."""

    def __init__(self, reason: str) -> None:
        """Take the reason in words for the log."""
        self._reason = reason

    async def async_read(self) -> RawReading:
        """Refuse with the reason."""
        raise DeviceError(self._reason)
