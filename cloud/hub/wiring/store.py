"""Keeps grid equipment as it stands: what hangs below what, and the sites and connected systems each piece feeds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, Table, delete, select

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.hub.devices.store import hub_device_table
from cloud.sites.store import community_of, site_table

from .equipment import EQUIPMENT_MAX, PLAIN, Above, Equipment, Fault, below, changed, fault_of
from .history.store import add_changes

# within the caller's transaction: these sites of a community have another piece of equipment before them, or another
# load on it, since this time
type Rewired = Callable[[Connection, str, Iterable[str], int], None]

equipment_table = Table(
    "grid_equipment",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("equipment", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("provider", TEXT, nullable=False),  # the client that told it last
    Column("changed_at", WHOLE, nullable=False),
    Column("kind", TEXT),
    Column("above", TEXT),
    Column("limit_va", WHOLE),
    Column("limit_a", WHOLE),
    Column("nominal_mv", WHOLE),
    Column("phases", WHOLE),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)
TO_EQUIPMENT = (
    ["bucket", "community", "equipment"],
    ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
)

equipment_site_table = Table(
    "grid_equipment_site",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("equipment", TEXT, primary_key=True),
    ForeignKeyConstraint(*TO_EQUIPMENT),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_grid_equipment_site_equipment", "bucket", "community", "equipment"),
    **STRICT,
)

equipment_device_table = Table(
    "grid_equipment_device",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("device", TEXT, primary_key=True),  # one that was taken off the list stays named, as showing nothing
    Column("equipment", TEXT, primary_key=True),
    ForeignKeyConstraint(*TO_EQUIPMENT),
    Index("ix_grid_equipment_device_equipment", "bucket", "community", "equipment"),
    **STRICT,
)
FED = {
    "sites": (equipment_site_table, "site", site_table),
    "devices": (equipment_device_table, "device", hub_device_table),
}
IN_MAX = 1000  # names in one statement


@dataclass(frozen=True, slots=True)
class Unknown:
    """Sites or connected systems that a community does not have; nothing was kept."""

    what: Literal["sites", "devices"]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoForest:
    """A piece that would hang where it cannot; nothing was kept."""

    equipment: str
    fault: Fault


type NotPut = Literal["no-community", "too-many"] | Unknown | NoForest
type Wanted = Mapping[str, Mapping[str, Any]]  # by piece, the members that are said of it


def put_all(
    conn: Connection, community: str, wanted: Wanted, *, by: str, now: int, tell: Rewired
) -> list[Equipment] | NotPut:
    """Keep pieces of equipment, all or none, and tell the sites before which something else stands now.

    Members that are not named stay as they were. What changes is kept with its time.
    """
    if community_of(conn, community, locked=True) is None:
        return "no-community"
    stood = {piece.equipment: piece for piece in pieces(conn, community, list(wanted))}
    put = [changed(stood.get(name), name, members) for name, members in wanted.items()]
    above = {**above_of(conn, community), **{piece.equipment: piece.above for piece in put}}
    if len(above) > EQUIPMENT_MAX:
        return "too-many"
    if (wrong := _forest(above, wanted) or _unknown(conn, community, stood, put)) is not None:
        return wrong
    new = [piece for piece in put if stood.get(piece.equipment) != piece]
    _keep(conn, community, new, by, now)
    add_changes(conn, community, new, by=by, now=now)
    if moved := _moved(conn, community, stood, new, above):
        tell(conn, community, moved, now)
    return put


def _forest(above: Above, wanted: Iterable[str]) -> NoForest | None:
    """Return the first piece that hangs wrong: among those that are said anew, or deeper below them."""
    for name in (*wanted, *above):
        if (fault := fault_of(above, name)) is not None:
            return NoForest(name, fault)
    return None


def _unknown(
    conn: Connection, community: str, stood: Mapping[str, Equipment], put: Sequence[Equipment]
) -> Unknown | None:
    """Return what is named now and is not there; what stood already is not looked for again."""
    for what, (_, column, table) in FED.items():
        before = {name for piece in stood.values() for name in getattr(piece, what)}
        asked = sorted({name for piece in put for name in getattr(piece, what)} - before)
        c = table.c[column]
        rows = select(c).filter_by(bucket=bucket_of(community), community=community)
        known: set[str] = set()
        for place in range(0, len(asked), IN_MAX):
            known |= set(conn.execute(rows.where(c.in_(asked[place : place + IN_MAX]))).scalars())
        if missing := set(asked) - known:
            return Unknown("sites" if what == "sites" else "devices", tuple(sorted(missing)))
    return None


def _keep(conn: Connection, community: str, new: Sequence[Equipment], by: str, now: int) -> None:
    owned = {"bucket": bucket_of(community), "community": community}
    for piece in new:
        key = owned | {"equipment": piece.equipment}
        values = {name: getattr(piece, name) for name in PLAIN} | {"provider": by, "changed_at": now}
        upsert(conn, equipment_table, [*key], key | values)
        for what, (table, column, _) in FED.items():
            conn.execute(delete(table).filter_by(**key))
            rows = [(*key.values(), name) for name in getattr(piece, what)]
            insert_many(conn, table, (*key, column), rows)


def _moved(
    conn: Connection, community: str, stood: Mapping[str, Equipment], new: Sequence[Equipment], above: Above
) -> list[str]:
    """Return the sites before which another piece of equipment stands now."""
    found: set[str] = set()
    for piece in new:
        before = stood.get(piece.equipment)
        found |= set(piece.sites) ^ set(before.sites if before is not None else ())
    hung = [piece.equipment for piece in new if getattr(stood.get(piece.equipment), "above", None) != piece.above]
    if hung:
        found |= sites_fed(conn, community, below(above, hung))
    return sorted(found)


def pieces(conn: Connection, community: str, names: Sequence[str] | None = None) -> list[Equipment]:
    """Return a community's equipment as it stands, by id: all of it, or these."""
    owned = {"bucket": bucket_of(community), "community": community}
    fed: dict[str, defaultdict[str, list[str]]] = {}
    for what, (table, column, _) in FED.items():
        rows = select(table.c.equipment, table.c[column]).filter_by(**owned).order_by(table.c[column])
        if names is not None:
            rows = rows.where(table.c.equipment.in_(names))
        fed[what] = defaultdict(list)
        for name, one in conn.execute(rows).tuples():
            fed[what][name].append(one)
    c = equipment_table.c
    found = select(c.equipment, *(c[name] for name in PLAIN)).filter_by(**owned).order_by(c.equipment)
    if names is not None:
        found = found.where(c.equipment.in_(names))
    return [
        Equipment(**row, sites=tuple(fed["sites"][row["equipment"]]), devices=tuple(fed["devices"][row["equipment"]]))
        for row in conn.execute(found).mappings()
    ]


def equipment_of(conn: Connection, community: str, equipment: str) -> Equipment | None:
    """Return a piece of equipment as it stands."""
    return next(iter(pieces(conn, community, [equipment])), None)


def listed(conn: Connection, community: str, after: str, limit: int) -> list[str]:
    """Return a page of the ids of a community's equipment."""
    c = equipment_table.c
    rows = select(c.equipment).filter_by(bucket=bucket_of(community), community=community)
    return list(conn.execute(rows.where(c.equipment > after).order_by(c.equipment).limit(limit)).scalars())


def above_of(conn: Connection, community: str) -> Above:
    """Return where every piece of a community's equipment hangs."""
    c = equipment_table.c
    rows = select(c.equipment, c.above).filter_by(bucket=bucket_of(community), community=community)
    return dict(conn.execute(rows).tuples().all())


def sites_below(conn: Connection, community: str, equipment: str) -> list[str]:
    """Return the sites that a piece of equipment feeds, itself or through what hangs below it."""
    return sorted(sites_fed(conn, community, below(above_of(conn, community), [equipment])))


def sites_fed(conn: Connection, community: str, names: set[str]) -> set[str]:
    """Return the sites that these pieces of equipment feed directly."""
    c = equipment_site_table.c
    rows = select(c.site, c.equipment).filter_by(bucket=bucket_of(community), community=community)
    if len(names) <= IN_MAX:
        rows = rows.where(c.equipment.in_(sorted(names)))
    return {site for site, name in conn.execute(rows).tuples() if name in names}
