"""A cloud that had taps before they could be transferred knows whose they are."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from cloud import schema
from cloud.database import Database, bucket_of
from cloud.sites.transfer.store import present_taps, tap_owners
from cloud.wire import GENESIS, Tree, TreeTap, to_bytes

from .conftest import NOON

BEFORE = "0007"
SITES = ("one", "two")
FIRST = {"main": TreeTap("anna", None), "ev": TreeTap("anna", "main"), "gone": TreeTap("ben", "main")}
SECOND = {"main": TreeTap("anna", None), "ev": TreeTap("ben", "main")}


def add(conn: Connection, table: str, **values: object) -> None:
    """Insert a row as a program of that time did."""
    owned = {"bucket": bucket_of("lane"), "community": "lane"} | values
    names = ", ".join(owned)
    conn.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in owned)})"), owned)


def fill(conn: Connection) -> None:
    """Make the tables of the time before, with two sites and their trees."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent))
    config.attributes["connection"] = conn
    command.upgrade(config, BEFORE)
    settled = {"interval_seconds": 1800, "cycle_seconds": 1800, "grace_seconds": 0, "created_at": NOON}
    add(conn, "community", name="Lane", time_zone="UTC", **settled)
    add(conn, "owner", owner="anna", name="Anna", created_at=NOON)
    for site in SITES:
        add(conn, "site", site=site, name=site, time_zone="UTC", main_owner="anna", time_scale=1, paired_at=NOON)
    for rev, taps in ((1, FIRST), (2, SECOND)):
        raw = to_bytes(Tree("one", rev, NOON, taps))
        kept = {"hash": GENESIS, "signature": "", "received_at": NOON, "valid_from": NOON}
        add(conn, "tree", site="one", rev=rev, raw=raw, **kept)


def test_the_owners_of_taps_are_read_off_the_trees_there_are(new_url: Callable[[Path], str], tmp_path: Path) -> None:
    """The newest tree a tap stood in says whose it is; one that is gone is remembered, and is not present."""
    database = Database(new_url(tmp_path))
    with database.engine.begin() as conn:
        fill(conn)
        schema.migrate(conn)
        found = {tap: (owned.owner, owned.since, owned.rev) for tap, owned in tap_owners(conn, "lane", "one").items()}
        assert found == {"main": ("anna", None, 2), "ev": ("ben", None, 2), "gone": ("ben", None, 1)}
        assert set(present_taps(conn, "lane", "one")) == {"main", "ev"}
        assert tap_owners(conn, "lane", "two") == {}
    database.dispose()
