"""A database with sites that have reported, made row by row: what settlement builds on, without the way there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from cloud.database import Database, bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ingest.reading import Reading
from cloud.ingest.readings.store import add_readings
from cloud.schema.tables import metadata
from cloud.sites.owners.store import put_owner
from cloud.sites.store import Community, put_community, site_table
from cloud.sites.trees.store import tree_table
from cloud.tariff.price import Prices, PriceTexts, read_prices
from cloud.tariff.store import put_tariff
from cloud.tariff.validity import Overlap, Tariff
from cloud.wire import GENESIS, Quality, Tree, TreeTap, to_bytes

NOON = 1_795_262_400  # 2026-11-21T12:00:00Z
HALF_HOUR = 1800
TEXTS = PriceTexts(local="20", grid_buy="30", grid_sell="8")
PRICES = Prices(20_000, 30_000, 8_000)


@dataclass(frozen=True)
class Tap:
    """What a boundary tap measured in one interval."""

    owner: str
    upstream: str | None = None
    import_wh: int = 0
    export_wh: int = 0
    quality: Quality = "ok"
    island: bool = False


type OpenDatabase = Callable[[Path], Database]  # by its folder: asked twice, it opens the same one twice


def make_tables(url: str) -> None:
    """Make every table that is not there yet."""
    database = Database(url)
    metadata.create_all(database.engine)
    database.dispose()


def found(
    conn: Connection,
    community: str = "lane",
    owners: tuple[str, ...] = ("anna", "ben", "sun"),
    *,
    cycle_seconds: int = HALF_HOUR,
    grace_seconds: int = 86_400,
    tariff_from: int | None = 0,
) -> Community:
    """Found a community with owners and, unless `tariff_from` is None, a tariff."""
    settings = Community(community, community.title(), "UTC", HALF_HOUR, cycle_seconds, grace_seconds, None, None)
    assert put_community(conn, settings, NOON) == "kept"
    for owner in owners:
        put_owner(conn, community, owner, owner.title(), NOON)
    if tariff_from is not None:
        assert set_tariff(conn, community, tariff_from) == "created"
    return settings


def set_tariff(conn: Connection, community: str, valid_from: int, texts: PriceTexts = TEXTS) -> str | Overlap:
    """Put a tariff."""
    prices = read_prices(texts)
    assert isinstance(prices, Prices)
    return put_tariff(conn, community, Tariff(valid_from, prices), texts, NOON)


def add_site(
    conn: Connection, site: str, community: str = "lane", main_owner: str = "anna", *, since: int = NOON
) -> None:
    """Add a site whose first tree is valid since a time."""
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    named = {"name": site.title(), "time_zone": "UTC", "main_owner": main_owner, "time_scale": 1, "paired_at": since}
    conn.execute(site_table.insert().values(owned | named))
    raw = to_bytes(Tree(site, 1, since, {"main": TreeTap(main_owner, None)}))
    tree = {"rev": 1, "valid_from": since, "hash": GENESIS, "raw": raw, "signature": "", "received_at": since}
    conn.execute(tree_table.insert().values(owned | tree))


def report(
    conn: Connection, site: str, start: int, taps: Mapping[str, Tap], *, community: str = "lane", epoch: int = 1
) -> None:
    """Let a site report an interval in a batch of its own."""
    seq = start // HALF_HOUR
    owned = {"bucket": bucket_of(community), "community": community, "site": site, "epoch": epoch}
    batch = {"seq": seq, "prev": GENESIS, "hash": GENESIS, "state": "derived", "received_ms": 0, "kid": "k"}
    conn.execute(batch_table.insert().values(owned | batch | {"signature": "", "raw": b""}))
    add_readings(conn, community, [_reading(site, name, tap, start, epoch) for name, tap in taps.items()])


def _reading(site: str, name: str, tap: Tap, start: int, epoch: int) -> Reading:
    return Reading(
        site=site,
        tap=name,
        start=start,
        seconds=HALF_HOUR,
        owner=tap.owner,
        upstream_owner=tap.upstream,
        island=tap.island,
        import_wh=tap.import_wh,
        export_wh=tap.export_wh,
        import_register_wh=10**6,
        export_register_wh=10**6,
        quality=tap.quality,
        epoch=epoch,
        seq=start // HALF_HOUR,
    )
