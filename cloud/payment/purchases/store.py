"""Keeps purchases and every event of a provider; an event, the purchase and the entry are one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    func,
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id
from cloud.ledger import store as ledger
from cloud.ledger.account import PURCHASE, owner_account
from cloud.ledger.cause import purchase_cause, refund_cause
from cloud.ledger.covered.store import post_covered
from cloud.ledger.store import Posted
from cloud.payment.documents import entry_of
from cloud.payment.money import NoPrice, Price, price_of_amount, price_of_points
from cloud.payment.told.store import Moved, tell_moved
from cloud.sites.owners.store import owner_of
from cloud.sites.store import community_of

from .provider import Event
from .purchase import STATES, Mismatch, Purchase, judge, place_of

PENDING_MAX = 20  # an owner's purchases begun within a day and not paid: nobody has so many checkouts open
PENDING_SECONDS = 86_400  # a checkout is open for a day
APPLIED: Final = "applied"

purchase_table = Table(
    "purchase",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("purchase", TEXT, primary_key=True),
    Column("owner", TEXT, nullable=False),
    Column("provider", TEXT, nullable=False),
    Column("currency", TEXT, nullable=False),
    Column("amount_minor", WHOLE, nullable=False),
    Column("points_micro", WHOLE, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("refunded_minor", WHOLE, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    Column("paid_at", WHOLE),
    CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state_known"),
    CheckConstraint("amount_minor > 0 AND points_micro > 0", name="amounts_positive"),
    CheckConstraint("refunded_minor >= 0 AND refunded_minor <= amount_minor", name="refunded_within_amount"),
    ForeignKeyConstraint(["bucket", "community", "owner"], ["owner.bucket", "owner.community", "owner.owner"]),
    Index("ix_purchase_owner", "bucket", "community", "owner", "purchase"),
    **STRICT,
)

# of the provider's account with the whole cloud: one stands before its community is known, or without one
payment_event_table = Table(
    "payment_event",
    metadata,
    Column("provider", TEXT, primary_key=True),
    Column("event", TEXT, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("reference", TEXT),
    Column("currency", TEXT, nullable=False),
    Column("amount_minor", WHOLE),
    Column("refunded_minor", WHOLE, nullable=False),
    Column("occurred_at", WHOLE, nullable=False),
    Column("received_at", WHOLE, nullable=False),
    Column("result", TEXT, nullable=False),
    Column("id", TEXT, nullable=False),
    Index("ix_payment_event_result", "result", "id"),
    **STRICT,
)

type NoPurchase = Literal["no-owner", "no-currency", "too-many-pending"] | NoPrice
type Result = Literal["applied"] | Mismatch


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A signed event that is about no purchase as it stands; money may have come that nobody was credited for."""

    id: str
    provider: str
    event: Event
    result: Mismatch
    received_at: int


def begin(
    conn: Connection,
    community: str,
    owner: str,
    provider: str,
    *,
    points: int | None,
    amount_minor: int | None,
    now: int,
) -> Purchase | NoPurchase:
    """Keep a purchase of so many points, or for such an amount, that is to be paid."""
    settings = community_of(conn, community)
    if settings is None or owner_of(conn, community, owner) is None:
        return "no-owner"
    currency, points_per_unit = settings.currency, settings.points_per_unit
    if currency is None or points_per_unit is None:
        return "no-currency"
    if _pending(conn, community, owner, now) >= PENDING_MAX:
        return "too-many-pending"
    price = _price(currency, points_per_unit, points, amount_minor)
    if not isinstance(price, Price):
        return price
    made = Purchase(community, owner, new_id(), provider, currency, price.amount_minor, price.points_micro, now)
    conn.execute(purchase_table.insert().values({"bucket": bucket_of(community)} | _columns(made)))
    return made


def _price(currency: str, points_per_unit: int, points: int | None, amount_minor: int | None) -> Price | NoPrice:
    if points is not None:
        return price_of_points(currency, points_per_unit, points)
    assert amount_minor is not None
    return price_of_amount(currency, points_per_unit, amount_minor)


def _pending(conn: Connection, community: str, owner: str, now: int) -> int:
    rows = select(func.count()).select_from(purchase_table)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, owner=owner, state="pending")
    return conn.execute(rows.where(purchase_table.c.made_at > now - PENDING_SECONDS)).scalar_one()


def take_event(conn: Connection, provider: str, event: Event, now: int, hooks: Sequence[Moved]) -> tuple[Result, bool]:
    """Let an event change its purchase; return its result, and whether points have moved.

    The same event again is answered as the first time and moves nothing, nor does the same news in another event.
    """
    place = place_of(event.reference)
    before = None if place is None else purchase_of(conn, *place, locked=True)
    after = judge(before, provider, event)
    if before is None or not isinstance(after, Purchase):
        assert not isinstance(after, Purchase)
        return _kept(conn, provider, event, after, now)[0], False
    result, first = _kept(conn, provider, event, APPLIED, now)
    if not first:
        return result, False
    moved = _apply(conn, before, after, now)
    if moved == "account-full":
        key = {"provider": provider, "event": event.event}
        conn.execute(update(payment_event_table).filter_by(**key).values(result=moved))
        return moved, False
    if moved:
        tell_moved(conn, before.community, [before.owner], now, hooks)
    return APPLIED, moved


def _kept(conn: Connection, provider: str, event: Event, result: Result, now: int) -> tuple[Result, bool]:
    """Keep an event with its result, and tell that it is the first; or return the result it had the first time."""
    members = {member.name: getattr(event, member.name) for member in fields(Event)}
    row = members | {"id": new_id(), "provider": provider, "received_at": now, "result": result}
    if insert_new(conn, payment_event_table, row):
        return result, True
    rows = select(payment_event_table.c.result).filter_by(provider=provider, event=event.event)
    known: Result = conn.execute(rows).scalar_one()
    return known, False


def _apply(conn: Connection, before: Purchase, after: Purchase, now: int) -> bool | Literal["account-full"]:
    """Post what separates two states of a purchase and keep the newer one; tell whether points have moved."""
    if before == after:
        return False
    paid = after.credited_micro > before.credited_micro
    if paid and not _credit(conn, after, now):
        return "account-full"
    returned_micro = after.returned_micro - before.returned_micro
    if returned_micro:
        _take_back(conn, after, returned_micro, now)
    values = {"state": after.state, "refunded_minor": after.refunded_minor, "paid_at": now if paid else after.paid_at}
    key = {"bucket": bucket_of(after.community), "community": after.community, "purchase": after.purchase}
    conn.execute(update(purchase_table).filter_by(**key).values(values))
    return paid or bool(returned_micro)


def _credit(conn: Connection, purchase: Purchase, now: int) -> bool:
    account = owner_account(purchase.owner)
    entry, document = entry_of(
        purchase.community,
        purchase_cause(purchase.purchase),
        {account: purchase.credited_micro, PURCHASE: -purchase.credited_micro},
        now,
        provider=purchase.provider,
        currency=purchase.currency,
        amount_minor=purchase.amount_minor,
        points_micro=purchase.credited_micro,
    )
    return isinstance(post_covered(conn, entry, document, [account, PURCHASE]), Posted)


def _take_back(conn: Connection, purchase: Purchase, returned_micro: int, now: int) -> None:
    """Take the points of a refund, also below zero: the money has gone back already."""
    account = owner_account(purchase.owner)
    entry, document = entry_of(
        purchase.community,
        refund_cause(purchase.purchase, purchase.refunded_minor),
        {account: -returned_micro, PURCHASE: returned_micro},
        now,
        provider=purchase.provider,
        currency=purchase.currency,
        refunded_minor=purchase.refunded_minor,
        points_micro=-returned_micro,
    )
    ledger.post(conn, entry, document)


def purchase_of(conn: Connection, community: str, purchase: str, *, locked: bool = False) -> Purchase | None:
    """Return a purchase; `locked` keeps other events off it until this transaction ends."""
    rows = select(purchase_table).filter_by(bucket=bucket_of(community), community=community, purchase=purchase)
    row = conn.execute(rows.with_for_update() if locked else rows).one_or_none()
    return None if row is None else _purchase(row)


def purchases_of(conn: Connection, community: str, owner: str, after: str, limit: int) -> list[Purchase]:
    """Return a page of an owner's purchases, oldest first."""
    rows = select(purchase_table).filter_by(bucket=bucket_of(community), community=community, owner=owner)
    rows = rows.where(purchase_table.c.purchase > after).order_by(purchase_table.c.purchase).limit(limit)
    return [_purchase(row) for row in conn.execute(rows)]


def all_purchases(conn: Connection, community: str) -> list[Purchase]:
    """Return every purchase of a community, for an audit."""
    rows = select(purchase_table).filter_by(bucket=bucket_of(community), community=community)
    return [_purchase(row) for row in conn.execute(rows)]


def unmatched(conn: Connection, after: str, limit: int) -> list[Unmatched]:
    """Return a page of the signed events that were kept aside, in the order they came."""
    e = payment_event_table.c
    rows = select(payment_event_table).where(e.result != APPLIED, e.id > after).order_by(e.id).limit(limit)
    names = [member.name for member in fields(Event)]
    return [
        Unmatched(
            row.id, row.provider, Event(**{name: getattr(row, name) for name in names}), row.result, row.received_at
        )
        for row in conn.execute(rows)
    ]


def _columns(purchase: Purchase) -> dict[str, Any]:
    return {member.name: getattr(purchase, member.name) for member in fields(Purchase)}


def _purchase(row: Any) -> Purchase:
    return Purchase(**{member.name: getattr(row, member.name) for member in fields(Purchase)})
