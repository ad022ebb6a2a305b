"""A device that cannot be reached as things are set up: silent with its reason, so that the other taps go on."""

from collections.abc import Mapping

from ..errors import DeviceError
from .port import Answer, Command, Quantity, Range, Value


class AbsentDevice:
    """Stands in for a device that has no link; every read says why."""

    quantities: frozenset[Quantity] = frozenset()
    commands: Mapping[Command, Range] = {}
    integrated = False

    def __init__(self, reason: str) -> None:
        """Take the reason in words for the log."""
        self._reason = reason

    async def async_read(self) -> Answer:
        """Refuse with the reason."""
        raise DeviceError(self._reason)

    async def async_command(self, command: Command, value: Value) -> None:
        """Refuse with the reason."""
        raise DeviceError(self._reason)
