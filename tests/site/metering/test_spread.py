"""A gap's energy laid over its intervals: nothing made, nothing lost, and the registers fit as before."""

from itertools import pairwise

from hypothesis import given, strategies as st

from custom_components.commonwatt.metering import TapInterval, gaps, spread
from custom_components.commonwatt.wire import Quality

HALF_HOUR = 1800
energies = st.integers(0, 10**9)


def gap_of(count: int, import_wh: int, export_wh: int, opening: tuple[int, int] = (500, 70)) -> list[TapInterval]:
    """Make a gap as the meter leaves it: nothing, nothing, and then all at once."""
    silent = [TapInterval(place * HALF_HOUR, HALF_HOUR, 0, 0, opening, "missing") for place in range(count)]
    closing = (opening[0] + import_wh, opening[1] + export_wh)
    return [*silent, TapInterval(count * HALF_HOUR, HALF_HOUR, import_wh, export_wh, closing, "estimated")]


@given(st.integers(1, 60), energies, energies)
def test_spreading_moves_energy_in_time_and_makes_none(count: int, import_wh: int, export_wh: int) -> None:
    """The sums and the outer registers stay, every step is the difference of two registers, no two differ by over 1."""
    before = gap_of(count, import_wh, export_wh)
    after = spread(before)
    assert [(item.start, item.seconds) for item in after] == [(item.start, item.seconds) for item in before]
    assert sum(item.import_wh for item in after) == import_wh
    assert sum(item.export_wh for item in after) == export_wh
    assert after[-1].register_wh == before[-1].register_wh
    opening = TapInterval(-HALF_HOUR, HALF_HOUR, 0, 0, before[0].register_wh, "ok")
    for one, other in pairwise([opening, *after]):
        assert other.register_wh[0] - one.register_wh[0] == other.import_wh
        assert other.register_wh[1] - one.register_wh[1] == other.export_wh
    for energy in ([item.import_wh for item in after], [item.export_wh for item in after]):
        assert max(energy) - min(energy) <= 1
    assert {item.quality for item in after} == {"estimated"}


@given(st.lists(st.sampled_from(["ok", "estimated", "missing", "reset"]), max_size=30))
def test_a_gap_is_what_is_missing_and_the_estimate_that_ends_it(qualities: list[Quality]) -> None:
    """Neither a gap that is still open, nor one that ended with an exchanged meter, nor an estimate by itself."""
    found = gaps(qualities)
    for gap in found:
        assert [qualities[place] for place in gap] == ["missing"] * (len(gap) - 1) + ["estimated"]
        assert len(gap) > 1
        assert gap.start == 0 or qualities[gap.start - 1] != "missing"
    ends = [
        place for place, (one, other) in enumerate(pairwise(qualities), 1) if (one, other) == ("missing", "estimated")
    ]
    assert [gap.stop - 1 for gap in found] == ends
