"""Keeps the document each entry was made from, byte for byte: whoever is shown it can hold it against the chain."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Table, select

from cloud.bulk import insert_many
from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata

entry_evidence_table = Table(
    "entry_evidence",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("raw", RAW, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "number"], ["entry.bucket", "entry.community", "entry.number"]),
    **STRICT,
)


def keep(conn: Connection, community: str, made_from: Mapping[int, bytes]) -> None:
    """Keep the documents of new entries, by their numbers."""
    bucket = bucket_of(community)
    rows = [(bucket, community, number, raw) for number, raw in made_from.items()]
    insert_many(conn, entry_evidence_table, ("bucket", "community", "number", "raw"), rows)


def documents(conn: Connection, community: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
    """Return the documents of these entries by number; an entry of the first version has none."""
    c = entry_evidence_table.c
    rows = select(c.number, c.raw).filter_by(bucket=bucket_of(community), community=community)
    return {row.number: row.raw for row in conn.execute(rows.where(c.number.in_(numbers)))}
