"""Puts devices on the list and takes them off it, each with its login, or none of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from cloud.database import bucket_of
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import (
    add_device,
    add_devices,
    change_device,
    device_of,
    devices_named,
    hub_device_table,
    remove_device,
)
from cloud.hub.events.store import add_events
from cloud.hub.logins.store import Login, add_login, add_logins, changed, communities_of, login_of, remove_login
from cloud.hub.readings.store import hub_reading_table
from cloud.sites.store import community_of, site_table

from .sheet import BadRow

DEVICES_MAX = 100_000  # of a community: a utility's meters in one town; beyond, split it

type No = Literal["no-community", "no-site", "no-device", "taken", "too-many", "heard"]
type Initial = tuple[str, int]  # what is kept of an initial password, and until when it holds


@dataclass(frozen=True, slots=True)
class Plan:
    """What a list comes to: rows that are new, how many stand so already, and rows that contradict what stands."""

    new: dict[int, Device]
    existed: int
    bad: tuple[BadRow, ...]


def add(conn: Connection, device: Device, initial: Initial | None, *, by: str, now_ms: int) -> No | None:
    """Put a device on the list with its initial password."""
    now = now_ms // 1000
    if community_of(conn, device.community, locked=True) is None:
        return "no-community"
    if device.site is not None and device.site not in _sites(conn, device.community, {device.site}):
        return "no-site"
    if _count(conn, device.community) >= DEVICES_MAX:
        return "too-many"
    if not add_login(conn, _login(device, initial), now):
        return "taken"
    assert add_device(conn, device, now), "a login was there without its device"
    add_events(conn, [changed(device.community, device.device, by, "added", now_ms)])
    return None


def plan(conn: Connection, community: str, rows: Mapping[int, Device]) -> Plan | No:
    """Compare a list with what stands; nothing is written."""
    if community_of(conn, community) is None:
        return "no-community"
    names = [device.device for device in rows.values()]
    owned, standing = communities_of(conn, names), devices_named(conn, community, names)
    sites = _sites(conn, community, {device.site for device in rows.values() if device.site is not None})
    new, bad, existed = dict[int, Device](), list[BadRow](), 0
    for number, device in rows.items():
        before = standing.get(device.device)
        if before is not None and replace(before, state=device.state) == device:
            existed += 1
        elif before is not None:
            why = "stands on the list with other data; change it there"
            bad.append(BadRow(number, device.device, "other-device", why))
        elif device.device in owned:
            bad.append(BadRow(number, device.device, "device-taken", "another device of the hub has this id"))
        elif device.site is not None and device.site not in sites:
            bad.append(BadRow(number, device.device, "no-site", f"the community has no site {device.site}"))
        else:
            new[number] = device
    if new and _count(conn, community) + len(new) > DEVICES_MAX:
        return "too-many"
    return Plan(new, existed, tuple(bad))


def import_all(
    conn: Connection,
    community: str,
    rows: Mapping[int, Device],
    initials: Mapping[str, Initial],
    *,
    by: str,
    now_ms: int,
) -> Plan | No:
    """Put all devices of a list on ours, or none where any row is bad."""
    if community_of(conn, community, locked=True) is None:
        return "no-community"
    found = plan(conn, community, rows)
    if isinstance(found, str) or found.bad:
        return found
    devices = [*found.new.values()]
    add_logins(conn, [_login(device, initials.get(device.device)) for device in devices], now_ms // 1000)
    add_devices(conn, devices, now_ms // 1000)
    add_events(conn, [changed(community, device.device, by, "imported", now_ms) for device in devices])
    return found


def change(
    conn: Connection, community: str, device: str, values: Mapping[str, Any], *, by: str, now_ms: int
) -> Device | No:
    """Give a device other values; return it as it stands then. The same again changes nothing."""
    before = device_of(conn, community, device, locked=True)
    if before is None:
        return "no-device"
    site = values.get("site")
    if site is not None and site not in _sites(conn, community, {site}):
        return "no-site"
    after = _moved(conn, replace(before, **values))
    differing = [name for name, value in asdict(after).items() if value != getattr(before, name)]
    if differing:
        change_device(conn, community, device, {name: getattr(after, name) for name in differing}, now_ms // 1000)
        add_events(conn, [changed(community, device, by, ",".join(differing), now_ms)])
    return after


def _moved(conn: Connection, device: Device) -> Device:
    """Return a device whose source may have changed: through a source it is read at once, alone it must register."""
    login = login_of(conn, device.device)
    if device.state == "revoked" or (login is not None and login.secret_hmac is not None):
        return device
    return replace(device, state="active" if device.source is not None else "awaited")


def remove(conn: Connection, community: str, device: str, *, by: str, now_ms: int) -> No | None:
    """Take a device off the list that never registered and that nothing was heard of; its id is free again."""
    login = login_of(conn, device, locked=True)  # first, as everywhere, so that nobody waits in a ring
    if device_of(conn, community, device, locked=True) is None:
        return "no-device"
    key = {"bucket": bucket_of(community), "community": community}
    readings = select(hub_reading_table.c.device).filter_by(**key, device=device).limit(1)
    registered = login is not None and login.registered_at is not None
    if registered or conn.execute(readings).first():
        return "heard"
    remove_device(conn, community, device)
    remove_login(conn, device)
    add_events(conn, [changed(community, device, by, "removed", now_ms)])
    return None


def _login(device: Device, initial: Initial | None) -> Login:
    initial_hash, until = initial if initial is not None else (None, None)
    return Login(device.device, device.community, initial_hash, until)


def _count(conn: Connection, community: str) -> int:
    rows = select(func.count()).select_from(hub_device_table)
    return conn.execute(rows.filter_by(bucket=bucket_of(community), community=community)).scalar_one()


def _sites(conn: Connection, community: str, names: set[str]) -> set[str]:
    """Return those of the sites that the community has."""
    rows = select(site_table.c.site).filter_by(bucket=bucket_of(community), community=community)
    return set(conn.execute(rows.where(site_table.c.site.in_(names))).scalars()) if names else set()
