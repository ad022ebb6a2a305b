"""The audit holds what is kept of cables against the batches it came from, and finds every row that was touched."""

from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from cloud.ingest.batches.store import batch_table
from cloud.ingest.cables.store import cable_arrival_table, cable_period_table
from cloud.settlement.audit.finding import Finding
from cloud.v2g.audit.reports.store import report_findings

from .cable_ground import SERIAL, START, SigningCable, host, look, period
from .conftest import COMMUNITY, INTERVAL, Cloud


def findings(conn: Connection) -> list[Finding]:
    """Return what the audit finds."""
    return list(report_findings(conn, COMMUNITY))


@pytest.fixture
async def reported(cloud: Cloud) -> Cloud:
    """Let a site report a cable in two intervals, with a record each, and a third without."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    assert (await cable.register(cloud)).status == 201
    for number in range(2):
        record = cable.sign(START + number * INTERVAL, -100, site=place.id)
        reports = [period(-100, place=(1, 2), meter_wh=5), period(3, cable="CWC-2")]
        assert (await place.report(START + number * INTERVAL, reports, [(SERIAL, record)])).status == 201
    await place.report(START + 2 * INTERVAL)
    await look(cloud)
    assert await cloud.count(cable_period_table) == 4
    return cloud


async def test_what_came_as_it_is_kept_is_sound(reported: Cloud) -> None:
    """Also after the cloud has looked at it."""
    assert await reported.database.read(findings) == []


p, a, b = cable_period_table, cable_arrival_table, batch_table
TOUCHES: dict[str, tuple[Any, int, str]] = {
    "energy": (update(p).where(p.c.start == START, p.c.cable == SERIAL).values(energy_wh=-999), 1, "energy_wh"),
    "meter": (update(p).where(p.c.cable == SERIAL).values(meter_wh=None), 2, "meter_wh"),
    "place": (update(p).where(p.c.cable == SERIAL).values(latitude=7), 2, "latitude"),
    "verdict": (update(p).where(p.c.cable == "CWC-2").values(agreement="mismatch"), 2, "agreement"),
    "a report that was removed": (delete(p).where(p.c.start == START, p.c.cable == "CWC-2"), 1, "row"),
    "a record that was removed": (delete(a).where(a.c.seq == 1), 1, "row"),
    "a record that was changed": (update(a).where(a.c.seq == 2).values(ocmf="OCMF|{}|{}"), 1, "ocmf"),
    "a report of another time": (update(p).where(p.c.start == START).values(start=START - INTERVAL), 4, "row"),
    "a report of a batch without": (update(p).where(p.c.start == START, p.c.cable == SERIAL).values(seq=3), 1, "row"),
    "a batch that is not derived": (update(b).where(b.c.seq == 1).values(state="waiting"), 1, "state"),
}


@pytest.mark.parametrize("name", TOUCHES)
async def test_every_row_that_was_touched_is_found(reported: Cloud, name: str) -> None:
    """Wherever it was, and nothing beside it."""
    statement, count, column = TOUCHES[name]

    def touch(conn: Connection) -> None:
        conn.execute(statement)

    await reported.database.write(touch)
    found = await reported.database.read(findings)
    assert [item.column for item in found] == [column] * count
    assert all(item.place.check == "v2g" and str(item) for item in found)
