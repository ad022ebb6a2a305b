"""A boundary reading as settlement takes it in, with the batch that says so."""

from typing import NamedTuple

from cloud.settlement.evidence import BatchName
from cloud.wire import Quality


class Measured(NamedTuple):
    """One tap in one interval; a tuple, for there are many."""

    start: int
    site: str
    epoch: int
    seq: int
    hash: str
    owner: str
    upstream_owner: str | None
    island: int
    private: int | None
    import_wh: int
    export_wh: int
    quality: Quality

    @property
    def batch(self) -> BatchName:
        """The batch it came in."""
        return BatchName(self.site, self.epoch, self.seq, self.hash)
