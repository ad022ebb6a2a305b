"""The credit reserve: the last known balance less what was measured since, and whom that cuts."""

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.credit import Price, Reason, Spent, is_cut, judge, left_micro, reserve_wh
from custom_components.commonwatt.wire.credit import CreditState, OwnerCredit

NOON = 1_795_262_400
HALF_HOUR = 1800
POINT = 1_000_000
PRICE = Price(30_000, 8_000)
REASONS: tuple[Reason, ...] = ("unknown", "pays_later", "used_up", "enough", "low", "cut_off", "reserve_used_up")


def spent(*nets_wh: int) -> list[Spent]:
    """Return intervals from noon on."""
    return [Spent(NOON + at * HALF_HOUR, net_wh) for at, net_wh in enumerate(nets_wh)]


def test_what_was_taken_and_given_since_counts() -> None:
    """At the price of each interval: taking costs, giving earns, and what is in the balance counts no more."""
    prices = {NOON: PRICE, NOON + HALF_HOUR: Price(40_000, 10_000)}
    before = [Spent(NOON - HALF_HOUR, 10**9)]
    assert left_micro(100 * POINT, NOON, before + spent(1000, 1000, -500), prices.get) == (100 - 30 - 40 + 5) * POINT


def test_an_interval_without_a_price_costs_as_the_one_before() -> None:
    """Where no price was ever heard, what is left is unknown: nobody is cut for that."""
    known, never = {NOON: PRICE}, dict[int, Price]()
    assert left_micro(100 * POINT, NOON, spent(1000, 1000), known.get) == 40 * POINT
    assert left_micro(100 * POINT, NOON, spent(1000), never.get) is None
    assert left_micro(100 * POINT, NOON, [], never.get) == 100 * POINT


def test_a_negative_price_gives_points() -> None:
    """Who takes energy then is paid for it, and has no limit."""
    assert left_micro(0, NOON, spent(1000), lambda _: Price(-5_000, -5_000)) == 5 * POINT
    assert reserve_wh(5 * POINT, Price(-5_000, -5_000)) is None


def test_the_reserve_is_what_the_points_still_buy() -> None:
    """Whole Wh, never below none."""
    assert reserve_wh(30 * POINT - 1, PRICE) == 999
    assert reserve_wh(-POINT, PRICE) == 0
    assert reserve_wh(None, PRICE) is None
    assert reserve_wh(POINT, None) is None


@given(st.lists(st.integers(-5000, 5000), max_size=20), st.integers(0, 10**9))
def test_what_is_left_does_not_depend_on_where_the_cloud_drew_the_line(nets_wh: list[int], balance: int) -> None:
    """Settled by the cloud at the same prices, or counted by the site: the same points are left."""
    items = spent(*nets_wh)
    for at, item in enumerate([*items, Spent(NOON + len(items) * HALF_HOUR, 0)]):
        settled = left_micro(balance, NOON, items[:at], lambda _: PRICE)
        assert settled is not None
        assert left_micro(settled, item.start, items, lambda _: PRICE) == left_micro(
            balance, NOON, items, lambda _: PRICE
        )


def word(state: CreditState, *, prepaid: bool = True) -> OwnerCredit:
    """Return the cloud's word of an owner."""
    return OwnerCredit(state, prepaid, 10 * POINT, NOON) if prepaid else OwnerCredit(state, prepaid)


@pytest.mark.parametrize(
    ("said", "left", "in_touch", "before", "reason"),
    [
        (None, None, True, None, "unknown"),
        (None, -1, False, None, "unknown"),
        (word("warning", prepaid=False), None, True, None, "used_up"),
        (word("ok", prepaid=False), None, False, None, "pays_later"),
        (word("cut"), 10, True, None, "cut_off"),
        (word("cut"), None, False, None, "cut_off"),
        (word("ok"), 10, False, None, "enough"),
        (word("low"), 10, True, "cut_off", "low"),
        (word("ok"), 0, True, "enough", "enough"),
        (word("ok"), 0, False, "enough", "reserve_used_up"),
        (word("ok"), 0, True, "reserve_used_up", "reserve_used_up"),
        (word("ok"), 1, True, "reserve_used_up", "enough"),
        (word("ok"), None, False, "reserve_used_up", "enough"),
    ],
)
def test_an_owner_stands_by_the_clouds_word_and_out_of_touch_by_the_reserve(
    said: OwnerCredit | None, left: int | None, in_touch: bool, before: Reason | None, reason: Reason
) -> None:
    """In touch only the cloud cuts; a cut by the reserve ends with points, not with a link that comes back."""
    assert judge(said, left, in_touch=in_touch, before=before) == reason


@given(
    st.sampled_from([None, *(word(state, prepaid=False) for state in ("ok", "warning"))]),
    st.none() | st.integers(),
    st.booleans(),
    st.sampled_from([None, *REASONS]),
)
def test_nobody_is_cut_who_pays_later_or_is_unknown(
    said: OwnerCredit | None, left: int | None, in_touch: bool, before: Reason | None
) -> None:
    """Whatever the site counted and whatever was before."""
    assert not is_cut(judge(said, left, in_touch=in_touch, before=before))
