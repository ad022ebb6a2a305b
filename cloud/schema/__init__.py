"""The database's schema and how it came to be: numbered migrations, each within one transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from cloud.errors import SchemaError


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def migrate(conn: Connection) -> None:
    """Bring the schema to the newest revision, within the caller's transaction."""
    check_not_newer(conn)
    config = _alembic()
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def check_not_newer(conn: Connection) -> None:
    """Refuse a database that a newer program has migrated: this one does not know what its tables mean."""
    current = MigrationContext.configure(conn).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(f"the database is at revision {current}, which this program does not know; update it")


def check(conn: Connection) -> None:
    """Refuse a database whose schema is not the one this program was written for."""
    check_not_newer(conn)
    current = MigrationContext.configure(conn).get_current_revision()
    if current != ScriptDirectory.from_config(_alembic()).get_current_head():
        raise SchemaError("the database's schema is missing or older than this program; run `python -m cloud migrate`")
