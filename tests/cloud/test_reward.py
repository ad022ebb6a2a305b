"""The reward of a cable and the host's leg: whole numbers, nothing lost, and no way to earn more by splitting time."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.v2g.reward.legs import GridPrices, bill_micro, host_leg
from cloud.v2g.reward.reward import Rate, base_is_due, capped, reward

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "v2g.json").read_text())["reward"]
HALF_HOUR = 1800

wh = st.integers(-50_000, 50_000)
price = st.integers(-100_000, 100_000)
prices = st.builds(GridPrices, price, price)
rates = st.builds(Rate, st.integers(0, 10**8), price)


@pytest.mark.parametrize(("period", "expect"), list(zip(VECTORS["periods"], VECTORS["expect"], strict=True)))
def test_a_period_earns_what_the_rule_says(period: list[Any], expect: dict[str, int]) -> None:
    """Idle, discharging, charging, and not connected."""
    connected, energy_wh = period
    rate = Rate(VECTORS["base_micro"], VECTORS["price_micro_per_wh"])
    earned = reward(rate, energy_wh, connected=connected)
    assert energy_wh == expect["energy_wh"]
    assert (earned.base_micro, earned.variable_micro) == (expect["base_micro"], expect["variable_micro"])
    assert earned.micro == expect["reward_micro"]


@given(wh, st.lists(wh, max_size=5), prices, rates)
def test_host_driver_and_aggregator_sum_to_zero(
    net_wh: int, cables_wh: list[int], grid: GridPrices, rate: Rate
) -> None:
    """Whatever the signs: what the aggregator gives is what the others get."""
    leg = host_leg(net_wh, sum(cables_wh), grid)
    rewards = [reward(rate, energy_wh, connected=True).micro for energy_wh in cables_wh]
    aggregator = -leg + sum(-micro for micro in rewards)
    assert leg + sum(rewards) + aggregator == 0
    assert all(type(micro) is int for micro in (leg, *rewards))


@given(wh, wh, prices)
def test_the_hosts_bill_is_the_bill_without_the_cable(own_wh: int, cable_wh: int, grid: GridPrices) -> None:
    """The meter counts both; the leg takes the cable out again, also where buying and selling cost differently."""
    metered_wh = own_wh + cable_wh
    assert bill_micro(metered_wh, grid) - host_leg(metered_wh, cable_wh, grid) == bill_micro(own_wh, grid)


@given(wh, st.lists(wh, min_size=1, max_size=5), prices, st.randoms())
def test_cables_that_come_one_after_another_move_the_same(
    net_wh: int, cables_wh: list[int], grid: GridPrices, random: Any
) -> None:
    """Each revision posts the difference to what stood, so the order in which periods become final is no matter."""
    random.shuffle(cables_wh)
    posted, known_wh = 0, 0
    for energy_wh in cables_wh:
        known_wh += energy_wh
        posted += host_leg(net_wh, known_wh, grid) - posted
    assert posted == host_leg(net_wh, sum(cables_wh), grid)


@given(st.lists(st.tuples(st.booleans(), wh), min_size=1, max_size=6), rates)
def test_a_period_in_parts_earns_what_it_earns_whole(parts: list[tuple[bool, int]], rate: Rate) -> None:
    """Unplugged and plugged in again, or moved to another site: energies add up, the basic amount is paid once."""
    paid: list[tuple[int, int]] = []
    micro = 0
    for connected, energy_wh in parts:
        due = base_is_due(0, HALF_HOUR, paid)
        micro += reward(rate, energy_wh, connected=connected, base_due=due).micro
        if connected and due:
            paid.append((0, HALF_HOUR))
    whole = reward(rate, sum(energy_wh for _, energy_wh in parts), connected=any(there for there, _ in parts))
    assert micro == whole.micro


def test_the_basic_amount_is_due_for_times_that_do_not_touch() -> None:
    """Periods of another length cover each other too; one that begins where another ends does not."""
    assert base_is_due(1800, 1800, [(0, 1800), (3600, 900)])
    assert not base_is_due(1800, 1800, [(2700, 900)])
    assert not base_is_due(2700, 900, [(1800, 1800)])


def test_what_waits_is_told_up_to_the_cap() -> None:
    """A debt that waits is told whole."""
    assert [capped(micro, 50) for micro in (49, 50, 51, -80)] == [49, 50, 50, -80]
