"""A cable with a key of its own and hosts that hand its records on, honest or not: what tests of V2G build on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import json
from typing import Any

from cloud.v2g.records.findings.store import findings_of
from cloud.v2g.records.job import look_at_records
from cloud.v2g.records.signed import Finding, Signed
from cloud.v2g.records.store import signed_between
from cloud.v2g.turn import Hands
from cloud.wire import GENESIS, CablePeriod, CableRecord, Visit, digest, to_bytes
from cloud.wire.strict import plain_members
from demo.signed import Place, SignedIntervals

from .conftest import INTERVAL, NOON, Cloud, Reply, Site

SERIAL = "CWC-000123"
START = NOON - 20 * INTERVAL  # where reports begin, all of them in the past


@dataclass
class SigningCable:
    """A cable: what it moves it signs, number by number, and says where it was."""

    serial: str = SERIAL
    signed: SignedIntervals = field(init=False)
    registers: tuple[int, int] = (1_000_000, 500_000)

    def __post_init__(self) -> None:
        """Make the key."""
        self.signed = SignedIntervals(self.serial)

    @property
    def public_key(self) -> str:
        """The public key, as the cloud wants it."""
        return self.signed.public_key.hex()

    def sign(
        self, start: int, energy_wh: int = 0, *, site: str = "", seconds: int = INTERVAL, place: Place | None = None
    ) -> str:
        """Sign an interval with this energy towards the car and return the record."""
        before = self.registers
        self.registers = before[0] + max(energy_wh, 0), before[1] + max(-energy_wh, 0)
        span = start * 1000, (start + seconds) * 1000
        self.signed.close(span, before, self.registers, "dora", "C", site=site, place=place)
        return self.signed.record(self.signed.newest)

    def body(self, **changes: Any) -> dict[str, Any]:
        """Return what registers this cable; the proof is a record it signed long before."""
        if not self.signed.newest:
            self.sign(START - 10 * INTERVAL)
        proof = {"cable": self.serial, "public_key": self.public_key, "name": "Dora's cable"}
        return proof | {"ocmf": self.signed.record(1)} | changes

    async def register(self, cloud: Cloud, community: str = "riverside", owner: str = "ben") -> Reply:
        """Have it registered by the operator."""
        return await cloud.operator("POST", f"{community}/owners/{owner}/cables", self.body())


@dataclass
class Host:
    """A site at which cables are plugged in: what it reports and hands on is the test's."""

    site: Site
    seq: int = 0
    prev: str = GENESIS

    @property
    def id(self) -> str:
        """The site's id, which it writes into a cable."""
        return self.site.site

    async def report(
        self,
        start: int | None,
        cables: Sequence[CablePeriod] = (),
        records: Sequence[tuple[str, str]] = (),
        **changes: Any,
    ) -> Reply:
        """Send the next batch: an interval with what was measured at cables (none without a start), and records."""
        begin = START if start is None else start
        data = json.loads(self.site.batch(seq=self.seq + 1, prev=self.prev, start=begin, **changes))
        if start is None:
            del data["intervals"]
        elif cables:
            data["intervals"]["cables"] = [plain_members(item) for item in cables]
        if records:
            data["records"] = [plain_members(CableRecord(*item)) for item in records]
        raw = to_bytes(data)
        reply = await self.site.post(raw)
        if reply.status < 300:
            self.seq, self.prev = self.seq + 1, digest(raw)
        return reply

    async def plug(self, cable: SigningCable, at: int = NOON, **changes: Any) -> Reply:
        """Say that a cable was plugged in and ask what it may do."""
        visit = Visit(cable.serial, at, "main", changes.pop("public_key", cable.public_key), **changes)
        return await self.site.send("POST", f"/v1/sites/{self.id}/visits", to_bytes(visit))


def period(energy_wh: int = 0, *, cable: str = SERIAL, at: int = 0, connected: bool = True, **more: Any) -> CablePeriod:
    """Return what a site measured at a cable."""
    return CablePeriod(at, cable, "main", energy_wh, connected, "match", **more)


async def host(cloud: Cloud, community: str = "riverside") -> Host:
    """Pair a site in a community that is there, with its tree."""
    site = await cloud.join(community)
    assert (await site.put_tree()).status == 201
    return Host(site)


async def look(cloud: Cloud, now: int | None = None) -> None:
    """Let the cloud look at everything that has come, until nothing is left."""
    hands = Hands(cloud.database, lambda: None)
    while await look_at_records(hands, cloud.clock() // 1000 if now is None else now):
        pass
    assert not hands.failing


async def found(cloud: Cloud, cable: str = SERIAL) -> list[Finding]:
    """Return what was found of a cable."""
    return await cloud.database.read(findings_of, cable)


async def kinds(cloud: Cloud, cable: str = SERIAL) -> list[str]:
    """Return of what kinds the findings of a cable are."""
    return [item.kind for item in await found(cloud, cable)]


async def kept(cloud: Cloud, cable: str = SERIAL) -> list[Signed]:
    """Return every usable record of a cable that is kept."""
    return await cloud.database.read(signed_between, cable, 0, NOON + 86_400)
