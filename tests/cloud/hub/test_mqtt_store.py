"""What the broker is still to be told is kept until it has confirmed it, and told by one process at a time."""

from pathlib import Path

from cloud.database import Database
from cloud.hub.broker.seal import opened
from cloud.hub.broker.store import (
    LEASE_MS,
    add_not_at_broker,
    came_in,
    changes,
    community_of,
    drop_lease,
    erase,
    hold_lease,
    hub_broker_change_table,
    let_in,
    next_used,
    note_login,
    pending_of,
    strangers,
    teller,
)
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import add_device
from cloud.hub.events.store import hub_event_table
from cloud.hub.logins.store import Login, add_login, change_login, login_of, revoke
from tests.cloud.ground import NOON, OpenDatabase, found

KEY = bytes(range(32))


def grounded(open_database: OpenDatabase, tmp_path: Path) -> Database:
    """Open a database with a community and two devices, of which the first has registered."""
    database = open_database(tmp_path)
    with database.engine.begin() as conn:
        found(conn)
        for device in ("meter-1", "meter-2"):
            add_device(conn, Device("lane", device, "meter", device, state="active"), NOON)
            add_login(conn, Login(device, "lane"), NOON)
        change_login(conn, "meter-1", secret_hmac="one")
    return database


def test_only_the_newest_password_waits_and_only_sealed(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Nobody reads it in the database, and an older one is never handed over after it."""
    with grounded(open_database, tmp_path).engine.begin() as conn:
        tell = teller(KEY)
        tell(conn, "meter-1", "first", NOON)
        tell(conn, "meter-2", "other", NOON)
        [old, _] = changes(conn, 10)
        tell(conn, "meter-1", "second", NOON)
        erase(conn, [old])  # told meanwhile; the newer one stays
        waiting = {change.device: change for change in changes(conn, 10)}
        assert set(waiting) == pending_of(conn) == {"meter-1", "meter-2"}
        sealed = waiting["meter-1"].sealed
        assert sealed is not None
        assert b"second" not in sealed
        assert opened(KEY, sealed) == "second"
        tell(conn, "meter-2", None, NOON)
        assert {change.device: change.sealed is None for change in changes(conn, 10)} == {
            "meter-1": False,
            "meter-2": True,
        }
        erase(conn, changes(conn, 10))
        assert conn.execute(hub_broker_change_table.select()).all() == []


def test_changes_come_oldest_first_and_a_page_of_them(open_database: OpenDatabase, tmp_path: Path) -> None:
    """So that none waits for ever."""
    with grounded(open_database, tmp_path).engine.begin() as conn:
        for number in range(5):
            note_login(conn, f"d{number}", b"", NOON)
        note_login(conn, "d0", b"", NOON)
        assert [change.device for change in changes(conn, 3)] == ["d1", "d2", "d3"]


def test_one_holds_the_lease_until_it_leaves_it_or_is_gone(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Whoever prolongs it in time keeps it."""
    with grounded(open_database, tmp_path).engine.begin() as conn:
        assert hold_lease(conn, "a", 0)
        assert not hold_lease(conn, "b", 1)
        assert hold_lease(conn, "a", LEASE_MS)
        assert not hold_lease(conn, "b", LEASE_MS + 1)
        assert hold_lease(conn, "b", 2 * LEASE_MS + 1)
        assert not hold_lease(conn, "a", 2 * LEASE_MS + 1)
        drop_lease(conn, "a")  # not its own
        assert not hold_lease(conn, "a", 2 * LEASE_MS + 2)
        drop_lease(conn, "b")
        assert hold_lease(conn, "a", 2 * LEASE_MS + 2)


def test_who_may_log_in_is_who_has_a_unique_password(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Not who is awaited, nor who was revoked."""
    with grounded(open_database, tmp_path).engine.begin() as conn:
        assert let_in(conn, "") == ["meter-1"]
        assert let_in(conn, "meter-1") == []
        assert strangers(conn, {"meter-1", "meter-2", "else"}) == {"meter-2", "else"}
        assert strangers(conn, set()) == set()
        assert [community_of(conn, device) for device in ("meter-1", "meter-2", "else")] == ["lane", None, None]
        revoke(conn, "lane", "meter-1", by="staff", tell=teller(KEY), now_ms=NOON * 1000)
        assert let_in(conn, "") == []
        assert community_of(conn, "meter-1") is None
        assert came_in(conn, "meter-1") is None
        assert [change.sealed for change in changes(conn, 10)] == [None]


def test_coming_in_with_the_next_password_ends_the_one_before(open_database: OpenDatabase, tmp_path: Path) -> None:
    """But not while the broker may still know the old one."""
    with grounded(open_database, tmp_path).engine.begin() as conn:
        change_login(conn, "meter-1", next_hmac="two")
        note_login(conn, "meter-1", b"", NOON)
        assert came_in(conn, "meter-1") == ("lane", False)
        erase(conn, changes(conn, 10))
        assert came_in(conn, "meter-1") == ("lane", True)
        next_used(conn, "meter-1", NOON * 1000)
        login = login_of(conn, "meter-1")
        assert login is not None
        assert (login.secret_hmac, login.next_hmac) == ("two", None)
        assert came_in(conn, "meter-1") == ("lane", False)


def test_whom_the_broker_does_not_know_is_told_to_its_community(open_database: OpenDatabase, tmp_path: Path) -> None:
    """And of nobody it is told that nobody knows."""
    with grounded(open_database, tmp_path).engine.begin() as conn:
        add_not_at_broker(conn, "meter-1", "why", NOON * 1000)
        add_not_at_broker(conn, "stranger", "why", NOON * 1000)
        [row] = conn.execute(hub_event_table.select()).all()
        assert (row.community, row.kind, row.device) == ("lane", "not-at-broker", "meter-1")
