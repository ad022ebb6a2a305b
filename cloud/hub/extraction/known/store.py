"""Looks up what there is to be read, and the newest of it, a page of systems or sites at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row as Found, Select, and_, func, select

from cloud.bulk import GIVEN, as_given, given
from cloud.database import TEXT, bucket_of
from cloud.hub.devices.store import hub_device_table
from cloud.hub.extraction.question import Question
from cloud.hub.extraction.row import KIND_OF_TAPS, Position, Row
from cloud.hub.extraction.store import Places, Selection, selected
from cloud.hub.extraction.streams.store import reach_now
from cloud.hub.quantity import Quantity
from cloud.hub.readings.store import hub_reading_table
from cloud.ingest.readings.store import reading_table
from cloud.ingest.telemetry.store import telemetry_table
from cloud.principal import Principal
from cloud.sites.store import site_table
from cloud.wire.cable import Place

from .bodies import KnownQuery, behind

NEWEST_MAX: Final = 64  # readings of a system among which its quantities are looked for
SYSTEMS, SITES = 0, 1  # the two halves of every list
TAP_QUANTITIES: Final = (Quantity.IMPORT, Quantity.EXPORT, Quantity.IMPORT_REGISTER, Quantity.EXPORT_REGISTER)

h, s, t, d = hub_reading_table.c, reading_table.c, telemetry_table.c, hub_device_table.c


@dataclass(frozen=True, slots=True)
class Known:
    """A system or a tap that may be read, and what it measures since when."""

    device: str
    kind: str
    site: str | None
    maker: str | None
    model: str | None
    place: Place | None
    quantities: tuple[str, ...]
    first_ms: int | None
    last_ms: int | None


@dataclass(frozen=True, slots=True)
class Named:
    """The systems and sites of one page, and where the next one begins."""

    selection: Selection
    systems: list[Found[Any]]
    sites: list[str]
    located: Mapping[str, Place]
    next: Position | None


def _named(conn: Connection, question: Question, asker: Principal, places: Places, query: KnownQuery) -> Named:
    after, limit = behind(query.after), query.limit
    selection = selected(conn, question, reach_now(conn, question.community, asker), places)
    owned = {"bucket": bucket_of(question.community), "community": question.community}
    left, systems, sites, following = limit, [], [], None
    if after.stream == SYSTEMS:
        columns = (d.device, d.kind, d.site, d.maker, d.model, d.latitude_e6, d.longitude_e6)
        rows = select(*columns).filter_by(**owned).where(d.device > after.key[0]).order_by(d.device)
        systems = list(_among(conn, rows.limit(left), d.device, selection.devices))
        left -= len(systems)
        following = Position(0, SYSTEMS, (systems[-1].device,)) if not left else None
    if left and selection.sites != frozenset():
        begin = after.key[0] if after.stream == SITES else ""
        rows = select(site_table.c.site).filter_by(**owned).where(site_table.c.site > begin)
        rows = rows.order_by(site_table.c.site).limit(left)
        sites = [row.site for row in _among(conn, rows, site_table.c.site, selection.sites)]
        following = Position(0, SITES, (sites[-1],)) if len(sites) == left else None
    located = places(conn, question.community) if sites else {}
    return Named(selection, systems, sites, located, following)


def _among(
    conn: Connection, rows: Select[Any], name: ColumnElement[str], allowed: Collection[str] | None
) -> Sequence[Found[Any]]:
    """Return rows of these names only: the last one says where the next page begins, so it must not be another's."""
    if allowed is None:
        return conn.execute(rows).all()
    asked = given(conn.dialect.name, {"name": TEXT})
    return conn.execute(
        rows.where(name.in_(select(asked.c.name))), {GIVEN: as_given([(one,) for one in allowed])}
    ).all()


def known(
    conn: Connection, question: Question, asker: Principal, places: Places, query: KnownQuery
) -> tuple[list[Known], Position | None]:
    """Return what may be read, of so many systems and sites behind a name, and where the next page begins."""
    named = _named(conn, question, asker, places, query)
    found = [_system(conn, named.selection, row) for row in named.systems]
    for site in named.sites:
        found += _taps(conn, named.selection, site, named.located.get(site))
    return found, named.next


def _system(conn: Connection, selection: Selection, row: Found[Any]) -> Known:
    of = and_(*_owned(h, selection), h.device == row.device)
    if selection.quantities is not None:
        of = and_(of, h.quantity.in_(sorted(selection.quantities)))
    newest = conn.execute(
        select(h.measured_ms, h.quantity).where(of).order_by(h.measured_ms.desc()).limit(NEWEST_MAX)
    ).all()
    first = conn.execute(select(h.measured_ms).where(of).order_by(h.measured_ms).limit(1)).scalar_one_or_none()
    place = None if row.latitude_e6 is None else (row.latitude_e6, row.longitude_e6)
    quantities = tuple(sorted({item.quantity for item in newest}))
    last = newest[0].measured_ms if newest else None
    return Known(row.device, row.kind, row.site, row.maker, row.model, place, quantities, first, last)


def _taps(conn: Connection, selection: Selection, site: str, place: Place | None) -> list[Known]:
    of = and_(*_owned(s, selection), s.site == site)
    first, last = conn.execute(select(func.min(s.start), func.max(s.start)).where(of)).one()
    quantities = tuple(name for name in sorted(TAP_QUANTITIES) if _asked(selection, name))
    if last is None or not quantities:
        return []
    rows = select(s.tap, s.seconds).where(of, s.start == last, func.coalesce(s.private, 0) == 0).order_by(s.tap)
    return [
        Known(tap, KIND_OF_TAPS, site, None, None, place, quantities, first * 1000, (last + seconds) * 1000)
        for tap, seconds in conn.execute(rows)
        if selection.question.devices is None or tap in selection.question.devices
    ]


def latest(
    conn: Connection, question: Question, asker: Principal, places: Places, query: KnownQuery
) -> tuple[list[Row], Position | None]:
    """Return the newest reading of each point and quantity since a time, of so many systems and sites."""
    named = _named(conn, question, asker, places, query)
    found = _newest(conn, named.selection, named.systems)
    for site in named.sites:
        found += _newest_of_taps(conn, named.selection, site)
    return found, named.next


def _newest(conn: Connection, selection: Selection, systems: list[Found[Any]]) -> list[Row]:
    if not systems:
        return []
    question, of = selection.question, {row.device: (row.kind, row.site) for row in systems}
    held = and_(*_owned(h, selection), h.device.in_(sorted(of)), h.measured_ms >= question.from_ms)
    held = and_(held, h.measured_ms < question.to_ms)
    if selection.quantities is not None:
        held = and_(held, h.quantity.in_(sorted(selection.quantities)))
    series = (h.device, h.point, h.quantity)
    newest = select(*series, func.max(h.measured_ms).label("at")).where(held).group_by(*series).subquery()
    same = and_(*(h[name] == newest.c[name] for name in ("device", "point", "quantity")), h.measured_ms == newest.c.at)
    columns = (h.measured_ms, *series, h.seconds, h.value, h.timed, h.revision)
    rows = select(*columns).select_from(hub_reading_table.join(newest, same)).where(*_owned(h, selection))
    return [
        (ms, of[device][1], device, of[device][0], point, quantity, seconds, value, timed, revision)
        for ms, device, point, quantity, seconds, value, timed, revision in conn.execute(rows.order_by(*series))
    ]


def _newest_of_taps(conn: Connection, selection: Selection, site: str) -> list[Row]:
    question, found = selection.question, list[Row]()
    span = (s.start >= question.from_ms // 1000, s.start < question.to_ms // 1000)
    last = select(func.max(s.start)).where(*_owned(s, selection), s.site == site, *span).scalar_subquery()
    columns = (s.start, s.tap, s.seconds, s.import_wh, s.export_wh, s.import_register_wh, s.export_register_wh)
    rows = select(*columns, s.private, s.quality).where(*_owned(s, selection), s.site == site, s.start == last)
    private = set()
    for start, tap, seconds, *values, own, quality in conn.execute(rows.order_by(s.tap)):
        if own:
            private.add(tap)
        if own or quality == "missing" or not _named_tap(selection, tap):
            continue
        for name, value in zip(TAP_QUANTITIES, values, strict=True):
            at, length = (start, seconds) if name in (Quantity.IMPORT, Quantity.EXPORT) else (start + seconds, 0)
            if _asked(selection, name):
                found.append((at * 1000, site, tap, KIND_OF_TAPS, "", name.value, length, value, "given", 0))
    return found + [row for row in _newest_telemetry(conn, selection, site) if row[2] not in private]


def _newest_telemetry(conn: Connection, selection: Selection, site: str) -> list[Row]:
    question = selection.question
    of = and_(*_owned(t, selection), t.site == site, t.measured_ms >= question.from_ms, t.measured_ms < question.to_ms)
    series = (t.tap, t.point, t.quantity)
    newest = select(*series, func.max(t.measured_ms).label("at")).where(of).group_by(*series).subquery()
    same = and_(*(t[name] == newest.c[name] for name in ("tap", "point", "quantity")), t.measured_ms == newest.c.at)
    rows = select(t.measured_ms, *series, t.value).select_from(telemetry_table.join(newest, same)).where(of)
    return [
        (ms, site, tap, KIND_OF_TAPS, point, quantity, 0, value, "given", 0)
        for ms, tap, point, quantity, value in conn.execute(rows.order_by(*series))
        if _named_tap(selection, tap) and _asked(selection, quantity)
    ]


def _owned(columns: Any, selection: Selection) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    community = selection.question.community
    return columns.bucket == bucket_of(community), columns.community == community


def _asked(selection: Selection, quantity: str) -> bool:
    return selection.quantities is None or quantity in selection.quantities


def _named_tap(selection: Selection, tap: str) -> bool:
    return selection.question.devices is None or tap in selection.question.devices
