"""What the visitor's cable earned, in words; and that a run in which somebody doubts it fails."""

from typing import Any

import pytest

from demo.community import BASE_MICRO, PRICE_MICRO_PER_WH
from demo.errors import DemoError
from demo.visitor import Earned, earned_lines


def period(state: str, energy_wh: int = -900, verdict: str = "match") -> dict[str, Any]:
    """Return a judged period as the cloud tells it."""
    return {"state": state, "energy_wh": energy_wh, "verdict": verdict, "connected": True}


def test_what_is_earned_and_what_waits_are_told_apart() -> None:
    """One period is final and paid, two wait for their look-back."""
    reward_micro = BASE_MICRO + 900 * PRICE_MICRO_PER_WH
    found = Earned([period("final"), period("pending"), period("pending")], reward_micro, -7_200_000)
    text = "\n".join(earned_lines(found))
    assert "2700 Wh" in text
    assert "earned +23.000, and +46.000 wait" in text
    assert "-7.200" in text
    assert "agreed" not in text  # what is not known becomes final too, as long as nobody disagrees


@pytest.mark.parametrize("doubted", [period("withheld"), period("pending", verdict="mismatch"), period("void")])
def test_a_cable_that_is_doubted_fails_the_run(doubted: dict[str, Any]) -> None:
    """Nobody steals in the demo: a mismatch is an error of ours."""
    with pytest.raises(DemoError, match="is doubted"):
        earned_lines(Earned([period("final"), doubted], 0, 0))
