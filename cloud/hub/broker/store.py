"""Keeps what the broker is still to be told of devices' passwords, and which process tells it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, Column, Connection, Select, Table, delete, select, update

from cloud.database import RAW, STRICT, TEXT, WHOLE, insert_new, metadata, new_id, upsert
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.logins.store import Login, Tell, hub_login_table, login_of, use_next

from .seal import seal

LEASE_MS = 120_000  # longer than a turn takes at its worst: two questions, each answered or given up in time
LOGINS_MAX = 500  # looked up by one statement
ONE = 1

# by device, whose id is unique in the hub; a row stays only until the broker has confirmed it
hub_broker_change_table = Table(
    "hub_broker_change",
    metadata,
    Column("device", TEXT, primary_key=True),
    Column("change", TEXT, nullable=False),  # another one with each password
    Column("sealed", RAW),  # NULL: the device is to be removed
    Column("noted_at", WHOLE, nullable=False),
    **STRICT,
)

# one row: the process that tells the broker
hub_broker_lease_table = Table(
    "hub_broker_lease",
    metadata,
    Column("one", WHOLE, primary_key=True, autoincrement=False),
    Column("holder", TEXT, nullable=False),
    Column("until_ms", WHOLE, nullable=False),
    CheckConstraint("one = 1", name="only_one"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Change:
    """What the broker is to be told: a device's new password, sealed, or with None that it is no longer let in."""

    device: str
    change: str
    sealed: bytes | None


def note_login(conn: Connection, device: str, sealed_password: bytes | None, now: int) -> None:
    """Note a device's new password, or with None that it is revoked, in the transaction that makes it so.

    What was noted before and not done yet is forgotten: only the newest password counts.
    """
    values = {"device": device, "change": new_id(), "sealed": sealed_password, "noted_at": now}
    upsert(conn, hub_broker_change_table, ["device"], values)


def teller(key: bytes) -> Tell:
    """Return what notes a device's password as it is, sealed with a key; whoever changes a login calls it."""

    def tell(conn: Connection, device: str, password: str | None, now: int) -> None:
        note_login(conn, device, None if password is None else seal(key, password), now)

    return tell


def changes(conn: Connection, limit: int) -> list[Change]:
    """Return what the broker is still to be told, the oldest first."""
    c = hub_broker_change_table.c
    rows = select(c.device, c.change, c.sealed).order_by(c.change).limit(limit)
    return [Change(row.device, row.change, row.sealed) for row in conn.execute(rows)]


def erase(conn: Connection, done: Sequence[Change]) -> None:
    """Forget what the broker has confirmed, passwords with it; what was noted meanwhile stays."""
    for change in done:
        conn.execute(delete(hub_broker_change_table).filter_by(device=change.device, change=change.change))


def pending_of(conn: Connection) -> frozenset[str]:
    """Return the devices the broker is still to be told of."""
    return frozenset(conn.execute(select(hub_broker_change_table.c.device)).scalars())


def hold_lease(conn: Connection, holder: str, at_ms: int) -> bool:
    """Take or prolong the right to tell the broker; False while another process has it."""
    c = hub_broker_lease_table.c
    until_ms = at_ms + LEASE_MS
    if insert_new(conn, hub_broker_lease_table, {"one": ONE, "holder": holder, "until_ms": until_ms}):
        return True
    mine = update(hub_broker_lease_table).where((c.holder == holder) | (c.until_ms < at_ms))
    return conn.execute(mine.values(holder=holder, until_ms=until_ms)).rowcount == 1


def drop_lease(conn: Connection, holder: str) -> None:
    """Give the right back, so that the next process need not wait."""
    conn.execute(delete(hub_broker_lease_table).filter_by(holder=holder))


def community_of(conn: Connection, device: str) -> str | None:
    """Return the community of a device that may log in with a unique password; None where there is none."""
    login = login_of(conn, device)
    return login.community if login is not None and _has_secret(login) else None


def came_in(conn: Connection, device: str) -> tuple[str, bool] | None:
    """Return the community of a device that the broker let in, and whether it used its next password with that.

    The broker knows only the newest password once it has confirmed it.
    """
    login = login_of(conn, device)
    if login is None or not _has_secret(login):
        return None
    told = conn.execute(select(hub_broker_change_table.c.device).filter_by(device=device)).first() is None
    return login.community, told and login.next_hmac is not None


def next_used(conn: Connection, device: str, at_ms: int) -> None:
    """Let a device's next password take the place of the one before, as at any other door."""
    if (login := login_of(conn, device)) is not None:
        use_next(conn, login, at_ms)


def add_not_at_broker(conn: Connection, device: str, why: str, at_ms: int) -> None:
    """Note for whoever runs the community that a device cannot log in at the broker before it has a new password."""
    community = community_of(conn, device)
    if community is not None:
        add_events(conn, [Event(community, at_ms, "not-at-broker", "mqtt", device, detail={"why": why})])


def let_in(conn: Connection, after: str) -> list[str]:
    """Return a page of the devices that may log in with a unique password."""
    c = hub_login_table.c
    rows = _let_in().where(c.device > after).order_by(c.device).limit(LOGINS_MAX)
    return list(conn.execute(rows).scalars())


def strangers(conn: Connection, devices: Collection[str]) -> set[str]:
    """Return those of some devices that may not log in."""
    asked = list(devices)
    found: set[str] = set()
    for start in range(0, len(asked), LOGINS_MAX):
        rows = _let_in().where(hub_login_table.c.device.in_(asked[start : start + LOGINS_MAX]))
        found |= set(conn.execute(rows).scalars())
    return set(asked) - found


def _has_secret(login: Login) -> bool:
    return login.revoked_at is None and login.secret_hmac is not None


def _let_in() -> Select[tuple[str]]:
    c = hub_login_table.c
    return select(c.device).where(c.secret_hmac.is_not(None), c.revoked_at.is_(None))
