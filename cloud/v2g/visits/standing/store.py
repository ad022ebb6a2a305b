"""Tells what a cable may do at a site, from everything the cloud knows of both."""

from typing import Literal

from sqlalchemy import Connection

from cloud.sites.store import site_of
from cloud.v2g.cables.store import cable_of
from cloud.v2g.permission.rule import SiteStanding
from cloud.v2g.permission.store import note_told, permission_of
from cloud.v2g.records.store import last_number
from cloud.v2g.reward.store import figures
from cloud.v2g.terms.store import terms_of
from cloud.v2g.visits.store import add_visit, last_visit
from cloud.wire import Standing, Visit


def visit(
    conn: Connection, community: str, site: str, plugged: Visit, now: int
) -> Standing | Literal["too-many", "no-site"]:
    """Keep that a cable was plugged in and tell what it may do there; a notice comes when that changes."""
    number = last_number(conn, plugged.cable, now)
    if add_visit(conn, community, site, plugged, told_number=number, now=now) == "too-many":
        return "too-many"
    told = _standing(conn, community, site, plugged.cable, now)
    if told is None:
        return "no-site"
    note_told(conn, community, site, plugged.cable, SiteStanding(told.permission, told.cause, told.since), now=now)
    return told


def standing(conn: Connection, community: str, site: str, cable: str, now: int) -> Standing | None:
    """Tell what a cable may do at a site; None if it was never plugged in there, and is not the main owner's."""
    known, found = cable_of(conn, cable), site_of(conn, community, site)
    own = known is not None and found is not None and (known.community, known.owner) == (community, found.main_owner)
    if not own and last_visit(conn, community, site, cable) is None:
        return None
    return _standing(conn, community, site, cable, now)


def _standing(conn: Connection, community: str, site: str, cable: str, now: int) -> Standing | None:
    found = site_of(conn, community, site)
    if found is None:
        return None
    known, terms = cable_of(conn, cable), terms_of(conn, community)
    stands = permission_of(conn, community, site, cable, now)
    own = known is not None and (known.community, known.owner) == (community, found.main_owner)
    return Standing(
        cable=cable,
        site=site,
        permission=stands.permission,
        cause=stands.cause,
        since=stands.since,
        soc_floor_percent=terms.soc_floor_percent,
        tolerance_wh=terms.tolerance_wh,
        tolerance_percent=terms.tolerance_percent,
        public_key=None if known is None else known.public_key,
        last_number=last_number(conn, cable, now),
        own=own,
        reward=figures(conn, cable, community, found.main_owner, now) if own else None,
    )
