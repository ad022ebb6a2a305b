"""Keeps the flags of sites with their history, and tells what a cable may do at a site now, and when that changes."""

from collections.abc import Iterable
from dataclasses import dataclass
import json
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, func, or_, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.hub.wiring.rates.store import rates_of
from cloud.ingest.cables.store import cable_period_table
from cloud.notice.kind import PERMISSION
from cloud.notice.store import post
from cloud.sites.distance import farthest_m
from cloud.sites.store import site_of
from cloud.v2g.cables.signature import shows_other_key
from cloud.v2g.cables.store import cable_of
from cloud.v2g.place.store import place_of
from cloud.v2g.records.store import signed_record_table
from cloud.v2g.terms.store import terms_of
from cloud.v2g.visits.store import cables_at, last_visit
from cloud.wire.cable import CABLES_MAX, Cause, Permission, PermissionChange, Place

from .rule import FREE, SiteStanding, combined, of_cable, of_demand, of_distance, strictest

SIGNED_LATELY_SECONDS = 3600  # two periods: then it has signed again
PERMISSION_SECONDS = 86_400  # a site that comes back later asks anew

CLOUD = "cloud"  # who set a flag that nobody set by hand

site_flag_table = Table(
    "site_flag",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("permission", TEXT, nullable=False),
    Column("cause", TEXT, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    Column("set_by", TEXT, nullable=False),
    Column("note", TEXT),
    Column("evidence", TEXT),  # the starts of the periods that spoke against the site, as a JSON list
    CheckConstraint("permission IN ('allowed', 'charge_only', 'denied')", name="permission_known"),
    CheckConstraint("cause IN ('none', 'mismatch', 'utility', 'operator')", name="cause_known"),
    CheckConstraint("(permission = 'allowed') = (cause = 'none')", name="no_cause_where_allowed"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)

# what each cable at a site was told last, so that only what changes is told
told_permission_table = Table(
    "told_permission",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("cable", TEXT, primary_key=True),
    Column("permission", TEXT, nullable=False),
    Column("cause", TEXT, nullable=False),
    Column("told_at", WHOLE, nullable=False),
    CheckConstraint("permission IN ('allowed', 'charge_only', 'denied')", name="permission_known"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of a site as it was set: the how-manieth, by whom, why, and the periods that spoke against the site."""

    number: int
    permission: Permission
    cause: Cause
    set_at: int
    set_by: str
    note: str | None
    evidence: tuple[int, ...]

    @property
    def standing(self) -> SiteStanding:
        """What this flag lets cables do."""
        return SiteStanding(self.permission, self.cause, self.set_at)


type NotSet = Literal["no-site", "not-flagged"]


def flags_of(conn: Connection, community: str, site: str, *, before: int | None = None, limit: int = 1) -> list[Flag]:
    """Return the flags that were set at a site, the newest first; only those before a number, if one is named."""
    rows = select(site_flag_table).filter_by(bucket=bucket_of(community), community=community, site=site)
    if before is not None:
        rows = rows.where(site_flag_table.c.number < before)
    return [_flag(row) for row in conn.execute(rows.order_by(site_flag_table.c.number.desc()).limit(limit))]


def _flag(row: Row[Any]) -> Flag:
    evidence = () if row.evidence is None else tuple(json.loads(row.evidence))
    return Flag(row.number, row.permission, row.cause, row.set_at, row.set_by, row.note, evidence)


def set_flag(
    conn: Connection,
    community: str,
    site: str,
    standing: SiteStanding,
    *,
    by: str = CLOUD,
    note: str | None = None,
    evidence: tuple[int, ...] = (),
) -> tuple[Flag, bool] | NotSet:
    """Set a site's flag; the flag is False where it stands so already. Whoever calls this calls `tell_permission`."""
    if site_of(conn, community, site, locked=True) is None:
        return "no-site"
    newest = flags_of(conn, community, site)
    stands = newest[0].standing if newest else FREE
    if newest and (stands.permission, stands.cause) == (standing.permission, standing.cause):
        return newest[0], False
    if not newest and standing.permission == "allowed":
        return "not-flagged"
    number = newest[0].number + 1 if newest else 1
    made = Flag(number, standing.permission, standing.cause, standing.since, by, note, evidence)
    owned = {"bucket": bucket_of(community), "community": community, "site": site, "number": number}
    values = {"permission": made.permission, "cause": made.cause, "set_at": made.set_at, "set_by": by, "note": note}
    conn.execute(
        site_flag_table.insert().values(owned | values | {"evidence": json.dumps(evidence) if evidence else None})
    )
    return made, True


def decided_at(conn: Connection, community: str, site: str) -> int:
    """Return when a person last decided on a site's flag, 0 for never: what was before is dealt with."""
    c = site_flag_table.c
    rows = select(func.max(c.set_at)).filter_by(bucket=bucket_of(community), community=community, site=site)
    last: int | None = conn.execute(rows.where(c.set_by != CLOUD)).scalar_one()
    return last or 0


def flag_of(conn: Connection, community: str, site: str) -> SiteStanding:
    """Return what a site's flag lets cables do."""
    newest = flags_of(conn, community, site)
    return newest[0].standing if newest else FREE


def standing_of(conn: Connection, community: str, site: str, now: int) -> SiteStanding:
    """Return what a site lets any cable do now: by its flag, and by how loaded its grid equipment is."""
    demand = of_demand(rates_of(conn, community, site, now), terms_of(conn, community).demand_percent)
    return strictest((flag_of(conn, community, site), demand))


def permission_of(conn: Connection, community: str, site: str, cable: str, now: int) -> SiteStanding:
    """Return what a cable may do at a site now, why, and since when.

    Reads the cable's own facts, which lie in another bucket, and writes nothing.
    """
    known, visit = cable_of(conn, cable), last_visit(conn, community, site, cable)
    if known is None or (visit is not None and shows_other_key(visit.public_key, known.public_key)):
        own = of_cable(None, now)
    else:
        own = of_cable(known.state, known.since)
    most_m = terms_of(conn, community).distance_m
    away = of_distance(_distance_m(conn, community, site, cable, now), most_m, now)
    return combined(own, standing_of(conn, community, site, now), away)


def _distance_m(conn: Connection, community: str, site: str, cable: str, now: int) -> int | None:
    """Return how far from the site a cable is, by whichever says farthest: its visit, the site's report, its signature.

    Of each kind the newest counts, and none from before it was plugged in; when that was is the site's word, so what
    the cable signed lately, or what has only just come of it, counts all the same. The visit's own place counts until
    something newer is said: as a car is plugged in, its receiver may still tell where it was before.
    """
    registered = place_of(conn, community, site)
    if registered is None:
        return None
    visit = last_visit(conn, community, site, cable)
    since = 0 if visit is None else visit.plugged_at
    p, r, lately = cable_period_table.c, signed_record_table.c, now - SIGNED_LATELY_SECONDS
    reported = select(p.latitude, p.longitude, (p.start + p.seconds).label("end"))
    reported = reported.filter_by(bucket=bucket_of(community), community=community, site=site)
    reported = reported.where(p.cable == cable, p.latitude.is_not(None), p.start + p.seconds > since)
    signed = select(r.latitude, r.longitude, (r.start + r.seconds).label("end"))
    signed = signed.filter_by(bucket=bucket_of(cable), cable=cable, site=site)
    signed = signed.where(r.latitude.is_not(None))
    signed = signed.where(or_(r.start + r.seconds > min(since, lately), r.stored_at > lately))
    newest = reported.order_by(p.start.desc()), signed.order_by(r.start.desc())
    found = [row for rows in newest if (row := conn.execute(rows.limit(1)).one_or_none()) is not None]
    told: list[Place | None] = [(row.latitude, row.longitude) for row in found]
    if visit is not None and all(row.end <= since for row in found):
        told.append(visit.place)
    return farthest_m(registered.place, tuple(told))


def tell_permission(conn: Connection, community: str, site: str, now: int) -> bool:
    """Tell a site, within the caller's transaction, what its cables may do where that has changed since it was told.

    Whoever changes a flag, a cable's state, a place or a demand rate calls this for the sites it concerns, and rings
    the bell after its transaction if this returns true.
    """
    if site_of(conn, community, site, locked=True) is None:
        return False
    changed = _changed(conn, community, site, now)
    if changed:
        body = PermissionChange(changed, terms_of(conn, community).soc_floor_percent).plain()
        post(conn, community, site, PERMISSION, body, issued_at=now, expires_at=now + PERMISSION_SECONDS)
        for cable, (permission, cause) in changed.items():
            note_told(conn, community, site, cable, SiteStanding(permission, cause, now), now=now)
    return bool(changed)


def untold(conn: Connection, places: Iterable[tuple[str, str]], now: int) -> list[tuple[str, str]]:
    """Return where (community, site) a cable may do something else than its site was told; nothing is written."""
    return [place for place in places if _changed(conn, *place, now)]


def _changed(conn: Connection, community: str, site: str, now: int) -> dict[str, tuple[Permission, Cause]]:
    told = _told(conn, community, site)
    found: dict[str, tuple[Permission, Cause]] = {}
    for cable in cables_at(conn, community, site, now)[:CABLES_MAX]:
        stands = permission_of(conn, community, site, cable, now)
        if told.get(cable) != (stands.permission, stands.cause):
            found[cable] = stands.permission, stands.cause
    return found


def note_told(conn: Connection, community: str, site: str, cable: str, stands: SiteStanding, *, now: int) -> None:
    """Note what a site was told of a cable, in a notice or when it asked: only what differs is told again."""
    key = {"bucket": bucket_of(community), "community": community, "site": site, "cable": cable}
    values = {"permission": stands.permission, "cause": stands.cause, "told_at": now}
    upsert(conn, told_permission_table, [*key], key | values)


def _told(conn: Connection, community: str, site: str) -> dict[str, tuple[str, str]]:
    c = told_permission_table.c
    rows = select(c.cable, c.permission, c.cause).filter_by(bucket=bucket_of(community), community=community, site=site)
    return {row.cable: (row.permission, row.cause) for row in conn.execute(rows)}


def overview(
    conn: Connection, community: str, site: str, *, before: int | None, limit: int, now: int
) -> tuple[SiteStanding, list[Flag]] | None:
    """Return what a site lets cables do now with a page of its flags, the newest first; None: no such site."""
    if site_of(conn, community, site) is None:
        return None
    return standing_of(conn, community, site, now), flags_of(conn, community, site, before=before, limit=limit)
