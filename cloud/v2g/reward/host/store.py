"""Gives a host back what cables changed on the bill of an interval, once it is settled and they are judged finally."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from cloud.database import bucket_of
from cloud.ledger import store as ledger
from cloud.ledger.account import AGGREGATOR, owner_account
from cloud.ledger.cause import v2g_host_cause
from cloud.ledger.posting import AMOUNT_MICRO_MAX, Entry, postings_of
from cloud.notice.balance.store import tell_balances
from cloud.settlement.correction.store import settled_correction_table, settled_owner_correction_table
from cloud.settlement.credit.store import judge_balances
from cloud.settlement.evidence import blind_of
from cloud.settlement.store import hold, settled_owner_interval_table
from cloud.sites.store import owners_of
from cloud.tariff.store import held_book
from cloud.v2g.corrections.store import add_supply
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.reward.evidence import Leg, Period, Record, leg_document, read_records, records_text
from cloud.v2g.reward.legs import GridPrices
from cloud.v2g.reward.store import host_leg_table, rewarded_period_table, tell_cables
from cloud.v2g.terms.store import terms_of
from cloud.wire import digest

type Key = tuple[int, str]  # an interval's start and a host
type NotTaken = Literal["no-host", "no-line", "no-tariff", "records-differ", "beyond-limits", "nothing-new"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A leg that was brought to where it stands now; `entry` is None where no points moved."""

    start: int
    host: str
    revision: int
    entry: int | None


def take(conn: Connection, community: str, key: Key, periods: Sequence[Period], now: int) -> Taken | NotTaken:
    """Bring a host's leg of an interval to where it stands with these periods too, in the caller's transaction.

    Done twice, or by two machines at once, it is done once: settlers and this wait for each other, and what another
    has taken meanwhile is left out.
    """
    start, host = key
    secret = hold(conn, community)
    if host not in owners_of(conn, community):
        return "no-host"
    if any(item.signed_wh != item.energy_wh for item in periods):
        return "records-differ"
    stands = _line(conn, community, key)
    if stands is None:
        return "no-line"
    priced = held_book(conn, community, start, start).at(start, host)
    if priced is None:
        return "no-tariff"
    before, known = _newest(conn, community, key), _taken(conn, community, key)
    news = [item for item in periods if (item.site, item.cable) not in known and _still_final(conn, item)]
    net_wh, settled_revision, blind = stands
    if not news and before is not None and before.settled_revision == settled_revision:
        return "nothing-new"
    every = [*known.values(), *news]
    leg = Leg(
        community=community,
        start=start,
        host=host,
        revision=0 if before is None else before.revision + 1,
        settled_revision=settled_revision,
        net_wh=net_wh,
        cable_wh=sum(item.energy_wh for item in every),
        prices=GridPrices(priced.prices.grid_buy_micro_per_wh, priced.prices.grid_sell_micro_per_wh),
        before_micro=0 if before is None else before.leg_micro,
    )
    if max(abs(leg.leg_micro), abs(leg.posted_micro)) > AMOUNT_MICRO_MAX:
        return "beyond-limits"
    document = leg_document(leg, blind or blind_of(secret, start, host), every)
    entry = _post(conn, leg, blind or blind_of(secret, start, host), document, now)
    _keep_leg(conn, leg, document, entry, now)
    _keep_periods(conn, leg, news, now)
    for site in sorted({item.site for item in every}):
        add_supply(conn, community, site, start, now)
    tell_cables(conn, community, sorted({item.site for item in every}), now)
    return Taken(start, host, leg.revision, entry)


def _line(conn: Connection, community: str, key: Key) -> tuple[int, int, str | None] | None:
    """Return a host's net in a settled interval as it stands now, the newest correction, and its name there."""
    return line_at(conn, community, key, None)


def line_at(conn: Connection, community: str, key: Key, revision: int | None) -> tuple[int, int, str | None] | None:
    """Return a host's net in a settled interval after a correction (None: the newest), which that is, and its name."""
    start, host = key
    p, c, s = settled_owner_interval_table.c, settled_owner_correction_table.c, settled_correction_table.c
    owned = _owned(community) | {"start": start}
    first = conn.execute(select(p.net_wh, p.blind).filter_by(**owned, owner=host)).one_or_none()
    later = select(c.net_wh, c.blind).filter_by(**owned, owner=host).order_by(c.revision)
    revisions = select(func.coalesce(func.max(s.revision), 0)).filter_by(**owned)
    if revision is not None:
        later, revisions = later.where(c.revision <= revision), revisions.where(s.revision <= revision)
    lines = [*([] if first is None else [first]), *conn.execute(later)]
    if not lines:
        return None
    blind = next((line.blind for line in lines if line.blind is not None), None)
    return sum(line.net_wh for line in lines), conn.execute(revisions).scalar_one(), blind


def _newest(conn: Connection, community: str, key: Key) -> Row[Any] | None:
    rows = select(host_leg_table).filter_by(**_owned(community), start=key[0], host=key[1])
    return conn.execute(rows.order_by(host_leg_table.c.revision.desc()).limit(1)).one_or_none()


def _taken(conn: Connection, community: str, key: Key) -> Mapping[tuple[str, str], Period]:
    rows = select(rewarded_period_table).filter_by(**_owned(community), start=key[0], host=key[1])
    return {(row.site, row.cable): period_of(row) for row in conn.execute(rows)}


def period_of(row: Row[Any]) -> Period:
    """Read a period that is in a leg."""
    return period_with(row, row.host, read_records(row.records))


def period_with(row: Row[Any], host: str, records: tuple[Record, ...]) -> Period:
    """Read what a judged period and one that is in a leg have in common, with what they have each its own way."""
    return Period(
        community=row.community,
        site=row.site,
        start=row.start,
        seconds=row.seconds,
        cable=row.cable,
        host=host,
        driver_community=row.driver_community,
        driver=row.driver,
        connected=bool(row.connected),
        energy_wh=row.energy_wh,
        witness=row.witness,
        records=records,
    )


def _still_final(conn: Connection, period: Period) -> bool:
    """Tell whether a period is judged as it was read before, and keep it so until this transaction ends."""
    key = {"bucket": bucket_of(period.community), "community": period.community, "site": period.site}
    rows = select(judged_period_table.c.energy_wh, judged_period_table.c.state)
    rows = rows.filter_by(**key, start=period.start, cable=period.cable).with_for_update()
    return tuple(conn.execute(rows).one()) == (period.energy_wh, "final")


def _post(conn: Connection, leg: Leg, blind: str, document: bytes, now: int) -> int | None:
    if not leg.posted_micro:
        return None
    account = owner_account(leg.host)
    ledger.open_accounts(conn, leg.community, [AGGREGATOR, account], now)
    legs = postings_of({account.id: leg.posted_micro, AGGREGATOR.id: -leg.posted_micro})
    cause = v2g_host_cause(leg.start, blind, leg.revision)
    entry = Entry(leg.community, cause, now, now, digest(document), legs)
    number = ledger.post(conn, entry, document).number
    tell_balances(conn, leg.community, {leg.host: ledger.balances(conn, leg.community)[account.id]}, now)
    judge_balances(conn, leg.community, now)
    return number


def _keep_leg(conn: Connection, leg: Leg, document: bytes, entry: int | None, now: int) -> None:
    owned = _owned(leg.community) | {"start": leg.start}
    values = {
        **leg.figures,
        "evidence": digest(document),
        "document": document if entry is None else None,
        "entry": entry,
        "made_at": now,
    }
    conn.execute(host_leg_table.insert().values(owned | {"host": leg.host, "revision": leg.revision} | values))


def _keep_periods(conn: Connection, leg: Leg, news: Sequence[Period], now: int) -> None:
    """Keep the periods that this leg takes in, with the rate they are under: their drivers are to be paid by it."""
    owned, terms = _owned(leg.community) | {"start": leg.start}, terms_of(conn, leg.community, leg.start)
    for item in news:
        members = {
            "site": item.site,
            "cable": item.cable,
            "seconds": item.seconds,
            "host": item.host,
            "revision": leg.revision,
            "driver_community": item.driver_community,
            "driver": item.driver,
            "connected": int(item.connected),
            "energy_wh": item.energy_wh,
            "witness": item.witness,
            "base_micro": terms.base_micro,
            "price_micro_per_wh": terms.price_micro_per_wh,
            "records": records_text(item.records),
            "taken_at": now,
        }
        conn.execute(rewarded_period_table.insert().values(owned | members))


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
