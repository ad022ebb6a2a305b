"""Works out legs of hosts and rewards of drivers once more, from the records the cables signed, for an audit."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from cloud.database import bucket_of
from cloud.ledger import store as ledger
from cloud.ledger.account import AGGREGATOR, owner_account
from cloud.ledger.cause import V2G_PREFIXES, v2g_host_cause, v2g_reward_cause
from cloud.ledger.posting import postings_of
from cloud.ledger.store import entry_table
from cloud.settlement.audit.finding import Finding, Place, absent, compare, uncalled
from cloud.settlement.evidence import blind_of
from cloud.settlement.store import secret_of
from cloud.tariff.store import book
from cloud.v2g.audit.records.store import record_findings
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.reward.evidence import Earned, Leg, leg_document, period_name, reward_document
from cloud.v2g.reward.host.store import line_at, period_of
from cloud.v2g.reward.legs import GridPrices
from cloud.v2g.reward.reward import Rate
from cloud.v2g.reward.store import PERIOD_KEY, driver_reward_table, host_leg_table, rewarded_period_table
from cloud.v2g.terms.store import terms_of
from cloud.wire import digest

# a leg of a reward as both sides keep it
SHARED = ("seconds", "driver", "connected", "energy_wh", "base_micro", "price_micro_per_wh")


def v2g_findings(conn: Connection, community: str) -> list[Finding]:
    """Return everything about cables that does not follow, in a community of hosts, of drivers, or of both."""
    return [*_legs(conn, community), *_periods(conn, community), *_rewards(conn, community), *_strays(conn, community)]


def _legs(conn: Connection, community: str) -> Iterator[Finding]:
    """Hold each leg against the settled interval, the tariff and its periods."""
    rows = select(host_leg_table).filter_by(bucket=bucket_of(community), community=community)
    ordered = rows.order_by(*(host_leg_table.c[name] for name in ("start", "host", "revision")))
    before: Row[Any] | None = None
    for row in conn.execute(ordered).all():
        same = before is not None and (before.start, before.host) == (row.start, row.host)
        yield from _leg(conn, row, before if same else None)
        before = row


def _leg(conn: Connection, row: Row[Any], before: Row[Any] | None) -> Iterator[Finding]:
    community, key = row.community, (row.start, row.host)
    place = Place("v2g", community, "host_leg", {"start": row.start, "host": row.host, "revision": row.revision})
    line = line_at(conn, community, key, row.settled_revision)
    priced = book(conn, community, row.start, row.start).at(*key)
    if line is None or priced is None:
        yield uncalled(place, f"leg_micro {row.leg_micro}")
        return
    taken = select(rewarded_period_table).filter_by(bucket=row.bucket, community=community, start=row.start)
    taken = taken.filter_by(host=row.host).where(rewarded_period_table.c.revision <= row.revision)
    periods = [period_of(item) for item in conn.execute(taken)]
    leg = Leg(
        community=community,
        start=row.start,
        host=row.host,
        revision=0 if before is None else before.revision + 1,
        settled_revision=line[1],
        net_wh=line[0],
        cable_wh=sum(period.energy_wh for period in periods),
        prices=GridPrices(priced.prices.grid_buy_micro_per_wh, priced.prices.grid_sell_micro_per_wh),
        before_micro=0 if before is None else before.leg_micro,
    )
    blind = line[2] or blind_of(secret_of(conn, community), row.start, row.host)
    must = {
        "revision": leg.revision,
        **leg.figures,
        "evidence": digest(leg_document(leg, blind, periods)),
    }
    yield from compare(place, row._asdict(), must)
    cause = v2g_host_cause(row.start, blind, leg.revision)
    yield from _entry(conn, place, row, cause, {owner_account(row.host).id: leg.posted_micro})


def _entry(conn: Connection, place: Place, row: Row[Any], cause: str, moves: dict[str, int]) -> Iterator[Finding]:
    """Hold an entry against what it must move; the aggregator has the other side."""
    (micro,) = moves.values()
    if row.entry is None:
        if micro:
            yield absent(place, f"an entry of {micro} micro-points")
        return
    links = ledger.links_numbered(conn, row.community, [row.entry])
    if not links:
        yield absent(place, f"entry {row.entry}")
        return
    stored = {"cause": links[0].cause, "evidence": links[0].evidence, "postings": links[0].postings}
    postings = postings_of(moves | {AGGREGATOR.id: -micro})
    yield from compare(place, stored, {"cause": cause, "evidence": row.evidence, "postings": postings})


def _periods(conn: Connection, community: str) -> Iterator[Finding]:
    """Hold each period in a leg against its judgement, the terms, its records, and the driver's side."""
    rows = select(rewarded_period_table).filter_by(bucket=bucket_of(community), community=community)
    ordered = rows.order_by(*(rewarded_period_table.c[name] for name in ("start", "site", "cable")))
    for row in conn.execute(ordered).all():
        key = {name: getattr(row, name) for name in ("site", "start", "cable")}
        place = Place("v2g", community, "rewarded_period", key)
        judged = select(judged_period_table).filter_by(**{name: getattr(row, name) for name in PERIOD_KEY})
        stands = conn.execute(judged).one_or_none()
        if stands is None or stands.state != "final":
            yield uncalled(place, f"energy_wh {row.energy_wh}")
            continue
        terms = terms_of(conn, community, row.start)
        must = {name: getattr(stands, name) for name in ("seconds", "driver_community", "driver", "connected")}
        must |= {"host": stands.host_owner, "energy_wh": stands.energy_wh, "witness": stands.witness}
        must |= {"base_micro": terms.base_micro, "price_micro_per_wh": terms.price_micro_per_wh}
        yield from compare(place, row._asdict(), must)
        yield from record_findings(conn, place, period_of(row))
        if row.rewarded_at is not None and _driver_side(conn, row) is None:
            yield absent(place, f"driver_reward in {row.driver_community}")


def _driver_side(conn: Connection, row: Row[Any]) -> Row[Any] | None:
    name = period_name(row.community, row.site, row.start, row.cable)
    rows = select(driver_reward_table).filter_by(community=row.driver_community, period=name)
    return conn.execute(rows.filter_by(bucket=bucket_of(row.driver_community or ""))).one_or_none()


def _rewards(conn: Connection, community: str) -> Iterator[Finding]:
    """Hold each reward against the host's side of it, and the basic amounts of a cable against each other."""
    d = driver_reward_table.c
    rows = select(driver_reward_table).filter_by(bucket=bucket_of(community), community=community)
    near: list[Row[Any]] = []
    for row in conn.execute(rows.order_by(d.cable, d.start, d.period)).all():
        yield from _reward(conn, row)
        near = [item for item in near if item.cable == row.cable and item.start + item.seconds > row.start]
        if row.connected and row.base_due and near:
            yield uncalled(_place(row), "the basic amount for a time that has earned it")
        near += [row] if row.connected and row.base_due else []


def _place(row: Row[Any]) -> Place:
    return Place("v2g", row.community, "driver_reward", {"period": row.period})


def _reward(conn: Connection, row: Row[Any]) -> Iterator[Finding]:
    place = _place(row)
    rows = select(rewarded_period_table).filter_by(bucket=bucket_of(row.host_community), community=row.host_community)
    host_side = conn.execute(rows.filter_by(site=row.site, start=row.start, cable=row.cable)).one_or_none()
    if host_side is None:
        yield uncalled(place, f"reward_micro {row.reward_micro}")
        return
    yield from compare(place, row._asdict(), {name: getattr(host_side, name) for name in SHARED})
    period = period_of(host_side)
    rate = Rate(host_side.base_micro, host_side.price_micro_per_wh)
    earned = Earned(period, rate, bool(row.base_due))
    evidence = digest(reward_document(row.community, earned))
    must = {"period": period.name, "reward_micro": earned.reward.micro, "evidence": evidence}
    yield from compare(place, row._asdict(), must)
    moves = {owner_account(period.driver or "").id: earned.reward.micro}
    yield from _entry(conn, place, row, v2g_reward_cause(row.start, period.name), moves)


def _strays(conn: Connection, community: str) -> Iterator[Finding]:
    """Find entries about cables that no row accounts for."""
    owned = {"bucket": bucket_of(community), "community": community}
    named: Sequence[int] = [
        number
        for table in (host_leg_table, driver_reward_table)
        for number in conn.execute(select(table.c.entry).filter_by(**owned).where(table.c.entry.is_not(None))).scalars()
    ]
    e, known = entry_table.c, frozenset(named)
    rows = select(e.number, e.cause).filter_by(**owned)
    rows = rows.where(or_(*(e.cause.startswith(prefix) for prefix in V2G_PREFIXES))).order_by(e.number)
    for number, cause in conn.execute(rows):
        if number not in known:
            yield uncalled(Place("v2g", community, "entry", {"number": number}), cause)
