"""What the entry says, as values; the tree when taps go; power without a power meter; what people type."""

from collections import deque

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt import wire
from custom_components.commonwatt.cut import cut, known_tree, without
from custom_components.commonwatt.flows.details import named_owner
from custom_components.commonwatt.flows.words import WordError, clean_name, clean_url
from custom_components.commonwatt.metering import Limits, RawReading, Reading, TapMeter, begin, plant, take
from custom_components.commonwatt.power import power_w
from custom_components.commonwatt.site import SiteSettings, below, rehung, settings_of_cloud, wire_name

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("parents", "former", "root", "moved"),
    [
        ({"T1": None, "T3": "T2"}, {"T2": "T1"}, "T1", {"T3": "T1"}),
        ({"T1": None, "T4": "T3"}, {"T3": "T2", "T2": "T1"}, "T1", {"T4": "T1"}),
        ({"T1": None, "T3": "T2"}, {"T2": None}, "T1", {"T3": None}),
        ({"T1": None, "T3": "T2"}, {"T2": "island"}, "T1", {"T3": "island"}),
        ({"T1": None, "T3": "T2"}, {}, "T1", {"T3": "T1"}),
        ({"T3": "T2"}, {}, None, {"T3": None}),
        ({"T1": None, "T3": "T2"}, {"T2": "T4", "T4": "T2"}, "T1", {"T3": "T1"}),
        ({"T1": None, "T2": "T1", "T3": "island"}, {}, "T1", {}),
    ],
    ids=["parent", "grandparent", "grid", "island", "forgotten", "no meter", "former loop", "nobody"],
)
def test_a_tap_whose_upstream_is_gone_hangs_below_what_was_above(
    parents: dict[str, str | None], former: dict[str, str | None], root: str | None, moved: dict[str, str | None]
) -> None:
    """As far up as needed; below the meter when nobody remembers."""
    assert rehung(parents, former, root) == moved


@st.composite
def forests(draw: st.DrawFn) -> dict[str, str | None]:
    """Draw a tree of taps: each hangs on the grid, on an island, or below an earlier one."""
    parents: dict[str, str | None] = {}
    for number in range(draw(st.integers(1, 12))):
        parents[f"T{number + 1}"] = draw(st.sampled_from([None, wire.ISLAND, *parents]))
    return parents


@given(forests(), st.data())
def test_whatever_taps_are_removed_the_rest_is_a_sound_tree(
    parents: dict[str, str | None], data: st.DataObject
) -> None:
    """Each remaining tap hangs below its nearest ancestor that is left."""
    gone = data.draw(st.sets(st.sampled_from(sorted(parents))))
    left = {tap: parent for tap, parent in parents.items() if tap not in gone}
    healed = left | rehung(left, parents, None)
    taps = {tap: wire.TreeTap("a", parent) for tap, parent in parents.items()}
    assert healed == {tap: member.parent for tap, member in without(taps, gone).items()}
    plant({tap: wire.TreeTap("a", parent) for tap, parent in healed.items()})


@given(forests(), st.data())
def test_a_tap_hung_anywhere_but_below_itself_makes_no_loop(
    parents: dict[str, str | None], data: st.DataObject
) -> None:
    """What `below` leaves out is exactly what may be offered."""
    tap = data.draw(st.sampled_from(sorted(parents)))
    upstream = data.draw(st.sampled_from([None, wire.ISLAND, *sorted(set(parents) - below(tap, parents))]))
    plant({name: wire.TreeTap("a", parent) for name, parent in (parents | {tap: upstream}).items()})


def meter_read(*reads: tuple[int, int]) -> TapMeter:
    """Return a meter of one-minute intervals after reads (s, import Wh), its boundaries until 60 s closed."""
    meter = begin(60, None)
    for second, register in reads:
        meter, _ = take(meter, RawReading(second * 1000, register, 0), Limits(None))
    return meter


def test_a_cut_keeps_energy_in_double_entry() -> None:
    """Owners and grid sum to zero, interior taps stay at home, and every tap's boundary is kept."""
    taps = {
        "T1": wire.TreeTap("anna", None),
        "T2": wire.TreeTap("ben", "T1"),
        "T3": wire.TreeTap("ben", "T2"),
    }
    reads = {
        "T1": ((59, 0), (61, 0), (121, 300)),
        "T2": ((59, 0), (61, 0), (121, 60)),
        "T3": ((59, 0), (61, 0), (121, 6)),
    }
    opened = cut({tap: meter_read(*read) for tap, read in reads.items()}, taps, 3, 60, 5000)
    assert opened.interval is None
    made = cut(opened.meters, taps, 3, 120, 5000)
    assert made.interval is not None
    assert made.interval.net_wh == {"anna": 236, "ben": 59}
    assert made.interval.grid_wh == -295
    assert set(made.interval.taps) == {"T1", "T2"}
    assert set(made.boundaries) == set(made.qualities) == {"T1", "T2", "T3"}


def test_a_tap_that_was_never_read_is_in_no_tree() -> None:
    """What hangs below it hangs below what is above it, until it has been read."""
    taps = {"T1": wire.TreeTap("a", None), "T2": wire.TreeTap("b", "T1"), "T3": wire.TreeTap("c", "T2")}
    meters = {"T1": meter_read((1, 0)), "T2": begin(60, None), "T3": meter_read((1, 0))}
    assert known_tree(taps, meters) == {"T1": wire.TreeTap("a", None), "T3": wire.TreeTap("c", "T1")}
    assert known_tree(taps, meters | {"T2": meter_read((1, 0))}) == taps


def test_a_tap_whose_registers_are_lost_is_missing_until_it_opens_again() -> None:
    """The cloud expects every boundary tap of the tree, and its registers to add up: so it opens like a new meter."""
    taps = {"T1": wire.TreeTap("a", None), "T2": wire.TreeTap("b", "T1")}
    meters = {"T1": meter_read((59, 0), (61, 0), (121, 60), (181, 120)), "T2": meter_read((121, 500), (181, 560))}
    columns = []
    for end in (60, 120, 180):
        made = cut(meters, taps, 1, end, 5000)
        meters = dict(made.meters)
        columns += [made.interval.taps["T2"]] if made.interval else []
    assert [(column.import_wh, column.register_wh, column.quality) for column in columns] == [
        ((0,), ((0, 0),), ("missing",)),
        ((0,), ((559, 0),), ("reset",)),
    ]


def test_a_cut_of_nothing_keeps_nothing() -> None:
    """A site without taps has no intervals."""
    assert cut({}, {}, None, 60, 5000).interval is None


def test_power_of_a_simulated_house_is_the_true_one() -> None:
    """Thirty seconds pass in one: so its registers run, and its power must not."""
    reads = deque([Reading(0, 0, 0, None), Reading(HOUR_MS // 60, 500, 0, None)])
    assert power_w(reads, 1) == 30_000
    assert power_w(reads, 30) == 1000


def test_power_of_the_device_itself_comes_first() -> None:
    """A single read without a power of its own says nothing yet."""
    assert power_w([Reading(0, 0, 0, 77)], 1) == 77
    assert power_w([Reading(0, 0, 0, None)], 1) is None
    assert power_w([], 1) is None
    assert power_w([Reading(5, 0, 0, None), Reading(5, 9, 0, None)], 1) is None


def test_the_main_owner_stands_in_for_anybody_unknown() -> None:
    """Also when the cloud forgot to list the main owner."""
    settings = settings_of_cloud(wire.Settings("s", "c", "C", 1800, 1, "anna", {"ben": "Ben"}))
    assert settings == SiteSettings(1800, 1, "anna", {"anna": "anna", "ben": "Ben"})
    assert [settings.owner_or_main(owner) for owner in ("ben", "carl")] == ["ben", "anna"]


def test_two_people_of_nearly_one_name_are_two_owners() -> None:
    """Ids are made of names and must still be apart, and fit on the wire."""
    assert named_owner({"jose": "Jose"}, "José") == ("jose_2", "José")
    assert named_owner({"jose": "Jose"}, "jose") == ("jose", "Jose")
    owner, _ = named_owner({}, "x" * 100)
    assert len(owner) <= 64


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_a_name_that_cannot_be_carried_is_refused(name: str) -> None:
    """Names go over the wire and into lists."""
    with pytest.raises(WordError):
        clean_name(name)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8123", "http://192.168.1.5", "http://[::1]:8443", "http://cloud", "http://cloud.local"]
)
def test_plain_http_is_fine_at_home(url: str) -> None:
    """A cloud on one's own machine needs no certificate."""
    assert clean_url(url + "/?a=b#c") == url


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Flat", "Flat"),
        ("\N{MAN}\u200d\N{WOMAN}", "\N{MAN}\N{WOMAN}"),
        ("a\nb", "ab"),
        ("\u200d", None),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_title_changed_to_anything_still_goes_over_the_wire(title: str, name: str | None) -> None:
    """Home Assistant lets people rename a tap as they like; the tree must not break over it."""
    assert wire_name(title) == name
    wire.parse_tree(wire.to_bytes(wire.Tree("s", 1, 0, {"T1": wire.TreeTap("a", None, wire_name(title))})))
