"""Run by Alembic: the connection and its transaction come from `schema.migrate`."""

from alembic import context

from cloud.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    compare_type=True,
)
context.run_migrations()
