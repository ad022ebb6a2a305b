"""What the MQTT broker is still to be told."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "hub_broker_change",
        sa.Column("device", TEXT, nullable=False),
        sa.Column("change", TEXT, nullable=False),
        sa.Column("sealed", RAW),
        sa.Column("noted_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_hub_broker_change")),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_broker_lease",
        sa.Column("one", WHOLE, autoincrement=False, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("until_ms", WHOLE, nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_hub_broker_lease_only_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_hub_broker_lease")),
        sqlite_strict=True,
    )
