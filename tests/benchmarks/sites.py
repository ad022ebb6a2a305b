"""A cloud with sites of a benchmark: made row by row, and the signed batches they send."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from cloud import identity, schema
from cloud.database import Database, bucket_of
from cloud.principal import CloudKey, Scope
from cloud.sites.access.credentials import Client, issue
from cloud.sites.access.store import add_client, known_key_table, site_key_table
from cloud.sites.store import Community, owner_table, put_community, site_table
from cloud.sites.trees.store import tree_table
from cloud.wire import (
    GENESIS,
    Batch,
    Intervals,
    Quality,
    TapColumns,
    Tree,
    TreeTap,
    base64url,
    detached_header,
    digest,
    thumbprint,
    to_bytes,
)

SECONDS = 1800
START = 1_700_000_000 - 1_700_000_000 % SECONDS
COMMUNITY_SITES = 100  # of which settlement is made together
UPSTREAM = {"main": None, "ev": "main-owner", "pv": "main-owner"}
OWNERS = {"main": "main-owner", "ev": "driver", "pv": "sun"}
PARENTS = {"main": None, "ev": "main", "pv": "main"}
OK: Quality = "ok"
URL = "http://bench.test"


@dataclass
class BenchSite:
    """A site that signs batches of three taps, one after another."""

    community: str
    site: str
    key: Ed25519PrivateKey
    token: str
    seq: int = 0
    prev: str = GENESIS
    start: int = START
    registers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWNERS, 0))

    @property
    def public_key(self) -> str:
        """The key's public half."""
        return base64url(self.key.public_key().public_bytes_raw())

    def next(self, readings: int, random: Random) -> tuple[bytes, str]:
        """Return the next batch, which follows the last one in every way, and its signature."""
        count = readings // len(OWNERS)
        taps = {tap: self._columns(tap, count, random) for tap in OWNERS}
        end = self.start + count * SECONDS
        self.seq += 1
        made = Batch(self.site, 1, self.seq, self.prev, end, Intervals(self.start, SECONDS, count, 1, taps))
        raw = to_bytes(made)
        self.prev, self.start = digest(raw), end
        header = detached_header(thumbprint(self.public_key))
        return raw, f"{header}..{base64url(self.key.sign(header.encode() + b'.' + raw))}"

    def _columns(self, tap: str, count: int, random: Random) -> TapColumns:
        energy = [random.randrange(4000) for _ in range(count)]
        registers = []
        for wh in energy:
            self.registers[tap] += wh
            registers.append(self.registers[tap])
        zeros = (0,) * count
        imports, exports = (zeros, tuple(energy)) if tap == "pv" else (tuple(energy), zeros)
        pairs = tuple((0, at) if tap == "pv" else (at, 0) for at in registers)
        return TapColumns(OWNERS[tap], UPSTREAM[tap], imports, exports, pairs, (OK,) * count)


def make_cloud(url: str, key_file: Path, sites: int, random: Random, now: int) -> list[BenchSite]:
    """Make a migrated database with a key and so many paired sites, and return them with valid tokens."""
    database = Database(url)
    try:
        with database.engine.begin() as conn:
            schema.migrate(conn)
            key = identity.establish(conn, key_file, now)
            return list(_pair(conn, key, sites, random, now))
    finally:
        database.dispose()


def _pair(conn: Connection, key: CloudKey, sites: int, random: Random, now: int) -> Iterator[BenchSite]:
    for number in range(sites):
        community = f"community-{number // COMMUNITY_SITES}"
        if number % COMMUNITY_SITES == 0:
            settings = Community(community, community, "UTC", SECONDS, SECONDS, 86_400, None, None)
            put_community(conn, settings, now)
            for owner in OWNERS.values():
                owned = {"bucket": bucket_of(community), "community": community, "owner": owner}
                conn.execute(owner_table.insert().values(owned | {"name": owner, "created_at": now}))
        client = Client(f"site-{number}", Scope.SITE, community, "")
        token = issue(key, client, URL, now)
        site = BenchSite(community, client.client_id, Ed25519PrivateKey.from_private_bytes(random.randbytes(32)), token)
        add_client(conn, client, client.client_id, now)
        _keep(conn, site, now)
        yield site


def _keep(conn: Connection, site: BenchSite, now: int) -> None:
    owned = {"bucket": bucket_of(site.community), "community": site.community, "site": site.site}
    named = {"name": site.site, "time_zone": "UTC", "main_owner": "main-owner", "time_scale": 1, "paired_at": now}
    conn.execute(site_table.insert().values(owned | named))
    kid = thumbprint(site.public_key)
    key = {"kid": kid, "public_key": site.public_key, "added_at": now}
    conn.execute(site_key_table.insert().values(owned | key))
    conn.execute(known_key_table.insert().values(kid=kid, community=site.community, site=site.site))
    raw = to_bytes(Tree(site.site, 1, 0, {tap: TreeTap(OWNERS[tap], PARENTS[tap]) for tap in OWNERS}))
    tree = {"rev": 1, "valid_from": 0, "hash": digest(raw), "raw": raw, "signature": "", "received_at": now}
    conn.execute(tree_table.insert().values(owned | tree))
