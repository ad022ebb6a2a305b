"""Keeps what a first contact changes, and how many tries were wrong; every try counts as wrong until it is right."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, func, literal, select

from cloud.database import STRICT, TEXT, WHOLE, insert, metadata
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import change_device, device_of
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.logins.guess import Lock, counted
from cloud.hub.logins.secret import ARGON
from cloud.hub.logins.store import Tell, change_login, keep_lock, login_of
from cloud.sites.access.pairing import EVERYWHERE, WRONG_PER_ADDRESS_MAX, wait_s, window_of
from cloud.sites.transfer.passcodes import lock as locks

WRONG_KEPT_SECONDS = 86_400  # for a person who looks into what happened

# Belongs to an address, not to a community. Apart from wrong pairing codes: a maker's thousand systems that were set
# up wrong must not keep a home from pairing.
hub_wrong_try_table = Table(
    "hub_wrong_try",
    metadata,
    Column("address", TEXT, primary_key=True),
    Column("window_start", WHOLE, primary_key=True, autoincrement=False),
    Column("tries", WHOLE, nullable=False),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Try:
    """A try that will be looked at: of which community the device is, and what is kept of its initial password.

    `community` is "" for a device that nobody knows; `kept` is None where no password would be right. `locked_until`
    is set where this try, if it is wrong, locks the device.
    """

    community: str
    kept: str | None = field(default=None, repr=False)
    locked_until: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many tries came from this address: how long to wait, in seconds."""

    seconds: int


def wait_of(conn: Connection, address: str, now: int) -> Wait | None:
    """Return how long an address must wait; None if it may try now."""
    seconds = wait_s(_wrong(conn, address, now), _wrong(conn, EVERYWHERE, now), now)
    return None if seconds is None else Wait(seconds)


def begin(conn: Connection, device: str, address: str, now: int) -> Try | Wait:
    """Count a try at its device before it is looked at: a thousand sent at once are no more than a few.

    A device with a drawn initial password is never locked.
    """
    wait = wait_of(conn, address, now)
    if wait is not None:
        return wait
    login = login_of(conn, device, locked=True)
    if login is None:
        return Try("")
    if login.initial_hash is None or login.initial_until is None or login.initial_until <= now:
        return Try(login.community)
    if not login.initial_hash.startswith(ARGON):
        # drawn, so nobody guesses it: a lock would only let strangers keep the device out
        return Try(login.community, login.initial_hash)
    if locks.wait_s(login.lock, now) is not None:
        return Try(login.community)  # and not a word of the lock: a stranger learns not even that there is one
    lock = counted(login.lock, now)
    keep_lock(conn, device, lock)
    return Try(login.community, login.initial_hash, lock.locked_until or None)


def end_wrong(conn: Connection, device: str, address: str, tried: Try, now_ms: int) -> bool:
    """Note a wrong try in its device's community; tell whether its address has had its last one for now."""
    now = now_ms // 1000
    detail: dict[str, str | int | None] = {"address": address, "with": "initial-password"}
    events = [Event(tried.community, now_ms, "auth-failure", device, device, detail=detail)]
    if tried.locked_until is not None:
        seconds = tried.locked_until - now
        events.append(Event(tried.community, now_ms, "locked", device, device, detail=detail | {"seconds": seconds}))
    add_events(conn, events)
    return _count_wrong(conn, address, now) == WRONG_PER_ADDRESS_MAX


def note_address_locked(conn: Connection, address: str, now_ms: int) -> None:
    """Note that nothing an address tries is looked at for a while; it belongs to no community."""
    add_events(conn, [Event("", now_ms, "locked", address, detail={"address": address, "with": "initial-password"})])


def register(
    conn: Connection,
    device: str,
    tried: Try,
    secret: tuple[str, str],
    filled: Mapping[str, Any],
    *,
    address: str,
    tell: Tell,
    now_ms: int,
) -> Device | None:
    """Let a device in for good: its unique password (text and hash) takes the initial one's place, which is used up.

    None: the initial password was used, or taken back, by somebody who was faster.
    """
    login = login_of(conn, device, locked=True)
    before = device_of(conn, tried.community, device, locked=True)
    if login is None or before is None or tried.kept is None or login.initial_hash != tried.kept:
        return None
    first = login.registered_at or now_ms // 1000
    used = {"initial_hash": None, "initial_until": None, "next_hmac": None}
    change_login(conn, device, **used, secret_hmac=secret[1], registered_at=first)
    keep_lock(conn, device, Lock())
    change_device(conn, tried.community, device, _filled(before, filled) | {"state": "active"}, now_ms // 1000)
    tell(conn, device, secret[0], now_ms // 1000)
    detail: dict[str, str | int | None] = {"address": address}
    add_events(conn, [Event(tried.community, now_ms, "registered", device, device, detail=detail)])
    return device_of(conn, tried.community, device)


def _filled(before: Device, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a device may say of itself: only where staff has left it open."""
    found = {name: told[name] for name in ("maker", "model") if name in told and getattr(before, name) is None}
    if "name" in told and before.name == before.device:
        found["name"] = told["name"]
    if "latitude_e6" in told and before.latitude_e6 is None:
        found |= {name: told[name] for name in ("latitude_e6", "longitude_e6")}
    return found


def _wrong(conn: Connection, address: str, now: int) -> int:
    key = {"address": address, "window_start": window_of(now)}
    rows = select(func.coalesce(func.max(hub_wrong_try_table.c.tries), literal(0))).filter_by(**key)
    return int(conn.execute(rows).scalar_one())


def _count_wrong(conn: Connection, address: str, now: int) -> int:
    """Count a wrong try of an address; return how many it has now."""
    c = hub_wrong_try_table.c
    conn.execute(delete(hub_wrong_try_table).where(c.window_start < now - WRONG_KEPT_SECONDS))
    tries = [0]
    for name in (EVERYWHERE, address):
        row = insert(conn, hub_wrong_try_table).values(address=name, window_start=window_of(now), tries=1)
        again = row.on_conflict_do_update(index_elements=[c.address, c.window_start], set_={"tries": c.tries + 1})
        tries.append(int(conn.execute(again.returning(c.tries)).scalar_one()))
    return tries[-1]
