"""A community that has lived: two sites with batches really signed, gaps, resets, an island, two tariffs, late data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from cloud.database import bucket_of
from cloud.ingest.arrivals.arrival import Evidence
from cloud.ingest.store import keep
from cloud.settlement.audit.rows.store import batch
from cloud.sites.access.store import site_key_table
from cloud.sites.store import site_table
from cloud.sites.trees.store import keep_tree
from cloud.tariff.price import PriceTexts
from cloud.wire import (
    GENESIS,
    ISLAND,
    Batch,
    Intervals,
    Quality,
    TapColumns,
    Tree,
    TreeTap,
    base64url,
    detached_header,
    digest,
    parse_batch,
    thumbprint,
    to_bytes,
)

from .ground import HALF_HOUR, NOON, found, set_tariff

HOUSE = {
    "main": TreeTap("anna", None),
    "ev": TreeTap("ben", "main"),
    "fridge": TreeTap("anna", "main"),
    "pv": TreeTap("sun", "main"),
}
SHED = {"t": TreeTap("ben", None), "lone": TreeTap("sun", ISLAND), "lamp": TreeTap("cleo", "lone")}
DEAR = PriceTexts(local="21.5", grid_buy="33.333", grid_sell="-0.5")
COUNT = 6  # intervals the community has lived
LATE = COUNT - 1  # the one the shed reports only after it was settled
END = NOON + COUNT * HALF_HOUR


@dataclass
class Signer:
    """A site that signs what it sends and remembers its chain and its registers."""

    site: str
    tree: Mapping[str, TreeTap]
    seed: int = 1
    seq: int = 0
    prev: str = GENESIS
    registers: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def key(self) -> Ed25519PrivateKey:
        """The same key in every run, so that runs can be compared to the byte."""
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def public_key(self) -> str:
        """The key's public half."""
        return base64url(self.key.public_key().public_bytes_raw())

    def sign(self, raw: bytes) -> str:
        """Sign raw bytes, detached."""
        header = detached_header(thumbprint(self.public_key))
        return f"{header}..{base64url(self.key.sign(header.encode() + b'.' + raw))}"

    def join(self, conn: Connection, community: str = "lane", *, now: int = NOON) -> None:
        """Become a site of a community, with a key and a tree."""
        owned = {"bucket": bucket_of(community), "community": community, "site": self.site}
        named = {"name": self.site, "time_zone": "UTC", "main_owner": "anna", "time_scale": 1, "paired_at": now}
        conn.execute(site_table.insert().values(owned | named))
        key = {"kid": thumbprint(self.public_key), "public_key": self.public_key, "added_at": now}
        conn.execute(site_key_table.insert().values(owned | key))
        tree = Tree(self.site, 1, NOON, self.tree)
        raw = to_bytes(tree)
        assert keep_tree(conn, community, tree, raw=raw, signature=self.sign(raw), now=now) == "created"

    def send(
        self,
        conn: Connection,
        start: int,
        rows: Mapping[str, list[tuple[int, int, Quality]]],
        now: int,
        *,
        amends: bool = False,
        held: str | None = None,
    ) -> None:
        """Send a batch of some intervals through the door every batch comes in by."""
        taps = {tap: self._columns(tap, row) for tap, row in rows.items()}
        count = len(next(iter(rows.values())))
        self.seq += 1
        intervals = Intervals(start, HALF_HOUR, count, 1, taps, amends)
        raw = to_bytes(Batch(self.site, 1, self.seq, self.prev, start + count * HALF_HOUR, intervals))
        self.prev = digest(raw)
        evidence = Evidence(raw, self.prev, self.sign(raw), thumbprint(self.public_key), now * 1000)
        kept = keep(conn, "lane", parse_batch(raw), evidence)
        assert (kept.verdict, kept.held) == ("created", held)

    def _columns(self, tap: str, rows: list[tuple[int, int, Quality]]) -> TapColumns:
        above = self.tree[tap].parent
        upstream = None if above in (None, ISLAND) else self.tree[above or ""].owner
        registers = []
        for import_wh, export_wh, quality in rows:
            before = (0, 0) if quality == "reset" else self.registers.get(tap, (10_000, 10_000))
            self.registers[tap] = before[0] + import_wh, before[1] + export_wh
            registers.append(self.registers[tap])
        imports, exports, qualities = zip(*rows, strict=True)
        return TapColumns(self.tree[tap].owner, upstream, imports, exports, tuple(registers), qualities)


def live(conn: Connection) -> None:
    """Found a community and let its sites report; the shed misses an interval."""
    found(conn, owners=("anna", "ben", "cleo", "sun"), tariff_from=0)
    assert set_tariff(conn, "lane", NOON + 3 * HALF_HOUR, DEAR) == "created"
    house, shed = Signer("house", HOUSE), Signer("shed", SHED, seed=2)
    house.join(conn)
    shed.join(conn)
    energy = {"main": (701, 0), "ev": (299, 0), "pv": (0, 443)}
    first: dict[str, list[tuple[int, int, Quality]]]
    first = {tap: [(*wh, "ok"), (0, 0, "missing"), (*wh, "estimated")] for tap, wh in energy.items()}
    house.send(conn, NOON, first, NOON + 3 * HALF_HOUR)
    second: dict[str, list[tuple[int, int, Quality]]]
    second = {tap: [(*wh, "reset"), (*wh, "ok"), (wh[1], wh[0], "ok")] for tap, wh in energy.items()}
    house.send(conn, NOON + 3 * HALF_HOUR, second, END)
    for number in range(COUNT):
        start = NOON + number * HALF_HOUR
        rows: dict[str, list[tuple[int, int, Quality]]] = {
            "t": [(101 + number, 0, "ok")],
            "lone": [(0, 57, "ok")],
            "lamp": [(13, 0, "ok")],
        }
        if number != LATE:
            shed.send(conn, start, rows, start + HALF_HOUR)


def come_late(conn: Connection, now: int) -> None:
    """Let the shed send what it missed, and a site nobody knew of report the past."""
    shed = Signer("shed", SHED, seed=2, seq=LATE)
    raw, registers = _last(conn)
    shed.prev, shed.registers = digest(raw), registers
    late: dict[str, list[tuple[int, int, Quality]]] = {
        "t": [(400, 0, "ok")],
        "lone": [(0, 1, "ok")],
        "lamp": [(1, 0, "ok")],
    }
    shed.send(conn, NOON + LATE * HALF_HOUR, late, now)
    barn = Signer("barn", {"t": TreeTap("ben", None)}, seed=3)
    barn.join(conn, now=now)
    barn.send(conn, NOON, {"t": [(7, 0, "ok")]}, now)


def _last(conn: Connection) -> tuple[bytes, dict[str, tuple[int, int]]]:
    row = batch(conn, "lane", "shed", 1, LATE)
    assert row is not None
    intervals = parse_batch(row.raw).intervals
    assert intervals is not None
    return row.raw, {tap: columns.register_wh[-1] for tap, columns in intervals.taps.items()}
