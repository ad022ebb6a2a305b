"""A record to extract from, row by row: systems of the hub, taps of sites, telemetry; and what must come out of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from cloud.bulk import insert_many
from cloud.database import bucket_of
from cloud.hub.devices.device import Device, DeviceKind as Kind
from cloud.hub.devices.store import add_device
from cloud.hub.extraction.question import Question
from cloud.hub.extraction.row import Row
from cloud.hub.messages.store import hub_message_table
from cloud.hub.readings.store import MEMBERS, hub_reading_table
from cloud.ingest.batches.store import batch_table
from cloud.ingest.reading import Reading
from cloud.ingest.readings.store import add_readings
from cloud.ingest.telemetry.store import telemetry_table
from cloud.wire import GENESIS
from tests.cloud.ground import NOON

NOON_MS = NOON * 1000
LANE = "lane"

type Measured = tuple[int, str, str, str, int, int]  # measured_ms, device, point, quantity, seconds, value


@dataclass(frozen=True)
class TapReading:
    """What a tap of a site measured in an interval."""

    site: str
    tap: str
    start: int
    seconds: int
    import_wh: int
    export_wh: int = 0
    registers: tuple[int, int] = (0, 0)
    quality: str = "ok"
    private: bool = False


def add_system(conn: Connection, device: str, kind: Kind = "meter", community: str = LANE, **more: Any) -> None:
    """Add a system that has registered."""
    add_device(conn, Device(community, device, kind, device.title(), state="active", **more), NOON)


def add_message(conn: Connection, community: str = LANE) -> None:
    """Add the message that all readings here came in."""
    owned = {"bucket": bucket_of(community), "community": community, "message": "m", "who": "w", "way": "push"}
    counts = {"stored": 0, "existed": 0, "revised": 0, "faults": 0, "bytes": 0}
    conn.execute(hub_message_table.insert().values(owned | counts | {"received_ms": 0, "hash": GENESIS}))


def add_measured(
    conn: Connection, rows: Iterable[Measured], community: str = LANE, *, timed: str = "given", revision: int = 0
) -> None:
    """Add readings of systems."""
    owned = bucket_of(community), community
    kept = [
        (*owned, ms, device, point, quantity, seconds, value, timed, revision, "m")
        for ms, device, point, quantity, seconds, value in rows
    ]
    insert_many(conn, hub_reading_table, MEMBERS, kept)


def add_tap_readings(conn: Connection, items: Sequence[TapReading], community: str = LANE) -> None:
    """Add readings of taps, each in a batch of its own."""
    for seq, item in enumerate(items, 1):
        owned = {"bucket": bucket_of(community), "community": community, "site": item.site, "epoch": 9, "seq": seq}
        batch = {"prev": GENESIS, "hash": GENESIS, "state": "derived", "received_ms": 0, "kid": "k"}
        conn.execute(batch_table.insert().values(owned | batch | {"signature": "", "raw": b""}))
        imported, exported = item.registers
        made = Reading(
            site=item.site,
            tap=item.tap,
            start=item.start,
            seconds=item.seconds,
            owner="secret-owner",
            upstream_owner=None,
            island=item.private,
            import_wh=item.import_wh,
            export_wh=item.export_wh,
            import_register_wh=imported,
            export_register_wh=exported,
            quality=item.quality,  # type: ignore[arg-type]
            epoch=9,
            seq=seq,
            private=item.private,
        )
        add_readings(conn, community, [made])


def add_telemetry_rows(
    conn: Connection, rows: Sequence[tuple[int, str, str, str, str, int]], community: str = LANE, *, seq: int = 1
) -> None:
    """Add telemetry of taps: measured_ms, site, tap, point, quantity, value; the site has a batch of that number."""
    names = ("bucket", "community", "measured_ms", "site", "tap", "point", "quantity", "value", "epoch", "seq")
    kept = [(bucket_of(community), community, *row, 9, seq) for row in rows]
    insert_many(conn, telemetry_table, names, kept)


def rows_of(items: Sequence[TapReading]) -> list[Row]:
    """Return what readings of taps are as rows."""
    found: list[Row] = []
    for item in items:
        if item.private or item.quality == "missing":
            continue
        start, end = item.start * 1000, (item.start + item.seconds) * 1000
        energy = (("export", item.export_wh), ("import", item.import_wh))
        registers = (("export_register", item.registers[1]), ("import_register", item.registers[0]))
        found += [(start, item.site, item.tap, "tap", "", name, item.seconds, wh, "given", 0) for name, wh in energy]
        found += [(end, item.site, item.tap, "tap", "", name, 0, wh, "given", 0) for name, wh in registers]
    return found


def question(**more: Any) -> Question:
    """Return a question about the hour around noon, unless told otherwise."""
    asked: dict[str, Any] = {"community": LANE, "from_ms": NOON_MS - 1_800_000, "to_ms": NOON_MS + 1_800_000}
    return Question(**asked | more)
