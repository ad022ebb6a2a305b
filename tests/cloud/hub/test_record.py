"""The record: everything under its measurement time, the newest word stands, nothing is told twice or lost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
import threading

from hypothesis import given, settings, strategies as st
import pytest
from sqlalchemy import select, text

from cloud.database import Database
from cloud.hub.devices.store import change_device
from cloud.hub.events.store import hub_event_table
from cloud.hub.messages import store
from cloud.hub.messages.message import Arrived, Fault, Parsed, Sender, Taken
from cloud.hub.messages.store import hub_message_table, keep_all
from cloud.hub.quantity import Quantity
from cloud.hub.reading import FUTURE_MS_MAX, INTERVAL_SECONDS_MAX
from cloud.hub.readings.merge import Key, Merged, Row, Standing, merge
from tests.cloud.ground import NOON, OpenDatabase, make_tables

from .record_ground import LANE, NOON_MS, Record, found_with_devices, message, reading, record_of, replaced_of

JUNK = Fault(None, "unknown-format", "", "no format is found in it")


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with three devices."""
    database = open_database(tmp_path)
    with database.engine.begin() as conn:
        found_with_devices(conn, "meter-1", "meter-2", "meter-3")
    yield database
    database.dispose()


def keep(database: Database, *items: Arrived) -> list[Taken]:
    """Keep messages in one transaction."""
    with database.engine.begin() as conn:
        return keep_all(conn, items)


def counts(taken: Taken) -> tuple[int, int, int, list[str]]:
    """Return what became of a message, in short."""
    return taken.stored, taken.existed, taken.revised, [fault.reason for fault in taken.faults]


def standing(database: Database) -> Record:
    """Return the record."""
    with database.engine.begin() as conn:
        return record_of(conn)


def events(database: Database) -> list[tuple[str, str, int]]:
    """Return the event log in short."""
    with database.engine.begin() as conn:
        rows = select(hub_event_table.c.kind, hub_event_table.c.who, hub_event_table.c.count)
        return [(kind, who, count) for kind, who, count in conn.execute(rows.order_by(hub_event_table.c.event))]


def test_readings_lie_under_their_measurement_time_whatever_the_order(database: Database) -> None:
    """Yesterday's reading that arrives today is yesterday's."""
    late = message([reading(229_000, at_ms=NOON_MS - 86_400_000)], received_ms=NOON_MS + 1000)
    taken = keep(database, message([reading()]), late)
    assert [counts(each) for each in taken] == [(1, 0, 0, [])] * 2
    assert standing(database) == {
        ("meter-1", "", "voltage", NOON_MS): (230_000, 0),
        ("meter-1", "", "voltage", NOON_MS - 86_400_000): (229_000, 0),
    }


def test_the_same_bytes_again_change_nothing(database: Database) -> None:
    """Whether in one transaction or much later: one message, one row, and the log says each receipt."""
    item = message([reading(), reading(point="L2")])
    first, second = keep(database, item, item)
    [third] = keep(database, item)
    assert [counts(each) for each in (first, second, third)] == [(2, 0, 0, []), (0, 2, 0, []), (0, 2, 0, [])]
    assert first.message == second.message == third.message
    assert [kind for kind, *_ in events(database)] == ["receipt", "save"] * 3
    with database.engine.begin() as conn:
        assert [tuple(row) for row in conn.execute(select(*hub_message_table.c["stored", "existed"]))] == [(2, 0)]


def test_the_same_bytes_of_one_sender_about_two_devices_are_two_messages(database: Database) -> None:
    """A maker's cloud that is asked of each meter, and staff with a table for two, send words that name no device."""
    said = Parsed("unified", 1, (reading(),))
    both = [
        Arrived(Sender(LANE, "maker", {device: device}, device), "pull", NOON_MS, b"{}", said)
        for device in ("meter-1", "meter-2")
    ]
    assert [taken.stored for each in both for taken in keep(database, each)] == [1, 1]
    assert [(taken.stored, taken.existed) for taken in keep(database, *both)] == [(0, 1), (0, 1)]
    assert sorted(device for device, *_ in standing(database)) == ["meter-1", "meter-2"]


def test_the_same_value_in_another_message_exists(database: Database) -> None:
    """Two ways told the same thing."""
    first, second = keep(database, message([reading()]), message([reading()], raw=b"other bytes"))
    assert (counts(first), counts(second)) == ((1, 0, 0, []), (0, 1, 0, []))
    assert standing(database)["meter-1", "", "voltage", NOON_MS] == (230_000, 0)


def test_another_value_revises_and_what_stood_is_kept(database: Database) -> None:
    """The newest receipt wins, three times over, within one transaction and beyond."""
    said = [230_000, 231_000, 230_000, 232_000]
    items = [message([reading(value)], raw=bytes([n])) for n, value in enumerate(said)]
    taken = [*keep(database, *items[:2]), *keep(database, items[2]), *keep(database, items[3])]
    assert [counts(each)[:3] for each in taken] == [(1, 0, 0), (0, 0, 1), (0, 0, 1), (0, 0, 1)]
    assert standing(database)["meter-1", "", "voltage", NOON_MS] == (232_000, 3)
    with database.engine.begin() as conn:
        assert replaced_of(conn) == [(0, 230_000), (1, 231_000), (2, 230_000)]


def test_a_corrected_message_sent_again_late_does_not_take_the_correction_back(database: Database) -> None:
    """What is sent twice because its answer was lost is not a newer word."""
    old, new = message([reading(1)], raw=b"old"), message([reading(2)], raw=b"new")
    keep(database, old, new)
    assert counts(keep(database, old)[0]) == (0, 1, 0, [])
    assert standing(database)["meter-1", "", "voltage", NOON_MS] == (2, 1)


def test_another_span_of_the_same_value_is_another_word(database: Database) -> None:
    """Seven watt hours of a minute are not those of a day."""
    minute, day = (reading(7, quantity=Quantity.IMPORT, seconds=seconds) for seconds in (60, 86_400))
    _, taken = keep(database, message([minute]), message([day]))
    assert counts(taken) == (0, 0, 1, [])


def test_readings_timed_by_their_receipt_are_new_each_time(database: Database) -> None:
    """The same bytes a minute later are another measurement, of another time."""
    items = [
        message([reading(5, at_ms=at_ms, timed="received")], raw=b"5", received_ms=at_ms)
        for at_ms in (NOON_MS, NOON_MS + 60_000)
    ]
    assert [counts(each) for each in keep(database, *items)] == [(1, 0, 0, [])] * 2
    assert len(standing(database)) == 2


def test_two_values_for_one_time_in_one_message_are_refused_by_name(database: Database) -> None:
    """The first stands; the same value twice is no fault."""
    said = Parsed("unified", 1, (reading(1), reading(1), reading(2)), rows=(10, 11, 12))
    [taken] = keep(database, message(parsed=said))
    assert counts(taken) == (1, 1, 0, ["twice"])
    assert (taken.faults[0].row, taken.faults[0].where) == (12, f"voltage/{NOON_MS}")
    assert standing(database)["meter-1", "", "voltage", NOON_MS] == (1, 0)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (reading(at_ms=NOON_MS + FUTURE_MS_MAX + 1), "future"),
        (reading(at_ms=0), "past"),
        (reading(device="meter-3"), "another-device"),
        (reading(device="no-such-meter"), "another-device"),
        (reading(device="gone"), "unknown-device"),
        (reading(quantity=Quantity.IMPORT, seconds=INTERVAL_SECONDS_MAX + 1), "too-long"),
    ],
)
def test_a_row_that_is_not_believed_is_named_and_the_good_ones_stay(
    database: Database, wrong: object, reason: str
) -> None:
    """Bad input is refused by name and disturbs nothing else."""
    item = message([reading(at_ms=NOON_MS + FUTURE_MS_MAX), wrong], devices=["gone"])  # type: ignore[list-item]
    [taken] = keep(database, item)
    assert counts(taken) == (1, 0, 0, [reason])
    assert len(standing(database)) == 1
    assert events(database)[1:] == [("save", "meter-1", 1), ("refused", "meter-1", 1)]


def test_a_revoked_device_is_refused(database: Database) -> None:
    """Also where its password had been looked at just before."""
    with database.engine.begin() as conn:
        change_device(conn, LANE, "meter-1", {"state": "revoked"}, NOON)
    assert counts(keep(database, message([reading()]))[0]) == (0, 0, 0, ["revoked"])
    assert standing(database) == {}


def test_a_sender_of_several_devices_must_name_one(database: Database) -> None:
    """A maker's cloud has no device of its own; a name it does not know is unknown."""
    sender = Sender(LANE, "maker", {"a": "meter-1", "b": "meter-2"})
    said = Parsed("unified", 1, (reading(), reading(device="a"), reading(device="meter-1")))
    [taken] = keep(database, Arrived(sender, "pull", NOON_MS, b"x", said))
    assert counts(taken) == (1, 0, 0, ["device-missing", "unknown-device"])


def test_what_nobody_can_read_is_kept_once_with_its_fault(database: Database) -> None:
    """However often it is sent; taken again once a format reads it."""
    junk = message(raw=b"\x00junk", faults=(JUNK,))
    first, second = keep(database, junk, junk)
    assert counts(first) == counts(second) == (0, 0, 0, ["unknown-format"])
    [taken] = keep(database, message([reading()], raw=b"\x00junk"))
    assert (taken.message, counts(taken)) == (first.message, (1, 0, 0, []))
    with database.engine.begin() as conn:
        rows = conn.execute(select(*hub_message_table.c["raw", "format", "faults"]))
        assert [tuple(row) for row in rows] == [(b"\x00junk", "unified", 0)]
    assert [kind for kind, *_ in events(database)] == [*(["receipt", "format-error"] * 2), "receipt", "save"]


def test_a_message_with_refused_rows_is_taken_again_when_it_comes_again(database: Database) -> None:
    """Its good rows exist, and what is believed now is new; a newer word meanwhile stands."""
    item = message([reading(1), reading(2, device="gone")], devices=["gone"])
    first = keep(database, item)[0]
    assert counts(first) == (1, 0, 0, ["unknown-device"])
    keep(database, message([reading(3)]))
    with database.engine.begin() as conn:
        conn.execute(text("UPDATE hub_device SET device = 'gone' WHERE device = 'meter-3'"))
    again = keep(database, item)[0]
    assert (again.message, counts(again)) == (first.message, (1, 1, 0, []))
    assert standing(database)["meter-1", "", "voltage", NOON_MS] == (3, 1)


def test_offsets_are_what_the_sender_showed_less_our_receipt(database: Database) -> None:
    """The transport's word goes before that of the message."""
    said = Parsed("unified", 1, (reading(),), sent_ms=NOON_MS + 3000)
    by_message, by_header = message(parsed=said, raw=b"1"), message(parsed=said, raw=b"2", sent_ms=NOON_MS - 10)
    taken = keep(database, by_message, by_header, message([reading(2)]))
    assert [each.offset_ms for each in taken] == [3000, -10, None]


def test_two_processes_that_tell_of_the_same_time_lose_nothing(database: Database) -> None:
    """Side by side, over and over: every value was the standing one or stands as replaced, in unbroken revisions."""
    failed: list[BaseException] = []

    def sends(who: str, first: int) -> None:
        try:
            for n in range(15):
                rows = [reading(first + n, device="meter-3"), reading(first + n, device="meter-2")]
                rows = rows[:: 1 if first else -1]  # in opposite orders, or they could not wait in a ring
                keep(database, message(rows, who=who, devices=["meter-2", "meter-3"], raw=f"{who}{n}".encode()))
        except BaseException as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=sends, args=args) for args in (("meter-1", 0), ("meter-2", 1000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    stands = standing(database)
    with database.engine.begin() as conn:
        before = replaced_of(conn)
    for device in ("meter-2", "meter-3"):
        value, revision = stands[device, "", "voltage", NOON_MS]
        assert value in (14, 1014)
        assert revision == 29
    assert sorted(revision for revision, _ in before) == sorted([*range(29)] * 2)


def test_a_transaction_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """No reading without its message, no event of what was not kept."""

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(store, "add_events", full)
    with pytest.raises(OSError, match="full"):
        keep(database, message([reading()]))
    assert (standing(database), events(database)) == ({}, [])


# --- laws, against a model

TIMES = st.integers(0, 3).map(lambda n: NOON_MS - n * 1000)
TRUE_ROWS = st.lists(st.tuples(st.sampled_from(["", "L2"]), TIMES), min_size=1, max_size=12)


def said_of(rows: Sequence[tuple[str, int]]) -> Arrived:
    """Return a message in which every value follows from its place and time, so that no two contradict."""
    return message([reading(at_ms % 977 + len(point), at_ms=at_ms, point=point) for point, at_ms in rows])


@given(messages=st.lists(TRUE_ROWS, min_size=1, max_size=6), data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_order_duplication_and_split_of_the_same_rows_gives_the_same_record(
    messages: list[list[tuple[str, int]]], data: st.DataObject
) -> None:
    """As long as nobody contradicts, when and how often things arrive does not show."""
    rows = [row for each in messages for row in each]
    order = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order)), max_size=4)))
    parts = [order[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    records = [merged(map(said_of, messages)), merged(map(said_of, [*parts, *reversed(messages)]))]
    assert records[0] == records[1]


def merged(items: Iterator[Arrived] | map[Arrived]) -> dict[object, Standing | int]:
    """Merge messages one after the other, without a database: value and revision by key."""
    stands: dict[Key, Standing] = {}
    for number, item in enumerate(items):
        assert item.parsed is not None
        rows = {
            (0, LANE, one.measured_ms, "meter-1", one.point, one.quantity.value): one for one in item.parsed.readings
        }
        new: list[Row] = [(key, (one.seconds, one.value, one.timed), f"m{number:03}") for key, one in rows.items()]
        found = merge(new, stands)
        stands |= {key: Standing(said, 0, name) for key, said, name in found.missing} | dict(found.revised)
    return {key: (stood.said, stood.revision) for key, stood in stands.items()}  # type: ignore[misc]


VALUES = st.lists(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=3), min_size=1, max_size=6
)


type Merge = Callable[[Sequence[Row], Mapping[Key, Standing]], Merged]


def follows(told: list[list[tuple[int, int]]], merged_by: Merge) -> bool:
    """Tell whether the last value of each time stands, with a revision for every change, as in a plain dict."""
    model: dict[int, list[int]] = {}
    stands: dict[Key, Standing] = {}
    for number, pairs in enumerate(told):
        words_of = dict(pairs)
        rows: list[Row] = [
            ((0, LANE, at, "meter-1", "", "power"), (0, value, "given"), f"m{number:03}")
            for at, value in words_of.items()
        ]
        found = merged_by(rows, stands)
        stands |= {key: Standing(said, 0, name) for key, said, name in found.missing} | dict(found.revised)
        for at, value in words_of.items():
            words = model.setdefault(at, [])
            if not words or words[-1] != value:
                words.append(value)
    return {key[2]: (stood.said[1], stood.revision) for key, stood in stands.items()} == {
        at: (words[-1], len(words) - 1) for at, words in model.items()
    }


@given(told=VALUES)
@settings(max_examples=40, deadline=None)
def test_where_words_differ_the_latest_receipt_stands(told: list[list[tuple[int, int]]]) -> None:
    """Against a plain dict: the last value of each key, and a revision for every change."""
    assert follows(told, merge)


def test_a_merge_that_believes_the_first_word_would_be_noticed() -> None:
    """The law can fail: one that never revises breaks it, as does one that forgets that something stood."""
    told = [[(0, 1)], [(0, 2)]]
    assert follows(told, merge)
    assert not follows(told, lambda rows, stands: merge([row for row in rows if row[0] not in stands], stands))
    assert not follows(told, lambda rows, _: merge(rows, {}))


@given(told=VALUES, groups=st.lists(st.integers(1, 3), min_size=6, max_size=6))
@settings(max_examples=12, deadline=None)
def test_the_store_keeps_what_the_model_says_however_messages_are_grouped(
    told: list[list[tuple[int, int]]], groups: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Messages that share a transaction and those that do not give the same record, on a real file."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('law')}/hub.db")
    make_tables(database.engine.url.render_as_string(hide_password=False))
    items = []
    model: dict[int, int] = {}
    for number, pairs in enumerate(told):
        first = dict(reversed(pairs))  # of two words in one message the first stands
        model |= first
        rows = [reading(value, at_ms=NOON_MS - at) for at, value in pairs]
        items.append(message(rows, raw=bytes([number])))
    with database.engine.begin() as conn:
        found_with_devices(conn, "meter-1")
    while items:
        count = groups.pop()
        keep(database, *items[:count])
        items = items[count:]
    assert {NOON_MS - key[3]: value for key, (value, _) in standing(database).items()} == model
    database.dispose()
