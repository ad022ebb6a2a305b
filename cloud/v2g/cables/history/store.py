"""Reads a cable with its history, and up to which number the records of cables are here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from cloud.v2g.cables.cable import Cable, Change
from cloud.v2g.cables.store import cable_of, changes_of
from cloud.v2g.records.store import last_number

CHANGES_SHOWN = 100  # the newest


@dataclass(frozen=True, slots=True)
class History:
    """A cable, what it was, and up to which number all its signed records are here."""

    cable: Cable
    changes: list[Change]
    last_number: int


def history_of(conn: Connection, cable: str, now: int) -> History | None:
    """Return a cable with its history, None if the cloud does not know it."""
    found = cable_of(conn, cable)
    if found is None:
        return None
    return History(found, changes_of(conn, cable, CHANGES_SHOWN), last_number(conn, cable, now))


def numbered(conn: Connection, cables: Iterable[str], now: int) -> Mapping[str, int]:
    """Return up to which number the records of each of these cables are here."""
    return {cable: last_number(conn, cable, now) for cable in cables}
