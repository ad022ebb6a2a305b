"""Devices whose registers are made here, from power or from counters that begin anew, and must be written down."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Keeping(Protocol):
    """A device that goes on, after a restart, with the registers it made before."""

    def go_on_with(self, kept: Mapping[str, Any] | None, floor_wh: tuple[int, int] | None) -> None:
        """Take up what `kept` returned last, before the first read, and the registers of the boundary closed last.

        A register that is made here never falls behind that boundary. Raises ValueError, KeyError or TypeError for
        what `kept` never returned; the device then goes on from the boundary alone.
        """

    def kept(self) -> Mapping[str, Any] | None:
        """Return what is to be written down, as JSON holds it; None while there is nothing."""
