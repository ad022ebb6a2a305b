"""The outbox: what it was given is there after a restart, in order, under numbers that are never used twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import sqlite3

import pytest

from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import KeptBoundary, KeptInterval, Outbox, Remark, SealedBatch, verify_detached
from custom_components.commonwatt.wire import (
    GENESIS,
    READINGS_MAX,
    Answer,
    Head,
    Incident,
    Notice,
    Settings,
    TreeTap,
    WireError,
    digest,
    parse_batch,
)

from .material import LENGTH, SITE, START, TREE, boundaries, interval, key

NEW = Head(SITE, 0, 0, GENESIS)
NOW = START + 10 * LENGTH
DAY = 86_400


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


def keep(outbox: Outbox, *numbers: int) -> None:
    """Keep these intervals."""
    for number in numbers:
        outbox.keep_interval(interval(number), boundaries(number))


def seal(outbox: Outbox) -> int:
    """Seal with the site's key."""
    return outbox.seal(SITE, NOW, key().sign)


def answer(batch: SealedBatch, sent_s: int = NOW) -> Answer:
    """Return the cloud's word that it holds a batch."""
    return Answer(SITE, batch.epoch, batch.seq, batch.hash, "created", batch.seq, sent_s * 1000, sent_s * 1000)


def drained(outbox: Outbox) -> list[SealedBatch]:
    """Send everything to a cloud that takes it all; return it in the order of sending."""
    batches = []
    while (batch := outbox.next_batch()) is not None:
        batches.append(batch)
        outbox.mark(answer(batch))
    return batches


def edit(path: Path, statement: str, *values: object) -> None:
    """Change the closed file from outside."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_what_was_kept_is_there_after_a_restart(path: Path) -> None:
    """Intervals, boundaries, totals and trees outlive the program, and nothing was sent for it."""
    outbox = Outbox.open(path)
    assert (outbox.last_end(), outbox.latest_interval(), outbox.boundaries(), outbox.nets()) == (None, None, {}, {})
    assert outbox.keep_tree(TREE, START) == 1
    keep(outbox, 0, 1)
    outbox.close()

    outbox = Outbox.open(path)
    assert outbox.last_end() == START + 2 * LENGTH
    assert outbox.latest_interval() == interval(1)
    assert outbox.boundaries() == boundaries(1)
    assert outbox.nets() == {"anna": 120, "ben": 80}
    assert outbox.tree_at(START) == (1, TREE)
    assert outbox.depth() == 2
    outbox.close()


def test_boundaries_are_those_of_the_last_interval_only(outbox: Outbox) -> None:
    """A tap that left the tree does not come back months later with the register of today."""
    keep(outbox, 0)
    only = {"ev": KeptBoundary(START + 2 * LENGTH, 5, 0, exact=True)}
    outbox.keep_interval(interval(1), only)
    assert outbox.boundaries() == only


def test_an_interval_is_kept_once_and_whole(outbox: Outbox) -> None:
    """One that overlaps what is there is refused, and with it everything that came along."""
    keep(outbox, 0, 1)
    with pytest.raises(OutboxError, match="overlaps"):
        outbox.keep_interval(interval(1), boundaries(5), [Incident(NOW, "meter-reset")])
    assert outbox.boundaries() == boundaries(1)
    assert outbox.nets() == {"anna": 120, "ben": 80}
    seal(outbox)
    assert parse_batch(drained(outbox)[0].raw).incidents == ()


def test_an_interval_that_no_batch_could_carry_is_refused_at_once(outbox: Outbox) -> None:
    """Better a loud error where it is made than a queue that never moves again."""
    wrong = replace(interval(0), taps={"main": replace(interval(0).taps["main"], import_wh=(-1,))})
    with pytest.raises(WireError):
        outbox.keep_interval(wrong, {})
    assert outbox.last_end() is None


def test_nothing_is_numbered_before_the_cloud_was_met(path: Path) -> None:
    """A restored copy does not know that it is one; only the cloud does."""
    outbox = Outbox.open(path)
    keep(outbox, 0)
    assert seal(outbox) == 0
    outbox.meet(NEW)
    assert seal(outbox) == 1
    outbox.close()


def test_batches_are_signed_chained_and_numbered_without_gaps(outbox: Outbox) -> None:
    """Each names the hash of the one before, the first one the genesis hash."""
    for number in range(3):
        keep(outbox, number)
        assert seal(outbox) == 1
    batches = sorted(drained(outbox), key=lambda batch: batch.seq)
    prev = GENESIS
    for seq, sealed in enumerate(batches, 1):
        verify_detached(key().public_key, sealed.signature, sealed.raw)
        batch = parse_batch(sealed.raw)
        assert (batch.site, batch.epoch, batch.seq, batch.prev, batch.made_at) == (SITE, 1, seq, prev, NOW)
        assert batch.intervals is not None
        assert (batch.intervals.start, batch.intervals.tree_rev) == (START + (seq - 1) * LENGTH, 1)
        prev = sealed.hash


def test_adjoining_intervals_are_packed_together(outbox: Outbox) -> None:
    """A gap, another tree, another length or another set of taps begins a new batch."""
    keep(outbox, 0, 1, 2)
    keep(outbox, 4)
    for kept in (interval(5, rev=2), interval(6, rev=2, taps=3)):
        outbox.keep_interval(kept, {})
    short = replace(interval(7, rev=2, taps=3), seconds=900)
    outbox.keep_interval(short, {})
    assert seal(outbox) == 5
    packed = [parse_batch(batch.raw).intervals for batch in sorted(drained(outbox), key=lambda batch: batch.seq)]
    assert [(item.start, item.seconds, item.count) for item in packed if item is not None] == [
        (START, LENGTH, 3),
        (START + 4 * LENGTH, LENGTH, 1),
        (START + 5 * LENGTH, LENGTH, 1),
        (START + 6 * LENGTH, LENGTH, 1),
        (START + 7 * LENGTH, 900, 1),
    ]
    assert packed[0] is not None
    assert packed[0].taps["main"].register_wh == ((100, 0), (200, 0), (300, 0))


def test_a_batch_never_holds_more_readings_than_the_wire_takes(outbox: Outbox) -> None:
    """Thirty days offline become as few batches as their size allows."""
    for number in range(48):
        outbox.keep_interval(interval(number, taps=20), {})
    assert seal(outbox) == 2
    counts = [parse_batch(batch.raw).intervals for batch in drained(outbox)]
    assert sorted(item.count for item in counts if item is not None) == [23, READINGS_MAX // 20]


def test_a_house_of_many_taps_still_sends_one_interval(outbox: Outbox) -> None:
    """More taps than a batch's readings go out one interval at a time."""
    for number in range(2):
        outbox.keep_interval(interval(number, taps=READINGS_MAX + 1), {})
    assert seal(outbox) == 2


def test_incidents_ride_along_once(outbox: Outbox) -> None:
    """With the next intervals, or alone if there are none; unprintable words are made printable."""
    outbox.keep_incidents([Incident(NOW, "clock", None, "2.5\ns off")])
    outbox.keep_interval(interval(0), boundaries(0), [Incident(NOW, "meter-reset", "ev", "9" * 600)])
    assert seal(outbox) == 1
    outbox.keep_incidents([Incident(NOW + 1, "clock")])
    assert seal(outbox) == 1
    assert seal(outbox) == 0
    later, first = (parse_batch(batch.raw) for batch in drained(outbox))
    assert later.intervals is None
    assert later.incidents == (Incident(NOW + 1, "clock"),)
    assert first.incidents == (Incident(NOW, "clock", None, "2.5 s off"), Incident(NOW, "meter-reset", "ev", "9" * 500))


def test_intervals_of_a_site_without_a_cloud_are_never_sent(outbox: Outbox) -> None:
    """They serve the site itself and do not count as waiting."""
    outbox.keep_interval(interval(0, rev=None), boundaries(0))
    outbox.keep_interval(KeptInterval(START + LENGTH, LENGTH, 1, {}, {}, 0), boundaries(1))
    assert (seal(outbox), outbox.depth()) == (0, 0)
    assert outbox.last_end() == START + 2 * LENGTH


def test_the_newest_batch_goes_first_then_the_oldest(outbox: Outbox) -> None:
    """After a month offline the owner sees today at once, and history fills up behind it in order."""
    for number in range(4):
        keep(outbox, number)
        seal(outbox)
    order = []
    for _ in range(2):
        batch = outbox.next_batch()
        assert batch is not None
        order.append(batch.seq)
        outbox.mark(answer(batch))
    keep(outbox, 4)
    seal(outbox)
    order += [batch.seq for batch in drained(outbox)]
    assert order == [4, 1, 5, 2, 3]
    assert outbox.depth() == 0


def test_an_unanswered_batch_comes_again_byte_for_byte(path: Path) -> None:
    """Whatever happens before the answer, the same number carries the same bytes and signature."""
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    keep(outbox, 0)
    seal(outbox)
    first = outbox.next_batch()
    outbox.close()
    outbox = Outbox.open(path)
    assert outbox.next_batch() == first
    outbox.close()


def test_an_answer_to_other_bytes_marks_nothing(outbox: Outbox) -> None:
    """The hash binds the answer to what lies here."""
    keep(outbox, 0)
    seal(outbox)
    batch = outbox.next_batch()
    assert batch is not None
    with pytest.raises(OutboxError, match="not here"):
        outbox.mark(replace(answer(batch), hash=GENESIS))
    assert outbox.next_batch() == batch


def test_held_and_refused_batches_are_remembered_with_their_reason(outbox: Outbox) -> None:
    """Held is acknowledged; refused is set aside; neither stands in the way of others, and both can be looked up."""
    for number in range(3):
        keep(outbox, number)
        seal(outbox)
    newest = outbox.next_batch()
    assert newest is not None
    outbox.mark(replace(answer(newest), result="held", reason="unknown-tree"))
    outbox.set_aside(1, 1, "409 equivocation: other bytes")
    assert [batch.seq for batch in drained(outbox)] == [2]
    assert outbox.remarks() == [
        Remark(1, 3, "held", "unknown-tree"),
        Remark(1, 1, "refused", "409 equivocation: other bytes"),
    ]


def test_the_chain_goes_on_after_a_restart(path: Path) -> None:
    """The cloud stands where we last heard of it, or behind it: same epoch, next number."""
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    for number in range(2):
        keep(outbox, number)
        seal(outbox)
    batches = sorted(drained(outbox), key=lambda batch: batch.seq)
    outbox.close()

    outbox = Outbox.open(path)
    outbox.meet(Head(SITE, 1, 2, batches[1].hash))
    keep(outbox, 2)
    seal(outbox)
    [third] = drained(outbox)
    assert (third.epoch, third.seq, parse_batch(third.raw).prev) == (1, 3, batches[1].hash)
    outbox.close()


def test_a_restored_copy_opens_a_new_epoch(path: Path) -> None:
    """Its numbers were used since; no number is ever given to other bytes, in any of its lives."""
    sent: dict[tuple[int, int], bytes] = {}

    def live(*numbers: int) -> None:
        outbox = Outbox.open(path)
        newest = max(sent, default=None)
        outbox.meet(NEW if newest is None else Head(SITE, *newest, digest(sent[newest])))
        for number in numbers:
            keep(outbox, number)
            outbox.seal(SITE, NOW + len(sent), key().sign)
        for batch in drained(outbox):
            assert sent.setdefault((batch.epoch, batch.seq), batch.raw) == batch.raw
        outbox.close()

    live(0, 1)
    backup = path.read_bytes()
    for life in range(1, 5):
        live(*range(2, 2 + life))
        path.write_bytes(backup)
    assert sorted(sent) == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
        (3, 1),
        (3, 2),
        (3, 3),
        (4, 1),
        (4, 2),
        (4, 3),
        (4, 4),
    ]
    for epoch in (2, 3, 4):
        last = max(number for number in sent if number[0] == epoch - 1)
        assert parse_batch(sent[epoch, 1]).prev == digest(sent[last])


def test_without_asking_the_cloud_a_restored_copy_would_use_numbers_twice(path: Path) -> None:
    """Control: the same lives over a store that trusts itself give one number to two contents."""
    sent: dict[tuple[int, int], set[str]] = {}

    def live(number: int) -> None:
        outbox = Outbox.open(path)
        own = outbox._database.read(
            lambda db: db.execute("SELECT epoch, seq, hash FROM batch ORDER BY seq DESC").fetchone()
        )
        outbox.meet(Head(SITE, *own) if own else NEW)
        keep(outbox, number)
        outbox.seal(SITE, NOW + number, key().sign)
        for batch in drained(outbox):
            sent.setdefault((batch.epoch, batch.seq), set()).add(batch.hash)
        outbox.close()

    live(0)
    backup = path.read_bytes()
    live(1)
    path.write_bytes(backup)
    live(2)
    assert len(sent[1, 2]) == 2


def test_an_epoch_opened_in_vain_goes_on(path: Path) -> None:
    """A restored copy that sealed and was restarted before anything arrived keeps the numbers it gave."""
    outbox = Outbox.open(path)
    head = Head(SITE, 4, 17, "ab" * 32)
    outbox.meet(head)
    keep(outbox, 0)
    seal(outbox)
    outbox.close()
    outbox = Outbox.open(path)
    outbox.meet(head)
    keep(outbox, 1)
    seal(outbox)
    second, first = drained(outbox)
    assert [(batch.epoch, batch.seq) for batch in (first, second)] == [(5, 1), (5, 2)]
    assert parse_batch(first.raw).prev == head.hash
    assert parse_batch(second.raw).prev == first.hash
    outbox.close()


def test_a_cloud_that_was_restored_gets_again_what_it_lost(outbox: Outbox) -> None:
    """What it no longer holds is no longer acknowledged, and goes out under the old numbers."""
    for number in range(4):
        keep(outbox, number)
        seal(outbox)
    batches = sorted(drained(outbox), key=lambda batch: batch.seq)
    outbox.meet(Head(SITE, 1, 2, batches[1].hash))
    assert drained(outbox) == [batches[3], batches[2]]
    outbox.meet(NEW)
    assert sorted(drained(outbox), key=lambda batch: batch.seq) == batches


def test_a_refused_batch_ends_its_epoch_once_the_others_are_answered(outbox: Outbox) -> None:
    """The cloud would wait for the number for ever; until then what belongs to the epoch still goes out in it."""
    for number in range(3):
        keep(outbox, number)
        seal(outbox)
    outbox.set_aside(1, 2, "400 malformed")
    outbox.meet(NEW)
    keep(outbox, 3)
    seal(outbox)
    sent = drained(outbox)
    assert [batch.seq for batch in sent] == [4, 1, 3]
    fourth = Head(SITE, 1, 4, sent[0].hash)
    outbox.meet(fourth)
    keep(outbox, 4)
    seal(outbox)
    [opened] = drained(outbox)
    assert (opened.epoch, opened.seq, parse_batch(opened.raw).prev) == (2, 1, fourth.hash)


def test_an_outbox_speaks_for_one_site(outbox: Outbox) -> None:
    """Another site's chain is another file."""
    with pytest.raises(OutboxError, match=SITE):
        outbox.meet(Head("site-2", 0, 0, GENESIS))


def test_a_second_opener_is_refused_at_once(path: Path) -> None:
    """Two programs over one outbox would fork the chain."""
    outbox = Outbox.open(path)
    with pytest.raises(OutboxError, match="another program"):
        Outbox.open(path)
    outbox.close()
    Outbox.open(path).close()


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    """Neither another database nor something else is taken for an outbox."""
    edit(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="no outbox"):
        Outbox.open(path)
    assert path.read_bytes() == before
    path.write_bytes(b"this is not a database, and long enough to be looked at" * 100)
    with pytest.raises(OutboxError, match="database"):
        Outbox.open(path)


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    """An older program does not write into what it does not understand."""
    Outbox.open(path).close()
    edit(path, "PRAGMA user_version = 9")
    with pytest.raises(OutboxError, match="newer version"):
        Outbox.open(path)


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("UPDATE batch SET raw = replace(raw, '100', '900') WHERE seq = 2", "batch 1/2"),
        ("UPDATE batch SET signature = 'x' || substr(signature, 2) WHERE seq = 2", "batch 1/2"),
        ("UPDATE batch SET prev = (SELECT hash FROM batch WHERE seq = 3) WHERE seq = 2", "batch 1/2"),
        ("DELETE FROM batch WHERE seq = 2", "before batch 1/3"),
        ("UPDATE interval SET body = replace(body, '100', '900')", "interval"),
        ("UPDATE tree SET body = replace(body, 'ben', 'zoe')", "tree 1"),
        ("UPDATE keepsake SET body = replace(body, '300', '900') WHERE name = 'boundaries'", "keepsake boundaries"),
    ],
)
def test_a_changed_row_is_noticed_when_the_file_is_opened(path: Path, statement: str, names: str) -> None:
    """A flipped bit or an edited figure is named; nothing is sent on, and nothing is deleted."""
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    outbox.keep_tree(TREE, START)
    for number in range(3):
        keep(outbox, number)
        seal(outbox)
    outbox.close()
    edit(path, statement.replace("replace(raw, '100', '900')", "CAST(replace(raw, '100', '900') AS BLOB)"))
    with pytest.raises(OutboxError, match=names):
        Outbox.open(path)
    assert path.exists()


def test_a_full_disk_costs_nothing_that_was_kept(path: Path, expected_logs: list[str]) -> None:
    """The reserve is given up first; if that is not enough, nothing changes, and all goes on once there is room."""
    expected_logs.append("full: going on with its reserve")
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    keep(outbox, 0)
    reserve = path.with_name("outbox.db.reserve")
    assert reserve.stat().st_size == 1024 * 1024
    pages = outbox._database.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    outbox._database.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(OutboxError, match="full"):
        outbox.keep_interval(interval(1, taps=400), boundaries(1))
    assert not reserve.exists()
    assert (outbox.last_end(), outbox.boundaries()) == (START + LENGTH, boundaries(0))
    outbox._database.read(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
    outbox.keep_interval(interval(1, taps=400), boundaries(1))
    assert seal(outbox) == 2
    outbox.close()
    Outbox.open(path).close()
    assert reserve.exists()


def test_after_a_failure_of_the_disk_the_file_is_opened_anew(outbox: Outbox, path: Path) -> None:
    """Nobody knows what such a disk holds: it is read and verified again, and the cloud is asked before numbering."""
    keep(outbox, 0)

    def fails(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with pytest.raises(OutboxError, match="disk I/O"):
        outbox._database.write(fails)
    keep(outbox, 1)
    assert seal(outbox) == 0
    outbox.meet(NEW)
    assert seal(outbox) == 1


def test_an_unchanged_tree_keeps_its_revision(outbox: Outbox) -> None:
    """A restart is no new tree; a change is, from its boundary on."""
    assert outbox.keep_tree(TREE, START) == 1
    assert outbox.keep_tree(dict(sorted(TREE.items())), START + LENGTH) == 1
    changed = {**TREE, "ev": TreeTap("anna", "main")}
    assert outbox.keep_tree(changed, START + 2 * LENGTH) == 2
    assert outbox.tree_at(START - 1) is None
    assert outbox.tree_at(START + LENGTH) == (1, TREE)
    assert outbox.tree_at(START + 2 * LENGTH) == (2, changed)


def test_trees_go_out_in_order(outbox: Outbox) -> None:
    """The oldest that the cloud does not hold comes first."""
    outbox.keep_tree(TREE, START)
    outbox.keep_tree({"main": TREE["main"]}, START + LENGTH)
    for rev in (1, 2):
        tree = outbox.unsent_tree()
        assert tree is not None
        assert tree.rev == rev
        outbox.mark_tree(rev)
    assert outbox.unsent_tree() is None


def test_a_tree_the_cloud_refuses_gives_its_number_to_the_next(outbox: Outbox) -> None:
    """Its intervals wait, and go out under the tree that mends it."""
    outbox.keep_tree(TREE, START)
    outbox.refuse_tree(1)
    keep(outbox, 0)
    assert (seal(outbox), outbox.depth()) == (0, 1)
    mended = {**TREE, "ev": TreeTap("anna", "main")}
    assert outbox.keep_tree(mended, START + LENGTH) == 1
    assert outbox.tree_at(START) == (1, mended)
    assert seal(outbox) == 1


def test_a_tree_whose_number_is_taken_moves_up_with_its_intervals(path: Path, outbox: Outbox) -> None:
    """After a restored backup the cloud may know another tree of this number."""
    outbox.keep_tree(TREE, START)
    keep(outbox, 0)
    outbox.shift_tree(1)
    outbox.shift_tree(2)
    tree = outbox.unsent_tree()
    assert tree is not None
    assert tree.rev == 3
    latest = outbox.latest_interval()
    assert latest is not None
    assert latest.tree_rev == 3
    outbox.close()
    reopened = Outbox.open(path)
    assert reopened.tree_at(START) == (3, TREE)
    reopened.close()


def test_a_notice_is_done_once(outbox: Outbox) -> None:
    """Delivered twice, or after a newer one of its kind, it changes nothing more."""
    first = Notice("n1", SITE, "balance", NOW, NOW + DAY, {"balance_micro": 1})
    newer = Notice("n2", SITE, "balance", NOW + 10, NOW + DAY, {"balance_micro": 2})
    late = Notice("n3", SITE, "balance", NOW + 5, NOW + DAY, {"balance_micro": 3})
    assert outbox.notice("balance") is None
    assert [outbox.accept_notice(notice) for notice in (first, newer, late, first)] == [True, True, True, False]
    assert outbox.notice("balance") == {"balance_micro": 2}


def test_settings_are_there_before_the_cloud_is(path: Path) -> None:
    """A start without a network measures by what was decided last."""
    outbox = Outbox.open(path)
    assert outbox.settings() is None
    settings = Settings(SITE, "village", "Village", LENGTH, 1, "anna", {"anna": "Anna"})
    outbox.keep_settings(settings)
    outbox.close()
    outbox = Outbox.open(path)
    assert outbox.settings() == settings
    outbox.close()


def test_acknowledged_bytes_stay_for_four_hundred_days(path: Path) -> None:
    """Then they go from the oldest on; what is not acknowledged, and the newest batch, stay however old."""
    outbox = Outbox.open(path)
    outbox.meet(NEW)
    for number in range(4):
        keep(outbox, number)
        seal(outbox)
    batches = {}
    while (batch := outbox.next_batch()) is not None and batch.seq != 3:
        batches[batch.seq] = batch
        outbox.mark(answer(batch))
    expiring = Notice("n1", SITE, "balance", NOW, NOW + DAY, {})
    outbox.accept_notice(expiring)

    outbox.prune(NOW + 400 * DAY)
    assert stored(outbox) == [1, 2, 3, 4]
    outbox.prune(NOW + 400 * DAY + 1)
    assert stored(outbox) == [3, 4]
    assert outbox.accept_notice(expiring)
    assert batch is not None
    outbox.mark(answer(batch))
    outbox.prune(NOW + 900 * DAY)
    assert stored(outbox) == [4]
    assert outbox.last_end() == START + 4 * LENGTH
    assert outbox.nets() == {"anna": 240, "ben": 160}
    outbox.close()

    outbox = Outbox.open(path)
    outbox.meet(Head(SITE, 1, 4, batches[4].hash))
    keep(outbox, 4)
    seal(outbox)
    assert [(item.epoch, item.seq) for item in drained(outbox)] == [(1, 5)]
    outbox.close()


def stored(outbox: Outbox) -> list[int]:
    """Return the numbers of the batches that lie there."""
    return outbox._database.read(lambda db: [row[0] for row in db.execute("SELECT seq FROM batch ORDER BY seq")])


def test_every_commit_is_flushed_before_it_returns(outbox: Outbox) -> None:
    """Write-ahead log, full synchronisation, a file held exclusively: what was measured to survive power cuts."""
    pragmas = ("journal_mode", "synchronous", "locking_mode")
    found = outbox._database.read(lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas])
    assert found == ["wal", 2, "exclusive"]
