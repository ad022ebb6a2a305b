"""Power of a meter that has none of its own: what its registers moved over the last reads."""

from collections import deque
from collections.abc import Sequence

from .metering.reading import Reading

# Registers move in whole Wh: over two minutes one step is 30 W, over one poll of ten seconds 360 W.
WINDOW_READS = 12


def window() -> deque[Reading]:
    """Return an empty window of reads."""
    return deque(maxlen=WINDOW_READS)


def power_w(reads: Sequence[Reading], time_scale: int) -> int | None:
    """Return the newest read's own power or, without it, the mean over the window in W; None with a single read."""
    if not reads:
        return None
    newest, oldest = reads[-1], reads[0]
    if newest.power_w is not None:
        return newest.power_w
    elapsed_ms = newest.at_ms - oldest.at_ms
    if elapsed_ms <= 0:
        return None
    moved_wh = (newest.import_wh - oldest.import_wh) - (newest.export_wh - oldest.export_wh)
    return round(moved_wh * 3_600_000 / elapsed_ms / time_scale)
