"""A reading as settlement gets it: derived from a signed batch, and pointing back to it."""

from dataclasses import dataclass

from cloud.wire import Quality


@dataclass(frozen=True, slots=True)
class Reading:
    """What one boundary tap measured in [start, start + seconds), and the batch (epoch, seq) that says so.

    `upstream_owner` is None at a tap that hangs on the grid, and at the first tap of an `island`, which no grid feeds
    and whose energy therefore moves from nobody. `private` is a tap below an island's first one: on a line of its
    owners' own.
    """

    site: str
    tap: str
    start: int
    seconds: int
    owner: str
    upstream_owner: str | None
    island: bool
    import_wh: int
    export_wh: int
    import_register_wh: int
    export_register_wh: int
    quality: Quality
    epoch: int
    seq: int
    private: bool = False
