"""Keeps the root of each day, never changed once made, and what mirrors have signed under it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Table, func, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.ledger import store as ledger
from cloud.ledger.chain import Head, Link
from cloud.ledger.evidence import store as evidence
from cloud.ledger.store import entry_table, ledger_head_table, locked_head
from cloud.wire import compact_parts, digest
from cloud.wire.root import DAY_SECONDS, DayRoot, parse_root

from .day import UNSEALED, EntryMark, Fault, Sealed, after, faults, is_over, next_day, of_day, payload_of, seal

COUNTERSIGNERS_MAX = 20  # under one root: bounds a page, and is more than a community has mirrors
PAGE_BYTES_MAX = 900 * 1024  # what one answer carries; readers bound theirs at 1 MiB
ENTRY_BYTES, LEG_BYTES = 700, 110  # at most, beside the document
MARKS_PAGE = 5000  # entries looked at together; a day may have many times as many

day_root_table = Table(
    "day_root",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("day", WHOLE, primary_key=True, autoincrement=False),
    Column("first", WHOLE, nullable=False),
    Column("last", WHOLE, nullable=False),
    Column("signed", TEXT, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "last"], ["entry.bucket", "entry.community", "entry.number"]),
    **STRICT,
)

countersignature_table = Table(
    "countersignature",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("day", WHOLE, primary_key=True, autoincrement=False),
    Column("kid", TEXT, primary_key=True),
    Column("public_key", TEXT, nullable=False),
    Column("signed", TEXT, nullable=False),
    Column("received_at", WHOLE, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "day"], ["day_root.bucket", "day_root.community", "day_root.day"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Countersignature:
    """A root as a mirror signed it, and the key to verify that with."""

    kid: str
    public_key: str
    signed: str


@dataclass(frozen=True, slots=True)
class KeptRoot:
    """A day's root as the cloud signed it (compact JWS), and who signed it too."""

    day: int
    first: int
    last: int
    signed: str
    countersignatures: tuple[Countersignature, ...] = ()

    def stands(self) -> DayRoot:
        """Return what was signed."""
        return parse_root(compact_parts(self.signed)[1])


def communities_posting(conn: Connection) -> list[str]:
    """Return the communities that have a ledger."""
    return sorted(conn.execute(select(ledger_head_table.c.community)).scalars())


def seal_next(conn: Connection, community: str, sign: Callable[[bytes], str], now: int) -> DayRoot | None:
    """Make and keep the root of the oldest day that is over and has none, in the caller's transaction.

    Whoever posts or seals in this community meanwhile waits: two machines make one root, and no entry slips under it.
    """
    locked_head(conn, community)
    sealed = sealed_of(conn, community)
    marks = _marks(conn, community, sealed.last, 1)
    if not marks or not is_over(day := next_day(marks[0], sealed), now):
        return None
    made = seal(community, day, _marks_of_day(conn, community, sealed.last, day), sealed.hash)
    owned = {"bucket": bucket_of(community), "community": community}
    values = {"day": day, "first": made.first, "last": made.last, "signed": sign(payload_of(made)), "made_at": now}
    conn.execute(day_root_table.insert().values(owned | values))
    return made


def is_due(conn: Connection, community: str, now: int) -> bool:
    """Tell whether a day of this community is over and has no root, without holding anybody up."""
    sealed = sealed_of(conn, community)
    marks = _marks(conn, community, sealed.last, 1)
    return bool(marks) and is_over(next_day(marks[0], sealed), now)


def sealed_of(conn: Connection, community: str) -> Sealed:
    """Return where the chain of roots stands."""
    rows = select(day_root_table.c.signed).filter_by(bucket=bucket_of(community), community=community)
    signed = conn.execute(rows.order_by(day_root_table.c.day.desc()).limit(1)).scalar_one_or_none()
    if signed is None:
        return UNSEALED
    raw = compact_parts(signed)[1]
    stands = parse_root(raw)
    return Sealed(stands.day, stands.last, digest(raw))


def _marks_of_day(conn: Connection, community: str, after_number: int, day: int) -> list[EntryMark]:
    found: list[EntryMark] = []
    while page := _marks(conn, community, found[-1].number if found else after_number, MARKS_PAGE):
        found += (there := of_day(page, day))
        if len(there) < len(page):
            break
    return found


def _marks(conn: Connection, community: str, after_number: int, limit: int) -> list[EntryMark]:
    c = entry_table.c
    rows = select(c.number, c.made_at, c.hash).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(c.number > after_number).order_by(c.number).limit(limit)
    return [EntryMark(row.number, row.made_at, row.hash) for row in conn.execute(rows)]


def roots_page(conn: Connection, community: str, after_day: int, limit: int) -> list[KeptRoot]:
    """Return the roots of the days after one, in order, each with what mirrors have signed under it."""
    c = day_root_table.c
    rows = select(c.day, c.first, c.last, c.signed).filter_by(bucket=bucket_of(community), community=community)
    found = conn.execute(rows.where(c.day > after_day).order_by(c.day).limit(limit)).all()
    others = _countersignatures(conn, community, found[0].day, found[-1].day) if found else {}
    return [KeptRoot(row.day, row.first, row.last, row.signed, tuple(others.get(row.day, ()))) for row in found]


def roots_over(conn: Connection, community: str, numbers: Sequence[int]) -> list[KeptRoot]:
    """Return the roots that cover these entries, in order; an entry of an open day has none yet."""
    if not numbers:
        return []
    c = day_root_table.c
    rows = select(c.day, c.first, c.last, c.signed).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(c.last >= min(numbers), c.first <= max(numbers)).order_by(c.day)
    wanted = sorted(numbers)
    kept = [KeptRoot(*row) for row in conn.execute(rows)]
    return [item for item in kept if any(item.first <= number <= item.last for number in wanted)]


def hashes(conn: Connection, community: str, first: int, last: int) -> list[str]:
    """Return the hashes of the entries from one number to another, both included."""
    return [mark.hash for mark in _marks(conn, community, first - 1, last - first + 1)]


def countersign(conn: Connection, community: str, day: int, by: Countersignature, now: int) -> bool | None:
    """Keep what a mirror signed; True if it is new, False if it stood there already, None where there is no room."""
    owned = {"bucket": bucket_of(community), "community": community, "day": day}
    conn.execute(select(day_root_table.c.day).filter_by(**owned).with_for_update())
    count = select(func.count()).select_from(countersignature_table).filter_by(**owned)
    known = conn.execute(select(countersignature_table.c.kid).filter_by(**owned, kid=by.kid)).first() is not None
    if not known and conn.execute(count).scalar_one() >= COUNTERSIGNERS_MAX:
        return None
    values = {"kid": by.kid, "public_key": by.public_key, "signed": by.signed, "received_at": now}
    return insert_new(conn, countersignature_table, owned | values)


def root_of(conn: Connection, community: str, day: int) -> KeptRoot | None:
    """Return the root of a day."""
    found = roots_page(conn, community, day - 1, 1)
    return found[0] if found and found[0].day == day else None


def _countersignatures(
    conn: Connection, community: str, first: int, last: int
) -> Mapping[int, Sequence[Countersignature]]:
    c = countersignature_table.c
    rows = select(c.day, c.kid, c.public_key, c.signed).filter_by(bucket=bucket_of(community), community=community)
    found: dict[int, list[Countersignature]] = {}
    for row in conn.execute(rows.where(c.day.between(first, last)).order_by(c.day, c.received_at, c.kid)):
        found.setdefault(row.day, []).append(Countersignature(row.kid, row.public_key, row.signed))
    return found


def ledger_page(
    conn: Connection, community: str, after_number: int, limit: int
) -> tuple[list[tuple[Link, bytes | None]], Head]:
    """Return entries whole, with their documents, and where the chain stands; a page of few where they are large."""
    page: list[tuple[Link, bytes | None]] = []
    size = 0
    for link in ledger.links(conn, community, after_number, limit):
        document = evidence.documents(conn, community, [link.number]).get(link.number)
        # a document is JSON within JSON: every quotation mark of it takes two bytes
        size += ENTRY_BYTES + LEG_BYTES * len(link.postings) + len(document or b"") + (document or b"").count(b'"')
        if page and size > PAGE_BYTES_MAX:
            break
        page.append((link, document))
    return page, ledger.head_of(conn, community)


def root_faults(conn: Connection, community: str) -> Iterator[Fault]:
    """Work out every root once more from the entries as they stand, for the audit."""
    before, page_after = UNSEALED, -DAY_SECONDS
    while page := roots_page(conn, community, page_after, 100):
        for kept in page:
            raw = compact_parts(kept.signed)[1]
            stands = parse_root(raw)
            for column, stored, signed in (
                ("day", kept.day, stands.day),
                ("first", kept.first, stands.first),
                ("last", kept.last, stands.last),
            ):
                if stored != signed:
                    yield Fault(kept.day, column, stored, signed)
            yield from faults(stands, _marks(conn, community, stands.first - 1, stands.count), before)
            before = after(stands)
        page_after = page[-1].day
