"""Keeps how connected systems log in; a device's id is unique in the world, its community is known only after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, Connection, Table, select, update

from cloud.bulk import GIVEN, as_given, given, insert_many
from cloud.database import STRICT, TEXT, WHOLE, insert_new, metadata
from cloud.hub.devices.store import change_device, device_of
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events

from .guess import Lock

hub_login_table = Table(
    "hub_login",
    metadata,
    Column("device", TEXT, primary_key=True),
    Column("community", TEXT, nullable=False),
    Column("initial_hash", TEXT),  # Argon2id of a chosen one, HMAC of a drawn one; NULL once it was used
    Column("initial_until", WHOLE),
    Column("secret_hmac", TEXT),
    Column("next_hmac", TEXT),  # after a rotation: takes the other's place the first time it is used
    Column("wrong", WHOLE, nullable=False),
    Column("locked_until", WHOLE, nullable=False),
    Column("tried_at", WHOLE, nullable=False),
    Column("registered_at", WHOLE),  # the first time; it stays when the login is revoked
    Column("revoked_at", WHOLE),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("(initial_hash IS NULL) = (initial_until IS NULL)", name="initial_for_some_time"),
    CheckConstraint("next_hmac IS NULL OR secret_hmac IS NOT NULL", name="next_after_one"),
    **STRICT,
)

# told within the transaction: a device's id, its new password or None for no more, and the time
type Tell = Callable[[Connection, str, str | None, int], None]


def tell_nobody(_conn: Connection, _device: str, _password: str | None, _now: int) -> None:
    """Tell nobody: there is no broker."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a device logs in: the hashes of its initial password, of its unique one, and of the one that will be next."""

    device: str
    community: str
    initial_hash: str | None = field(default=None, repr=False)
    initial_until: int | None = None
    secret_hmac: str | None = field(default=None, repr=False)
    next_hmac: str | None = field(default=None, repr=False)
    lock: Lock = field(default_factory=Lock)
    registered_at: int | None = None
    revoked_at: int | None = None


def add_login(conn: Connection, login: Login, now: int) -> bool:
    """Keep a login; False if there is a device of this id somewhere."""
    return insert_new(conn, hub_login_table, dict(zip(MEMBERS, _row(login, now), strict=True)))


MEMBERS = ("device", "community", "initial_hash", "initial_until", "wrong", "locked_until", "tried_at", "made_at")


def add_logins(conn: Connection, logins: Sequence[Login], now: int) -> None:
    """Keep logins of devices that have none."""
    insert_many(conn, hub_login_table, MEMBERS, [_row(login, now) for login in logins])


def _row(login: Login, now: int) -> tuple[Any, ...]:
    return login.device, login.community, login.initial_hash, login.initial_until, 0, 0, 0, now


def login_of(conn: Connection, device: str, *, locked: bool = False) -> Login | None:
    """Return a device's login; `locked` keeps others from changing it until the transaction ends."""
    rows = select(hub_login_table).filter_by(device=device)
    row = conn.execute(rows.with_for_update() if locked else rows).mappings().one_or_none()
    if row is None:
        return None
    lock = Lock(row["wrong"], row["locked_until"], row["tried_at"])
    hashes = (row["initial_hash"], row["initial_until"], row["secret_hmac"], row["next_hmac"])
    return Login(row["device"], row["community"], *hashes, lock, row["registered_at"], row["revoked_at"])


def communities_of(conn: Connection, devices: Sequence[str]) -> dict[str, str]:
    """Return in which community each of these devices is, of those there are."""
    asked = given(conn.dialect.name, {"device": TEXT})
    c = hub_login_table.c
    rows = select(c.device, c.community).select_from(asked.join(hub_login_table, c.device == asked.c.device))
    found = conn.execute(rows, {GIVEN: as_given([(device,) for device in devices])})
    return {row.device: row.community for row in found}


def keep_lock(conn: Connection, device: str, lock: Lock) -> None:
    """Keep how often a device's initial password was guessed at."""
    change_login(conn, device, wrong=lock.wrong, locked_until=lock.locked_until, tried_at=lock.tried_at)


def change_login(conn: Connection, device: str, **values: str | int | None) -> None:
    """Give a login other values."""
    conn.execute(update(hub_login_table).filter_by(device=device).values(**values))


def renew_initial(
    conn: Connection, community: str, device: str, initial: tuple[str, int], *, by: str, now_ms: int
) -> Literal["no-device", "has-source"] | None:
    """Give a device another initial password (hash and until when).

    A revoked one is awaited again. The unique password of one that is registered holds until it registers anew.
    """
    login, found = _own(conn, community, device), device_of(conn, community, device)
    if login is None or found is None:
        return "no-device"
    if found.source is not None:
        return "has-source"
    keep_lock(conn, device, Lock())
    change_login(conn, device, initial_hash=initial[0], initial_until=initial[1], revoked_at=None)
    if login.secret_hmac is None:
        change_device(conn, community, device, {"state": "awaited"}, now_ms // 1000)
    add_events(conn, [changed(community, device, by, "initial-password", now_ms)])
    return None


def replace_secret(
    conn: Connection, community: str, device: str, secret: tuple[str, str], *, by: str, tell: Tell, now_ms: int
) -> Literal["no-device", "not-registered"] | None:
    """Give a device another unique password (text and hash) at once: the one before opens nothing any more."""
    login = _own(conn, community, device)
    if login is None:
        return "no-device"
    if login.secret_hmac is None:
        return "not-registered"
    change_login(conn, device, secret_hmac=secret[1], next_hmac=None)
    tell(conn, device, secret[0], now_ms // 1000)
    add_events(conn, [changed(community, device, by, "password", now_ms)])
    return None


def offer_next(
    conn: Connection, community: str, device: str, secret: tuple[str, str], *, tell: Tell, now_ms: int
) -> bool:
    """Keep the password (text and hash) that a device has asked for: the one before holds until this is used."""
    login = _own(conn, community, device)
    if login is None or login.secret_hmac is None:
        return False
    change_login(conn, device, next_hmac=secret[1])
    tell(conn, device, secret[0], now_ms // 1000)
    add_events(conn, [changed(community, device, device, "next-password", now_ms)])
    return True


def use_next(conn: Connection, login: Login, now_ms: int) -> Login | None:
    """Let the next password take the other's place, now that it was used; return the login as it stands then."""
    found = login_of(conn, login.device, locked=True)
    if found is not None and found.next_hmac is not None and found.next_hmac == login.next_hmac:
        change_login(conn, login.device, secret_hmac=login.next_hmac, next_hmac=None)
        add_events(conn, [changed(login.community, login.device, login.device, "password", now_ms)])
        return login_of(conn, login.device)
    return found


def revoke(conn: Connection, community: str, device: str, *, by: str, tell: Tell, now_ms: int) -> bool:
    """Let a device in no more, by any password; False if the community has no such device."""
    if _own(conn, community, device) is None:
        return False
    change_login(
        conn,
        device,
        initial_hash=None,
        initial_until=None,
        secret_hmac=None,
        next_hmac=None,
        revoked_at=now_ms // 1000,
    )
    change_device(conn, community, device, {"state": "revoked"}, now_ms // 1000)
    tell(conn, device, None, now_ms // 1000)
    add_events(conn, [changed(community, device, by, "revoked", now_ms)])
    return True


def remove_login(conn: Connection, device: str) -> None:
    """Let go of the login of a device that nothing was ever heard of: its id is free again."""
    conn.execute(hub_login_table.delete().filter_by(device=device))


def _own(conn: Connection, community: str, device: str) -> Login | None:
    """Return the login of a community's own device, held until the transaction ends."""
    login = login_of(conn, device, locked=True)
    if login is None or login.community != community or device_of(conn, community, device) is None:
        return None
    return login


def changed(community: str, device: str, by: str, what: str, now_ms: int) -> Event:
    """Return what the event log says of a change at a device: who did what."""
    return Event(community, now_ms, "device-changed", by, device, detail={"what": what})
