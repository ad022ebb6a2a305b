"""What a cable may do, by the rules alone: the strictest wins, and what is true for a while holds for that while."""

from hypothesis import example, given, strategies as st
import pytest

from cloud.sites.distance import EARTH_M, distance_m, farthest_m
from cloud.v2g.permission.rule import (
    FREE,
    STRICTNESS,
    SiteStanding,
    combined,
    of_cable,
    of_demand,
    of_distance,
    strictest,
)
from cloud.v2g.terms.terms import next_boundary
from cloud.wire.cable import Cause, Permission, Place

permissions: st.SearchStrategy[Permission] = st.sampled_from(sorted(STRICTNESS))
causes: st.SearchStrategy[Cause] = st.sampled_from(["mismatch", "utility", "operator"])
standings = st.builds(SiteStanding, permissions, causes, st.integers(0, 10**9))
latitudes, longitudes = st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000)
places = st.tuples(latitudes, longitudes)
HALF_ROUND_M = 20_015_115  # half the earth's circumference


@given(standings, standings, standings)
def test_the_strictest_wins(cable: SiteStanding, site: SiteStanding, place: SiteStanding) -> None:
    """Whatever says it, nobody else can make it less; and its cause and time are told, not another's."""
    found = combined(cable, site, place)
    assert found in (cable, site, place)
    assert all(STRICTNESS[found.permission] >= STRICTNESS[one.permission] for one in (cable, site, place))
    assert strictest(()) == FREE


@pytest.mark.parametrize(
    ("state", "permission", "cause"),
    [
        ("active", "allowed", "none"),
        ("stolen", "denied", "stolen"),
        ("revoked", "denied", "revoked"),
        ("two-places", "denied", "two-places"),
        (None, "denied", "unknown-cable"),
    ],
)
def test_a_cables_own_state_holds_everywhere(state: str | None, permission: str, cause: str) -> None:
    """Only one that is known and in order may do anything."""
    found = of_cable(state, 7)
    assert (found.permission, found.cause) == (permission, cause)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 10**9)), max_size=4), st.integers(1, 200))
def test_overload_is_a_matter_of_the_moment(rates: list[tuple[int, int]], most: int) -> None:
    """At the limit is over it; with no rate that holds nothing is known, and so nothing forbidden."""
    found = of_demand(rates, most)
    assert (found.cause == "overload") == any(percent >= most for percent, _ in rates)
    assert of_demand((), most) == FREE


@given(st.none() | st.integers(0, 10**6))
def test_a_place_forbids_only_where_it_is_known_and_too_far(distance: int | None) -> None:
    """200 m are not more than 200 m."""
    assert (of_distance(distance, 200, 0).cause == "place") == (distance is not None and distance > 200)


@given(places, places)
@example((0, 180_000_000), (0, -180_000_000))
@example((90_000_000, 0), (90_000_000, 123_456_789))
@example((-90_000_000, 0), (90_000_000, 0))
def test_a_distance_is_one(one: Place, other: Place) -> None:
    """The same from both ends, never more than half round the earth, and nought only where nothing lies between."""
    found = distance_m(one, other)
    assert found == distance_m(other, one)
    assert 0 <= found <= HALF_ROUND_M
    assert distance_m(one, one) == 0


@given(latitudes, st.integers(1, 900))
def test_the_antimeridian_is_a_line_like_any_other(latitude: int, across: int) -> None:
    """A step over it is as long as the same step elsewhere."""
    over = distance_m((latitude, 180_000_000 - across), (latitude, -180_000_000 + across))
    assert abs(over - distance_m((latitude, -across), (latitude, across))) <= 1


@given(longitudes, longitudes)
def test_all_longitudes_meet_at_the_poles(one: int, other: int) -> None:
    """However far apart they are elsewhere."""
    for pole in (90_000_000, -90_000_000):
        assert distance_m((pole, one), (pole, other)) == 0


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((0, 0), (1_000_000, 0), 111_195),  # a degree of latitude
        ((60_000_000, 0), (60_000_000, 1_000_000), 55_598),  # of longitude, half as long at 60 degrees
        ((48_137_154, 11_576_124), (48_137_154, 11_578_812), 199),  # within 200 m of Munich's town hall
        ((48_137_154, 11_576_124), (48_137_154, 11_578_840), 202),
        ((35_681_236, 139_767_125), (34_702_485, 135_495_951), 403_000),  # the stations of Tokyo and Osaka
    ],
)
def test_distances_are_what_maps_say(one: Place, other: Place, metres: int) -> None:
    """Within half a percent."""
    assert distance_m(one, other) == pytest.approx(metres, rel=0.005)
    assert EARTH_M > 6_000_000


@given(places, st.lists(st.none() | places, max_size=4))
def test_the_farthest_counts_and_the_unknown_does_not(registered: Place, told: list[Place | None]) -> None:
    """Whoever says that a cable is far away is believed; nobody saying anything is no distance."""
    known = [distance_m(registered, place) for place in told if place is not None]
    assert farthest_m(registered, tuple(told)) == max(known, default=None)
    assert farthest_m(None, tuple(told)) is None


@given(st.integers(0, 10**10), st.sampled_from([1, 300, 900, 1800]))
def test_terms_begin_at_a_boundary(now: int, seconds: int) -> None:
    """The next one, or this very moment if it is one."""
    found = next_boundary(now, seconds)
    assert found % seconds == 0
    assert 0 <= found - now < seconds
