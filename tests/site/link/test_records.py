"""What cables signed: kept word for word before it counts as fetched, sealed once, never lost and never twice."""

from collections.abc import Iterator
from pathlib import Path
import sqlite3
import subprocess
import sys

import pytest

from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import Outbox, records
from custom_components.commonwatt.link.records import RECORD_BYTES_MAX, WAITING_MAX
from custom_components.commonwatt.wire import (
    BODY_BYTES_MAX,
    GENESIS,
    Answer,
    Batch,
    CablePeriod,
    CableRecord,
    Head,
    Incident,
    TreeTap,
    parse_batch,
)
from custom_components.commonwatt.wire.batch import INCIDENTS_MAX, RECORDS_MAX

from .material import LENGTH, SITE, START, TREE, boundaries, interval, key
from .record_child import record

NEW = Head(SITE, 0, 0, GENESIS)
NOW = START + 10 * LENGTH
CABLE = "CWC-1"
LIVES = 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the outbox lies."""
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """Return an open outbox that has met a cloud which never heard of this site."""
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    yield outbox
    outbox.close()


def keep(outbox: Outbox, *numbers: int, cable: str = CABLE) -> bool:
    """Keep the records of these numbers."""
    return outbox.keep_records(cable, [record(number) for number in numbers], numbers[-1], NOW)


def seal(outbox: Outbox) -> int:
    """Seal with the site's key."""
    return outbox.seal(SITE, NOW, key().sign)


def sent(outbox: Outbox) -> list[Batch]:
    """Return what a cloud reads that takes everything, in the order of the chain."""
    found = []
    while (batch := outbox.next_batch()) is not None:
        assert len(batch.raw) <= BODY_BYTES_MAX
        found.append(parse_batch(batch.raw))
        outbox.mark(Answer(SITE, batch.epoch, batch.seq, batch.hash, "created", batch.seq, NOW * 1000, NOW * 1000))
    return sorted(found, key=lambda batch: (batch.epoch, batch.seq))


def texts(batches: list[Batch]) -> list[str]:
    """Return the records in batches."""
    return [record.ocmf for batch in batches for record in batch.records]


def edit(path: Path, *statements: str) -> None:
    """Change the closed file from outside."""
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_records_ride_along_with_the_next_intervals(outbox: Outbox) -> None:
    """Word for word, with their cable's id, once."""
    keep(outbox, 1, 2)
    keep(outbox, 7, cable="CWC-2")
    outbox.keep_interval(interval(0), boundaries(0))
    assert seal(outbox) == 1
    [batch] = sent(outbox)
    assert batch.intervals is not None
    assert batch.records == (
        CableRecord(CABLE, record(1)),
        CableRecord(CABLE, record(2)),
        CableRecord("CWC-2", record(7)),
    )
    assert seal(outbox) == 0
    assert (outbox.records_through(CABLE), outbox.records_through("CWC-2"), outbox.records_through("CWC-3")) == (
        2,
        7,
        None,
    )


def test_records_do_not_wait_for_an_interval(outbox: Outbox) -> None:
    """The car has gone and no interval is due: they make a batch of their own."""
    keep(outbox, 1)
    assert seal(outbox) == 1
    [batch] = sent(outbox)
    assert batch.intervals is None
    assert texts([batch]) == [record(1)]


def test_no_batch_carries_more_records_than_the_wire_takes(outbox: Outbox) -> None:
    """What is too much for one goes with the next, in order."""
    numbers = list(range(1, 2 * RECORDS_MAX + 2))
    keep(outbox, *numbers)
    outbox.keep_interval(interval(0), boundaries(0))
    assert seal(outbox) == 3
    batches = sent(outbox)
    assert [len(batch.records) for batch in batches] == [RECORDS_MAX, RECORDS_MAX, 1]
    assert texts(batches) == [record(number) for number in numbers]


def test_a_batch_full_of_everything_is_within_the_size_before_it_is_numbered(outbox: Outbox) -> None:
    """The longest records, incidents and cables at once: as many batches as it needs, none too large."""
    outbox.keep_records(CABLE, ["車" * 1300 + f"{number:04}" for number in range(150)], 150, NOW)
    outbox.keep_incidents([Incident(NOW, "reading-refused", "main", "\\車" * 250)] * (2 * INCIDENTS_MAX))
    told = tuple(
        CablePeriod(0, f"C{number}", "main", -1500, True, "match", "d" * 64, "v" * 64, (1, 2), 3, 4, 5)
        for number in range(60)
    )
    for number in range(3):
        outbox.keep_interval(interval(number, taps=150, cables=told), boundaries(number))
    seal(outbox)
    batches = sent(outbox)
    assert len(texts(batches)) == 150
    assert sum(len(batch.incidents) for batch in batches) == 2 * INCIDENTS_MAX
    assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))


def test_the_same_record_is_kept_once_and_another_of_its_number_too(outbox: Outbox) -> None:
    """Fetched again it is nothing new, in a batch already or not; another text is evidence of its own."""
    keep(outbox, 1, 2)
    keep(outbox, 2, 3)
    seal(outbox)
    keep(outbox, 1, 2, 3)
    outbox.keep_records(CABLE, [record(2) + " forged"], 2, NOW)
    keep(outbox, 1, cable="CWC-2")
    seal(outbox)
    assert texts(sent(outbox)) == [record(1), record(2), record(3), record(2) + " forged", record(1)]


def test_a_number_is_kept_though_its_record_could_not_be_read(outbox: Outbox) -> None:
    """It must not stand before the next."""
    assert outbox.keep_records(CABLE, [], 9, NOW)
    assert outbox.records_through(CABLE) == 9
    assert seal(outbox) == 0


@pytest.mark.parametrize("text", ["a\nb", "", "x" * 4097, "😀" * (RECORD_BYTES_MAX // 4)])
def test_what_no_batch_can_carry_is_told_and_passed_over(outbox: Outbox, text: str) -> None:
    """A cable that shows such texts must not stop the site's evidence."""
    assert outbox.keep_records(CABLE, [text, record(2)], 2, NOW)
    assert seal(outbox) == 1
    [batch] = sent(outbox)
    assert texts([batch]) == [record(2)]
    [incident] = batch.incidents
    assert incident.kind == "record-unsendable"
    assert incident.detail is not None
    assert incident.detail.startswith("CWC-1, up to record 2: ")


def test_while_too_many_wait_the_rest_stays_in_the_cable(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept then, and the number stays; it goes on as soon as the cloud takes some."""
    assert WAITING_MAX == 5000
    monkeypatch.setattr(records, "WAITING_MAX", 3)
    assert keep(outbox, 1, 2, 3)
    assert not keep(outbox, 4)
    assert outbox.records_through(CABLE) == 3
    seal(outbox)
    assert keep(outbox, 4)
    assert outbox.records_through(CABLE) == 4


def test_what_was_kept_of_a_cable_is_there_after_a_restart(path: Path) -> None:
    """Records that are in no batch yet, the number reached, and what was measured at the cable."""
    period = CablePeriod(
        0, CABLE, "main", -1500, True, "suspect", "dora", None, (35_681_236, 139_767_125), 520, None, 7
    )
    outbox = Outbox.open(path)
    keep(outbox, 1, 2)
    outbox.keep_interval(interval(0, cables=(period,)), boundaries(0), notes={"periods": "learnt"})
    outbox.close()
    outbox = Outbox.open(path)
    latest = outbox.latest_interval()
    assert latest is not None
    assert latest.cables == (period,)
    assert (outbox.records_through(CABLE), outbox.note("periods")) == (2, "learnt")
    outbox.meet(NEW)
    seal(outbox)
    [batch] = sent(outbox)
    assert texts([batch]) == [record(1), record(2)]
    assert batch.intervals is not None
    assert batch.intervals.cables == (period,)
    outbox.close()


def test_cables_stand_at_their_interval_of_a_batch(outbox: Outbox) -> None:
    """And a batch never holds more of them than the wire takes."""
    told = tuple(CablePeriod(0, f"C{number}", "main", number, True, "match") for number in range(40))
    for number in range(3):
        outbox.keep_interval(interval(number, cables=told), boundaries(number))
    assert seal(outbox) == 2
    first, second = sent(outbox)
    assert first.intervals is not None
    assert second.intervals is not None
    assert [cable.at for cable in first.intervals.cables] == [0] * 40 + [1] * 40
    assert (second.intervals.count, len(second.intervals.cables)) == (1, 40)


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("UPDATE record SET ocmf = replace(ocmf, 'T2', 'T9')", "a record of CWC-1"),
        ("UPDATE record SET hash = replace(hash, 'a', 'b')", "record CWC-1"),
        ("UPDATE record SET cable = 'CWC-2'", "record CWC-2"),
        ("UPDATE keepsake SET body = '1' WHERE name = 'record.CWC-1'", "keepsake record.CWC-1"),
    ],
)
def test_a_changed_record_is_noticed_when_the_file_is_opened(path: Path, statement: str, names: str) -> None:
    """What lies here is what the cable showed, or it is not trusted."""
    outbox = Outbox.open(path)
    keep(outbox, 1, 2)
    outbox.close()
    edit(path, statement)
    with pytest.raises(OutboxError, match=names):
        Outbox.open(path)


def test_an_outbox_of_the_version_before_goes_on(path: Path) -> None:
    """Its batches, intervals and numbers stay, and cables' records find their place."""
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    outbox.keep_tree(TREE, START)
    outbox.keep_interval(interval(0), boundaries(0))
    seal(outbox)
    outbox.keep_interval(interval(1), boundaries(1))
    before = outbox.next_batch()
    outbox.close()
    edit(path, "DROP TABLE record", "PRAGMA user_version = 3")

    outbox = Outbox.open(path)
    assert outbox.next_batch() == before
    assert outbox.tree_at(START) == (1, {tap: TreeTap(*_members(member)) for tap, member in TREE.items()})
    latest = outbox.latest_interval()
    assert latest is not None
    assert (latest, latest.cables) == (interval(1), ())
    assert outbox.records_through(CABLE) is None
    outbox.meet(NEW)
    keep(outbox, 1)
    seal(outbox)
    batches = sent(outbox)
    assert [batch.seq for batch in batches] == [1, 2]
    assert texts(batches) == [record(1)]
    outbox.close()
    Outbox.open(path).close()


def _members(tap: TreeTap) -> tuple[str, str | None, str | None, int | None]:
    return tap.owner, tap.parent, tap.name, tap.rated_power_w


def test_what_is_sealed_lies_in_its_batch_alone_and_goes_with_it(outbox: Outbox) -> None:
    """The text is not kept twice; that it came is known for as long as its batch."""
    keep(outbox, 1)
    outbox.keep_interval(interval(0), boundaries(0))
    seal(outbox)
    assert _rows(outbox) == [(None, 1)]
    sent(outbox)
    outbox.keep_interval(interval(1), boundaries(1))
    seal(outbox)
    sent(outbox)
    outbox.prune(NOW + 401 * 86_400)
    assert _rows(outbox) == []


def _rows(outbox: Outbox) -> list[tuple[str | None, int | None]]:
    return outbox._database.read(lambda db: db.execute("SELECT ocmf, seq FROM record").fetchall())


def test_records_and_their_number_are_kept_together_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails between the two: neither is there, so the mailbox is asked for both again."""
    outbox = Outbox.open(path)
    keep(outbox, 1)

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(records, "_keep", fails)
    with pytest.raises(OutboxError, match="Input/output"):
        keep(outbox, 2)
    monkeypatch.undo()
    outbox.close()
    outbox = Outbox.open(path)
    assert outbox.records_through(CABLE) == 1
    assert _rows(outbox) == [(record(1), None)]
    outbox.close()


def test_a_program_that_is_killed_loses_no_record_and_sends_none_twice(path: Path) -> None:
    """Killed again and again in the middle of its work: each number it told is there, once, without a gap."""
    told = 0
    for life in range(LIVES):
        command = [sys.executable, "-m", "tests.site.link.record_child", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(3 + 5 * life):
                told = int(child.stdout.readline())
            child.kill()
    outbox = Outbox.open(path)
    through = outbox.records_through(CABLE)
    assert through is not None
    assert through >= told >= 3 * LIVES
    outbox.meet(NEW)
    seal(outbox)
    assert texts(sent(outbox)) == [record(number) for number in range(1, through + 1)]
    outbox.close()
