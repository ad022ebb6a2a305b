"""Gaps spread on request: each once, over its own intervals, netted again, and sent as what it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.gaps import Spread, spread_gaps
from custom_components.commonwatt.link import KeptInterval, Outbox
from custom_components.commonwatt.wire import GENESIS, CablePeriod, Head, Quality, TapColumns, parse_batch

from .link.material import LENGTH, SITE, START, TREE, boundaries, key

END = START + 100 * LENGTH


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Stand in for the shell's fixture: nothing here needs Home Assistant."""


def interval(number: int, ev_wh: int, ev_register_wh: int, quality: Quality) -> KeptInterval:
    """Return the n-th interval: the house takes 100 Wh, the car what is said, of which the meter is not always sure."""
    taps = {
        "main": TapColumns("anna", None, (100,), (0,), ((100 * (number + 1), 0),), ("ok",)),
        "ev": TapColumns("ben", "anna", (ev_wh,), (0,), ((ev_register_wh, 0),), (quality,)),
    }
    cables = (CablePeriod(0, "CWC-1", "main", 0, True, "unknown"),)
    return KeptInterval(START + number * LENGTH, LENGTH, 1, taps, {"anna": 100 - ev_wh, "ben": ev_wh}, -100, cables)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Open an outbox with a gap of the car's meter that was sent: nothing, nothing, and then 100 Wh at once."""
    outbox = Outbox.open(tmp_path / "outbox.db")
    outbox.keep_tree(TREE, START)
    for number, (wh, register_wh, quality) in enumerate(
        [(40, 40, "ok"), (0, 40, "missing"), (0, 40, "missing"), (100, 140, "estimated"), (40, 180, "ok")]
    ):
        outbox.keep_interval(interval(number, wh, register_wh, quality), boundaries(number))  # type: ignore[arg-type]
    outbox.meet(Head(SITE, 0, 0, GENESIS))
    assert outbox.seal(SITE, END, key().sign) == 1
    yield outbox
    outbox.close()


def test_a_gap_is_sent_again_spread_evenly(outbox: Outbox) -> None:
    """One batch that amends the three intervals of the gap and no other; what was sent first stays."""
    assert spread_gaps(outbox, START, END) == Spread(gaps=1, intervals=3)
    assert outbox.seal(SITE, END, key().sign) == 1
    batch = outbox.next_batch()
    assert batch is not None
    sent = parse_batch(batch.raw).intervals
    assert sent is not None
    assert (sent.amends, sent.start, sent.count) == (True, START + LENGTH, 3)
    assert sent.taps["ev"].import_wh == (34, 33, 33)
    assert sent.taps["ev"].register_wh == ((74, 0), (107, 0), (140, 0))
    assert sent.taps["ev"].quality == ("estimated",) * 3
    assert sent.taps["main"].import_wh == (100,) * 3
    assert sent.cables == (), "of cables the first word stands"
    amended = outbox.amended(START, END)
    assert [item.interval.net_wh for item in amended] == [{"anna": 66, "ben": 34}] + [{"anna": 67, "ben": 33}] * 2
    assert {item.batch for item in amended} == {(batch.epoch, batch.seq, batch.hash)}
    assert [item.interval.net_wh["ben"] for item in outbox.witnessed(START, END)] == [40, 0, 0, 100, 40]


def test_a_gap_is_spread_once(outbox: Outbox) -> None:
    """Asked again there is nothing left to do, before and after it was sent."""
    spread_gaps(outbox, START, END)
    assert spread_gaps(outbox, START, END) == Spread(0, 0)
    outbox.seal(SITE, END, key().sign)
    assert spread_gaps(outbox, START, END) == Spread(0, 0)
    assert outbox.seal(SITE, END, key().sign) == 0


def test_only_whole_gaps_of_the_time_are_spread(outbox: Outbox) -> None:
    """Without its end, which carries the energy, a gap stays as it is."""
    assert spread_gaps(outbox, START, START + 3 * LENGTH) == Spread(0, 0)
    assert spread_gaps(outbox, START, START + 4 * LENGTH) == Spread(1, 3)


def test_what_was_never_sent_is_not_amended(tmp_path: Path) -> None:
    """It is sent as it lies; there is nothing that it could take the place of."""
    outbox = Outbox.open(tmp_path / "outbox.db")
    outbox.keep_tree(TREE, START)
    outbox.keep_interval(interval(0, 0, 40, "missing"), boundaries(0))
    outbox.keep_interval(interval(1, 60, 100, "estimated"), boundaries(1))
    assert spread_gaps(outbox, START, END) == Spread(0, 0)
    outbox.close()


def test_a_gap_across_two_trees_stays(tmp_path: Path) -> None:
    """One batch is of one tree: energy is not laid over intervals in which the tap was somebody else's."""
    outbox = Outbox.open(tmp_path / "outbox.db")
    outbox.keep_tree(TREE, START)
    outbox.keep_interval(interval(0, 0, 40, "missing"), boundaries(0))
    outbox.keep_tree({**TREE, "ev": replace(TREE["ev"], name="Car")}, START + LENGTH)
    outbox.keep_interval(replace(interval(1, 60, 100, "estimated"), tree_rev=2), boundaries(1))
    outbox.meet(Head(SITE, 0, 0, GENESIS))
    assert outbox.seal(SITE, END, key().sign) == 2
    assert spread_gaps(outbox, START, END) == Spread(0, 0)
    outbox.close()


def test_an_amendment_survives_and_an_altered_one_is_noticed(outbox: Outbox, tmp_path: Path) -> None:
    """It is evidence like what it amends."""
    spread_gaps(outbox, START, END)
    outbox.close()
    again = Outbox.open(tmp_path / "outbox.db")
    assert len(again.amended(START, END)) == 3
    again._database.write(lambda db: db.execute("UPDATE amendment SET body = replace(body, '34', '35')"))
    again.close()
    with pytest.raises(OutboxError, match="amendment"):
        Outbox.open(tmp_path / "outbox.db")
