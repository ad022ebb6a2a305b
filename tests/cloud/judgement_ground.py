"""A site with cables, what it claims of them and what they signed: what the second judgement builds on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, select

from cloud.database import Database, bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ingest.cables.store import cable_period_table
from cloud.v2g.cables.cable import By, State
from cloud.v2g.cables.store import cable_table, set_state
from cloud.v2g.judgement.job import Judge
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.provider.readings.store import SupplyReading, add_readings
from cloud.v2g.records.store import awaited_record_table, signed_record_table
from cloud.v2g.terms.store import put_terms
from cloud.v2g.terms.terms import Terms
from cloud.v2g.turn import Hands
from cloud.v2g.visits.store import visit_table
from cloud.wire import GENESIS
from cloud.wire.cable import Place

from .ground import HALF_HOUR, NOON, OpenDatabase, add_site, found

LANE, HILL = "lane", "hill"
SITE = "house"
RATES = Terms(base_micro=1_000_000, price_micro_per_wh=20_000, pending_cap_micro=10**9)
STAFF = By("staff", "operator")


@dataclass
class Cable:
    """A cable that signs one record after another; each lies in the cloud when it is signed, or is kept back."""

    serial: str = "C7"
    number: int = 0
    registers: list[int] = field(default_factory=lambda: [10**6, 10**6])

    def register(self, conn: Connection) -> None:
        """Let the cloud know the cable, whose driver lives on the hill."""
        values: dict[str, Any] = {"bucket": bucket_of(self.serial), "cable": self.serial, "name": self.serial}
        values |= {"community": HILL, "owner": "dora", "public_key": f"key of {self.serial}"}
        values |= {"first_number": 1, "proof": "proof", "state": "active", "since": NOON, "registered_at": NOON}
        conn.execute(cable_table.insert().values(values))

    def sign(
        self,
        conn: Connection,
        /,
        start: int,
        energy_wh: int,
        *,
        seconds: int = HALF_HOUR,
        site: str | None = SITE,
        place: Place | None = None,
        kept_back: bool = False,
        stored_at: int | None = None,
    ) -> dict[str, Any]:
        """Sign an interval; return the row, which is stored unless it is kept back."""
        self.number += 1
        imported, exported = max(energy_wh, 0), max(-energy_wh, 0)
        latitude, longitude = place or (None, None)
        values: dict[str, Any] = {"bucket": bucket_of(self.serial), "cable": self.serial, "number": self.number}
        values |= {"site": site, "start": start, "seconds": seconds, "import_wh": imported, "export_wh": exported}
        values |= {"import_from_wh": self.registers[0], "export_from_wh": self.registers[1]}
        values |= {"latitude": latitude, "longitude": longitude, "vehicle": None, "user": "u9", "raw": "{}"}
        values |= {"delivered_community": LANE, "delivered_site": SITE, "delivered_epoch": 1, "delivered_seq": 1}
        values |= {"refused": None, "payload_hash": "h", "stored_at": stored_at or start + seconds}
        self.registers = [self.registers[0] + imported, self.registers[1] + exported]
        if not kept_back:
            conn.execute(signed_record_table.insert().values(values))
        return values


def ground(conn: Connection, /, terms: Terms = RATES, *cables: Cable) -> None:
    """Found a host's community with two sites, and a driver's with a cable or several."""
    found(conn, LANE)
    found(conn, HILL, ("dora", "emil"))
    add_site(conn, SITE, since=0)
    add_site(conn, "flat", since=0)
    assert put_terms(conn, LANE, terms, by="staff", now=0)
    for cable in cables:
        cable.register(conn)
    owned = {"bucket": bucket_of(LANE), "community": LANE, "epoch": 1, "seq": 1}
    batch = {"prev": GENESIS, "hash": GENESIS, "state": "derived", "received_ms": 0, "kid": "k"}
    for site in (SITE, "flat"):
        conn.execute(batch_table.insert().values(owned | batch | {"site": site, "signature": "", "raw": b""}))


def claim(
    conn: Connection,
    /,
    start: int,
    energy_wh: int,
    *,
    cable: str = "C7",
    site: str = SITE,
    meter_wh: int | None = None,
    consumption_wh: int | None = None,
    before_wh: int | None = None,
    seconds: int = HALF_HOUR,
    place: Place | None = None,
    now: int | None = None,
) -> None:
    """Let a site report a cable in an interval; the cloud takes it in as the interval ends, if not later."""
    latitude, longitude = place or (None, None)
    values: dict[str, Any] = {"bucket": bucket_of(LANE), "community": LANE, "site": site, "start": start}
    values |= {"cable": cable, "seconds": seconds, "tap": "main", "energy_wh": energy_wh, "connected": 1}
    values |= {"latitude": latitude, "longitude": longitude, "agreement": "match", "meter_wh": meter_wh}
    values |= {"consumption_wh": consumption_wh, "before_wh": before_wh, "epoch": 1, "seq": 1}
    conn.execute(cable_period_table.insert().values(values | {"derived_at": start + seconds if now is None else now}))


def honest(conn: Connection, /, cable: Cable, start: int, energy_wh: int = -1500, **others: Any) -> None:
    """Let cable, site and meter say the same, within what a meter may be off."""
    cable.sign(conn, start, energy_wh)
    claim(conn, start, energy_wh, cable=cable.serial, meter_wh=2000 + energy_wh + 20, consumption_wh=2000, **others)


def stolen(conn: Connection, /, cable: Cable, start: int, energy_wh: int = -1500) -> None:
    """Let the site take what the cable gave somewhere else: its meter does not move."""
    cable.sign(conn, start, energy_wh)
    claim(conn, start, energy_wh, cable=cable.serial, meter_wh=2000, consumption_wh=2000)


def plugged(conn: Connection, /, at: int, cable: str = "C7", *, site: str = SITE, place: Place | None = None) -> None:
    """Plug a cable in."""
    latitude, longitude = place or (None, None)
    values: dict[str, Any] = {"bucket": bucket_of(LANE), "community": LANE, "site": site, "cable": cable}
    values |= {"plugged_at": at, "tap": "main", "latitude": latitude, "longitude": longitude}
    conn.execute(visit_table.insert().values(values | {"first_at": at, "asked_at": at, "told_number": 0}))


def kept_back(conn: Connection, /, row: Mapping[str, Any]) -> None:
    """Let it be known that a record has not come though newer ones have, as whoever takes records in notes it."""
    key = {"bucket": row["bucket"], "cable": row["cable"], "number": row["number"], "through": row["number"]}
    conn.execute(awaited_record_table.insert().values(key | {"due_at": row["start"]}))


def deliver(conn: Connection, /, row: Mapping[str, Any], now: int) -> None:
    """Let a record come after all."""
    conn.execute(delete(awaited_record_table).filter_by(cable=row["cable"], number=row["number"]))
    conn.execute(signed_record_table.insert().values(dict(row) | {"stored_at": now}))


def utility(conn: Connection, /, start: int, import_wh: int, export_wh: int = 0, **others: Any) -> None:
    """Let the provider tell its reading of the site's supply point."""
    reading = SupplyReading(others.get("site", SITE), start, others.get("seconds", HALF_HOUR), import_wh, export_wh)
    told = add_readings(conn, LANE, [reading], provider="grid", now=others.get("now", start + HALF_HOUR))
    assert not isinstance(told, str)


def become(conn: Connection, /, cable: str, state: State, now: int) -> None:
    """Put a cable into another state."""
    set_state(conn, cable, state, by=STAFF, note="so", now=now)


class House:
    """A database with a site, and the judgement's turns."""

    def __init__(self, database: Database) -> None:
        """Keep the database; nothing has rung."""
        self.database, self.rung, self.judge = database, 0, Judge()
        self.hands = Hands(database, self.ring)

    def ring(self) -> None:
        """Count the bell."""
        self.rung += 1

    async def turn(self, now: int) -> int:
        """Judge until nothing is left to do; two turns more would find nothing."""
        done = 0
        while more := await self.judge.turn(self.hands, now):
            done += more
            assert done < 1000, "it never comes to rest"
        assert self.hands.failing == set()
        return done

    async def periods(self, *names: str, **where: Any) -> list[Any]:
        """Return members of the judged periods, by time and cable."""
        j = judged_period_table.c
        columns = [j[name] for name in names or ("verdict", "cause", "state", "witness")]
        rows = select(*columns).filter_by(**where).order_by(j.start, j.site, j.cable)
        return list(await self.database.read(lambda conn: [tuple(row) for row in conn.execute(rows)]))


__all__ = ["HALF_HOUR", "NOON", "OpenDatabase"]
