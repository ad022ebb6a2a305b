"""Keeps the formats that operators register: every version for ever, since messages name the one they were read by."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
import json
import logging
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, Connection, Table, func, select, update

from cloud.database import STRICT, TEXT, WHOLE, insert_new, metadata
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.wire import to_bytes

from .book import Book, Format, book_with
from .builtin import BUILT_IN
from .compiled import compiled
from .definition import Definition
from .path import DefinitionError

FORMATS_MAX = 500  # codes in one hub
LOGGER = logging.getLogger(__name__)

# Formats are the same for every community and few: a small table that every node keeps whole.
hub_format_table = Table(
    "hub_format",
    metadata,
    Column("format", TEXT, primary_key=True),
    Column("version", WHOLE, primary_key=True, autoincrement=False),
    Column("definition", TEXT, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    Column("made_by", TEXT, nullable=False),
    Column("retired_at", WHOLE),
    CheckConstraint("version >= 1", name="version_counts_from_one"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One version of a registered format; times in seconds since 1970."""

    format: str
    version: int
    definition: Definition
    made_at: int
    made_by: str
    retired_at: int | None


@dataclass(frozen=True, slots=True)
class Put:
    """The version of a format that is in use now, and whether it is a new one."""

    kept: Kept
    new: bool


def text_of(definition: Definition) -> str:
    """Return a definition in the one form it is kept and compared in."""
    return to_bytes(definition.model_dump(mode="json", exclude_defaults=True)).decode()


def put_format(conn: Connection, code: str, definition: Definition, by: str, now: int) -> Put | Literal["too-many"]:
    """Keep a new version of a format, unless the newest one in use says the same."""
    newest = conn.execute(
        select(hub_format_table).filter_by(format=code).order_by(hub_format_table.c.version.desc()).limit(1)
    ).one_or_none()
    text = text_of(definition)
    if newest is not None and newest.retired_at is None and newest.definition == text:
        return Put(_kept(newest._mapping), new=False)  # noqa: SLF001 - SQLAlchemy's public name for it
    if newest is None and _codes(conn) >= FORMATS_MAX:
        return "too-many"
    kept = Kept(code, 1 if newest is None else newest.version + 1, definition, now, by, None)
    row = {"format": code, "version": kept.version, "definition": text, "made_at": now, "made_by": by}
    if not insert_new(conn, hub_format_table, row | {"retired_at": None}):  # somebody else was faster
        return put_format(conn, code, definition, by, now)
    _tell(conn, code, kept.version, by, now)
    return Put(kept, new=True)


def _tell(conn: Connection, code: str, version: int | None, by: str, now: int) -> None:
    add_events(conn, [Event("", now * 1000, "format-changed", by, detail={"format": code, "version": version})])


def _codes(conn: Connection) -> int:
    return conn.execute(select(func.count(hub_format_table.c.format.distinct()))).scalar_one()


def retire(conn: Connection, code: str, by: str, now: int) -> Kept | None:
    """Take a format out of use and return its newest version; None if there is no such format."""
    changed = update(hub_format_table).filter_by(format=code, retired_at=None).values(retired_at=now)
    if conn.execute(changed.returning(hub_format_table.c.version)).all():
        _tell(conn, code, None, by, now)
    versions = versions_of(conn, code)
    return versions[-1] if versions else None


def versions_of(conn: Connection, code: str) -> list[Kept]:
    """Return every version of a registered format, the oldest first."""
    rows = select(hub_format_table).filter_by(format=code).order_by(hub_format_table.c.version)
    return [_kept(row._mapping) for row in conn.execute(rows)]  # noqa: SLF001 - as above


def newest_of_each(conn: Connection, after: str, limit: int) -> list[Kept]:
    """Return a page of the newest versions of registered formats, retired ones too, by code."""
    c = hub_format_table.c
    newest = select(c.format, func.max(c.version).label("version")).where(c.format > after).group_by(c.format)
    last = newest.order_by(c.format).limit(limit).subquery()
    rows = select(hub_format_table).join(last, (c.format == last.c.format) & (c.version == last.c.version))
    return [_kept(row._mapping) for row in conn.execute(rows.order_by(c.format))]  # noqa: SLF001 - as above


def _kept(row: Any) -> Kept:
    values = {**row} | {"definition": Definition.model_validate(json.loads(row["definition"]))}
    return Kept(**values)


def book_mark(conn: Connection) -> int:
    """Return a number that grows whenever a format was changed or retired."""
    marks = select(func.count() + func.count(hub_format_table.c.retired_at)).select_from(hub_format_table)
    return int(conn.execute(marks).scalar_one())


def book_of(conn: Connection) -> Book:
    """Return every format in use: ours, and the newest version of each that is registered."""
    c = hub_format_table.c
    rows = conn.execute(select(c.format, c.version, c.definition, c.retired_at).order_by(c.format, c.version))
    newest = {code: (version, text, retired_at) for code, version, text, retired_at in rows.tuples()}
    retired = frozenset(code for code, (_, _, retired_at) in newest.items() if retired_at is not None)
    return book_with([*BUILT_IN.values(), *_in_use(newest)], retired - BUILT_IN.keys())


def _in_use(newest: dict[str, tuple[int, str, int | None]]) -> Iterator[Format]:
    for code, (version, text, retired_at) in newest.items():
        if retired_at is None and code not in BUILT_IN:
            try:
                yield _ready(code, version, text)
            except (DefinitionError, ValueError) as error:  # of an older program, which allowed more
                LOGGER.warning("a format cannot be used", extra={"format": code, "detail": str(error)[:200]})


@lru_cache(maxsize=FORMATS_MAX)
def _ready(code: str, version: int, text: str) -> Format:
    return compiled(code, version, Definition.model_validate(json.loads(text)))
