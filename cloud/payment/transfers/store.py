"""Keeps what owners gave to one another; one who has too little gives nothing, and the same key gives once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
import secrets
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Row,
    Table,
    UniqueConstraint,
    func,
    or_,
    select,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id
from cloud.ledger.account import owner_account
from cloud.ledger.cause import transfer_cause
from cloud.ledger.covered.store import Overfull, Uncovered, post_covered
from cloud.payment.documents import blind, entry_of
from cloud.payment.money import POINT_MICRO
from cloud.payment.told.store import Moved, hold_owners, tell_moved
from cloud.sites.owners.store import owner_of

SECRET_BYTES = 32
DAY_SECONDS = 86_400
PER_DAY_MAX = 100  # of one who gives: a statement stays readable

transfer_table = Table(
    "points_transfer",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("transfer", TEXT, primary_key=True),
    Column("from_owner", TEXT, nullable=False),
    Column("to_owner", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("points_micro", WHOLE, nullable=False),
    Column("secret", TEXT, nullable=False),  # without it nobody reads two owners off the entry's document
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("points_micro > 0 AND from_owner <> to_owner", name="moves_something"),
    UniqueConstraint("bucket", "community", "from_owner", "key"),
    ForeignKeyConstraint(["bucket", "community", "from_owner"], ["owner.bucket", "owner.community", "owner.owner"]),
    ForeignKeyConstraint(["bucket", "community", "to_owner"], ["owner.bucket", "owner.community", "owner.owner"]),
    Index("ix_points_transfer_to_owner", "bucket", "community", "to_owner", "transfer"),
    Index("ix_points_transfer_from_owner", "bucket", "community", "from_owner", "transfer"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Points that an owner gave to another."""

    community: str
    transfer: str
    from_owner: str
    to_owner: str
    key: str
    points_micro: int
    secret: str
    made_at: int


@dataclass(frozen=True, slots=True)
class Gift:
    """What an owner wants to give; `key` is the giver's own name for it, by which it is given once."""

    community: str
    from_owner: str
    to_owner: str
    points: int
    key: str


@dataclass(frozen=True, slots=True)
class Made:
    """A transfer that stands, `first` unless it was asked for before."""

    transfer: Transfer
    first: bool


type NotMade = Uncovered | Overfull | Literal["no-owner", "no-receiver", "own-account", "key-taken", "too-many"]


def give(conn: Connection, gift: Gift, now: int, hooks: Sequence[Moved]) -> Made | NotMade:
    """Move points from an owner to another, if there are so many."""
    if owner_of(conn, gift.community, gift.from_owner) is None:
        return "no-owner"
    if gift.from_owner == gift.to_owner:
        return "own-account"
    if not hold_owners(conn, gift.community, [gift.from_owner, gift.to_owner]):
        return "no-receiver"
    known = _by_key(conn, gift)
    if known is not None:
        same = (known.to_owner, known.points_micro) == (gift.to_owner, gift.points * POINT_MICRO)
        return Made(known, first=False) if same else "key-taken"
    if _given_since(conn, gift, now - DAY_SECONDS) >= PER_DAY_MAX:
        return "too-many"
    return _give(conn, gift, now, hooks)


def _give(conn: Connection, gift: Gift, now: int, hooks: Sequence[Moved]) -> Made | NotMade:
    made = Transfer(
        community=gift.community,
        transfer=new_id(),
        from_owner=gift.from_owner,
        to_owner=gift.to_owner,
        key=gift.key,
        points_micro=gift.points * POINT_MICRO,
        secret=secrets.token_hex(SECRET_BYTES),
        made_at=now,
    )
    giver, taker = owner_account(made.from_owner), owner_account(made.to_owner)
    entry, document = entry_of(
        made.community,
        transfer_cause(made.transfer),
        {giver: -made.points_micro, taker: made.points_micro},
        now,
        points_micro=made.points_micro,
        giver=blind(made.secret, made.from_owner),
        taker=blind(made.secret, made.to_owner),
    )
    posted = post_covered(conn, entry, document, [giver, taker])
    if isinstance(posted, (Uncovered, Overfull)):
        return posted
    columns = {member.name: getattr(made, member.name) for member in fields(Transfer)}
    conn.execute(transfer_table.insert().values({"bucket": bucket_of(made.community)} | columns))
    tell_moved(conn, made.community, [made.from_owner, made.to_owner], now, hooks)
    return Made(made, first=True)


def _by_key(conn: Connection, gift: Gift) -> Transfer | None:
    owned = {"bucket": bucket_of(gift.community), "community": gift.community}
    rows = select(transfer_table).filter_by(**owned, from_owner=gift.from_owner, key=gift.key)
    row = conn.execute(rows).one_or_none()
    return None if row is None else _transfer(row)


def _given_since(conn: Connection, gift: Gift, since: int) -> int:
    rows = select(func.count()).select_from(transfer_table)
    rows = rows.filter_by(bucket=bucket_of(gift.community), community=gift.community, from_owner=gift.from_owner)
    return conn.execute(rows.where(transfer_table.c.made_at > since)).scalar_one()


def transfers_of(conn: Connection, community: str, owner: str, after: str, limit: int) -> list[Transfer]:
    """Return a page of what an owner gave and was given, oldest first."""
    c = transfer_table.c
    rows = select(transfer_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(or_(c.from_owner == owner, c.to_owner == owner), c.transfer > after)
    return [_transfer(row) for row in conn.execute(rows.order_by(c.transfer).limit(limit))]


def _transfer(row: Row[Any]) -> Transfer:
    return Transfer(**{member.name: getattr(row, member.name) for member in fields(Transfer)})
