"""The mirror's own file: entries and roots as the cloud told them first, for whose cloud, and what it has signed."""

from collections.abc import Sequence

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    MetaData,
    Row,
    Table,
    func,
    insert,
    select,
    update,
)

from cloud.database import RAW, STRICT, TEXT, WHOLE
from cloud.ledger.chain import START, Head, Link
from cloud.ledger.posting import Posting
from cloud.ledger.root.day import EntryMark

from .copy import Copied

mirror_metadata = MetaData()  # a file of its own, on another machine: none of the cloud's tables

source_table = Table(
    "source",
    mirror_metadata,
    Column("one", WHOLE, primary_key=True, autoincrement=False),
    Column("community", TEXT, nullable=False),
    Column("cloud_key", TEXT, nullable=False),
    CheckConstraint("one = 1", name="only_one"),
    **STRICT,
)

entry_table = Table(
    "entry",
    mirror_metadata,
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("cause", TEXT, nullable=False, unique=True),
    Column("valued_at", WHOLE, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("prev_hash", TEXT, nullable=False),
    Column("hash", TEXT, nullable=False),
    Column("salt", TEXT),
    Column("document", RAW),
    **STRICT,
)

posting_table = Table(
    "posting",
    mirror_metadata,
    Column("number", WHOLE, ForeignKey("entry.number"), primary_key=True, autoincrement=False),
    Column("account", TEXT, primary_key=True),
    Column("amount_micro", WHOLE, nullable=False),
    **STRICT,
)

root_table = Table(
    "root",
    mirror_metadata,
    Column("day", WHOLE, primary_key=True, autoincrement=False),
    Column("signed", TEXT, nullable=False),
    Column("countersigned", TEXT),
    **STRICT,
)


def make_tables(conn: Connection) -> None:
    """Make the tables of a new file."""
    mirror_metadata.create_all(conn)


def source(conn: Connection) -> tuple[str, str] | None:
    """Return the community and the cloud's public key that this file was begun with."""
    row = conn.execute(select(source_table.c.community, source_table.c.cloud_key)).one_or_none()
    return None if row is None else (row.community, row.cloud_key)


def set_source(conn: Connection, community: str, cloud_key: str) -> None:
    """Note whose ledger this file mirrors, for ever."""
    conn.execute(insert(source_table).values(one=1, community=community, cloud_key=cloud_key))


def head(conn: Connection) -> Head:
    """Return where our copy stands."""
    rows = select(entry_table.c.number, entry_table.c.hash).order_by(entry_table.c.number.desc()).limit(1)
    row = conn.execute(rows).one_or_none()
    return START if row is None else Head(row.number, row.hash)


def keep(conn: Connection, entries: Sequence[Copied]) -> None:
    """Keep entries that were verified."""
    members = ("number", "cause", "valued_at", "made_at", "evidence", "prev_hash", "hash", "salt")
    for copied in entries:
        values = {name: getattr(copied.link, name) for name in members}
        conn.execute(insert(entry_table).values(values | {"document": copied.document}))
        legs = [
            {"number": copied.link.number, "account": leg.account, "amount_micro": leg.amount_micro}
            for leg in copied.link.postings
        ]
        conn.execute(insert(posting_table), legs)


def entries_between(conn: Connection, community: str, first: int, last: int) -> list[Copied]:
    """Return entries by number, both ends included."""
    rows = select(entry_table).where(entry_table.c.number.between(first, last)).order_by(entry_table.c.number)
    legs = select(posting_table).where(posting_table.c.number.between(first, last)).order_by(posting_table.c.number)
    postings: dict[int, list[Posting]] = {}
    for leg in conn.execute(legs):
        postings.setdefault(leg.number, []).append(Posting(leg.account, leg.amount_micro))
    return [_copied(community, row, postings.get(row.number, [])) for row in conn.execute(rows)]


def _copied(community: str, row: Row[tuple[object, ...]], legs: Sequence[Posting]) -> Copied:
    link = Link(
        number=row.number,
        prev_hash=row.prev_hash,
        hash=row.hash,
        community=community,
        cause=row.cause,
        valued_at=row.valued_at,
        made_at=row.made_at,
        evidence=row.evidence,
        postings=tuple(sorted(legs, key=lambda leg: leg.account)),
        salt=row.salt,
    )
    return Copied(link, row.document)


def marks(conn: Connection, first: int, last: int) -> list[EntryMark]:
    """Return entries as their root sees them."""
    c = entry_table.c
    rows = select(c.number, c.made_at, c.hash).where(c.number.between(first, last)).order_by(c.number)
    return [EntryMark(*row) for row in conn.execute(rows)]


def roots(conn: Connection) -> list[tuple[int, str, str | None]]:
    """Return day, the cloud's signature and ours of every root, in order."""
    rows = select(root_table.c.day, root_table.c.signed, root_table.c.countersigned).order_by(root_table.c.day)
    return [(row.day, row.signed, row.countersigned) for row in conn.execute(rows)]


def keep_root(conn: Connection, day: int, signed: str) -> None:
    """Keep a root that was verified."""
    conn.execute(insert(root_table).values(day=day, signed=signed))


def note_countersigned(conn: Connection, day: int, countersigned: str) -> None:
    """Note that the cloud holds our signature under a root."""
    conn.execute(update(root_table).where(root_table.c.day == day).values(countersigned=countersigned))


def balances(conn: Connection) -> dict[str, int]:
    """Return the sum of each account's postings in our copy."""
    rows = select(posting_table.c.account, func.sum(posting_table.c.amount_micro)).group_by(posting_table.c.account)
    return {account: int(total) for account, total in conn.execute(rows)}
