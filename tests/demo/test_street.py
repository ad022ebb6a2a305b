"""The street's meter replays a real evening in real time, and a run in which it said nothing fails."""

import pytest

from demo.errors import DemoError
from demo.street import Evening, load
from demo.supply import Supplied, supplied_lines

BEGINS_MS = 1_795_262_400_000  # 2026-11-21T12:00:00Z


def test_the_evening_is_the_published_one() -> None:
    """Six hours by the minute; power in W and var instead of their thousands, digit for digit."""
    rows = load()
    assert len(rows) == 360
    assert rows[0].plain(BEGINS_MS) == {
        "measured_at": "2026-11-21T12:00:00.000+00:00",
        "voltage_v": 241.86,
        "current_a": 6.8,
        "power_w": 1680,
        "reactive_power_var": 74,
    }


def test_every_minute_is_told_once_however_late_it_is_asked() -> None:
    """At ninety times the speed a minute passes every two thirds of a second; at the end it begins anew."""
    evening = Evening(load(), 90, BEGINS_MS)
    first = [row["measured_at"] for row in evening.since(BEGINS_MS + 2_000)]
    assert [text[17:23] for text in first] == ["00.000", "00.666", "01.332", "01.998"]
    assert list(evening.since(BEGINS_MS + 2_000)) == []
    assert len(list(evening.since(BEGINS_MS + 400_000))) == 400_000 // 666 + 1 - 4


@pytest.mark.parametrize(("voltages", "word"), [((230_000, 241_000), "within"), ((206_999, 230_000), "NOT within")])
def test_the_street_is_held_to_its_tolerance(voltages: tuple[int, ...], word: str) -> None:
    """Ten percent about 230 V, both ends allowed."""
    told = "\n".join(supplied_lines(Supplied(8, voltages)))
    assert f": {word} 230 V" in told
    assert "8 readings" in told


def test_a_street_that_said_nothing_fails_the_run() -> None:
    """Its meter has a line to the hub or the demo does not work."""
    with pytest.raises(DemoError, match="no reading"):
        supplied_lines(Supplied(0, ()))
