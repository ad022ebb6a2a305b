"""Finds which systems and sites a question is about, within the reach of who asks."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloud.database import bucket_of
from cloud.hub.devices.store import hub_device_table
from cloud.hub.reach.area import holds
from cloud.hub.reach.reach import Reach, reaches
from cloud.sites.store import site_table
from cloud.wire.cable import Place

from .question import Question
from .row import KIND_OF_TAPS

NAMED_MAX = 500  # ids in one statement

type Known = tuple[str, str | None]  # kind, site
type Places = Callable[[Connection, str], Mapping[str, Place]]  # where the sites of a community are


@dataclass(frozen=True, slots=True)
class Selection:
    """A question with what it is about: None is every one there is.

    `devices` are those of the hub with kind and site, in the database's order; `sites` those whose taps are asked
    for, none where no tap is.
    """

    question: Question
    devices: Mapping[str, Known] | None
    sites: frozenset[str] | None
    quantities: frozenset[str] | None


def selected(conn: Connection, question: Question, reach: Reach, places: Places) -> Selection:
    """Return what a question is about, as far as its asker may know."""
    asked, allowed = question.quantities, reach.quantities
    quantities = allowed if asked is None else asked if allowed is None else asked & allowed
    located = {} if question.area is None and reach.areas is None else places(conn, question.community)
    return Selection(
        question=question,
        devices=_devices(conn, question, reach, located),
        sites=_sites(conn, question, reach, located),
        quantities=quantities,
    )


def _devices(
    conn: Connection, question: Question, reach: Reach, located: Mapping[str, Place]
) -> Mapping[str, Known] | None:
    asked = (question.devices, question.kinds, question.site, question.area)
    if asked == (None, None, None, None) and (reach.kinds, reach.sites, reach.areas) == (None, None, None):
        return None
    c = hub_device_table.c
    columns = (c.device, c.kind, c.site, c.latitude_e6, c.longitude_e6)
    rows = select(*columns).filter_by(bucket=bucket_of(question.community), community=question.community)
    if question.devices is not None:
        rows = rows.where(c.device.in_(sorted(question.devices)))
    if question.kinds is not None:
        rows = rows.where(c.kind.in_(sorted(question.kinds)))
    if question.site is not None:
        rows = rows.where(c.site == question.site)
    found: dict[str, Known] = {}
    for device, kind, site, latitude, longitude in conn.execute(rows.order_by(c.device)):
        # what has no place of its own stands where its site does
        place = located.get(site) if latitude is None else (latitude, longitude)
        if _within(question, place) and reaches(reach, kind=kind, site=site, place=place):
            found[device] = (kind, site)
    return found


def _sites(conn: Connection, question: Question, reach: Reach, located: Mapping[str, Place]) -> frozenset[str] | None:
    if any(kinds is not None and KIND_OF_TAPS not in kinds for kinds in (question.kinds, reach.kinds)):
        return frozenset()
    if question.timed == "received":  # a site always says when it measured
        return frozenset()
    if (question.site, question.area, reach.sites, reach.areas) == (None, None, None, None):
        return None
    rows = select(site_table.c.site).filter_by(bucket=bucket_of(question.community), community=question.community)
    if question.site is not None:
        rows = rows.where(site_table.c.site == question.site)
    return frozenset(
        site
        for site in conn.execute(rows).scalars()
        if _within(question, located.get(site))
        and reaches(reach, kind=KIND_OF_TAPS, site=site, place=located.get(site))
    )


def _within(question: Question, place: Place | None) -> bool:
    return question.area is None or (place is not None and holds(question.area, place))


def kinds_of(conn: Connection, community: str, devices: Collection[str]) -> dict[str, Known]:
    """Return kind and site of devices."""
    c = hub_device_table.c
    found: dict[str, Known] = {}
    names = sorted(devices)
    for first in range(0, len(names), NAMED_MAX):
        rows = select(c.device, c.kind, c.site).filter_by(bucket=bucket_of(community), community=community)
        for device, kind, site in conn.execute(rows.where(c.device.in_(names[first : first + NAMED_MAX]))):
            found[device] = (kind, site)
    return found


def pairing_places(conn: Connection, community: str) -> dict[str, Place]:
    """Return where the sites of a community said they are when they were paired."""
    c = site_table.c
    rows = select(c.site, c.latitude_e6, c.longitude_e6).filter_by(bucket=bucket_of(community), community=community)
    return {site: (latitude, longitude) for site, latitude, longitude in conn.execute(rows) if latitude is not None}
