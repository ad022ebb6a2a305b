"""Keeps entries and postings, which are only ever added, and the balances that follow from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
import secrets
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    Index,
    Row,
    Select,
    Table,
    UniqueConstraint,
    case,
    cast,
    func,
    select,
    update,
)

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, insert_new, metadata
from cloud.wire import digest

from .account import BALANCE_MICRO_MAX, KINDS, OTHER_MICRO_MAX, OWNER_MICRO_MAX, Account
from .chain import START, Head, Link, link
from .evidence import store as evidence
from .posting import AMOUNT_MICRO_MAX, Entry, LedgerInvariantError, Posting

SALT_BYTES = 16
LINKS_PAGE_MAX = 1000  # entries verified at a time: bounds memory, not the chain

account_table = Table(
    "account",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("account", TEXT, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("owner", TEXT),
    Column("balance_micro", WHOLE, nullable=False),
    Column("opened_at", WHOLE, nullable=False),
    CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name="kind_known"),
    CheckConstraint("(kind = 'owner') = (owner IS NOT NULL)", name="owner_of_owner_account"),
    CheckConstraint(
        f"abs(balance_micro) <= CASE kind WHEN 'owner' THEN {OWNER_MICRO_MAX} ELSE {OTHER_MICRO_MAX} END",
        name="balance_within_bounds",
    ),
    **STRICT,
)

# one row per community: the newest entry, and the row to lock before adding another
ledger_head_table = Table(
    "ledger_head",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("number", WHOLE, nullable=False),
    Column("hash", TEXT, nullable=False),
    **STRICT,
)

entry_table = Table(
    "entry",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("cause", TEXT, nullable=False),
    Column("valued_at", WHOLE, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("prev_hash", TEXT, nullable=False),
    Column("hash", TEXT, nullable=False),
    Column("salt", TEXT),
    CheckConstraint("number > 0", name="number_positive"),
    UniqueConstraint("bucket", "community", "cause"),
    **STRICT,
)

posting_table = Table(
    "posting",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("account", TEXT, primary_key=True),
    Column("amount_micro", WHOLE, nullable=False),
    CheckConstraint(f"amount_micro <> 0 AND abs(amount_micro) <= {AMOUNT_MICRO_MAX}", name="amount_within_bounds"),
    ForeignKeyConstraint(["bucket", "community", "number"], ["entry.bucket", "entry.community", "entry.number"]),
    ForeignKeyConstraint(
        ["bucket", "community", "account"], ["account.bucket", "account.community", "account.account"]
    ),
    Index("ix_posting_account", "bucket", "community", "account", "number"),
    **STRICT,
)

ENTRY_MEMBERS = ("number", "cause", "valued_at", "made_at", "evidence", "prev_hash", "hash", "salt")
_members = attrgetter(*ENTRY_MEMBERS)


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of an entry: its number, and whether it is new or stood there already."""

    number: int
    created: bool


def open_accounts(conn: Connection, community: str, accounts: Iterable[Account], now: int) -> None:
    """Open the accounts that are not there yet, empty."""
    key = {"bucket": bucket_of(community), "community": community, "balance_micro": 0, "opened_at": now}
    rows = [key | {"account": item.id, "kind": item.kind, "owner": item.owner} for item in accounts]
    if rows:
        conn.execute(insert(conn, account_table).on_conflict_do_nothing(), rows)


def post(conn: Connection, entry: Entry, document: bytes) -> Posted:
    """Add an entry and move the balances, in the caller's transaction; a cause that posted before posts nothing.

    `document` is what the entry was made from; `entry.evidence` is its digest. The accounts must be open. Another
    entry under the same cause is a LedgerInvariantError.
    """
    return post_all(conn, [(entry, document)])[0]


def post_all(conn: Connection, entries: Sequence[tuple[Entry, bytes]]) -> list[Posted]:
    """Add entries of one community in this order, each as `post` does, by as few statements as for one.

    Accounts are held to their bounds once all have moved.
    """
    if not entries:
        return []
    community = entries[0][0].community
    for entry, document in entries:
        assert entry.community == community
        if digest(document) != entry.evidence:
            raise LedgerInvariantError(f"{community} {entry.cause}: the document is not the evidence")
    before = locked_head(conn, community)
    known = _links_of_causes(conn, community, [entry.cause for entry, _ in entries])
    head, added, documents, posted = before, list[Link](), dict[int, bytes](), list[Posted]()
    for entry, document in entries:
        stands = known.get(entry.cause)
        if stands is None:
            known[entry.cause] = made = link(entry, head, secrets.token_hex(SALT_BYTES))
            head, documents[made.number] = Head(made.number, made.hash), document
            added.append(made)
        elif not entry.same_as(_entry_of(stands)):
            raise LedgerInvariantError(f"{community} {entry.cause}: entry {stands.number} moved something else")
        posted.append(Posted(known[entry.cause].number, created=stands is None))
    if added:
        _add(conn, added)
        evidence.keep(conn, community, documents)
        _move_balances(conn, added)
        _advance_head(conn, community, before, head)
    return posted


def locked_head(conn: Connection, community: str) -> Head:
    """Return the newest entry's place; others who post in this community wait until this transaction ends."""
    key = {"bucket": bucket_of(community), "community": community}
    insert_new(conn, ledger_head_table, key | {"number": START.number, "hash": START.hash})
    row = conn.execute(select(ledger_head_table).filter_by(**key).with_for_update()).one()
    return Head(row.number, row.hash)


def _add(conn: Connection, added: Sequence[Link]) -> None:
    owned = bucket_of(added[0].community), added[0].community
    rows = [(*owned, *_members(item)) for item in added]
    insert_many(conn, entry_table, ("bucket", "community", *ENTRY_MEMBERS), rows)
    legs = [(*owned, item.number, leg.account, leg.amount_micro) for item in added for leg in item.postings]
    insert_many(conn, posting_table, ("bucket", "community", "number", "account", "amount_micro"), legs)
    sums = select(posting_table.c.number, func.count(), func.sum(posting_table.c.amount_micro))
    kept = {row[0]: (row[1], int(row[2])) for row in conn.execute(sums.where(*_these(added)).group_by("number"))}
    for item in added:
        if kept.get(item.number) != (len(item.postings), 0):
            raise LedgerInvariantError(f"{item.community} {item.cause}: postings and sum kept: {kept.get(item.number)}")


def _these(added: Sequence[Link]) -> tuple[ColumnElement[bool], ...]:
    """Select the postings of entries that were added one after another."""
    c, community = posting_table.c, added[0].community
    numbers = c.number.between(added[0].number, added[-1].number)
    return c.bucket == bucket_of(community), c.community == community, numbers


def _move_balances(conn: Connection, added: Sequence[Link]) -> None:
    """Add every leg to its account's balance; an account that would leave its bounds undoes the transaction."""
    community, of_account = added[0].community, account_table.c.account
    accounts = {leg.account for item in added for leg in item.postings}
    legs = select(posting_table.c.account).where(*_these(added))
    amount = select(cast(func.sum(posting_table.c.amount_micro), WHOLE)).where(*_these(added))
    balance = account_table.c.balance_micro + amount.where(posting_table.c.account == of_account).scalar_subquery()
    most = case(BALANCE_MICRO_MAX, value=account_table.c.kind)
    rows = update(account_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(of_account.in_(legs), func.abs(balance) <= most).values(balance_micro=balance)
    moved = conn.execute(rows).rowcount
    if moved != len(accounts):
        raise LedgerInvariantError(f"{community} {added[-1].cause}: {moved} of {len(accounts)} balances moved")


def _advance_head(conn: Connection, community: str, before: Head, head: Head) -> None:
    rows = update(ledger_head_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(ledger_head_table.c.number == before.number, ledger_head_table.c.hash == before.hash)
    if conn.execute(rows.values(number=head.number, hash=head.hash)).rowcount != 1:
        raise LedgerInvariantError(f"{community}: two entries claim number {before.number + 1}")


def head_of(conn: Connection, community: str) -> Head:
    """Return the newest entry's number and hash; number 0 where nothing was posted yet."""
    rows = select(ledger_head_table).filter_by(bucket=bucket_of(community), community=community)
    row = conn.execute(rows).one_or_none()
    return START if row is None else Head(row.number, row.hash)


def newer_links(conn: Connection, community: str, after: int) -> tuple[list[Link], Head]:
    """Return a page of entries numbered above `after` and where the chain says it stands, for whoever verifies it."""
    return links(conn, community, after), head_of(conn, community)


def links(conn: Connection, community: str, after: int, limit: int = LINKS_PAGE_MAX) -> list[Link]:
    """Return the entries numbered above `after`, as they stand, for `chain.verify`."""
    rows = _entries(community).where(entry_table.c.number > after)
    entries = conn.execute(rows.order_by(entry_table.c.number).limit(limit)).all()
    if not entries:
        return []
    number = posting_table.c.number
    return _links(conn, community, entries, (number > after) & (number <= entries[-1].number))


def links_numbered(conn: Connection, community: str, numbers: Sequence[int]) -> list[Link]:
    """Return the entries with these numbers, as they stand; at most a page of them may be asked for."""
    entries = conn.execute(_entries(community).where(entry_table.c.number.in_(numbers))).all()
    return _links(conn, community, entries, posting_table.c.number.in_(numbers))


def _entries(community: str) -> Select[Any]:
    return select(entry_table).filter_by(bucket=bucket_of(community), community=community)


def _links(conn: Connection, community: str, entries: Sequence[Row[Any]], wanted: ColumnElement[bool]) -> list[Link]:
    legs = select(posting_table).filter_by(bucket=bucket_of(community), community=community).where(wanted)
    ordered = conn.execute(legs.order_by(posting_table.c.number, posting_table.c.account))
    by_number = {number: _postings(group) for number, group in groupby(ordered, key=lambda leg: int(leg.number))}
    return [_link(row, by_number.get(row.number, ())) for row in entries]


def _links_of_causes(conn: Connection, community: str, causes: Sequence[str]) -> dict[str, Link]:
    rows = select(entry_table.c.number).filter_by(bucket=bucket_of(community), community=community)
    numbers = conn.execute(rows.where(entry_table.c.cause.in_(causes))).scalars().all()
    return {item.cause: item for item in links_numbered(conn, community, numbers)} if numbers else {}


def _link(row: Row[Any], postings: tuple[Posting, ...]) -> Link:
    return Link(
        number=row.number,
        prev_hash=row.prev_hash,
        hash=row.hash,
        community=row.community,
        cause=row.cause,
        valued_at=row.valued_at,
        made_at=row.made_at,
        evidence=row.evidence,
        postings=postings,
        salt=row.salt,
    )


def _entry_of(item: Link) -> Entry:
    return Entry(item.community, item.cause, item.valued_at, item.made_at, item.evidence, item.postings)


def _postings(rows: Iterable[Row[Any]]) -> tuple[Posting, ...]:
    # a database orders texts by its own alphabet; the ledger's order is by code point
    return tuple(sorted((Posting(row.account, row.amount_micro) for row in rows), key=lambda leg: leg.account))


def balances(conn: Connection, community: str) -> Mapping[str, int]:
    """Return the balance of every open account of a community in micro-points, by account id."""
    rows = select(account_table.c.account, account_table.c.balance_micro)
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    return {row.account: row.balance_micro for row in conn.execute(rows)}


def owners_with_account(conn: Connection, community: str) -> frozenset[str]:
    """Return the owners whose account is open."""
    rows = select(account_table.c.owner).filter_by(bucket=bucket_of(community), community=community, kind="owner")
    return frozenset(conn.execute(rows).scalars())
