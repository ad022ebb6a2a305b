"""Keeps the terms of each community for ever: whoever changes them adds to the list, with name and time."""

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.sites.store import community_of

from .terms import DEFAULTS, KeptTerms, Terms, next_boundary

v2g_terms_table = Table(
    "v2g_terms",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("valid_from", WHOLE, nullable=False),
    Column("base_micro", WHOLE, nullable=False),
    Column("price_micro_per_wh", WHOLE, nullable=False),
    Column("tolerance_wh", WHOLE, nullable=False),
    Column("tolerance_percent", WHOLE, nullable=False),
    Column("look_back", WHOLE, nullable=False),
    Column("mismatches", WHOLE, nullable=False),
    Column("soc_floor_percent", WHOLE, nullable=False),
    Column("distance_m", WHOLE, nullable=False),
    Column("demand_percent", WHOLE, nullable=False),
    Column("pending_cap_micro", WHOLE, nullable=False),
    Column("flag_permission", TEXT, nullable=False),
    Column("set_by", TEXT, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    CheckConstraint("base_micro >= 0 AND pending_cap_micro >= 0", name="amounts_not_negative"),
    CheckConstraint("mismatches >= 1 AND look_back >= mismatches", name="mismatches_within_look_back"),
    CheckConstraint("flag_permission IN ('charge_only', 'denied')", name="flag_takes_something"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

MEMBERS = tuple(member.name for member in fields(Terms))


def terms_of(conn: Connection, community: str, at: int | None = None) -> Terms:
    """Return a community's terms: those set last, or those that a period which begins at a time is under."""
    rows = select(v2g_terms_table).filter_by(bucket=bucket_of(community), community=community)
    if at is not None:
        rows = rows.where(v2g_terms_table.c.valid_from <= at)
    row = conn.execute(rows.order_by(v2g_terms_table.c.number.desc()).limit(1)).one_or_none()
    return DEFAULTS if row is None else _kept(row).terms


def put_terms(conn: Connection, community: str, terms: Terms, *, by: str, now: int) -> tuple[KeptTerms, bool] | None:
    """Set the terms from the next boundary on; the flag is False where they stand already. None: no such community."""
    settings = community_of(conn, community, locked=True)
    if settings is None:
        return None
    before = history(conn, community, limit=1)
    if before and before[0].terms == terms:
        return before[0], False
    number = before[0].number + 1 if before else 1
    kept = KeptTerms(number, next_boundary(now, settings.interval_seconds), terms, by, now)
    owned = {"bucket": bucket_of(community), "community": community, "number": number}
    values = {"valid_from": kept.valid_from, "set_by": by, "set_at": now}
    conn.execute(v2g_terms_table.insert().values(owned | values | asdict(terms)))
    return kept, True


def history(conn: Connection, community: str, *, limit: int) -> list[KeptTerms]:
    """Return what terms were set, the newest first."""
    rows = select(v2g_terms_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.order_by(v2g_terms_table.c.number.desc()).limit(limit)
    return [_kept(row) for row in conn.execute(rows)]


def _kept(row: Row[Any]) -> KeptTerms:
    terms = Terms(**{name: getattr(row, name) for name in MEMBERS})
    return KeptTerms(row.number, row.valid_from, terms, row.set_by, row.set_at)
