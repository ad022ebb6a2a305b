"""Keeps what arrived, byte for byte, with what became of it; the readings in it lie beside, by measurement time."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    bindparam,
    func,
    select,
    text,
    update,
)

from cloud.bulk import GIVEN, as_given, given, insert_many
from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id
from cloud.hub.devices.store import hub_device_table
from cloud.hub.events.store import add_events
from cloud.hub.readings.merge import Counts
from cloud.hub.readings.store import put_readings
from cloud.wire import digest
from cloud.wire.strict import IDENTIFIER

from .message import Arrived, Taken
from .outcome import Before, events_of, fault_text, guessed, known_by_its_bytes, nothing_new, taken_of
from .resolve import Resolved, States, devices_named, resolve

hub_message_table = Table(
    "hub_message",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("message", TEXT, primary_key=True),
    Column("who", TEXT, nullable=False),
    Column("device", TEXT),  # the one meant where the bytes name none
    Column("way", TEXT, nullable=False),
    Column("received_ms", WHOLE, nullable=False),
    Column("sent_ms", WHOLE),
    Column("hint", TEXT),  # the format its sender named
    Column("format", TEXT),
    Column("version", WHOLE),
    Column("hash", TEXT, nullable=False),
    Column("bytes", WHOLE, nullable=False),
    Column("raw", RAW),  # let go by the policy; the rest stays
    Column("stored", WHOLE, nullable=False),
    Column("existed", WHOLE, nullable=False),
    Column("revised", WHOLE, nullable=False),
    Column("faults", WHOLE, nullable=False),
    Column("fault", TEXT),  # the first ones, as JSON
    CheckConstraint("way IN ('push', 'mqtt', 'pull', 'upload')", name="way_known"),
    CheckConstraint("(format IS NULL) = (version IS NULL)", name="format_with_version"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    Index("ix_hub_message_hash", "bucket", "community", "hash"),
    Index(
        "ix_hub_message_faults",
        *("bucket", "community", "message"),
        sqlite_where=text("faults > 0"),
        postgresql_where=text("faults > 0"),
    ),
    Index(
        "ix_hub_message_received_ms",  # what the policy will let go next
        *("bucket", "community", "received_ms"),
        sqlite_where=text("raw IS NOT NULL"),
        postgresql_where=text("raw IS NOT NULL"),
    ),
    **STRICT,
)
KEY: Final = ("bucket", "community", "message")
COUNTED: Final = ("format", "version", "stored", "existed", "revised", "faults", "fault")
MEMBERS: Final = (
    *KEY,
    *("who", "device", "way", "received_ms", "sent_ms", "hint", "hash", "bytes", "raw"),
    *COUNTED,
)
OUTCOME = (
    update(hub_message_table)
    .where(*(hub_message_table.c[name] == bindparam(f"of_{name}") for name in KEY))
    .values({name: bindparam(f"new_{name}") for name in COUNTED})
)


type Item = tuple[Arrived, str, str | None]  # a message, its hash, and its id if it was taken before


def keep_all(conn: Connection, arrived: Sequence[Arrived]) -> list[Taken]:
    """Keep messages in the order of their receipt, their readings and what the event log says of them.

    All of it is durable once the caller's transaction is, which has one bucket. The same bytes of the same sender
    again change nothing, unless rows of them were refused before, or their readings are timed by their receipt.
    """
    states = states_of(conn, arrived)
    taken: dict[int, Taken] = {}
    for wave in _waves(arrived):
        taken |= zip(wave, _keep(conn, [arrived[place] for place in wave], states), strict=True)
    return [taken[place] for place in range(len(arrived))]


def _waves(arrived: Sequence[Arrived]) -> list[list[int]]:
    """Part messages so that the same bytes of the same sender about the same device come one after the other."""
    waves: list[list[int]] = []
    times: dict[tuple[str, str, str | None, bytes], int] = {}
    for place, item in enumerate(arrived):
        key = item.sender.community, item.sender.who, item.sender.default, item.raw
        times[key] = wave = times.get(key, -1) + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(place)
    return waves


def _keep(conn: Connection, arrived: Sequence[Arrived], states: States) -> list[Taken]:
    hashes = [digest(item.raw) for item in arrived]
    before = _before(conn, arrived, hashes)
    taken = {n: stood for n, item in enumerate(arrived) if (stood := nothing_new(item, before.get(n))) is not None}
    places = [n for n in range(len(arrived)) if n not in taken]
    items = [(arrived[n], hashes[n], before[n].message if n in before else None) for n in places]
    taken |= zip(places, put_all(conn, items, states), strict=True)
    add_events(conn, [event for n, item in enumerate(arrived) for event in events_of(item, taken[n])])
    return [taken[n] for n in range(len(arrived))]


def put_all(conn: Connection, items: Sequence[Item], states: States) -> list[Taken]:
    """Keep messages with their readings; one that was taken before keeps its id, and its outcome is written anew.

    `states` are those of their devices, which are locked.
    """
    works = [(*work, resolve(work[0], states, work[2] or work[0].message or new_id())) for work in items]
    added = [(item, hashed, found) for item, hashed, before, found in works if before is None]
    insert_many(conn, hub_message_table, MEMBERS, [_values(*each) for each in added])
    merged = put_readings(
        conn,
        [row for *_, found in works for row in found.rows],
        taken_before={before for _, _, before, _ in works if before is not None},
        replaced_ms={found.message: item.received_ms for item, *_, found in works},
    )
    ended = []
    for item, _, before, found in works:
        counts = merged.counts.get(found.message, Counts())
        counts = Counts(counts.stored, counts.existed + found.again, counts.revised)
        if before is not None or counts != guessed(found):
            _note(conn, item, found, counts)
        ended.append(taken_of(item, found.message, counts, found.faults))
    return ended


def _values(item: Arrived, hashed: str, found: Resolved) -> tuple[Any, ...]:
    sender = item.sender
    came = sender.who, sender.default, item.way, item.received_ms, item.sent_ms, _hint(item), hashed, len(item.raw)
    return *_key(item, found), *came, item.raw, *_counted(item, found, guessed(found))


def _hint(item: Arrived) -> str | None:
    return item.hint if item.hint is not None and IDENTIFIER.fullmatch(item.hint) else None  # else nobody's code


def _key(item: Arrived, found: Resolved) -> tuple[int, str, str]:
    return bucket_of(item.sender.community), item.sender.community, found.message


def _counted(item: Arrived, found: Resolved, counts: Counts) -> tuple[Any, ...]:
    read = (None, None) if item.parsed is None else (item.parsed.format, item.parsed.version)
    faults = len(found.faults), fault_text(found.faults)
    return *read, counts.stored, counts.existed, counts.revised, *faults


def _note(conn: Connection, item: Arrived, found: Resolved, counts: Counts) -> None:
    named = {f"of_{name}": part for name, part in zip(KEY, _key(item, found), strict=True)}
    conn.execute(
        OUTCOME,
        named | {f"new_{name}": part for name, part in zip(COUNTED, _counted(item, found, counts), strict=True)},
    )


def states_of(conn: Connection, arrived: Sequence[Arrived]) -> States:
    """Return the states of the devices these messages speak for, and keep other transactions off their readings.

    They are locked always in the same order, so that none wait in a ring.
    """
    wanted = sorted({(item.sender.community, device) for item in arrived for device in devices_named(item)})
    rows = [(bucket_of(community), community, device) for community, device in wanted]
    found = conn.execute(_states(conn.dialect.name), {GIVEN: as_given(rows)}).all() if rows else []
    return {(community, device): state for community, device, state in found}


@lru_cache
def _states(dialect: str) -> Select[Any]:
    d, g = hub_device_table.c, given(dialect, {"bucket": WHOLE, "community": TEXT, "device": TEXT})
    same = and_(d.bucket == g.c.bucket, d.community == g.c.community, d.device == g.c.device)
    rows = select(d.community, d.device, d.state).select_from(g.join(hub_device_table, same))
    if dialect == "sqlite":  # which has one writer anyway
        return rows
    return rows.order_by(d.community, d.device).with_for_update(of=hub_device_table, key_share=True)


def _before(conn: Connection, arrived: Sequence[Arrived], hashes: Sequence[str]) -> dict[int, Before]:
    """Return, by place, what became of the same bytes of the same sender, where they were about the same device."""
    places = [n for n, item in enumerate(arrived) if known_by_its_bytes(item)]
    senders = [arrived[n].sender for n in places]
    rows = [
        (bucket_of(sender.community), sender.community, hashes[n], sender.who, sender.default or "")
        for n, sender in zip(places, senders, strict=True)
    ]
    found = conn.execute(_same_bytes(conn.dialect.name), {GIVEN: as_given(rows)}).all() if rows else []
    return {places[n]: Before(*stood) for n, *stood in found}


@lru_cache
def _same_bytes(dialect: str) -> Select[Any]:
    m = hub_message_table.c
    g = given(dialect, {"bucket": WHOLE, "community": TEXT, "hash": TEXT, "who": TEXT, "device": TEXT})
    same = and_(m.bucket == g.c.bucket, m.community == g.c.community, m.hash == g.c.hash, m.who == g.c.who)
    same &= func.coalesce(m.device, "") == g.c.device
    readings = m.stored + m.existed + m.revised
    rows = select(g.c.n, m.message, m.format, m.version, readings, m.faults)
    return rows.select_from(g.join(hub_message_table, same)).order_by(m.message)
