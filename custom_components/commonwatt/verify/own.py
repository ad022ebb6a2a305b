"""What the site itself holds: the intervals it measured, the batches it signed, the prices and roots it was told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OwnInterval:
    """An interval as this site measured it: the owner's net energy here, and the signed batch that said so.

    `batch` is epoch, number and hash; None for an interval that was never sent. `amended` is what was sent later in its
    place.
    """

    start: int
    seconds: int
    net_wh: int
    batch: tuple[int, int, str] | None
    amended: OwnInterval | None = None

    def named_by(self, batches: Iterable[tuple[str, int, int, str]], site: str) -> OwnInterval:
        """Return the interval as it stood when these batches were settled: amended, if they name the amendment."""
        if self.amended is not None and (site, *(self.amended.batch or ())) in set(batches):
            return self.amended
        return self


@dataclass(frozen=True, slots=True)
class Promised:
    """The prices that the cloud had told, signed, for an interval: micro-points per Wh, None where there is none."""

    local_micro_per_wh: int | None
    grid_buy_micro_per_wh: int | None
    grid_sell_micro_per_wh: int | None


@dataclass(frozen=True, slots=True)
class Own:
    """All that this site holds of one owner; `roots` are the payloads of day roots kept before, by day."""

    site: str
    community: str
    owner: str
    intervals: Mapping[int, OwnInterval] = field(default_factory=dict)
    promised: Mapping[int, Promised] = field(default_factory=dict)
    roots: Mapping[int, bytes] = field(default_factory=dict)
