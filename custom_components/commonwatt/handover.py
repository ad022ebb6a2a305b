"""The handover: what a reload takes along in memory, so that adding a tap costs no read between two boundaries."""

from collections.abc import Mapping
from dataclasses import dataclass

from .metering import TapMeter, exchange
from .periods import Heard
from .site import TapConfig
from .sources import Source, same_meter
from .wire import TreeTap


@dataclass(frozen=True, slots=True)
class Handover:
    """The meters, the tree they were netted over, which device each tap had, and when each was heard last, in ms.

    `cables` is what the cables told in the open interval.
    """

    seconds: int
    meters: Mapping[str, TapMeter]
    tree: Mapping[str, TreeTap]
    sources: Mapping[str, Source]
    heard_ms: Mapping[str, int]
    cables: Mapping[str, Heard]

    def announced(self, taps: Mapping[str, TapConfig]) -> set[str]:
        """Return the taps that a person gave another device meanwhile: their registers may begin elsewhere."""
        return {tap for tap, config in taps.items() if self.sources.get(tap, config.source) != config.source}

    def taken_up(
        self, meters: Mapping[str, TapMeter], taps: Mapping[str, TapConfig], seconds: int
    ) -> dict[str, TapMeter]:
        """Return the meters of a new run in intervals of `seconds`: as they were left, where the length is the same.

        Where a person gave a tap a device that is surely another one, nothing is counted from the one to the other.
        """
        left = self.meters if seconds == self.seconds else {}
        others = {tap for tap in self.announced(taps) if not same_meter(self.sources[tap], taps[tap].source)}
        return {
            tap: exchange(left.get(tap, meter)) if tap in others else left.get(tap, meter)
            for tap, meter in meters.items()
        }
