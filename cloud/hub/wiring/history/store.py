"""Keeps every change of the wiring for ever: who was fed by what at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
import json

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, Table, func, select

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id
from cloud.hub.wiring.equipment import Equipment, changed, members_of
from cloud.wire import to_bytes

equipment_change_table = Table(
    "grid_equipment_change",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("change", TEXT, primary_key=True),
    Column("equipment", TEXT, nullable=False),
    Column("changed_at", WHOLE, nullable=False),
    Column("members", TEXT, nullable=False),  # all that holds of the piece from then on, as JSON
    Column("changed_by", TEXT, nullable=False),
    ForeignKeyConstraint(
        ["bucket", "community", "equipment"],
        ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
    ),
    Index("ix_grid_equipment_change_equipment", "bucket", "community", "equipment", "changed_at", "change"),
    **STRICT,
)
NAMES = ("bucket", "community", "change", "equipment", "changed_at", "members", "changed_by")


@dataclass(frozen=True, slots=True)
class Change:
    """What holds of a piece of equipment from a time on, and who said so."""

    change: str
    changed_at: int
    changed_by: str
    stands: Equipment


def add_changes(conn: Connection, community: str, pieces: Sequence[Equipment], *, by: str, now: int) -> None:
    """Keep how these pieces stand from now on."""
    owned = bucket_of(community), community
    rows = [(*owned, new_id(), piece.equipment, now, to_bytes(members_of(piece)).decode(), by) for piece in pieces]
    insert_many(conn, equipment_change_table, NAMES, rows)


def wiring_at(conn: Connection, community: str, at: int) -> dict[str, Equipment]:
    """Return how a community's grid was wired at a time, by piece."""
    c = equipment_change_table.c
    newest = func.row_number().over(partition_by=c.equipment, order_by=(c.changed_at.desc(), c.change.desc()))
    rows = select(c.equipment, c.members, newest.label("number"))
    found = rows.filter_by(bucket=bucket_of(community), community=community).where(c.changed_at <= at).subquery()
    held = select(found.c.equipment, found.c.members).where(found.c.number == 1).order_by(found.c.equipment)
    return {name: changed(None, name, json.loads(members)) for name, members in conn.execute(held).tuples()}


def changes_of(conn: Connection, community: str, equipment: str, after: str, limit: int) -> list[Change]:
    """Return a page of the changes of a piece, the oldest first."""
    c = equipment_change_table.c
    rows = select(c.change, c.changed_at, c.changed_by, c.members)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, equipment=equipment)
    rows = rows.where(c.change > after).order_by(c.change).limit(limit)
    return [
        Change(change, changed_at, changed_by, changed(None, equipment, json.loads(members)))
        for change, changed_at, changed_by, members in conn.execute(rows).tuples()
    ]
