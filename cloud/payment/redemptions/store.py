"""Keeps redemptions and the rule they follow; points leave with the request and come back if it cannot be paid out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

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
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id, upsert
from cloud.ledger import store as ledger
from cloud.ledger.account import FEE, REDEMPTION, Account, owner_account
from cloud.ledger.cause import redemption_cause, redemption_failed_cause
from cloud.ledger.covered.store import Uncovered, post_covered
from cloud.ledger.store import Posted
from cloud.payment.documents import entry_of
from cloud.payment.told.store import Moved, hold_owners, tell_moved
from cloud.sites.owners.store import owner_of
from cloud.sites.store import community_of

from .rule import NoPayout, Payout, Rule, payout

type State = Literal["requested", "paid", "failed"]
STATES: Final[tuple[State, ...]] = get_args(State.__value__)
DAY_SECONDS = 86_400
PER_DAY_MAX = 20  # of an owner: each is paid out by a person

redemption_rule_table = Table(
    "redemption_rule",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("enabled", WHOLE, nullable=False),
    Column("minimum_points", WHOLE, nullable=False),
    Column("points_per_unit", WHOLE, nullable=False),
    Column("fee_points", WHOLE, nullable=False),
    Column("fee_basis_points", WHOLE, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    CheckConstraint("minimum_points > 0 AND points_per_unit > 0", name="amounts_positive"),
    CheckConstraint("fee_points >= 0 AND fee_basis_points BETWEEN 0 AND 10000", name="fee_not_negative"),
    CheckConstraint("fee_points = 0 OR fee_basis_points = 0", name="one_fee"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

redemption_table = Table(
    "redemption",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("redemption", TEXT, primary_key=True),
    Column("owner", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("asked_points", WHOLE, nullable=False),
    Column("points_micro", WHOLE, nullable=False),
    Column("fee_micro", WHOLE, nullable=False),
    Column("currency", TEXT, nullable=False),
    Column("amount_minor", WHOLE, nullable=False),
    Column("payment_provider", TEXT, nullable=False),
    Column("payment_token", TEXT, nullable=False),  # as it was then: who changes it later redirects nothing
    Column("state", TEXT, nullable=False),
    Column("requested_at", WHOLE, nullable=False),
    Column("decided_at", WHOLE),
    Column("decided_by", TEXT),
    Column("note", TEXT),
    CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state_known"),
    CheckConstraint("(state = 'requested') = (decided_at IS NULL)", name="decided_at_a_time"),
    CheckConstraint("amount_minor > 0 AND fee_micro >= 0 AND points_micro > fee_micro", name="amounts_fit"),
    UniqueConstraint("bucket", "community", "owner", "key"),
    ForeignKeyConstraint(["bucket", "community", "owner"], ["owner.bucket", "owner.community", "owner.owner"]),
    Index("ix_redemption_owner", "bucket", "community", "owner", "redemption"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points that an owner gave back for cash: the fee is part of them, the cash goes to the means of payment."""

    community: str
    redemption: str
    owner: str
    key: str
    asked_points: int
    points_micro: int
    fee_micro: int
    currency: str
    amount_minor: int
    payment_provider: str
    payment_token: str
    state: State
    requested_at: int
    decided_at: int | None = None
    decided_by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What an owner asks for; `key` is the owner's own name for it, by which it is asked once."""

    community: str
    owner: str
    points: int
    key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A redemption that stands, `first` unless it was asked for before."""

    redemption: Redemption
    first: bool


type NotAsked = (
    NoPayout | Uncovered | Literal["no-owner", "no-rule", "no-currency", "no-payment-means", "key-taken", "too-many"]
)


def put_rule(conn: Connection, community: str, rule: Rule, now: int) -> bool:
    """Set the rule of a community; False if there is no such community. What was asked for before is paid as asked."""
    if community_of(conn, community) is None:
        return False
    members = asdict(rule) | {"enabled": int(rule.enabled), "set_at": now}
    key = {"bucket": bucket_of(community), "community": community}
    upsert(conn, redemption_rule_table, [*key], key | members)
    return True


def rule_of(conn: Connection, community: str) -> Rule | None:
    """Return the rule of a community, if it was ever set."""
    rows = select(redemption_rule_table).filter_by(bucket=bucket_of(community), community=community)
    row = conn.execute(rows).one_or_none()
    if row is None:
        return None
    fees = {"fee_points": row.fee_points, "fee_basis_points": row.fee_basis_points}
    return Rule(bool(row.enabled), row.minimum_points, row.points_per_unit, **fees)


def ask(conn: Connection, wish: Wish, now: int, hooks: Sequence[Moved]) -> Asked | NotAsked:
    """Take an owner's points for cash at once, so that they are not spent twice; the same key asks once."""
    community, owner = wish.community, wish.owner
    if not hold_owners(conn, community, [owner]):
        return "no-owner"
    known = _by_key(conn, wish)
    if known is not None:
        return Asked(known, first=False) if known.asked_points == wish.points else "key-taken"
    wanted = _wanted(conn, wish, now)
    if not isinstance(wanted, Redemption):
        return wanted
    amounts = _amounts(wanted, 1)
    about = {"currency": wanted.currency, "amount_minor": wanted.amount_minor, "fee_micro": wanted.fee_micro}
    entry, document = entry_of(
        community, redemption_cause(wanted.redemption), amounts, now, points_micro=-wanted.points_micro, **about
    )
    posted = post_covered(conn, entry, document, list(amounts))
    if isinstance(posted, Uncovered):
        return posted
    assert isinstance(posted, Posted)
    columns = {member.name: getattr(wanted, member.name) for member in fields(Redemption)}
    conn.execute(redemption_table.insert().values({"bucket": bucket_of(community)} | columns))
    tell_moved(conn, community, [owner], now, hooks)
    return Asked(wanted, first=True)


def _wanted(conn: Connection, wish: Wish, now: int) -> Redemption | NotAsked:
    """Return what is to be redeemed by the rule there is now."""
    settings, holder = community_of(conn, wish.community), owner_of(conn, wish.community, wish.owner)
    rule = rule_of(conn, wish.community)
    assert settings is not None
    assert holder is not None
    if rule is None:
        return "no-rule"
    if settings.currency is None:
        return "no-currency"
    if holder.payment is None:
        return "no-payment-means"
    if _asked_since(conn, wish, now - DAY_SECONDS) >= PER_DAY_MAX:
        return "too-many"
    paid = payout(rule, settings.currency, wish.points)
    if not isinstance(paid, Payout):
        return paid
    return Redemption(
        community=wish.community,
        redemption=new_id(),
        owner=wish.owner,
        key=wish.key,
        asked_points=wish.points,
        points_micro=paid.points_micro,
        fee_micro=paid.fee_micro,
        currency=settings.currency,
        amount_minor=paid.amount_minor,
        payment_provider=holder.payment.provider,
        payment_token=holder.payment.token,
        state="requested",
        requested_at=now,
    )


def _amounts(redemption: Redemption, sign: int) -> dict[Account, int]:
    """Return what a redemption moves (1), or what its failing moves back (-1)."""
    cash_micro = redemption.points_micro - redemption.fee_micro
    amounts = {owner_account(redemption.owner): -sign * redemption.points_micro, REDEMPTION: sign * cash_micro}
    return amounts | ({FEE: sign * redemption.fee_micro} if redemption.fee_micro else {})


def decide(
    conn: Connection,
    community: str,
    redemption: str,
    state: Literal["paid", "failed"],
    *,
    note: str,
    by: str,
    now: int,
    hooks: Sequence[Moved],
) -> Redemption | Literal["no-redemption", "decided"]:
    """Note that the cash was paid out, or that it cannot be and the points come back; the first word stands."""
    found = redemption_of(conn, community, redemption, locked=True)
    if found is None:
        return "no-redemption"
    if found.state != "requested":
        return found if found.state == state else "decided"
    values = {"state": state, "decided_at": now, "decided_by": by, "note": note}
    key = {"bucket": bucket_of(community), "community": community, "redemption": redemption}
    conn.execute(update(redemption_table).filter_by(**key).values(values))
    if state == "failed":
        amounts = _amounts(found, -1)
        entry, document = entry_of(
            community,
            redemption_failed_cause(redemption),
            amounts,
            now,
            currency=found.currency,
            amount_minor=found.amount_minor,
            points_micro=found.points_micro,
            fee_micro=-found.fee_micro,
        )
        ledger.post(conn, entry, document)
        tell_moved(conn, community, [found.owner], now, hooks)
    decided = redemption_of(conn, community, redemption)
    assert decided is not None
    return decided


def redemption_of(conn: Connection, community: str, redemption: str, *, locked: bool = False) -> Redemption | None:
    """Return a redemption; `locked` keeps others from deciding on it until this transaction ends."""
    rows = select(redemption_table).filter_by(bucket=bucket_of(community), community=community, redemption=redemption)
    row = conn.execute(rows.with_for_update() if locked else rows).one_or_none()
    return None if row is None else _redemption(row)


def redemptions_of(
    conn: Connection, community: str, *, owner: str | None, state: State | None, after: str, limit: int
) -> list[Redemption]:
    """Return a page of redemptions, of one owner or all, in one state or any, oldest first."""
    rows = select(redemption_table).filter_by(bucket=bucket_of(community), community=community)
    if owner is not None:
        rows = rows.filter_by(owner=owner)
    if state is not None:
        rows = rows.filter_by(state=state)
    c = redemption_table.c
    rows = rows.where(c.redemption > after).order_by(c.redemption).limit(limit)
    return [_redemption(row) for row in conn.execute(rows)]


def _by_key(conn: Connection, wish: Wish) -> Redemption | None:
    owned = {"bucket": bucket_of(wish.community), "community": wish.community, "owner": wish.owner}
    row = conn.execute(select(redemption_table).filter_by(**owned, key=wish.key)).one_or_none()
    return None if row is None else _redemption(row)


def _asked_since(conn: Connection, wish: Wish, since: int) -> int:
    rows = select(func.count()).select_from(redemption_table)
    rows = rows.filter_by(bucket=bucket_of(wish.community), community=wish.community, owner=wish.owner)
    return conn.execute(rows.where(redemption_table.c.requested_at > since)).scalar_one()


def _redemption(row: Row[Any]) -> Redemption:
    return Redemption(**{member.name: getattr(row, member.name) for member in fields(Redemption)})
