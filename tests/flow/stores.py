"""What lies in the stores of both sides, read beside the programs that write them."""

from contextlib import closing
from pathlib import Path
import sqlite3
from typing import Any


def rows_of(path: Path, query: str, *values: object) -> list[dict[str, Any]]:
    """Return rows of a database file."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query, values)]


def outbox_rows(folder: Path) -> int:
    """Return how many batches and kept intervals wait in the outbox of a closed or dead Home Assistant."""
    (path,) = folder.glob("commonwatt/*/outbox.db")
    (batches,) = rows_of(path, "SELECT count(*) AS n FROM batch WHERE result IS NULL")
    (kept,) = rows_of(path, "SELECT count(*) AS n FROM interval WHERE seq IS NULL")
    count: int = batches["n"] + kept["n"]
    return count
