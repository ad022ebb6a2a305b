"""What the site knows at this moment, as one value: the entities show it and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .devices.port import Quantity, Value
from .link import OwnerPrice
from .metering import Reading
from .statement import Day
from .wire import Quality


@dataclass(frozen=True, slots=True)
class TapState:
    """A tap's last accepted reading, and what else its device told last.

    `reset_at_ms` is when its meter was last found exchanged or reset. While nothing changes the state stays the very
    same object, and so does the reading, with the time at which it became what it is.
    """

    reading: Reading | None = None
    silent: bool = False
    power_w: int | None = None
    quality: Quality | None = None
    reset_at_ms: int = 0
    values: Mapping[Quantity, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnerState:
    """An owner's net energy in Wh, taken positive: in the last closed interval, and over all kept ones."""

    last_wh: int | None = None
    total_wh: int = 0


@dataclass(frozen=True, slots=True)
class CloudState:
    """What the link told last; amounts in micro-points, times in s. `price` is the main owner's, now."""

    connected: bool = False
    clock_offset_ms: int | None = None
    balance_micro: int | None = None
    settled_through: int | None = None
    today: Day | None = None
    price: OwnerPrice | None = None


@dataclass(frozen=True, slots=True)
class SiteState:
    """The whole site; `cloud` is None for a site without one.

    `last_end` is the end of the last closed interval in s, `depth` how much waits in the outbox.
    """

    taps: Mapping[str, TapState] = field(default_factory=dict)
    owners: Mapping[str, OwnerState] = field(default_factory=dict)
    last_end: int | None = None
    cloud: CloudState | None = None
    depth: int = 0


def owner_states(
    owners: Iterable[str], last_wh: Mapping[str, int] | None, total_wh: Mapping[str, int]
) -> dict[str, OwnerState]:
    """Return each owner's net energy; `last_wh` is None before the first interval."""
    return {
        owner: OwnerState(None if last_wh is None else last_wh.get(owner, 0), total_wh.get(owner, 0))
        for owner in owners
    }


def added(total_wh: Mapping[str, int], net_wh: Mapping[str, int]) -> dict[str, int]:
    """Return each owner's total with one interval more."""
    return {**total_wh, **{owner: total_wh.get(owner, 0) + one_wh for owner, one_wh in net_wh.items()}}
