"""In whatever order evidence comes in: what has ended stays, and what is open is judged as if all had come at once."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import Connection

from cloud.v2g.permission.store import flags_of

from .ground import HALF_HOUR, NOON, OpenDatabase
from .judgement_ground import LANE, RATES, SITE, Cable, House, claim, deliver, ground, plugged, utility

PERIODS = 5
NAMES = ("start", "energy_wh", "records", "verdict", "cause", "state", "witness")

type Event = Callable[[Connection], None]

# of each period: is it stolen, does the provider tell of it, and how late its parts come, in periods
periods = st.tuples(st.booleans(), st.booleans(), *(st.integers(0, 4) for _ in range(3)))
stories = st.lists(periods, min_size=PERIODS, max_size=PERIODS)
number = count()


def events_of(cable: Cable, story: list[tuple[bool, bool, int, int, int]]) -> dict[int, list[Event]]:
    """Return what happens, by the period in which it does: a claim, a record, the provider's word."""
    found: dict[int, list[Event]] = {}
    for at, (stolen, told, claim_late, record_late, word_late) in enumerate(story):
        start, meter_wh = NOON + at * HALF_HOUR, 2000 if stolen else 520
        row: dict[str, Any] = cable.sign(None, start, -1500, kept_back=True)  # type: ignore[arg-type]

        def claimed(conn: Connection, start: int = start, wh: int = meter_wh, late: int = at + 1 + claim_late) -> None:
            claim(conn, start, -1500, meter_wh=wh, consumption_wh=2000, now=NOON + late * HALF_HOUR)

        def signed(conn: Connection, row: dict[str, Any] = row, late: int = at + 1 + record_late) -> None:
            deliver(conn, row, NOON + late * HALF_HOUR)

        def said(conn: Connection, start: int = start, wh: int = meter_wh, late: int = at + 1 + word_late) -> None:
            utility(conn, start, wh, now=NOON + late * HALF_HOUR)

        found.setdefault(at + 1 + claim_late, []).append(claimed)
        found.setdefault(at + 1 + record_late, []).append(signed)
        if told:
            found.setdefault(at + 1 + word_late, []).append(said)
    return found


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories)
async def test_what_has_ended_stays_and_what_is_open_follows_from_the_evidence(
    open_database: OpenDatabase, tmp_path: Path, story: list[tuple[bool, bool, int, int, int]]
) -> None:
    """Late data judge a pending period again and never one that is final."""
    folder = tmp_path / str(next(number))
    folder.mkdir()
    cable, house = Cable(), House(open_database(folder))
    await house.database.write(ground, RATES, cable)
    await house.database.write(plugged, NOON)
    happening = events_of(cable, story)
    ended: dict[int, Any] = {}
    for at in range(1, PERIODS + 6):
        for event in happening.get(at, []):
            await house.database.write(event)
        await house.turn(NOON + at * HALF_HOUR)
        rows = {row[0]: row for row in await house.periods(*NAMES)}
        for start, row in ended.items():
            assert rows[start] == row, "what was final is another now"
        ended |= {start: row for start, row in rows.items() if row[5] == "final"}
    for start, _, records, verdict, _, state, witness in rows.values():
        stolen = story[(start - NOON) // HALF_HOUR][0]
        assert records == 1
        assert (verdict == "mismatch") is stolen
        assert (state == "withheld") is stolen
        assert (state == "final") is (witness is not None)
    flagged = bool(await house.database.read(flags_of, LANE, SITE))
    thefts = [item[0] for item in story]
    assert flagged or not any(sum(thefts[at : at + 4]) >= 2 for at in range(PERIODS - 3))
    assert not flagged or sum(thefts) >= 2
