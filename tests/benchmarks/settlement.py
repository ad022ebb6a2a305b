"""Netting, share and pricing of a day's boundary readings, beside a bare aggregation of the same rows by DuckDB."""

from importlib import import_module
from importlib.util import find_spec
import sys
from typing import Any

import numpy as np

from cloud.settlement.engine.columns import Readings, Tariffs, Whole
from cloud.settlement.engine.nets import net
from cloud.settlement.engine.shares import share

from .figure import Figure, best_s, peak_mib

SITES = 100  # of one community
INTERVALS = 48
SLOTS = SITES + 3  # the grid, each site's owner, one driver and one who owns every roof
SIZES = {False: 50, True: 1000}  # communities: 0.72 and 14.4 million readings
LIMIT_TIMES = 2
MEMORY_MIB = 1024
BARE = "SELECT slot, sum(import_wh - export_wh), max(rank) FROM reading GROUP BY slot"


def measure(seed: int, *, full: bool) -> list[Figure]:
    """Measure the engine, then its memory, then the limit: DuckDB's own memory must not count as ours."""
    first, readings, tariffs = columns(SIZES[full], np.random.default_rng(seed))
    ours = best_s(lambda: share(first, net(first, readings), tariffs))
    memory = peak_mib()
    name = f"settle {len(readings.slot) / 1e6:g} M readings"
    figures = [Figure(f"{name}, memory", "MiB", "bound", MEMORY_MIB, memory, 1, more_is_better=False)]
    half, half_readings, half_tariffs = columns(SIZES[full] // 2, np.random.default_rng(seed))
    half_s = best_s(lambda: share(half, net(half, half_readings), half_tariffs))
    figures.append(Figure(f"{name}, growth", "s", "twice the half", 2 * half_s, ours, 1.25, more_is_better=False))
    limit = bare_s(readings)
    if limit is None:
        print("DuckDB is not installed here: scripts/bench installs it", file=sys.stderr)  # noqa: T201
        return figures
    return [
        Figure(
            f"{name}: net, share and price", "s", "DuckDB, sums only", limit, ours, LIMIT_TIMES, more_is_better=False
        ),
        *figures,
    ]


def columns(communities: int, random: np.random.Generator) -> tuple[Whole, Readings, Tariffs]:
    """Make so many communities' day: each site a main tap, a charger of the driver's, a roof of the roofs' owner."""
    groups = communities * INTERVALS
    first = np.arange(groups + 1, dtype=np.int64) * SLOTS
    base = np.repeat(first[:-1], SITES)
    owner = base + 1 + np.tile(np.arange(SITES, dtype=np.int64), groups)
    slot = np.stack([owner, base + SITES + 1, base + SITES + 2], axis=1).reshape(-1)
    upstream = np.stack([base, owner, owner], axis=1).reshape(-1)
    energy = random.integers(0, 4000, len(slot), dtype=np.int64)
    roof = np.tile(np.array([False, False, True]), len(base))
    rank = np.zeros(len(slot), np.int8)
    rank[random.integers(0, len(slot), len(slot) // 100)] = 1
    readings = Readings(slot, upstream, np.where(roof, 0, energy), np.where(roof, energy, 0), rank)
    slots = int(first[-1])
    buy, sell = np.full(slots, 30_000, np.int64), np.full(slots, 8_000, np.int64)
    return first, readings, Tariffs(np.ones(groups, np.bool_), np.full(groups, 20_000, np.int64), buy, sell)


def bare_s(readings: Readings) -> float | None:
    """Return how long DuckDB takes on one core to only add up these rows; None where it is not installed."""
    if find_spec("duckdb") is None:
        return None
    duckdb: Any = import_module("duckdb")
    connection = duckdb.connect(config={"threads": 1})
    names = ("slot", "import_wh", "export_wh", "rank")
    connection.register("given", {name: getattr(readings, name) for name in names})
    connection.execute("CREATE TABLE reading AS SELECT * FROM given")
    connection.unregister("given")
    spent = best_s(lambda: connection.execute(BARE).fetchnumpy())
    connection.close()
    return spent
