"""One schema from a file to a cluster: what holds of every table, and that the migrations make it so."""

from collections.abc import Callable, Iterator
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
import pytest
from sqlalchemy import Connection, Engine, ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from cloud import schema
from cloud.database import Database
from cloud.errors import SchemaError
from cloud.schema.tables import metadata

OF_CABLES = {
    "awaited_record",
    "cable",
    "cable_change",
    "cable_presence",
    "record_finding",
    "signed_record",
}
"""A cable's own facts: it is plugged in at sites of many communities, so they lie in the bucket of its id."""

UNDISTRIBUTED = {
    "hub_format": "formats are the same for every community, few, and read by all",
    "hub_broker_change": "belongs to a device's login, which is unique in the hub; done and erased within seconds",
    "hub_broker_lease": "one row: the process that tells the broker",
    "hub_login": "a device logs in with its id alone, before its community is known",
    "hub_wrong_try": "belongs to an address, not to a community",
    "cable_key": "a cable's key is unique in the world; whoever registers it again is refused by it",
    "client": "a client id is unique in the world, and asks for a token before its community is known",
    "cloud_identity": "one row: the key of the whole cloud",
    "correction_subscription": "belongs to a provider's client, which may be of no one community",
    "invitation": "a code is unique in the world, and is shown before its community is known",
    "known_key": "a site's key is unique in the world; pairing again finds the site by it",
    "pairing_code": "a code is unique in the world, and is shown before its community is known",
    "payment_event": "belongs to a provider's account with the whole cloud, and may be about no community's purchase",
    "wrong_code": "belongs to an address, not to a community",
}


def owned_by(table: Table) -> list[str]:
    """Return what every key of a table begins with: the bucket, and whose it is."""
    return ["bucket", "cable" if table.name in OF_CABLES else "community"]


every_table = pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)


def test_what_is_not_spread_over_a_cluster_is_listed_with_a_reason() -> None:
    """Whoever adds a table decides: a community's, with its bucket, or a small one that every node can do without."""
    assert {table.name for table in metadata.tables.values() if "bucket" not in table.columns} == set(UNDISTRIBUTED)


@every_table
def test_every_key_of_a_community_begins_with_its_bucket(table: Table) -> None:
    """Primary, unique and foreign, so that each can be checked on one node; of a cable's own facts with its id."""
    keys = [
        each
        for each in table.constraints
        if isinstance(each, (PrimaryKeyConstraint, UniqueConstraint, ForeignKeyConstraint))
    ]
    unique = [index for index in table.indexes if index.unique]
    assert table.primary_key.columns
    if table.name not in UNDISTRIBUTED:
        assert next(iter(table.columns)).name == "bucket"
        for key in (*keys, *unique):
            assert [column.name for column in key.columns][:2] == owned_by(table), key


@every_table
def test_what_refers_to_another_row_stays_in_its_bucket(table: Table) -> None:
    """A foreign key leads from bucket to the same bucket, or to a table that is not spread."""
    for key in table.foreign_key_constraints:
        if key.referred_table.name not in UNDISTRIBUTED:
            pairs = [(element.parent.name, element.column.name) for element in key.elements]
            assert pairs[:2] == [(name, name) for name in owned_by(table)], key


@every_table
def test_a_row_is_what_the_program_wrote(table: Table) -> None:
    """No number, time or default of the database's own: nodes and copies would differ."""
    for column in table.columns:
        assert column.autoincrement is not True
        assert column.identity is None
        assert column.computed is None
        assert column.server_default is None
        assert column.server_onupdate is None


@every_table
def test_every_column_is_a_whole_number_text_or_bytes(table: Table) -> None:
    """Strict in SQLite; bigint, text or bytea in PostgreSQL, and never a serial."""
    assert table.dialect_options["sqlite"]["strict"]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    assert {column.type.compile(dialect) for column in table.columns} <= {"BIGINT", "TEXT", "BYTEA"}
    made = str(CreateTable(table).compile(dialect=dialect))
    assert "STRICT" not in made
    assert "SERIAL" not in made


@pytest.fixture
def engine(new_url: Callable[[Path], str], tmp_path: Path) -> Iterator[Engine]:
    """Open an empty database."""
    database = Database(new_url(tmp_path))
    yield database.engine
    database.dispose()


SQLITE_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'alembic_version'"
POSTGRESQL_SCHEMA = """
    SELECT table_name, column_name, concat_ws(' ', data_type, is_nullable, column_default, is_identity)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION ALL
    SELECT 'constraint', conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid IS DISTINCT FROM to_regclass('alembic_version')
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""


def schema_of(conn: Connection) -> list[tuple[str, str, str]]:
    """Return every table, constraint and index as the database knows it, but for white space and order."""
    rows = conn.execute(text(SQLITE_SCHEMA if conn.dialect.name == "sqlite" else POSTGRESQL_SCHEMA))
    return sorted((kind, name, " ".join(sorted(sql.replace(",", " ").split()))) for kind, name, sql in rows)


def test_the_migrations_make_what_the_rooms_declare(
    engine: Engine, new_url: Callable[[Path], str], tmp_path: Path
) -> None:
    """Column for column, and also the checks and strictness, which a comparison of metadata does not see."""
    (tmp_path / "declared").mkdir()
    declared = Database(new_url(tmp_path / "declared"))
    with engine.begin() as conn, declared.engine.begin() as other:
        schema.migrate(conn)
        metadata.create_all(other)
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert schema_of(conn) == schema_of(other) != []
    declared.dispose()


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    """An operator may run it at every start."""
    with engine.begin() as conn:
        schema.migrate(conn)
        before = schema_of(conn)
        schema.migrate(conn)
        schema.check(conn)
        assert schema_of(conn) == before


def test_an_unfinished_migration_leaves_nothing(engine: Engine) -> None:
    """Cut off before its transaction ends, it never was."""

    def cut(conn: Connection) -> None:
        schema.migrate(conn)
        raise LookupError("the power is gone")

    with pytest.raises(LookupError), engine.begin() as conn:
        cut(conn)
    with engine.begin() as conn:
        assert schema_of(conn) == []


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    """An older program neither serves nor migrates what it does not understand."""
    with engine.begin() as conn:
        with pytest.raises(SchemaError, match="migrate"):
            schema.check(conn)
        schema.migrate(conn)
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for step in (schema.check, schema.migrate):
            with pytest.raises(SchemaError, match="9999"):
                step(conn)
