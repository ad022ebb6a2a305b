"""Periods of a V2G cable that were judged finally, at hosts whose intervals are settled: what rewards build on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from cloud.database import Database, bucket_of
from cloud.ingest.cables.store import Arrived
from cloud.ledger import store as ledger
from cloud.ledger.chain import Head, verify
from cloud.ledger.sums.store import sums
from cloud.settlement.job import settle
from cloud.v2g.cables.signature import key_of
from cloud.v2g.cables.store import cable_table
from cloud.v2g.job import CableWork
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.records.judge import read_record
from cloud.v2g.records.signed import Signed
from cloud.v2g.records.store import signed_record_table
from cloud.v2g.reward.job import settle_cables
from cloud.v2g.terms.store import v2g_terms_table
from cloud.v2g.terms.terms import Terms
from cloud.wire import Refused
from demo.signed import SignedIntervals

from .ground import HALF_HOUR, NOON, Tap, add_site, found, report

HOSTS, DRIVERS = "lane", "hill"
SITE = "house"
BASE, PRICE = 1_000_000, 20_000
NOW = NOON + 4 * HALF_HOUR
MEMBERS = ("cable", "number", "site", "start", "seconds", "import_wh", "export_wh", "import_from_wh", "export_from_wh")
MORE = ("latitude", "longitude", "vehicle", "user", "delivered_community", "delivered_site", "refused", "payload_hash")


@dataclass
class Cable:
    """A cable with its key and registers; what it signs lies in the cloud at once."""

    serial: str = "C7"
    community: str = DRIVERS
    driver: str = "dora"
    signer: SignedIntervals = field(init=False)
    registers: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Make the key."""
        self.signer = SignedIntervals(self.serial)

    def register(self, conn: Connection) -> None:
        """Let the cloud know the cable."""
        values: dict[str, Any] = {"bucket": bucket_of(self.serial), "cable": self.serial, "name": self.serial}
        values |= {"community": self.community, "owner": self.driver, "public_key": self.signer.public_key.hex()}
        values |= {"first_number": 1, "proof": "proof", "state": "active", "since": NOON, "registered_at": NOON}
        conn.execute(cable_table.insert().values(values))

    def sign(self, conn: Connection, start: int, energy_wh: int, *, seconds: int = HALF_HOUR, site: str = SITE) -> None:
        """Sign an interval at a site, and let it come to the cloud."""
        before = self.registers
        self.registers = before[0] + max(energy_wh, 0), before[1] + max(-energy_wh, 0)
        span_ms = (start * 1000, (start + seconds) * 1000)
        self.signer.close(span_ms, before, self.registers, "u9", "T", site=site)
        raw = self.signer.record(self.signer.newest)
        key = key_of(self.signer.public_key.hex())
        assert not isinstance(key, Refused)
        signed = read_record(Arrived(HOSTS, site, (1, 1, 0), self.serial, raw), key, start + seconds)
        assert isinstance(signed, Signed)
        values = {name: getattr(signed, name) for name in (*MEMBERS, *MORE)}
        values |= {"bucket": bucket_of(self.serial), "raw": raw, "stored_at": start + seconds}
        values |= {"delivered_epoch": 1, "delivered_seq": 1}
        conn.execute(signed_record_table.insert().values(values))

    def judged(self, conn: Connection, start: int, energy_wh: int, **others: Any) -> None:
        """Judge a period finally, unless told otherwise."""
        community = others.get("community", HOSTS)
        values: dict[str, Any] = {
            "bucket": bucket_of(community),
            "community": community,
            "site": SITE,
            "start": start,
            "cable": self.serial,
            "seconds": HALF_HOUR,
            "host_owner": "anna",
            "driver_community": self.community,
            "driver": self.driver,
            "connected": 1,
            "energy_wh": energy_wh,
            "claimed_wh": energy_wh,
            "records": 1,
            "basis": "consumption",
            "verdict": "match",
            "cause": "none",
            "witness": "lookback",
            "state": "final",
            "judged_at": start + HALF_HOUR,
            "decided_at": start + HALF_HOUR,
        }
        conn.execute(judged_period_table.insert().values(values | others))

    def gave(self, conn: Connection, start: int, energy_wh: int, **others: Any) -> None:
        """Sign a period of this energy (negative: from the car), which is judged finally."""
        self.sign(conn, start, energy_wh, site=others.get("site", SITE))
        self.judged(conn, start, energy_wh, **others)


def set_terms(conn: Connection, terms: Terms, *, community: str = HOSTS, valid_from: int = 0, number: int = 1) -> None:
    """Set the terms of a host's community."""
    values = {name: getattr(terms, name) for name in Terms.__dataclass_fields__}
    owned = {"bucket": bucket_of(community), "community": community, "number": number, "valid_from": valid_from}
    conn.execute(v2g_terms_table.insert().values(owned | values | {"set_by": "staff", "set_at": valid_from}))


def ground(conn: Connection) -> Cable:
    """Found a host's community with a site and terms, and a driver's community with a cable."""
    found(conn, HOSTS, ("anna", "ben", "sun"))
    found(conn, DRIVERS, ("dora", "emil"))
    add_site(conn, SITE)
    add_site(conn, "flat", DRIVERS, "dora")
    set_terms(conn, Terms(base_micro=BASE, price_micro_per_wh=PRICE))
    cable = Cable()
    cable.register(conn)
    return cable


def measured(conn: Connection, start: int, import_wh: int, export_wh: int = 0, *, site: str = SITE) -> None:
    """Let the host's meter report an interval."""
    report(conn, site, start, {"main": Tap("anna", None, import_wh, export_wh)})


async def turn(database: Database, now: int = NOW) -> int:
    """Settle what is due, then give back and pay until nothing is left."""
    await settle(database, now)
    return await pay_all(database, now)


async def pay_all(database: Database, now: int = NOW) -> int:
    """Give back and pay until nothing is left."""
    hands, done = CableWork(database).hands, 0
    while more := await settle_cables(hands, now):
        done += more
    assert not [what for what in hands.failing if what.startswith(("leg", "reward "))]
    return done


def entries(conn: Connection, community: str) -> dict[str, Mapping[str, int]]:
    """Return what entries about cables move, by cause."""
    return {
        link.cause: {leg.account: leg.amount_micro for leg in link.postings}
        for link in ledger.links(conn, community, 0)
        if link.cause.startswith("v2g-")
    }


async def sound(database: Database) -> None:
    """Hold both ledgers to what must be true of them."""
    for community in (HOSTS, DRIVERS):
        booked = await database.read(sums, community)
        assert (booked.postings_micro, booked.balances_micro, booked.accounts_off) == (0, 0, 0)
        assert isinstance(verify(await database.read(ledger.links, community, 0)), Head)


def rows(conn: Connection, table: Any) -> list[Any]:
    """Return the rows of a table."""
    return list(conn.execute(select(table)).all())
