"""Keeps how every owner's credit stands and ever stood, and tells the sites within the transaction that moved it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Table,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, metadata, upsert
from cloud.ledger.store import account_table, ledger_head_table
from cloud.notice import store as notices
from cloud.notice.kind import CREDIT
from cloud.settlement.credit.judge import LOW_SECONDS, Standing, judge, low_balance_micro
from cloud.settlement.store import settled_owner_interval_table, settled_through
from cloud.sites.store import owner_table
from cloud.sites.trees.boundary import read_tree
from cloud.sites.trees.store import tree_raw, tree_table
from cloud.wire import digest, to_bytes
from cloud.wire.credit import Credit, CreditState, OwnerCredit

EVERYBODY = ""  # whose limit holds for all without one of their own; no owner is called so
NOTICE_SECONDS = 45 * 86_400  # how long a site may be off line and still hear it
STATE_KNOWN = "state IN ('ok', 'low', 'warning', 'cut')"
TO_OWNER: Any = (["bucket", "community", "owner"], ["owner.bucket", "owner.community", "owner.owner"])

credit_limit_table = Table(
    "credit_limit",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("low_balance_micro", WHOLE, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    CheckConstraint("low_balance_micro >= 0", name="low_balance_not_negative"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

# one row per owner judged: its newest change
credit_state_table = Table(
    "credit_state",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("number", WHOLE, nullable=False),
    Column("state", TEXT, nullable=False),
    CheckConstraint(STATE_KNOWN, name="state_known"),
    ForeignKeyConstraint(*TO_OWNER),
    **STRICT,
)

# every change, only ever added
credit_change_table = Table(
    "credit_change",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("state", TEXT, nullable=False),
    Column("before", TEXT),
    Column("at", WHOLE, nullable=False),
    Column("prepaid", WHOLE, nullable=False),
    Column("balance_micro", WHOLE, nullable=False),
    Column("low_balance_micro", WHOLE, nullable=False),
    CheckConstraint(STATE_KNOWN, name="state_known"),
    CheckConstraint("number > 0", name="number_positive"),
    ForeignKeyConstraint(*TO_OWNER),
    **STRICT,
)

# what each site was told last, to tell it no more than what is new; and its owners, to read a tree no more than once
credit_told_table = Table(
    "credit_told",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("rev", WHOLE, nullable=False),
    Column("owners", TEXT, nullable=False),
    Column("hash", TEXT),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """An owner's standing and what was made of it."""

    standing: Standing
    number: int
    state: CreditState

    @property
    def changed(self) -> bool:
        """Whether it is another state than before."""
        return self.state != self.standing.before


def judge_balances(conn: Connection, community: str, now: int) -> bool:
    """Judge every owner of a community by the balance there is now, in the transaction that may have moved one.

    Sites hear of it where what they must know is news to them; True if one does: ring the bell after the transaction.
    """
    judged = {item.standing.owner: item for item in (_judged(*found) for found in _standings(conn, community))}
    _keep_changes(conn, community, [item for item in judged.values() if item.changed], now)
    concerned = {owner: item for owner, item in judged.items() if item.changed or item.standing.prepaid}
    return bool(concerned) and _tell_sites(conn, community, concerned, now)


def _judged(standing: Standing, number: int) -> Judged:
    return Judged(standing, number, judge(standing))


def _standings(conn: Connection, community: str) -> list[tuple[Standing, int]]:
    """Return who pays ahead, and of the others whose balance says otherwise than before; each with its newest change.

    No balance moves before the caller's transaction ends: who posts holds the ledger's head, and so does this.
    """
    owned = {"bucket": bucket_of(community), "community": community}
    head = select(ledger_head_table.c.number).filter_by(**owned).with_for_update()
    if conn.execute(head).one_or_none() is None:
        return []
    a, o, was = account_table.c, owner_table.c, credit_state_table.c
    holder = (o.bucket == a.bucket) & (o.community == a.community) & (o.owner == a.owner)
    same = (was.bucket == a.bucket) & (was.community == a.community) & (was.owner == a.owner)
    joined = account_table.join(owner_table, holder).outerjoin(credit_state_table, same)
    rows = select(a.owner, a.balance_micro, o.prepaid, was.number, was.state).select_from(joined)
    rows = rows.where(a.bucket == owned["bucket"], a.community == community, a.kind == "owner").order_by(a.owner)
    stays = case((a.balance_micro <= 0, "warning"), else_="ok")  # the judgement of who pays later
    found = conn.execute(rows.where(or_(o.prepaid == 1, was.state.is_(None), was.state != stays))).all()
    limits = limits_of(conn, community, [row.owner for row in found if row.prepaid])
    return [
        (
            Standing(row.owner, bool(row.prepaid), row.balance_micro, limits.get(row.owner, 0), row.state),
            row.number or 0,
        )
        for row in found
    ]


def limits_of(conn: Connection, community: str, prepaid: Sequence[str]) -> Mapping[str, int]:
    """Return below which balance each of these owners is low: what was set, or what lasts three days."""
    if not prepaid:
        return {}
    owned = {"bucket": bucket_of(community), "community": community}
    rows = select(credit_limit_table.c.owner, credit_limit_table.c.low_balance_micro).filter_by(**owned)
    given: dict[str, int] = dict(conn.execute(rows).tuples().all())
    without = [owner for owner in prepaid if owner not in given and EVERYBODY not in given]
    lasting = _lasting(conn, community, without) if without else {}
    return {owner: given.get(owner, given.get(EVERYBODY, lasting.get(owner, 0))) for owner in prepaid}


def _lasting(conn: Connection, community: str, owners: Sequence[str]) -> Mapping[str, int]:
    through = settled_through(conn, community)
    if through is None:
        return {}
    part = settled_owner_interval_table.c
    rows = select(part.owner, func.sum(part.points_micro), func.min(part.start))
    rows = rows.filter_by(bucket=bucket_of(community), community=community).group_by(part.owner)
    rows = rows.where(part.owner.in_(owners), part.start >= through - LOW_SECONDS)
    return {owner: low_balance_micro(-int(moved), through - first) for owner, moved, first in conn.execute(rows)}


def _keep_changes(conn: Connection, community: str, changed: Sequence[Judged], now: int) -> None:
    if not changed:
        return
    owned = {"bucket": bucket_of(community), "community": community}
    states = [owned | {"owner": i.standing.owner, "number": i.number + 1, "state": i.state} for i in changed]
    row = insert(conn, credit_state_table)
    newest = {name: row.excluded[name] for name in ("number", "state")}
    conn.execute(row.on_conflict_do_update(index_elements=["bucket", "community", "owner"], set_=newest), states)
    changes = [state | _about(item.standing, now) for state, item in zip(states, changed, strict=True)]
    conn.execute(credit_change_table.insert(), changes)


def _about(standing: Standing, now: int) -> dict[str, Any]:
    about = {"before": standing.before, "at": now, "prepaid": int(standing.prepaid)}
    return about | {"balance_micro": standing.balance_micro, "low_balance_micro": standing.low_balance_micro}


def _tell_sites(conn: Connection, community: str, concerned: Mapping[str, Judged], now: int) -> bool:
    """Tell every site of these owners how all its owners stand, unless it was told just that; True if one was."""
    key = {"bucket": bucket_of(community), "community": community}
    as_of = settled_through(conn, community) or 0  # before the first settlement no energy is in a balance
    states = select(credit_state_table.c.owner, credit_state_table.c.state).filter_by(**key)
    parts = {owner: OwnerCredit(state, prepaid=False) for owner, state in conn.execute(states)}
    parts |= {owner: _part(item, as_of) for owner, item in concerned.items()}
    bodies, said = {}, []
    for site, (owners, told) in _sites(conn, community).items():
        if not owners & concerned.keys():
            continue
        body = Credit({owner: parts[owner] for owner in owners if owner in parts}).plain()
        if (named := digest(to_bytes(body))) != told:
            bodies[site] = body
            said.append({"of_site": site, "said": named})
    if bodies:
        rows = update(credit_told_table).filter_by(**key).where(credit_told_table.c.site == bindparam("of_site"))
        conn.execute(rows.values(hash=bindparam("said")), said)
        notices.post_many(conn, community, CREDIT, bodies, issued_at=now, expires_at=now + NOTICE_SECONDS)
    return bool(bodies)


def _part(item: Judged, as_of: int) -> OwnerCredit:
    """Return what a site needs: to count on by itself, the balance of who pays ahead; nobody else's concerns it."""
    if not item.standing.prepaid:
        return OwnerCredit(item.state, prepaid=False)
    return OwnerCredit(item.state, prepaid=True, balance_micro=item.standing.balance_micro, as_of=as_of)


def _sites(conn: Connection, community: str) -> Mapping[str, tuple[frozenset[str], str | None]]:
    """Return the owners of each site's taps by its newest tree, and the hash of what it was told last."""
    key = {"bucket": bucket_of(community), "community": community}
    known = {row.site: row for row in conn.execute(select(credit_told_table).filter_by(**key))}
    t, found = tree_table.c, {}
    newest = select(t.site, func.max(t.rev)).filter_by(**key).group_by(t.site).order_by(t.site)
    for site, rev in conn.execute(newest).all():
        if site in known and known[site].rev == rev:
            owners = frozenset(json.loads(known[site].owners))
        else:
            owners = _owners(tree_raw(conn, community, site, rev))
            values = {"rev": rev, "owners": json.dumps(sorted(owners))}
            upsert(conn, credit_told_table, ["bucket", "community", "site"], key | {"site": site} | values)
        found[site] = owners, known[site].hash if site in known else None
    return found


def _owners(raw: bytes | None) -> frozenset[str]:
    """Return who owns taps in a stored tree: whoever does has a boundary tap there."""
    if raw is None:
        return frozenset()
    _, taps = read_tree(raw)
    return frozenset(tap.owner for tap in taps.values())


def sites_with(conn: Connection, community: str, owner: str) -> list[str]:
    """Return the sites where an owner had taps when credit was judged last."""
    rows = select(credit_told_table.c.site, credit_told_table.c.owners)
    rows = rows.filter_by(bucket=bucket_of(community), community=community).order_by(credit_told_table.c.site)
    return [site for site, owners in conn.execute(rows) if owner in json.loads(owners)]
