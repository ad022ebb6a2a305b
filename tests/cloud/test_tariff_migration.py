"""Tariffs set before there were owners' own ones stand as they were."""

from collections.abc import Callable, Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from cloud import schema
from cloud.database import Database, bucket_of
from cloud.tariff.store import tariffs_of
from cloud.tariff.validity import Tariff

from .conftest import NOON
from .ground import HALF_HOUR, PRICES

BEFORE = "0004"
OWNED = {"bucket": bucket_of("lane"), "community": "lane"}
COMMUNITY = {"name": "Lane", "time_zone": "UTC", "interval_seconds": 1800, "cycle_seconds": 1800, "grace_seconds": 0}
TARIFF = {"local_text": "20", "grid_buy_text": "30", "grid_sell_text": "8"}


def test_a_tariff_set_before_is_a_flat_one_of_its_community(new_url: Callable[[Path], str], tmp_path: Path) -> None:
    """With its prices, their texts, and how far it has settled."""
    database = Database(new_url(tmp_path))
    with database.engine.begin() as conn:
        config = Config()
        config.set_main_option("script_location", str(Path(schema.__file__).parent))
        config.attributes["connection"] = conn
        command.upgrade(config, BEFORE)
        micro = {"local_micro_per_wh": 20_000, "grid_buy_micro_per_wh": 30_000, "grid_sell_micro_per_wh": 8_000}
        rows: list[tuple[str, Mapping[str, object]]] = [
            ("community", COMMUNITY | {"created_at": NOON}),
            ("tariff", TARIFF | micro | {"valid_from": NOON, "used_through": NOON + HALF_HOUR, "made_at": NOON}),
            ("tariff", TARIFF | micro | {"valid_from": NOON + HALF_HOUR, "used_through": None, "made_at": NOON}),
        ]
        for table, values in rows:
            row = {**OWNED, **values}
            names = ", ".join(f":{name}" for name in row)
            conn.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})"), row)
        schema.migrate(conn)
        assert tariffs_of(conn, "lane", "") == [
            Tariff(NOON, PRICES, used_through=NOON + HALF_HOUR),
            Tariff(NOON + HALF_HOUR, PRICES),
        ]
        texts = conn.execute(text("SELECT local_text, grid_buy_text, grid_sell_text, made_at FROM tariff")).all()
        assert [tuple(row) for row in texts] == [("20", "30", "8", NOON)] * 2
    database.dispose()
