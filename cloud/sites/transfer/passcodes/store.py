"""Keeps the passcodes of taps, how often each was guessed at and by whom, and every try that was looked at."""

from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Table, delete, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id, upsert

from .lock import Lock, counted, forgiven, remembered, wait_s

type Place = tuple[str, str, str]  # community, site, tap
type Outcome = Literal["right", "wrong"]

tap_passcode_table = Table(
    "tap_passcode",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("tap", TEXT, primary_key=True),
    Column("argon2id", TEXT, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    Column("set_by", TEXT, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)

passcode_lock_table = Table(
    "passcode_lock",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("subject", TEXT, primary_key=True),  # a tap's place, or whoever tries
    Column("wrong", WHOLE, nullable=False),
    Column("locked_until", WHOLE, nullable=False),
    Column("tried_at", WHOLE, nullable=False),
    **STRICT,
)

passcode_try_table = Table(
    "passcode_try",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("tap", TEXT, primary_key=True),
    Column("try", TEXT, primary_key=True),
    Column("tried_at", WHOLE, nullable=False),
    Column("tried_by", TEXT, nullable=False),
    Column("outcome", TEXT, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Try:
    """One try that was looked at: when, by whom (`owner:ben`), and whether it was `right` or `wrong`."""

    id: str
    tried_at: int
    tried_by: str
    outcome: Outcome


def passcode_of(conn: Connection, place: Place) -> str | None:
    """Return what is kept of a tap's passcode, None if none is set."""
    return conn.execute(select(tap_passcode_table.c.argon2id).filter_by(**_key(place))).scalar_one_or_none()


def taps_with_passcode(conn: Connection, community: str, site: str) -> frozenset[str]:
    """Return the taps of a site that have a passcode."""
    key = {"bucket": bucket_of(community), "community": community, "site": site}
    return frozenset(conn.execute(select(tap_passcode_table.c.tap).filter_by(**key)).scalars())


def set_passcode(conn: Connection, place: Place, argon2id: str, by: str, now: int) -> None:
    """Keep a tap's passcode in place of the one before; wrong tries at the old one are forgotten."""
    key = _key(place)
    upsert(conn, tap_passcode_table, [*key], key | {"argon2id": argon2id, "set_at": now, "set_by": by})
    _forget(conn, place)


def clear_passcode(conn: Connection, place: Place) -> None:
    """Take a tap's passcode away: whoever owns it next sets their own."""
    conn.execute(delete(tap_passcode_table).filter_by(**_key(place)))


def begin_try(conn: Connection, place: Place, by: str, now: int) -> int | None:
    """Count a try as wrong, at its tap and for its caller, before it is looked at; or return how long to wait.

    So a thousand tries sent at once are no more than five.
    """
    community = place[0]
    at_tap, of_caller = _locked(conn, community, _subject(place)), _locked(conn, community, by)
    of_caller = remembered(of_caller, now)
    waits = [wait for lock in (at_tap, of_caller) if (wait := wait_s(lock, now)) is not None]
    if waits:
        return max(waits)
    _keep(conn, community, _subject(place), counted(at_tap, now))
    _keep(conn, community, by, counted(of_caller, now))
    return None


def end_try(conn: Connection, place: Place, by: str, *, right: bool, now: int) -> None:
    """Put a try on record; one that was right is taken back where it was counted."""
    outcome = {"tried_at": now, "tried_by": by, "outcome": "right" if right else "wrong"}
    conn.execute(passcode_try_table.insert().values(_key(place) | {"try": new_id()} | outcome))
    if right:
        _forget(conn, place)
        _keep(conn, place[0], by, forgiven(_locked(conn, place[0], by), now))


def tries(conn: Connection, place: Place, after: str, limit: int) -> list[Try]:
    """Return the tries at a tap, oldest first, a page of them."""
    rows = select(passcode_try_table).filter_by(**_key(place)).where(passcode_try_table.c["try"] > after)
    rows = rows.order_by(passcode_try_table.c["try"]).limit(limit)
    return [Try(row["try"], row["tried_at"], row["tried_by"], row["outcome"]) for row in conn.execute(rows).mappings()]


def _key(place: Place) -> dict[str, int | str]:
    community, site, tap = place
    return {"bucket": bucket_of(community), "community": community, "site": site, "tap": tap}


def _subject(place: Place) -> str:
    return f"tap:{place[1]}/{place[2]}"


def _locked(conn: Connection, community: str, subject: str) -> Lock:
    """Return a lock and hold its row until the transaction ends: two tries at once are counted one after the other."""
    key = {"bucket": bucket_of(community), "community": community, "subject": subject}
    insert_new(conn, passcode_lock_table, key | asdict(Lock()))
    columns = (passcode_lock_table.c.wrong, passcode_lock_table.c.locked_until, passcode_lock_table.c.tried_at)
    return Lock(*conn.execute(select(*columns).filter_by(**key).with_for_update()).one())


def _keep(conn: Connection, community: str, subject: str, lock: Lock) -> None:
    key = {"bucket": bucket_of(community), "community": community, "subject": subject}
    conn.execute(update(passcode_lock_table).filter_by(**key).values(asdict(lock)))


def _forget(conn: Connection, place: Place) -> None:
    key = {"bucket": bucket_of(place[0]), "community": place[0], "subject": _subject(place)}
    conn.execute(delete(passcode_lock_table).filter_by(**key))
