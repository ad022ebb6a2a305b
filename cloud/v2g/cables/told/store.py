"""Registers cables and changes their state, and tells the sites where they are plugged in within the same step."""

from sqlalchemy import Connection

from cloud.v2g.cables import store
from cloud.v2g.cables.cable import By, Cable, NotChanged, State
from cloud.v2g.cables.store import NotRegistered
from cloud.v2g.permission.store import tell_permission
from cloud.v2g.visits.store import sites_with


def register_and_tell(
    conn: Connection, cable: Cable, proof: str, by: By, now: int
) -> tuple[Cable, bool] | NotRegistered:
    """Register a cable; where it is plugged in already, the site is told what it may do now."""
    outcome = store.register(conn, cable, proof, by, now)
    if isinstance(outcome, tuple) and outcome[1]:
        tell_sites(conn, cable.cable, now)
    return outcome


def change_and_tell(
    conn: Connection, cable: str, state: State, *, by: By, note: str | None, now: int
) -> Cable | NotChanged:
    """Put a cable into another state and tell the sites where it is."""
    outcome = store.set_state(conn, cable, state, by=by, note=note, now=now)
    if isinstance(outcome, Cable):
        tell_sites(conn, cable, now)
    return outcome


def tell_sites(conn: Connection, cable: str, now: int) -> None:
    """Tell every site where a cable was lately what it may do there, as far as that has changed."""
    for community, site in sites_with(conn, cable, now):
        tell_permission(conn, community, site, now)
