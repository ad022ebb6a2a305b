"""Pays a driver for a period, in the driver's own community; done twice, it is done once."""

from typing import Any, Literal

from sqlalchemy import Connection, select

from cloud.database import bucket_of
from cloud.ledger import store as ledger
from cloud.ledger.account import AGGREGATOR, owner_account
from cloud.ledger.cause import v2g_reward_cause
from cloud.ledger.posting import AMOUNT_MICRO_MAX, Entry, postings_of
from cloud.notice.balance.store import tell_balances
from cloud.settlement.credit.store import judge_balances
from cloud.sites.store import owners_of
from cloud.v2g.reward.evidence import Earned, Period, reward_document
from cloud.v2g.reward.reward import Rate, base_is_due
from cloud.v2g.reward.store import driver_reward_table, tell_drivers
from cloud.wire import digest

HALF_HOUR = 1800  # no period is longer

type Paid = Literal["paid", "paid-already", "no-driver", "beyond-limits"]


def pay(conn: Connection, period: Period, rate: Rate, now: int) -> Paid:
    """Book what a period earns its driver, and tell the driver's sites.

    Whoever posts in this community waits for the ledger's head, and so does this before it looks at what was booked:
    the basic amount of a time is paid once, whoever comes first.
    """
    community, driver = period.driver_community, period.driver
    if community is None or driver is None or driver not in owners_of(conn, community):
        return "no-driver"
    ledger.locked_head(conn, community)
    d = driver_reward_table.c
    owned = _owned(community)
    if conn.execute(select(d.period).filter_by(**owned, period=period.name)).one_or_none() is not None:
        return "paid-already"
    earned = Earned(period, rate, base_is_due(period.start, period.seconds, _based(conn, community, period)))
    micro = earned.reward.micro
    if abs(micro) > AMOUNT_MICRO_MAX:
        return "beyond-limits"
    document = reward_document(community, earned)
    entry = _post(conn, (community, driver), earned, document, now)
    values = {
        "period": period.name,
        "host_community": period.community,
        "site": period.site,
        "start": period.start,
        "cable": period.cable,
        "seconds": period.seconds,
        "driver": driver,
        "connected": int(period.connected),
        "energy_wh": period.energy_wh,
        "base_due": int(earned.base_due),
        "base_micro": rate.base_micro,
        "price_micro_per_wh": rate.price_micro_per_wh,
        "reward_micro": micro,
        "evidence": digest(document),
        "document": document if entry is None else None,
        "entry": entry,
        "booked_at": now,
    }
    conn.execute(driver_reward_table.insert().values(owned | values))
    tell_drivers(conn, community, {driver}, now)
    return "paid"


def _based(conn: Connection, community: str, period: Period) -> list[tuple[int, int]]:
    """Return the times near a period for which its cable has earned the basic amount already."""
    d = driver_reward_table.c
    rows = select(d.start, d.seconds).filter_by(**_owned(community), cable=period.cable, connected=1, base_due=1)
    near = rows.where(d.start > period.start - HALF_HOUR, d.start < period.start + period.seconds)
    return [(int(start), int(seconds)) for start, seconds in conn.execute(near).tuples()]


def _post(conn: Connection, who: tuple[str, str], earned: Earned, document: bytes, now: int) -> int | None:
    micro = earned.reward.micro
    if not micro:
        return None
    community, driver = who
    account = owner_account(driver)
    ledger.open_accounts(conn, community, [AGGREGATOR, account], now)
    legs = postings_of({account.id: micro, AGGREGATOR.id: -micro})
    cause = v2g_reward_cause(earned.period.start, earned.period.name)
    number = ledger.post(conn, Entry(community, cause, now, now, digest(document), legs), document).number
    tell_balances(conn, community, {driver: ledger.balances(conn, community)[account.id]}, now)
    judge_balances(conn, community, now)
    return number


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
