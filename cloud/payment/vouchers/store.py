"""Keeps vouchers, their codes only as HMAC, and who has shown wrong ones; a voucher is worth its points once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Row,
    Table,
    UniqueConstraint,
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id
from cloud.ledger.account import VOUCHER, owner_account
from cloud.ledger.cause import voucher_cause
from cloud.ledger.covered.store import post_covered
from cloud.ledger.store import Posted
from cloud.payment.documents import entry_of
from cloud.payment.money import POINT_MICRO
from cloud.payment.told.store import Moved, tell_moved
from cloud.sites.owners.store import owner_of
from cloud.sites.store import community_of

from .tries import FREE_TRIES_OF_ADDRESS, FREE_TRIES_OF_OWNER, counted_now, wait_s

voucher_table = Table(
    "voucher",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("voucher", TEXT, primary_key=True),
    Column("code_hmac", TEXT, nullable=False),
    Column("points_micro", WHOLE, nullable=False),
    Column("issued_at", WHOLE, nullable=False),
    Column("issued_by", TEXT, nullable=False),
    Column("expires_at", WHOLE),
    Column("redeemed_by", TEXT),
    Column("redeemed_at", WHOLE),
    Column("revoked_at", WHOLE),
    CheckConstraint("points_micro > 0", name="points_positive"),
    CheckConstraint("(redeemed_by IS NULL) = (redeemed_at IS NULL)", name="redeemed_by_somebody"),
    CheckConstraint("redeemed_at IS NULL OR revoked_at IS NULL", name="redeemed_or_revoked"),
    UniqueConstraint("bucket", "community", "code_hmac"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

voucher_try_table = Table(
    "voucher_try",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("who", TEXT, primary_key=True),
    Column("wrong", WHOLE, nullable=False),
    Column("last_at", WHOLE, nullable=False),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as it stands; its code is known to nobody any more but who was told it."""

    voucher: str
    points_micro: int
    issued_at: int
    issued_by: str
    expires_at: int | None
    redeemed_by: str | None
    redeemed_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many wrong codes came from there; so many seconds are left."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Given:
    """What a code was worth; `first` unless its owner showed it once more."""

    voucher: Voucher
    first: bool


def issue(
    conn: Connection,
    community: str,
    codes_hmac: Sequence[str],
    *,
    points: int,
    expires_at: int | None,
    by: str,
    now: int,
) -> list[str] | None:
    """Keep a voucher for each code and return their ids; None if there is no such community."""
    if community_of(conn, community) is None:
        return None
    about = {"points_micro": points * POINT_MICRO, "expires_at": expires_at, "issued_at": now, "issued_by": by}
    owned = {"bucket": bucket_of(community), "community": community}
    ids = [new_id() for _ in codes_hmac]
    named = zip(ids, codes_hmac, strict=True)
    rows = [owned | about | {"voucher": voucher, "code_hmac": code_hmac} for voucher, code_hmac in named]
    conn.execute(voucher_table.insert(), rows)
    return ids


def redeem(
    conn: Connection, community: str, owner: str, code_hmac: str, *, address: str, now: int, hooks: Sequence[Moved]
) -> Given | Wait | Literal["no-owner", "refused", "account-full"]:
    """Give an owner the points of a code, or count the wrong try of the owner and of the address.

    A code is refused alike whether it was never made, is used, over, taken back, or another community's.
    """
    if owner_of(conn, community, owner) is None:
        return "no-owner"
    here = {f"address:{address}": FREE_TRIES_OF_ADDRESS, f"owner:{owner}": FREE_TRIES_OF_OWNER}
    left = _locked_wait(conn, community, here, now)
    if left is not None:
        return Wait(left)
    voucher = _by_code(conn, community, code_hmac)
    if voucher is not None and voucher.redeemed_by == owner:
        return Given(voucher, first=False)
    if voucher is None or not _good(voucher, now):
        _count_wrong(conn, community, here, now)
        return "refused"
    if not _credit(conn, community, owner, voucher, now):
        return "account-full"
    key = {"bucket": bucket_of(community), "community": community, "voucher": voucher.voucher}
    conn.execute(update(voucher_table).filter_by(**key).values(redeemed_by=owner, redeemed_at=now))
    tell_moved(conn, community, [owner], now, hooks)
    return Given(voucher, first=True)


def _good(voucher: Voucher, now: int) -> bool:
    over = voucher.expires_at is not None and voucher.expires_at <= now
    return voucher.redeemed_by is None and voucher.revoked_at is None and not over


def _credit(conn: Connection, community: str, owner: str, voucher: Voucher, now: int) -> bool:
    account, points_micro = owner_account(owner), voucher.points_micro
    amounts = {account: points_micro, VOUCHER: -points_micro}
    cause = voucher_cause(voucher.voucher)
    entry, document = entry_of(community, cause, amounts, now, points_micro=points_micro)
    return isinstance(post_covered(conn, entry, document, [account, VOUCHER]), Posted)


def _by_code(conn: Connection, community: str, code_hmac: str) -> Voucher | None:
    rows = select(voucher_table).filter_by(bucket=bucket_of(community), community=community, code_hmac=code_hmac)
    row = conn.execute(rows.with_for_update()).one_or_none()
    return None if row is None else _voucher(row)


def _locked_wait(conn: Connection, community: str, here: Mapping[str, int], now: int) -> int | None:
    """Return how long to wait; others from the same places wait until this transaction has counted."""
    owned = {"bucket": bucket_of(community), "community": community}
    waits: list[int] = []
    for who, free in here.items():  # always in this order: two at once cannot wait for each other
        insert_new(conn, voucher_try_table, owned | {"who": who, "wrong": 0, "last_at": 0})
        row = conn.execute(select(voucher_try_table).filter_by(**owned, who=who).with_for_update()).one()
        waits += [left for left in [wait_s(row.wrong - free, row.last_at, now)] if left is not None]
    return max(waits, default=None)


def _count_wrong(conn: Connection, community: str, here: Mapping[str, int], now: int) -> None:
    for who in here:
        rows = {"bucket": bucket_of(community), "community": community, "who": who}
        row = conn.execute(select(voucher_try_table).filter_by(**rows)).one()
        wrong = counted_now(row.wrong, row.last_at, now)
        conn.execute(update(voucher_try_table).filter_by(**rows).values(wrong=wrong, last_at=now))


def vouchers_of(conn: Connection, community: str, after: str, limit: int) -> list[Voucher]:
    """Return a page of a community's vouchers, oldest first."""
    rows = select(voucher_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(voucher_table.c.voucher > after).order_by(voucher_table.c.voucher).limit(limit)
    return [_voucher(row) for row in conn.execute(rows)]


def revoke(conn: Connection, community: str, voucher: str, now: int) -> Literal["revoked", "redeemed", "no-voucher"]:
    """Take a voucher back, unless it was redeemed; a second time changes nothing."""
    key = {"bucket": bucket_of(community), "community": community, "voucher": voucher}
    row = conn.execute(select(voucher_table).filter_by(**key).with_for_update()).one_or_none()
    if row is None:
        return "no-voucher"
    if row.redeemed_at is not None:
        return "redeemed"
    conn.execute(update(voucher_table).filter_by(**key, revoked_at=None).values(revoked_at=now))
    return "revoked"


def _voucher(row: Row[Any]) -> Voucher:
    return Voucher(
        row.voucher,
        row.points_micro,
        row.issued_at,
        row.issued_by,
        row.expires_at,
        row.redeemed_by,
        row.redeemed_at,
        row.revoked_at,
    )
