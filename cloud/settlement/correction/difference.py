"""What a correction changes: an interval's new state against all that stood, owner by owner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud.settlement.evidence import Outcome, direct_wh_of, points_of
from cloud.wire import Quality


@dataclass(frozen=True, slots=True)
class State:
    """How an interval stands for one owner: what was settled first and every correction since, added up."""

    net_wh: int = 0
    local_wh: int = 0
    grid_wh: int = 0
    points_micro: int = 0
    direct_wh: int = 0
    direct_points_micro: int = 0
    quality: Quality = "missing"

    def minus(self, other: State) -> State:
        """Return what another state lacks to be this one; the quality stays this one's."""
        return State(
            self.net_wh - other.net_wh,
            self.local_wh - other.local_wh,
            self.grid_wh - other.grid_wh,
            self.points_micro - other.points_micro,
            self.direct_wh - other.direct_wh,
            self.direct_points_micro - other.direct_points_micro,
            self.quality,
        )

    def plus(self, change: State) -> State:
        """Return the state after a change, with its quality."""
        return change.minus(State().minus(self))

    @property
    def moved_micro(self) -> int:
        """The points it comes to in all."""
        return self.points_micro + self.direct_points_micro


def merged(covered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same times, half open, without those that lie within or beside others."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(covered):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((first, end))
    return found


def states_of(outcome: Outcome) -> dict[str, State]:
    """Return how an outcome stands for each owner."""
    points, direct_wh = points_of(outcome), direct_wh_of(outcome)
    return {
        owner: State(
            part.net_wh,
            part.local_wh,
            part.grid_wh,
            part.points_micro,
            direct_wh[owner],
            points[owner] - part.points_micro,
            part.quality,
        )
        for owner, part in outcome.parts.items()
    }


def differences(outcome: Outcome, stood: Mapping[str, State]) -> dict[str, State]:
    """Return what the outcome changes for the owners it changes anything for."""
    new = {owner: (state, stood.get(owner)) for owner, state in states_of(outcome).items()}
    return {owner: state.minus(before or State()) for owner, (state, before) in new.items() if state != before}
