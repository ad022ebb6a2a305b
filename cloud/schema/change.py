"""How a migration changes a constraint of a table that has rows: SQLite knows no such statement, PostgreSQL does.

In SQLite the table's own definition is edited in place, as its manual has it for constraints ("Making Other Kinds Of
Table Schema Changes"): rows stay where they are, and it all happens in the migration's transaction.
"""

import re

from alembic import op
import sqlalchemy as sa

DEFINITION = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
REWRITE = sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :table")


def replace_check(table: str, name: str, condition: str) -> None:
    """Give a table's check constraint another condition; every row must fulfil it already."""
    if op.get_bind().dialect.name == "sqlite":
        _edit(
            table,
            rf"CONSTRAINT {name} CHECK \((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)",
            f"CONSTRAINT {name} CHECK ({condition})",
        )
        return
    op.drop_constraint(op.f(name), table, type_="check")
    op.create_check_constraint(op.f(name), table, condition)


def drop_foreign_key(table: str, name: str) -> None:
    """Let a table no longer refer to another one by this foreign key."""
    if op.get_bind().dialect.name == "sqlite":
        _edit(table, rf",\s*CONSTRAINT {name} FOREIGN KEY\([^()]*\) REFERENCES \w+ \([^()]*\)", "")
        return
    op.drop_constraint(op.f(name), table, type_="foreignkey")


def drop_check(table: str, name: str) -> None:
    """Take a check constraint from a table."""
    if op.get_bind().dialect.name == "sqlite":
        _edit(table, rf",\s*CONSTRAINT {name} CHECK \((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "")
        return
    op.drop_constraint(op.f(name), table, type_="check")


def _edit(table: str, pattern: str, replacement: str) -> None:
    conn = op.get_bind()
    before = conn.execute(DEFINITION, {"table": table}).scalar_one()
    after, found = re.subn(pattern, lambda _: replacement, before)
    assert found == 1, f"{table}: {found} constraints match {pattern}"
    version = conn.exec_driver_sql("PRAGMA schema_version").scalar_one()
    conn.exec_driver_sql("PRAGMA writable_schema = ON")
    conn.execute(REWRITE, {"sql": after, "table": table})
    conn.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    conn.exec_driver_sql("PRAGMA writable_schema = OFF")
