"""Houses for the tests of cables: random trees of taps, what flows in them, and cables that tell the truth or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from custom_components.commonwatt.v2g import CableReading, Memory, Periods, SiteReading, Tolerance, periods
from custom_components.commonwatt.v2g.coverage import LEARNT_MIN

SECONDS = 1800
DEFAULTS = Tolerance()


@dataclass(frozen=True)
class House:
    """A tree below the meter T1, what each tap's own load takes (a roof: less than nothing), and the cables' sockets.

    A tap with taps or cables below it has no load of its own, save what `hidden_wh` says.
    """

    parents: Mapping[str, str | None]
    sockets: Mapping[str, str]
    hidden_wh: int = 0  # at the meter, measured by nobody

    def net_wh(self, loads_wh: Mapping[str, int], cables_wh: Mapping[str, int]) -> dict[str, int]:
        """Return what every tap measures: its own load, and what flows to the taps and cables below it."""
        found = dict.fromkeys(self.parents, 0)
        flows = [*((tap, loads_wh.get(tap, 0)) for tap in self.leaves), ("T1", self.hidden_wh)]
        for start, energy_wh in [*flows, *((self.sockets[name], wh) for name, wh in cables_wh.items())]:
            tap: str | None = start
            while tap in found:
                found[tap] += energy_wh
                tap = self.parents[tap]
        return found

    @property
    def leaves(self) -> list[str]:
        """The taps with nothing below them: these have loads."""
        above = {*self.parents.values(), *self.sockets.values()}
        return [tap for tap in self.parents if tap not in above]


def readings(house: House, told_wh: Mapping[str, int], *, connected: bool = True) -> list[CableReading]:
    """Return what the cables say."""
    return [
        CableReading(name, socket, told_wh.get(name, 0), sure=True, connected=connected or bool(told_wh.get(name)))
        for name, socket in house.sockets.items()
    ]


def at(house: House, number: int, net_wh: Mapping[str, int]) -> SiteReading:
    """Return what the site measured in the n-th interval."""
    return SiteReading((number + 1) * SECONDS, SECONDS, house.parents, net_wh)


def learnt(house: House, loads_wh: Mapping[str, int], count: int = LEARNT_MIN) -> Memory:
    """Return what the site remembers after so many intervals without a car."""
    memory = Memory()
    for number in range(count):
        net_wh = house.net_wh(loads_wh, {})
        _, memory = periods(at(house, number, net_wh), readings(house, {}, connected=False), memory, DEFAULTS)
    return memory


def judged(
    house: House,
    memory: Memory,
    *,
    loads_wh: Mapping[str, int],
    told_wh: Mapping[str, int],
    moved_wh: Mapping[str, int],
    number: int = LEARNT_MIN,
) -> Periods:
    """Return what the site makes of an interval in which cables told one thing, and another moved."""
    site = at(house, number, house.net_wh(loads_wh, moved_wh))
    return periods(site, readings(house, told_wh), memory, DEFAULTS)[0]


@st.composite
def houses(draw: st.DrawFn, cables: int = 3) -> House:
    """Draw a house of up to eight taps, with cables plugged in anywhere, directly below the meter too."""
    count = draw(st.integers(1, 8))
    parents: dict[str, str | None] = {"T1": None}
    for number in range(2, count + 1):
        parents[f"T{number}"] = draw(st.sampled_from(sorted(parents)))
    names = [f"C{number}" for number in range(1, draw(st.integers(1, cables)) + 1)]
    return House(parents, {name: draw(st.sampled_from(sorted(parents))) for name in names})


def loads(house: House) -> st.SearchStrategy[dict[str, int]]:
    """Draw what flows at each leaf; a roof gives."""
    return st.fixed_dictionaries({tap: st.integers(-5000, 5000) for tap in house.leaves})


def energies(house: House, least: int = -4000, most: int = 4000) -> st.SearchStrategy[dict[str, int]]:
    """Draw what flows at each cable."""
    return st.fixed_dictionaries({name: st.integers(least, most) for name in house.sockets})


def silent(cables: Sequence[CableReading], name: str) -> list[CableReading]:
    """Return the readings with one cable that fell silent with its car."""
    return [
        replace(cable, energy_wh=None, sure=False, connected=False, heard=False) if cable.cable == name else cable
        for cable in cables
    ]
