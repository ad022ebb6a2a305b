"""The handover: what a reload takes along in memory, so that adding a tap costs no read between two boundaries."""

from collections.abc import Mapping
from dataclasses import dataclass

from .metering import TapMeter
from .site import TapConfig
from .sources import Source
from .wire import TreeTap


@dataclass(frozen=True, slots=True)
class Handover:
    """The meters, the tree they were netted over, which device each tap had, and when each was heard last, in ms."""

    seconds: int
    meters: Mapping[str, TapMeter]
    tree: Mapping[str, TreeTap]
    sources: Mapping[str, Source]
    heard_ms: Mapping[str, int]

    def announced(self, taps: Mapping[str, TapConfig]) -> set[str]:
        """Return the taps that a person gave another device meanwhile: their registers may begin elsewhere."""
        return {tap for tap, config in taps.items() if self.sources.get(tap, config.source) != config.source}
