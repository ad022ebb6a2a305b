"""Keeps whose every tap is, and every transfer from the moment it is asked for until the site's tree carries it out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, Select, Table, func, or_, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.principal import Scope
from cloud.sites import store as sites
from cloud.wire import Tree
from cloud.wire.transfer import OwnerChange, TapStanding, TapStandings

from .asking import Asked, Asker, No, Stands, refusal, repeated
from .effect import Owned, Transfer, earliest
from .passcodes import store as passcodes

# told, within the transaction, that a site must rewrite the owner of a tap (connection, community, site, what, now)
type Tell = Callable[[Connection, str, str, Mapping[str, Any], int], None]

tap_owner_table = Table(
    "tap_owner",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("tap", TEXT, primary_key=True),
    Column("owner", TEXT, nullable=False),
    Column("since", WHOLE),  # the boundary of the last transfer
    Column("rev", WHOLE, nullable=False),  # of the newest tree it stood in
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)

transfer_table = Table(
    "transfer",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("transfer", TEXT, primary_key=True),
    Column("tap", TEXT, nullable=False),
    Column("from_owner", TEXT, nullable=False),
    Column("to_owner", TEXT, nullable=False),
    Column("asked_by", TEXT, nullable=False),
    Column("asked_at", WHOLE, nullable=False),
    Column("not_before", WHOLE, nullable=False),
    Column("effective_from", WHOLE),  # from when the site's tree says so; NULL while it does not
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_transfer_from_owner", "bucket", "community", "from_owner"),
    Index("ix_transfer_to_owner", "bucket", "community", "to_owner"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many wrong tries: how long to wait, in s."""

    wait_s: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A try is counted and may be looked at: what is kept of the tap's passcode, None if none is set."""

    argon2id: str | None


def begin(conn: Connection, asked: Asked, now: int) -> Begun | Locked | Transfer | No:
    """Take up a transfer before its passcode is looked at.

    A stranger hears of nothing but a wrong passcode: not whose the tap is, nor whether it has one.
    """
    if sites.site_of(conn, asked.community, asked.site, locked=True) is None:
        return "not-found"
    if (known := _transfer(conn, asked.community, asked.site, asked.transfer)) is not None:
        return repeated(asked, known)
    if (stands := _stands(conn, asked)) is None:
        return "not-found"
    kept = passcodes.passcode_of(conn, asked.place)
    if asked.by.knows(stands.owned.owner):
        no = refusal(asked, stands) or ("passcode-not-set" if kept is None else None)
        if no is not None:
            return no
    wait = passcodes.begin_try(conn, asked.place, asked.by.key, now)
    return Begun(kept) if wait is None else Locked(wait)


def decide(conn: Connection, asked: Asked, begun: Begun, *, right: bool, now: int, tell: Tell) -> Transfer | No:
    """Finish a try: with the right passcode the transfer is kept as pending and the site told, all in one."""
    sites.site_of(conn, asked.community, asked.site, locked=True)
    passcodes.end_try(conn, asked.place, asked.by.key, right=right, now=now)
    if not right:
        return "passcode-refused"
    stands = _stands(conn, asked)
    community = sites.community_of(conn, asked.community)
    assert community is not None
    if stands is None or passcodes.passcode_of(conn, asked.place) != begun.argon2id:
        return "transfer-conflict"  # somebody else was faster, since the try began
    if (no := refusal(asked, stands)) is not None:
        return no
    made = Transfer(
        asked.transfer,
        asked.site,
        asked.tap,
        from_owner=stands.owned.owner,
        to_owner=asked.to_owner,
        asked_by=asked.by.key,
        asked_at=now,
        not_before=earliest(now, community.interval_seconds),
    )
    conn.execute(transfer_table.insert().values(_owned(asked.community) | asdict(made)))
    passcodes.clear_passcode(conn, asked.place)
    change = OwnerChange(made.tap, made.to_owner, made.transfer, made.not_before)
    tell(conn, asked.community, asked.site, change.plain(), now)
    return made


def keep_passcode(conn: Connection, place: tuple[str, str, str], argon2id: str, *, by: Asker, now: int) -> No | None:
    """Set a tap's passcode for its owner or staff; for the site only the first one of its main owner's taps."""
    community, site, tap = place
    found = sites.site_of(conn, community, site, locked=True)
    owned = present_taps(conn, community, site).get(tap)
    if found is None or owned is None:
        return "not-found"
    if not by.knows(owned.owner) or (by.scope is Scope.SITE and owned.owner != found.main_owner):
        return "forbidden"
    if tap in pending(conn, community, site):
        return "transfer-pending"
    if by.scope is Scope.SITE and passcodes.passcode_of(conn, place) is not None:
        return "passcode-set"
    passcodes.set_passcode(conn, place, argon2id, by.key, now)
    return None


def tap_owners(conn: Connection, community: str, site: str) -> dict[str, Owned]:
    """Return whose each tap is that a site's trees ever had."""
    columns = (tap_owner_table.c.tap, tap_owner_table.c.owner, tap_owner_table.c.since, tap_owner_table.c.rev)
    rows = conn.execute(select(*columns).filter_by(**_owned(community), site=site))
    return {row.tap: Owned(row.owner, row.since, row.rev) for row in rows}


def present_taps(conn: Connection, community: str, site: str) -> dict[str, Owned]:
    """Return whose each tap of a site's newest tree is."""
    known = tap_owners(conn, community, site)
    newest = max((owned.rev for owned in known.values()), default=0)
    return {tap: owned for tap, owned in known.items() if owned.rev == newest}


def pending(conn: Connection, community: str, site: str) -> dict[str, Transfer]:
    """Return the transfers a site has not carried out yet, by tap; a tap has at most one."""
    rows = _transfers(community).filter_by(site=site, effective_from=None)
    return {row.tap: Transfer(*row) for row in conn.execute(rows)}


def note_tree(conn: Connection, community: str, tree: Tree, known: Mapping[str, Owned], done: list[Transfer]) -> None:
    """Note whose every tap is by a tree just kept, and which transfers it carried out, from when."""
    key = _owned(community) | {"site": tree.site}
    for transfer in done:
        row = update(transfer_table).filter_by(**key, transfer=transfer.transfer)
        conn.execute(row.values(effective_from=tree.valid_from))
    passed = {transfer.tap for transfer in done}
    for tap_id, tap in tree.taps.items():
        before = known[tap_id].since if tap_id in known else None
        since = tree.valid_from if tap_id in passed else before
        row_key = key | {"tap": tap_id}
        upsert(conn, tap_owner_table, [*row_key], row_key | {"owner": tap.owner, "since": since, "rev": tree.rev})


def transfers_of(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Transfer]:
    """Return what passed from or to an owner within [start, end), and what is pending since before its end."""
    effect = func.coalesce(transfer_table.c.effective_from, transfer_table.c.not_before)
    rows = _transfers(community).where(effect < end)
    rows = rows.where(or_(transfer_table.c.effective_from.is_(None), transfer_table.c.effective_from >= start))
    rows = rows.where(or_(transfer_table.c.from_owner == owner, transfer_table.c.to_owner == owner))
    return [Transfer(*row) for row in conn.execute(rows.order_by(effect, transfer_table.c.transfer))]


def transfers_at(conn: Connection, community: str, site: str, after: str, limit: int) -> list[Transfer]:
    """Return the transfers of a site's taps by id, a page of them."""
    rows = _transfers(community).filter_by(site=site).where(transfer_table.c.transfer > after)
    return [Transfer(*row) for row in conn.execute(rows.order_by(transfer_table.c.transfer).limit(limit))]


def transfers_with(conn: Connection, community: str, owner: str, after: str, limit: int) -> list[Transfer]:
    """Return the transfers from and to an owner by id, a page of them."""
    rows = _transfers(community).where(transfer_table.c.transfer > after)
    rows = rows.where(or_(transfer_table.c.from_owner == owner, transfer_table.c.to_owner == owner))
    return [Transfer(*row) for row in conn.execute(rows.order_by(transfer_table.c.transfer).limit(limit))]


def standings(conn: Connection, community: str, site: str) -> TapStandings:
    """Return how the taps of a site stand, as it is told."""
    waiting, coded = pending(conn, community, site), passcodes.taps_with_passcode(conn, community, site)
    changes = {tap: OwnerChange(tap, each.to_owner, each.transfer, each.not_before) for tap, each in waiting.items()}
    taps = present_taps(conn, community, site).items()
    return TapStandings(site, {tap: TapStanding(owned.owner, tap in coded, changes.get(tap)) for tap, owned in taps})


def _stands(conn: Connection, asked: Asked) -> Stands | None:
    owned = present_taps(conn, asked.community, asked.site).get(asked.tap)
    if owned is None:
        return None
    waiting = pending(conn, asked.community, asked.site).get(asked.tap)
    return Stands(owned, waiting, sites.owners_of(conn, asked.community))


def _transfer(conn: Connection, community: str, site: str, transfer: str) -> Transfer | None:
    row = conn.execute(_transfers(community).filter_by(site=site, transfer=transfer)).one_or_none()
    return None if row is None else Transfer(*row)


def _transfers(community: str) -> Select[Any]:
    columns = [transfer_table.c[member.name] for member in fields(Transfer)]
    return select(*columns).filter_by(**_owned(community))


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
